package words

// What the frame and the bar say beside page.go's.
var (
	Headline     = Text{"See a language model learn, in this page", "就在这个网页里，看语言模型怎样学习"}
	Promise      = Text{"What you will see", "你会看到"}
	Foot         = Text{"Hone trains in your browser. Models, data and results stay on this machine until you take them elsewhere.", "Hone 在你的浏览器里训练。模型、数据和结果都留在本机，由你决定带去哪里。"}
	BarName      = Text{"Training controls", "训练控制"}
	BarProgress  = Text{"Progress of the training", "训练进度"}
	CPUToo       = Text{"The tiny model trains all the same, only slower.", "小模型照样能训练，只是慢一些。"}
	Copied       = Text{"Copied", "已复制"}
	Early        = Text{"The trainer is on its way; training begins as soon as it is here.", "训练器正在赶来，一到就开始训练。"}
	Stored       = Text{"%s: %s of %s stored", "%s：已保存 %s，共 %s"}
	Storing      = Text{"Storing the files…", "正在保存文件……"}
	LinkCopied   = Text{"The link is in the clipboard: it has the settings, never data.", "链接已复制：只含设置，不含数据。"}
	LinkShown    = Text{"The link stands in the address bar: it has the settings, never data.", "链接已在地址栏中：只含设置，不含数据。"}
	StorageMeter = Text{"Storage used", "已用存储空间"}
)

// Model.
var (
	ParametersOf = Text{"%s parameters", "%s 参数"}
	ModelTiny    = Text{"The tiny model", "小小模型"}
	ModelChoose  = Text{"choose a model", "请选择模型"}
	ModelOther   = Text{"Another model: by its name, or from your disk", "换一个模型：按名字下载，或从本机选择"}
	ModelInside  = Text{"What is inside %s", "%s 的内部结构"}
	ModelOffered = Text{"On this page's server", "在本页的服务器上"}
	ModelHalf    = Text{"%s of it are here so far", "目前已下载 %s"}
	ModelNotHere = Text{"Not in this browser", "不在本浏览器里"}
	ModelLacking = Text{"%s of it are here, and no config.json; drop its whole folder again, or remove this", "这里有 %s，但没有 config.json。请重新拖入整个文件夹，或将其移除"}
	ModelRest    = Text{"Download the rest", "继续下载"}
	HubMore      = Text{"A mirror, or a token", "镜像与访问令牌"}
	HubMirror    = Text{"Address of %s, if you use another (kept in this browser)", "%s 的其他地址或镜像（保存在本浏览器）"}
	HubToken     = Text{"Access token of %s for models that ask for one (forgotten with this page)", "%s 的访问令牌，用于需要授权的模型（关闭页面即忘记）"}
	ModelShape   = Text{"Its shape", "规格"}
)

// Data.
var (
	DataChoose         = Text{"choose rows", "请选择数据"}
	TableReading       = Text{"Reading %s: %d rows so far", "正在读取 %s：已有 %d 行"}
	DataOwnFile        = Text{"From a file", "从文件读取"}
	DataRowsOf         = Text{"%d rows", "%d 行"}
	DataRefused        = Text{"not to be read like this", "无法直接读取"}
	DataToTrain        = Text{"Rows to train on", "训练行数"}
	DataHeldOut        = Text{"Rows held out", "留出行数"}
	DataTokensAll      = Text{"Tokens", "词元总数"}
	DataTokensLearnt   = Text{"Tokens learnt", "学习的词元"}
	DataUnsupervised   = Text{"%d rows have no answer to learn: %s", "有 %d 行没有可学的回答：%s"}
	DataLearnt         = Text{"underlined: learnt", "下划线：要学习"}
	DataMasked         = Text{"grey: only read (masked)", "灰色：只阅读（掩码）"}
	DataLengthsRows    = Text{"Rows", "行数"}
	DataLengthsColumns = Text{"Lengths and columns", "长度与列"}
	DataLengthsAbout   = Text{"How many tokens the rows have.", "每行有多少个词元。"}
)

// Method.
var (
	MethodWhich = Text{"Which method", "选择方法"}
	MethodSteps = Text{"%s steps", "%s 步"}
	MethodRank  = Text{"rank %s", "秩 %s"}
	OfBudget    = Text{"of %s", "可用 %s"}
	MemoryParts = Text{"What takes the memory", "内存用在哪里"}
	TakeRecipe  = Text{"Take this recipe elsewhere", "把这份配方带到别处"}
	ShareLink   = Text{"Copy a link to it", "复制配方链接"}
)

// Try and save.
var (
	TryDoBase      = Text{"Ask the base model", "问原模型"}
	TryHow         = Text{"How the answer is drawn", "怎样生成回答"}
	ProbabilityBar = Text{"Bar", "横条"}
	SaveGist       = Text{"adapter, whole model, recipe, model card", "适配器、完整模型、配方、模型卡"}
	SaveLater      = Text{"after the training", "训练之后"}
)

// Runs.
var (
	RunsOne   = Text{"1 run", "1 条记录"}
	RunsOf    = Text{"%d runs", "%d 条记录"}
	RunsTable = Text{"All runs", "全部记录"}
	RunActs   = Text{"Actions", "操作"}
	RunsPick  = Text{"Tick runs to lay their curves over each other.", "勾选几条记录，可以把它们的曲线叠在一起看。"}
)

// Small pieces.
var (
	Comma         = Text{", ", "、"}
	EvalLossShort = Text{"Held out", "留出损失"}
	TenThousands  = Text{"%s k", "%s 万"}
	Millions      = Text{"%s M", "%s 万"}
	Billions      = Text{"%s B", "%s 亿"}
	SaidRuns      = Text{"Training, %d%% done", "训练中，已完成 %d%%"}
)

// Promises is what one sees within the first minute.
var Promises = []Text{
	{"A model of a million numbers reads questions and guesses at the answers.", "一个只有一百万个参数的模型读着问题，猜着答案。"},
	{"The loss says how wrong its guesses are. You watch it fall.", "损失值说明它猜得有多离谱。你看着它降下来。"},
	{"Every few steps it answers again, beside the model that never learnt.", "每隔几步它再答一次，旁边是没学过的原模型。"},
	{"What it has learnt fits into a small file that is yours to keep.", "学到的东西装进一个小文件，归你所有。"},
}
