package words

// The frame of the page.
var (
	Title       = Text{"Hone: fine-tune a language model in this page", "Hone：就在网页里微调语言模型"}
	Tagline     = Text{"Fine-tune a language model on your own machine. Nothing is installed, and no data leaves it.", "在自己的电脑上微调语言模型。不用安装，数据不离开本机。"}
	Skip        = Text{"Skip to the stages", "跳到各个步骤"}
	Theme       = Text{"Light or dark", "切换明暗"}
	Contents    = Text{"Stages", "步骤"}
	Starting    = Text{"Getting ready…", "正在准备……"}
	NoScript    = Text{"This page trains models with WebAssembly and WebGPU, so it needs JavaScript. Please switch it on.", "本页用 WebAssembly 和 WebGPU 训练模型，需要启用 JavaScript。"}
	UpdateReady = Text{"A new release of this page is ready.", "页面有新版本。"}
	UpdateTake  = Text{"Take it and reload", "更新并重新载入"}
	Insecure    = Text{"This address begins with http://. Browsers let a page keep files and use the graphics card only over https, or at localhost: open it there.", "这个地址以 http:// 开头。浏览器只允许 https 或 localhost 的页面保存文件和使用显卡，请换用那样的地址打开。"}
	Storeless   = Text{"This browser does not let pages keep files (OPFS), which training needs; private windows often do not. A current Chrome, Edge, Firefox or Safari does.", "这个浏览器不允许页面保存文件（OPFS），而训练需要它；无痕窗口常常如此。请使用新版 Chrome、Edge、Firefox 或 Safari。"}
	Broken      = Text{"The trainer stopped: %s Reload the page; a run that was going on continues from its last save.", "训练程序停止了：%s 请重新载入页面，训练会从最近一次保存处继续。"}
	Reload      = Text{"Reload", "重新载入"}
	WhatIsThis  = Text{"What is happening here?", "这里发生了什么？"}
	Working     = Text{"Working…", "处理中……"}
	Cancel      = Text{"Cancel", "取消"}
)

// Where the work is done.
var (
	OnWebGPU = Text{"This browser, WebGPU: %s", "本浏览器，WebGPU：%s"}
	OnCPU    = Text{"This browser, processor only: %s", "本浏览器，仅用处理器：%s"}
	WhyCPU   = Text{"Why not on the graphics card, and what to do", "为什么没用显卡，怎么办"}
	Storage  = Text{"%s of %s used in this browser", "本浏览器已用 %s，共可用 %s"}
	Keep     = Text{"Keep these files", "长期保留这些文件"}
	NotKept  = Text{"This browser does not promise to keep these files: it may clear them when space runs short. Save what you would miss. It often promises it for a page that has a bookmark or is installed: then press again.", "浏览器没有承诺长期保留这些文件，空间不足时可能会清除它们。重要的结果请另存到电脑上。把本页加入书签或安装为应用后再按一次，浏览器往往会同意。"}
	Kept     = Text{"This browser keeps the files.", "浏览器会长期保留这些文件。"}
)

// The bar of the run, always in sight.
var (
	TrainNow       = Text{"Train a tiny model now", "现在就训练一个小模型"}
	Begin          = Text{"Start training", "开始训练"}
	Play           = Text{"Continue", "继续"}
	Pause          = Text{"Pause", "暂停"}
	OneStep        = Text{"One step", "单步"}
	Stop           = Text{"Stop", "停止"}
	SaveNow        = Text{"Save now", "立即保存"}
	SavedAt        = Text{"saved at step %d", "已保存到第 %d 步"}
	StatusIdle     = Text{"Nothing is training.", "没有正在进行的训练。"}
	StatusBegins   = Text{"Loading model and data…", "正在载入模型和数据……"}
	StatusRuns     = Text{"Training: step %d of %d", "训练中：第 %d 步，共 %d 步"}
	StatusPaused   = Text{"Paused after step %d of %d", "已在第 %d 步暂停，共 %d 步"}
	StatusReleased = Text{"Paused after step %d of %d; its device is free for others meanwhile", "已在第 %d 步暂停，共 %d 步；设备已暂时让给其他训练"}
	StatusDone     = Text{"Finished after %d steps", "训练完成，共 %d 步"}
	StatusStopped  = Text{"Stopped after step %d; it can be continued", "已在第 %d 步停止，可以继续"}
	StatusFailed   = Text{"The run ended with an error", "训练出错，已结束"}
	Left           = Text{"about %s left", "约剩 %s"}
	Seconds        = Text{"%d s", "%d 秒"}
	Minutes        = Text{"%d min", "%d 分钟"}
	Hours          = Text{"%.1f h", "%.1f 小时"}
)

