package words

import (
	"fmt"
	"regexp"
)

// Warning is a warning of the host in plain words. One that is not known stands as it came.
func Warning(l Language, text string) string {
	for _, w := range warnings {
		if m := regexp.MustCompile(w.pattern).FindStringSubmatch(text); m != nil {
			args := make([]any, len(m)-1)
			for i := range args {
				args[i] = m[i+1]
			}
			return fmt.Sprintf(w.plain.In(l), args...)
		}
	}
	return text
}

// warnings are what core/run warns of; a group of the pattern fills a verb of the text. They are rare: nothing is compiled before one comes.
var warnings = []struct {
	pattern string
	plain   Text
}{
	{`^learning_rate is (\S+): it was changed while the run went on`,
		Text{"The learning rate is %s: you changed it before this run was last saved.", "学习率为 %s：上次保存之前你修改过它。"}},
	{`^the checkpoint was computed with the (\S+) kernels, this device has (\S+):`,
		Text{"The run began with the %s kernels and goes on with %s: from here its last digits may differ.", "训练开始时用的是 %s 内核，现在改用 %s：此后数值的末几位可能不同。"}},
	{`^max_length is (\d+), not (\d+):`,
		Text{"Rows may have %s tokens at most, not %s: the model has learnt no further positions.", "每行最多 %s 个词元，而不是 %s 个：模型没有学过更远的位置。"}},
	{`^max_length (\d+) is more than the (\d+) positions`,
		Text{"Rows may have %s tokens, but the model was made for %s: it has not learnt to look so far.", "允许每行 %s 个词元，但模型只为 %s 个设计，没有学过看那么远。"}},
	{`^(\d+) rows have nothing to learn from and only cost time: (.*)$`,
		Text{"%s rows have no answer to learn, so they only cost time: %s", "有 %s 行没有可学的回答，只会浪费时间：%s"}},
	{`^(\d+) of (\d+) rows are longer than max_length (\d+) and are left out`,
		Text{"%s of %s rows are longer than %s tokens and are left out. “Rows that are too long” under Advanced can cut them instead.", "%s 行（共 %s 行）超过 %s 个词元，已略去。可以在“高级”里的“过长的行”改为截断。"}},
	{`^(\d+) of (\d+) rows are longer than max_length (\d+) and lose their beginning`,
		Text{"%s of %s rows are longer than %s tokens and lose their beginning.", "%s 行（共 %s 行）超过 %s 个词元，开头被截去。"}},
	{`^(\d+) of (\d+) rows are longer than max_length (\d+) and lose their end`,
		Text{"%s of %s rows are longer than %s tokens and lose their end.", "%s 行（共 %s 行）超过 %s 个词元，结尾被截去。"}},
	{`^rows longer than max_length (\d+) are cut into pieces, (\d+) more`,
		Text{"Rows longer than %s tokens are split, which makes %s pieces more. Only the first piece of a row has its beginning.", "超过 %s 个词元的行被切开，多出 %s 段；只有第一段带着开头。"}},
	{`^val_dataset_sample asks for (\d+) rows; split_dataset_ratio holds out only (\d+)$`,
		Text{"There are too few rows to hold out %s; %s are held out.", "数据太少，留不出 %s 行，只留出 %s 行。"}},
	{`^a sample of (\d+) rows is asked for, and there are only (\d+)$`,
		Text{"There are too few rows to train on %s; there are %s.", "数据太少，不够 %s 行用于训练，只有 %s 行。"}},
	{`^eval_steps does nothing:`,
		Text{"No rows are held out, so the held-out loss cannot be measured. “Share held out” changes that.", "没有留出数据，无法计算留出损失。设置“留出比例”即可。"}},
	{`^the warmup does nothing:`,
		Text{"A constant learning rate has no warm-up; “constant after a warm-up” has one.", "恒定学习率没有预热；请选“预热后恒定”。"}},
	{`^the warmup of (\d+) steps does not end before the run of (\d+): the learning rate never gets to (\S+)$`,
		Text{"The warm-up takes %s steps, but the run has only %s: the learning rate never gets to %s.", "预热要 %s 步，而训练只有 %s 步：学习率升不到 %s。"}},
	{`^stopping_strategy does nothing`,
		Text{"“End of a mix” does nothing as long as the data sets are not mixed.", "没有混合数据集时，“混合何时结束”不起作用。"}},
	{`^interleave_prob does nothing`,
		Text{"There is only one data set, so there is nothing to mix.", "只有一个数据集，无从混合。"}},
	{`^(\w+) does nothing: no row is a conversation`,
		Text{"%s does nothing: no row is a conversation.", "%s 不起作用：数据里没有多轮对话。"}},
	{`^THE ADAPTER DOES NOTHING:`,
		Text{"The adapter does nothing: it has learnt nothing at all. Was the learning rate 0?", "适配器不起作用：什么都没学到。学习率是不是 0？"}},
	{`^(\d+) of (\d+) layers have an adapter that does nothing`,
		Text{"%s of %s layers have learnt nothing.", "%s 层（共 %s 层）什么都没学到。"}},
	{`^THE ADAPTER CHANGES NOTHING:`,
		Text{"The tuned model still answers exactly as the base does. More steps or a higher learning rate may help.", "微调后的回答和原模型完全一样。可以多训练几步，或提高学习率。"}},
	{`^(.*)\. It was opened again, and the run goes on from (.*)$`,
		Text{"The graphics card was lost for a moment (%s). It was opened again, and the run goes on from its last save (%s).", "显卡连接曾短暂中断（%s）。已重新连接，训练从最近一次保存处继续（%s）。"}},
	{`^(.*); --fallback cpu: the run goes on from \S+ on the CPU$`,
		Text{"The graphics card was lost (%s). The run goes on from its last save, on the processor.", "显卡连接中断（%s）。训练从最近一次保存处继续，改用处理器。"}},
}
