package words

// On and Off are the values of a switch.
var (
	On  = Text{"on", "开"}
	Off = Text{"off", "关"}
)

// Setting is how a setting of the recipe is called and explained.
type Setting struct{ Label, About Text }

// SettingOf describes the setting of a recipe by its name.
func SettingOf(name string) Setting { return settings[name] }

// Group translates the heading of a group of settings.
func Group(name string) Text {
	if t, ok := groups[name]; ok {
		return t
	}
	return Text{name, name}
}

var groups = map[string]Text{
	"Model and data":        {"Model and data", "模型和数据"},
	"What trains":           {"What trains", "训练什么"},
	"Steps":                 {"Steps", "步数"},
	"Optimiser":             {"Optimiser", "优化器"},
	"Evaluating and saving": {"Evaluating and saving", "评估与保存"},
	"Running":               {"Running", "运行"},
}

// Defaults says in words what a setting is when nothing is set, where its value would not say it.
var Defaults = map[string]Text{
	"learning_rate":               {"1e-4, full: 1e-5", "1e-4，全参数 1e-5"},
	"max_steps":                   {"as the epochs ask", "由轮数决定"},
	"max_length":                  {"the model's own limit", "模型自身的上限"},
	"gradient_accumulation_steps": {"as many as make 16 rows", "凑满 16 行"},
	"warmup_steps":                {"as warmup_ratio says", "由 warmup_ratio 决定"},
	"eval_steps":                  {"as save_steps", "同 save_steps"},
	"save_total_limit":            {"keep all", "全部保留"},
	"early_stop_interval":         {"never", "不提前停止"},
	"device_memory":               {"what the device says", "由设备决定"},
	"train_dataset_sample":        {"all", "全部"},
	"val_dataset_sample":          {"all", "全部"},
	"interleave_prob":             {"one after the other", "依次使用"},
	"freeze_parameters":           {"none", "无"},
}