// The stages.
var (
	StageModel  = Text{"Model", "模型"}
	StageData   = Text{"Data", "数据"}
	StageMethod = Text{"Method", "方法"}
	StageTrain  = Text{"Train", "训练"}
	StageTry    = Text{"Try", "试用"}
	StageSave   = Text{"Save", "保存"}
	StageRuns   = Text{"Runs", "记录"}
)

// Model.
var (
	ModelUse        = Text{"Use", "使用"}
	ModelUsed       = Text{"In use", "使用中"}
	ModelBundled    = Text{"Comes with this page", "随页面附带"}
	ModelFromDisk   = Text{"From your disk", "从本机选择"}
	ModelFromDiskTo = Text{"Choose or drop the files of a model as Hugging Face has them: config.json, *.safetensors, tokenizer.json.", "选择或拖入 Hugging Face 格式的模型文件：config.json、*.safetensors、tokenizer.json。"}
	ModelAdapter    = Text{"A PEFT adapter: what a training with LoRA has learnt", "PEFT 适配器：LoRA 训练学到的内容"}
	AdapterUse      = Text{"Go on from it", "从它接着训练"}
	AdapterUsed     = Text{"Training goes on from it", "将从它接着训练"}
	AdapterLeave    = Text{"Begin anew", "重新开始"}
	ModelFiles      = Text{"Choose files", "选择文件"}
	ModelFolder     = Text{"Choose a folder", "选择文件夹"}
	ModelFromHub    = Text{"By its name", "按名字下载"}
	ModelHubName    = Text{"Name on Hugging Face or ModelScope", "Hugging Face 或 ModelScope 上的名字"}
	ModelHubExample = Text{"such as HuggingFaceTB/SmolLM2-135M", "例如 Qwen/Qwen2.5-0.5B"}
	ModelFetch      = Text{"Download", "下载"}
	HubWhich        = Text{"Where from", "来源"}
	HubAuto         = Text{"Hugging Face, then ModelScope", "先 Hugging Face，后 ModelScope"}
	Downloaded      = Text{"%s: %s of %s", "%s：已下载 %s，共 %s"}
	Architecture    = Text{"Architecture", "结构"}
	Parameters      = Text{"Parameters", "参数量"}
	Layers          = Text{"Layers", "层数"}
	HiddenSize      = Text{"Width (hidden_size)", "宽度（hidden_size）"}
	Vocabulary      = Text{"Vocabulary", "词表大小"}
	Positions       = Text{"Longest text, in tokens", "最长文本（词元）"}
	NumberTypes     = Text{"Number types", "数值类型"}
	ByKind          = Text{"Where the parameters are", "参数分布"}
	SizeOnDisk      = Text{"Size", "大小"}
	Remove          = Text{"Remove", "删除"}
)

