package words

// Choice names a value that a setting can have; one that needs no words is its own name.
func Choice(setting, value string) Text {
	if t, ok := choices[setting+"="+value]; ok {
		return t
	}
	return Text{value, value}
}

var choices = map[string]Text{
	"truncation_strategy=delete": {"leave them out", "略去"},
	"truncation_strategy=left":   {"cut the beginning", "截去开头"},
	"truncation_strategy=right":  {"cut the end", "截去结尾"},
	"truncation_strategy=split":  {"split into pieces", "切成几段"},

	"template=auto":  {"the model's own", "模型自带"},
	"template=plain": {"plain", "最简单"},

	"stopping_strategy=first_exhausted": {"when the first has ended", "第一个用完时"},
	"stopping_strategy=all_exhausted":   {"when all have ended", "全部用完时"},

	"optim=adamw":       {"AdamW", "AdamW"},
	"optim=paged_adamw": {"AdamW, moments outside the GPU if need be", "AdamW，必要时把动量放到显存之外"},
	"optim=sgd":         {"SGD", "SGD"},

	"lr_scheduler_type=constant":             {"constant", "恒定"},
	"lr_scheduler_type=constant_with_warmup": {"constant after a warm-up", "预热后恒定"},
	"lr_scheduler_type=linear":               {"falls in a line", "线性下降"},
	"lr_scheduler_type=cosine":               {"falls as a cosine", "余弦下降"},

	"kernel_variant=auto":      {"the faster ones, measured", "自动测出更快的"},
	"kernel_variant=registers": {"registers", "寄存器版（registers）"},
	"kernel_variant=tiled":     {"tiled", "分块版（tiled）"},
}

// Kind names a kind of parameters of a model.
func Kind(name string) Text {
	if t, ok := kinds[name]; ok {
		return t
	}
	return Text{name, name}
}

var kinds = map[string]Text{
	"embedding":    {"embedding", "词嵌入"},
	"attention":    {"attention", "注意力"},
	"feed forward": {"feed forward", "前馈网络"},
	"norms":        {"norms", "归一化"},
	"head":         {"head", "输出层"},
	"other":        {"other", "其他"},
}
