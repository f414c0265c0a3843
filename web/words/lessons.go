package words

// Lesson is what a stage teaches: one line that stands there, and more that unfolds.
type Lesson struct{ Line, More Text }

// The lessons of the stages.
var (
	ModelLesson = Lesson{
		Text{"A language model is a big table of numbers, its parameters, that guesses the next piece of a text.", "语言模型是一大张数表（参数），它的本事是猜一段文字接下来是什么。"},
		Text{"Texts are cut into tokens: words, parts of words, single characters. For the tokens so far, the model computes how likely each token of its vocabulary is to come next. Reading a great deal of text has set its numbers (pre-training); fine-tuning moves them a little further, towards what your examples show.", "文字先被切成词元（token）：词、词的一部分或单个字。模型根据已有的词元，算出词表里每个词元接下来出现的可能性。大量阅读定下了这些数（预训练）；微调再把它们往你的例子所示的方向挪动一点。"},
	}
	DataLesson = Lesson{
		Text{"Each row is an example to learn from: a question, and the answer that it should get.", "每一行是一个供学习的例子：一个问题，以及它应得的回答。"},
		Text{"Only the answer counts for the loss. The question is shown to the model but not learnt: it is masked. Some rows are held out and never trained on; how well the model does on them tells whether it has understood or only remembered.", "只有回答计入损失；问题给模型看，但不学，这叫掩码（mask）。另有一些行被留出，不参与训练：模型在它们上面的表现，能看出它是真懂了，还是只是记住了。"},
	}
	MethodLesson = Lesson{
		Text{"LoRA leaves the model as it is and learns two thin matrices, A and B, beside each of its layers.", "LoRA 不改动原模型，只在每一层旁边学习两个瘦长的矩阵 A 和 B。"},
		Text{"A layer computes W·x. With LoRA it computes W·x + s·B·(A·x): W stays frozen, and only A and B learn. B starts at zero, so nothing changes at first. The rank is how thick A and B are: rank 8 on a layer of 4096 × 4096 learns 65,536 numbers in place of 16.8 million.", "一层原本计算 W·x，加上 LoRA 后计算 W·x + s·B·(A·x)：W 冻结不动，只有 A 和 B 在学。B 从零开始，所以一开始什么都没变。秩（rank）就是 A 和 B 的“厚度”：在 4096 × 4096 的层上，秩为 8 只需学 65,536 个数，而不是 1680 万个。"},
	}
	TrainLesson = Lesson{
		Text{"The loss says how surprised the model is by the right answer. Learning is making it fall.", "损失（loss）表示正确答案让模型多“意外”。学习，就是让它降下来。"},
		Text{"A step looks at a few rows, computes for every number in which direction it should move so that the right answers become more likely (the gradient), and moves it by a little times the learning rate. A loss of 0 would be no surprise at all; guessing blindly among 1,500 tokens gives about 7.3, the logarithm of 1,500.", "每一步看几行数据，算出每个数该往哪个方向动，才能让正确答案更可能出现（这就是梯度），再按学习率移动一点点。损失为 0 表示毫不意外；在 1500 个词元里瞎猜，损失约为 7.3，即 1500 的自然对数。"},
	}
	TryLesson = Lesson{
		Text{"Both models get the same question and the same seed, so that only the tuning makes the difference.", "两个模型收到同样的问题、用同样的种子，差别只来自微调。"},
		Text{"With temperature 0 a model always says its most likely token. Higher temperatures draw more freely, as with a loaded die whose sides are the tokens. The bars show what it holds likely as the first token of its answer.", "温度为 0 时，模型总说最可能的词元；温度越高，选得越随意，好比掷一枚各面是词元、轻重不一的骰子。横条显示它认为回答的第一个词元可能是什么。"},
	}
	SaveLesson = Lesson{
		Text{"An adapter is a small file with what was learnt; a merged model stands by itself.", "适配器是只装着所学内容的小文件；合并后的模型可以独立使用。"},
		Text{"The adapter holds A and B of every layer and needs its base model beside it. Merging adds s·B·A to the weights once and for all: the result is as large as the base and opens in any program that opens the base.", "适配器里是每一层的 A 和 B，使用时要配上原模型。合并则把 s·B·A 一次性加进权重：结果和原模型一样大，能打开原模型的程序都能打开它。"},
	}
)

// What a tuner is good for and what it costs.
var (
	LoRAPoints = []Text{
		{"+ little memory, a file of a few per cent", "＋ 省内存，文件只有原模型的百分之几"},
		{"− learns a style or a task better than new facts", "－ 学风格和任务容易，学大量新知识较难"},
	}
	QLoRAPoints = []Text{
		{"+ the largest models that fit this machine", "＋ 本机能放下的最大模型"},
		{"− each step takes somewhat longer", "－ 每一步稍慢一些"},
	}
	FullPoints = []Text{
		{"+ nothing is held back", "＋ 没有任何限制"},
		{"− several times the memory; forgets more easily", "－ 内存要多好几倍，也更容易遗忘旧知识"},
	}
)