// Data.
var (
	DataOwn          = Text{"Your own rows", "自己的数据"}
	DataOwnTo        = Text{"Choose or drop JSON, JSONL, text, CSV or Parquet. The file stays in this browser.", "选择或拖入 JSON、JSONL、文本、CSV 或 Parquet 文件。文件只留在本浏览器里。"}
	DataHubName      = Text{"Name on Hugging Face or ModelScope, or the address of a file: JSON or JSONL", "Hugging Face 或 ModelScope 上的名字，或文件地址：JSON 或 JSONL"}
	DataHubExample   = Text{"such as swift/self-cognition", "例如 swift/self-cognition"}
	DataPaste        = Text{"Or paste rows: JSON, one object a line", "或者粘贴数据：每行一个 JSON 对象"}
	DataPasteExample = Text{`{"query": "Who are you?", "response": "I am Ada."}`, `{"query": "你是谁？", "response": "我是小艾。"}`}
	DataUsePaste     = Text{"Use these rows", "使用这些数据"}
	DataDropped      = Text{"%d rows are longer than the longest text and left out.", "%d 行超过最大长度，已略去。"}
	DataLengths      = Text{"Lengths in tokens", "长度分布（词元）"}
	DataLength       = Text{"Tokens", "词元数"}
	DataTokens       = Text{"What the model sees", "模型看到的内容"}
	DataRow          = Text{"Row %d: %d tokens, %d learnt", "第 %d 行：%d 个词元，学习 %d 个"}
	DataColumns      = Text{"Columns", "列"}
	DataColumnsTo    = Text{"Name the column that asks and the one that answers, if they have other names. All others but system and history are then left out.", "如果列名不同，请指出哪一列是问题、哪一列是回答；除 system 和 history 外，其余各列不再使用。"}
	DataQuery        = Text{"Question", "问题"}
	DataResponse     = Text{"Answer", "回答"}
	DataAsNamed      = Text{"as they are named", "按原列名"}
	DataApply        = Text{"Apply", "应用"}
	DataMore         = Text{"More rows", "更多"}
)

// Method.
var (
	LoRA           = Text{"LoRA", "LoRA"}
	LoRAAbout      = Text{"Learns small matrices beside the frozen model. Little memory, a small file, the usual choice.", "在冻结的模型旁学习小矩阵。占内存少，文件小，最常用。"}
	QLoRA          = Text{"QLoRA", "QLoRA"}
	QLoRAAbout     = Text{"The same, with the frozen model stored in 4 bits. A quarter of the memory, slightly less exact.", "同样的方法，但冻结的模型用 4 位存储。内存约为四分之一，略欠精确。"}
	Full           = Text{"Full", "全参数"}
	FullAbout      = Text{"Moves every number of the model. Most memory; the result is a whole model.", "移动模型的每一个数。占内存最多，结果是一个完整的模型。"}
	Presets        = Text{"Presets", "预设"}
	PresetQuick    = Text{"A quick look", "快速看看"}
	PresetCareful  = Text{"Careful", "认真训练"}
	PresetOverfit  = Text{"Overfit on purpose", "故意过拟合"}
	Advanced       = Text{"Advanced", "高级"}
	Default        = Text{"default: %s", "默认：%s"}
	MemoryNeeded   = Text{"Memory", "内存"}
	TimeNeeded     = Text{"Time", "时间"}
	StepsNeeded    = Text{"Steps", "步数"}
	TrainableShare = Text{"Numbers that learn", "参与学习的参数"}
	TrainableOf    = Text{"of %s (%.2f%%)", "/ %s（%.2f%%）"}
	Unmeasured     = Text{"known after the first steps", "训练几步后可知"}
	DoesNotFit     = Text{"This does not fit: %s", "放不下：%s"}
	SameCommand    = Text{"The same on a command line", "对应的命令行"}
	CommandFiles   = Text{"data/… and models/… stand for files that this browser keeps: put yours there, or write their own paths. Of a table the command line wants the rows as JSONL.", "data/… 和 models/… 是本浏览器里的文件：请把自己的文件放在那里，或改写成它们的路径。表格要先存成 JSONL。"}
	Copy           = Text{"Copy", "复制"}
	ShareAbout     = Text{"The link has the settings, never data.", "链接只含设置，不含数据。"}
	RecipeExport   = Text{"Save the recipe", "导出配方"}
	RecipeImport   = Text{"Open a recipe", "导入配方"}
	LacksRows      = Text{"Rows of the recipe are not here: %s. Bring them to this page under Data, or tick others.", "配方里的数据不在这里：%s。请在“数据”一节加入，或勾选别的数据。"}
	Reset          = Text{"Back to the defaults", "恢复默认"}
	WeightsMemory  = Text{"weights", "权重"}
	AdapterMemory  = Text{"adapter", "适配器"}
	GradientMemory = Text{"gradients", "梯度"}
	MomentMemory   = Text{"optimiser", "优化器"}
	ActiveMemory   = Text{"activations", "激活值"}
	OtherMemory    = Text{"workspace and data", "工作区和数据"}
)