var settings = map[string]Setting{
	"learning_rate":               {Text{"Learning rate", "学习率"}, Text{"How far each step moves the numbers. Ten times too high and the loss jumps.", "每步移动多远。大十倍，损失就会乱跳。"}},
	"max_steps":                   {Text{"Steps", "步数"}, Text{"How often the numbers are moved.", "参数更新多少次。"}},
	"per_device_train_batch_size": {Text{"Rows a batch", "每批行数"}, Text{"Rows that are computed at once. More need more memory.", "一次计算多少行，越多越占内存。"}},
	"lora_rank":                   {Text{"LoRA rank", "LoRA 秩"}, Text{"How thick the two small matrices are. More can learn more, and by heart.", "两个小矩阵有多“厚”。越大能学越多，也更容易死记。"}},
	"split_dataset_ratio":         {Text{"Share held out", "留出比例"}, Text{"Rows kept away from training, to see whether the model understands or remembers.", "不参与训练的数据，用来看模型是理解了还是记住了。"}},
	"seed":                        {Text{"Seed", "随机种子"}, Text{"The one source of chance: the same seed gives the same run.", "唯一的随机来源：同样的种子得到同样的训练。"}},
	"max_length":                  {Text{"Longest row", "最大长度"}, Text{"Rows with more tokens are left out or cut.", "超过这个词元数的行会被略去或截断。"}},
	"packing":                     {Text{"Packing", "打包"}, Text{"Put several short rows into one sequence; they do not see each other.", "把几行短数据拼成一条序列，彼此看不见。"}},
	"dataset_shuffle":             {Text{"Shuffle", "打乱顺序"}, Text{"A new order of the rows in every epoch.", "每轮使用新的顺序。"}},
	"template":                    {Text{"Chat template", "对话模板"}, Text{"How questions and answers are laid out: the model's own way, or a plain one.", "问答的排版方式：模型自带的，或最简单的。"}},
	"truncation_strategy":         {Text{"Rows that are too long", "过长的行"}, Text{"Leave them out, cut their beginning or end, or split them.", "略去、截去开头或结尾，或切成几段。"}},
	"train_on_prompt":             {Text{"Learn the questions too", "也学习问题"}, Text{"Normally only answers are learnt.", "通常只学回答。"}},
	"mask_history":                {Text{"Only the last answer", "只学最后一个回答"}, Text{"In conversations, learn the last answer alone.", "多轮对话中只学最后一个回答。"}},
	"train_dataset_sample":        {Text{"Rows to train on", "训练行数"}, Text{"Take only so many, drawn by the seed.", "只用这么多行，由种子抽取。"}},
	"val_dataset_sample":          {Text{"Rows to hold out", "留出行数"}, Text{"So many rows never train and measure the held-out loss.", "这么多行不参与训练，用来计算留出损失。"}},
	"interleave_prob":             {Text{"Mix of the data sets", "数据集混合比例"}, Text{"The probability of each, with commas.", "每个数据集的概率，用逗号分开。"}},
	"stopping_strategy":           {Text{"End of a mix", "混合何时结束"}, Text{"With the first data set that ends, or when all have ended.", "第一个用完时结束，或全部用完时结束。"}},
	"lora_alpha":                  {Text{"LoRA alpha", "LoRA alpha"}, Text{"What is learnt counts alpha / rank times.", "所学内容按 alpha / 秩 的倍数起作用。"}},
	"lora_dropout":                {Text{"LoRA dropout", "LoRA 丢弃率"}, Text{"Chance that an input is ignored in a step, against learning by heart.", "一步中忽略某个输入的概率，防止死记硬背。"}},
	"lora_target_modules":         {Text{"Layers with an adapter", "加适配器的层"}, Text{"all-linear, or names such as q_proj,v_proj.", "all-linear，或如 q_proj,v_proj 的名字。"}},
	"use_rslora":                  {Text{"Rank-stabilised LoRA", "rsLoRA"}, Text{"Divide alpha by the root of the rank, for high ranks.", "用秩的平方根去除 alpha，适合较大的秩。"}},
	"freeze_parameters":           {Text{"Frozen tensors", "冻结的张量"}, Text{"With full training: those whose names begin so stay as they are.", "全参数训练时，名字以此开头的张量保持不变。"}},
	"gradient_accumulation_steps": {Text{"Batches a step", "梯度累积"}, Text{"Batches whose gradients are added before the numbers move.", "累加几批的梯度后再更新一次。"}},
	"num_train_epochs":            {Text{"Epochs", "轮数"}, Text{"How often all rows are seen.", "所有数据看几遍。"}},
	"neftune_noise_alpha":         {Text{"NEFTune noise", "NEFTune 噪声"}, Text{"A little noise on the inputs can make answers better.", "给输入加一点噪声，有时回答会更好。"}},
	"gradient_checkpointing":      {Text{"Save memory by computing twice", "以重算换内存"}, Text{"Gradient checkpointing: less memory, a third more time.", "梯度检查点：内存更少，时间多约三分之一。"}},
	"optim":                       {Text{"Optimiser", "优化器"}, Text{"How gradients become steps. AdamW is the usual one.", "怎样由梯度得到更新，通常用 AdamW。"}},
	"lr_scheduler_type":           {Text{"Schedule of the learning rate", "学习率变化方式"}, Text{"How it changes on the way; cosine ends softly.", "训练中学习率怎样变化，cosine 平缓收尾。"}},
	"warmup_steps":                {Text{"Warm-up steps", "预热步数"}, Text{"Steps in which the learning rate rises from zero.", "学习率从零上升的步数。"}},
	"warmup_ratio":                {Text{"Warm-up share", "预热比例"}, Text{"The same as a share of all steps.", "同上，按总步数的比例。"}},
	"weight_decay":                {Text{"Weight decay", "权重衰减"}, Text{"Pulls the numbers gently towards zero.", "把参数轻轻拉向零。"}},
	"adam_beta1":                  {Text{"Adam beta 1", "Adam beta 1"}, Text{"How long the mean of the gradients remembers.", "梯度均值的记忆长度。"}},
	"adam_beta2":                  {Text{"Adam beta 2", "Adam beta 2"}, Text{"How long the mean of their squares remembers.", "梯度平方均值的记忆长度。"}},
	"adam_epsilon":                {Text{"Adam epsilon", "Adam epsilon"}, Text{"Keeps a division by almost zero in bounds.", "避免除以接近零的数。"}},
	"max_grad_norm":               {Text{"Largest gradient norm", "梯度范数上限"}, Text{"Longer gradients are shortened to this.", "超过的梯度会缩短到这个长度。"}},
	"eval_steps":                  {Text{"Measure every", "评估间隔"}, Text{"Steps between two looks at the held-out rows.", "每隔多少步计算留出损失。"}},
	"save_steps":                  {Text{"Save every", "保存间隔"}, Text{"Steps between two checkpoints.", "每隔多少步保存检查点。"}},
	"save_total_limit":            {Text{"Checkpoints to keep", "保留检查点数"}, Text{"Older ones are removed.", "更早的会被删除。"}},
	"load_best_model_at_end":      {Text{"End with the best", "以最好的结束"}, Text{"Take the checkpoint with the lowest held-out loss.", "使用留出损失最低的检查点。"}},
	"early_stop_interval":         {Text{"Stop early", "提前停止"}, Text{"After so many measurements without a better one.", "连续这么多次评估没有更好就停止。"}},
	"device_memory":               {Text{"Memory limit", "内存上限"}, Text{"Such as 2GB; a run that needs more is refused.", "例如 2GB；超过的训练会被拒绝。"}},
	"kernel_variant":              {Text{"Kernels", "计算内核"}, Text{"auto measures which are faster on this device.", "auto 会测试本设备上哪种更快。"}},
	"logging_steps":               {Text{"Points every", "记录间隔"}, Text{"Steps between two points of the curves.", "曲线上每隔多少步一个点。"}},
}