// Train.
var (
	Loss          = Text{"Loss", "损失"}
	EvalLoss      = Text{"Loss on held-out rows", "留出数据的损失"}
	LossAbout     = Text{"Falling means learning. If the held-out loss rises while the other falls, the model is learning by heart.", "下降说明在学习。如果训练损失下降而留出损失上升，说明模型在死记硬背。"}
	LearningRate  = Text{"Learning rate", "学习率"}
	RateAbout     = Text{"How far each step moves. Too high and the loss jumps; too low and nothing happens.", "每步移动多远。太大则损失乱跳，太小则几乎不动。"}
	GradNorm      = Text{"Gradient norm", "梯度范数"}
	GradNormAbout = Text{"How strongly this step wants to change the numbers.", "这一步想改变参数的力度。"}
	Speed         = Text{"Tokens per second", "每秒词元数"}
	Memory        = Text{"Memory of the program", "程序占用内存"}
	Step          = Text{"Step", "步"}
	LogScale      = Text{"Logarithmic", "对数坐标"}
	Smoothing     = Text{"Smoothing", "平滑"}
	LossSmoothed  = Text{"Loss, smoothed", "损失（平滑）"}
	TableOf       = Text{"Figures as a table", "以表格显示"}
	TableNewer    = Text{"Later", "较新"}
	TableOlder    = Text{"Earlier", "较早"}
	TableRows     = Text{"Rows %d to %d of %d", "第 %d 至 %d 行，共 %d 行"}
	SetRate       = Text{"Change the learning rate", "修改学习率"}
	RateSet       = Text{"set to %s after step %d; the schedule goes on from there", "第 %[2]d 步后设为 %[1]s，学习率计划据此继续"}
	SetRateDo     = Text{"Change", "修改"}
	AnswersTitle  = Text{"What it answers while it learns", "学习过程中的回答"}
	WatchTitle    = Text{"What it is asked while it learns", "学习过程中问它什么"}
	WatchAbout    = Text{"Up to three questions, answered every 25 steps. As long as you set none, they are the first that your rows ask; if you leave all empty, nothing is asked.", "最多三个问题，每 25 步回答一次。没有设置时，用数据里最前面的问题；全部留空就不再提问。"}
	WatchQuestion = Text{"Question %d", "问题 %d"}
	WatchDo       = Text{"Ask these", "问这些"}
	WatchRows     = Text{"Those of the rows", "用数据里的问题"}
	AnswersAfter  = Text{"after step %d", "第 %d 步之后"}
	BaseModel     = Text{"Before (base)", "微调前"}
	TunedModel    = Text{"After (tuned)", "微调后"}
	NothingYet    = Text{"Curves appear here with the first step.", "第一步完成后，曲线会出现在这里。"}
)

// Try.
var (
	TryAsk      = Text{"Your question", "你的问题"}
	TryDo       = Text{"Ask both", "问两个模型"}
	TryRaw      = Text{"Continue the text as it stands (no question format)", "直接续写文本（不套用对话格式）"}
	Temperature = Text{"Temperature", "温度"}
	MaxTokens   = Text{"Longest answer, in tokens", "回答最长词元数"}
	Seed        = Text{"Seed", "随机种子"}
	NextToken   = Text{"What could come first", "第一个词元的可能性"}
	TryExamples = Text{"Try", "试试"}
	TryWeather  = Text{"The weather today is very", "今天天气很"}
	TryNeeds    = Text{"Train something first, or ask the base model alone.", "请先训练，或只问原模型。"}
	Probability = Text{"Probability", "概率"}
	Token       = Text{"Token", "词元"}
)

// Examples are questions that the bundled model can learn to answer.
var Examples = []Text{
	{"What sound does a dog make?", "狗怎么叫？"},
	{"What is three plus four?", "三加四等于几？"},
	{"I have a headache. What should I do?", "我头疼，怎么办？"},
}

// Save.
var (
	SaveAdapter  = Text{"Adapter (zip)", "适配器（zip）"}
	SaveAdapterA = Text{"In the layout of PEFT: opens in Python, ms-swift, LLaMA-Factory and, dropped as a model, here.", "PEFT 格式：可用于 Python、ms-swift、LLaMA-Factory，也可作为模型拖到这里打开。"}
	SaveMerged   = Text{"Whole model (zip)", "完整模型（zip）"}
	SaveMergedA  = Text{"Base and adapter in one, as safetensors.", "原模型与适配器合并，safetensors 格式。"}
	SaveRecipe   = Text{"Recipe", "配方"}
	SaveRecipeA  = Text{"All settings: the same recipe and seed give the same run.", "全部设置：同样的配方和种子得到同样的训练。"}
	SaveCard     = Text{"Model card", "模型卡"}
	SaveCardA    = Text{"What it was made of and how well it did, as Markdown.", "用什么做的、效果如何，Markdown 格式。"}
	SavePython   = Text{"In Python", "在 Python 中使用"}
	SaveNothing  = Text{"There is nothing to take home yet: train first.", "还没有可以带走的东西：请先训练。"}
	SaveMaking   = Text{"Making the file…", "正在生成文件……"}
	Download     = Text{"Download", "下载"}
)

// Runs.
var (
	RunsTeach       = Text{"Every run stays in this browser with its settings, curves and checkpoints, until you delete it.", "每次训练连同设置、曲线和检查点都留在本浏览器里，直到你删除。"}
	RunsNone        = Text{"No runs yet.", "还没有训练记录。"}
	RunName         = Text{"Run", "记录"}
	RunState        = Text{"State", "状态"}
	RunDone         = Text{"finished", "已完成"}
	RunOpen         = Text{"step %d of %d", "第 %d 步，共 %d 步"}
	RunResume       = Text{"Go on", "继续训练"}
	RunShow         = Text{"Show", "查看"}
	RunCompare      = Text{"Compare", "对比"}
	RunDelete       = Text{"Delete", "删除"}
	RunNote         = Text{"Note", "备注"}
	RunDiffer       = Text{"Where the recipes differ", "配方的不同之处"}
	RunSame         = Text{"The recipes are the same.", "配方相同。"}
	RunSetting      = Text{"Setting", "设置"}
	RunReallyDelete = Text{"Delete %s with all its files?", "删除 %s 及其全部文件？"}
)

// What goes wrong, in plain words.
var (
	WarnNaN     = Text{"The loss is no number any more: the learning rate is too high. Start again with a tenth of it.", "损失已不是数字：学习率太大。请降到十分之一重新开始。"}
	WarnRises   = Text{"The loss is rising. The learning rate may be too high; half of it is worth a try.", "损失在上升，学习率可能太大，可以试试减半。"}
	WarnOverfit = Text{"The held-out loss has been rising while the training loss falls: the model begins to learn by heart. Its best state was after step %d.", "训练损失下降而留出损失上升：模型开始死记硬背。最好的状态在第 %d 步之后。"}
	WarnFlat    = Text{"The loss has hardly moved. The learning rate may be too low.", "损失几乎没变，学习率可能太小。"}
)
