package words

// Where a run is, and how it goes elsewhere.
var (
	PlaceIs       = Text{"Where the run is: %s", "训练在哪里进行：%s"}
	PlaceNext     = Text{"Where the next run will be: %s", "下一次训练在哪里进行：%s"}
	PlaceHere     = Text{"this browser", "本浏览器"}
	PlaceTeach    = Text{"A run can go on at a server, with its very next step, and come back. Before anything leaves this browser you see what it is.", "训练可以从下一步起搬到服务器上继续，也可以再搬回来。任何内容离开本浏览器之前，都会先列给你看。"}
	PlaceServer   = Text{"Server", "服务器"}
	PlaceToken    = Text{"Token, where it wants one", "令牌（如果需要）"}
	PlaceKept     = Text{"Address and token are kept in this browser.", "地址和令牌会保存在本浏览器里。"}
	PlaceLook     = Text{"See what it offers", "查看服务器"}
	PlaceChanged  = Text{"What would go there has changed since you looked. Look again to see what it is.", "你查看之后，要发送的内容已经改变。请重新查看，确认要发送什么。"}
	PlaceHint     = Text{"If the server is up: this page may speak with it only when the page's own server was started with --connect %s, and that server with --origin %s. Or open that server's own page.", "如果服务器正常：本页面的服务器要用 --connect %s 启动，对方服务器要用 --origin %s 启动，两者才能通信。也可以直接打开对方服务器自己的网页。"}
	PlaceDevices  = Text{"Devices (in use)", "设备（使用中）"}
	PlaceMemory   = Text{"Free memory", "可用内存"}
	PlaceQueue    = Text{"Runs waiting", "排队的训练"}
	PlaceVersion  = Text{"Version", "版本"}
	PlaceNoWorker = Text{"No device is there now: the run would wait until one comes.", "现在没有可用设备，训练会排队等待。"}
	PlaceOther    = Text{"The server has another version (%s, here %s). What they say to each other is the same.", "服务器的版本不同（%s，这里是 %s），但通信方式相同。"}
	PlaceLeaves   = Text{"What leaves this browser", "将离开本浏览器的内容"}
	PlaceWhat     = Text{"What", "内容"}
	PlaceThere    = Text{"%s there already", "已有 %s 在服务器上"}
	PlaceName     = Text{"only the name; the server downloads it", "只有名字，由服务器自己下载"}
	PlaceTotal    = Text{"To send: %s", "需要发送：%s"}
	PlaceGo       = Text{"Send this and go on there", "发送并在那里继续"}
	PlaceStart    = Text{"Send this and start there", "发送并在那里开始"}
	PlaceAgree    = Text{"If the graphics card is lost or the memory runs out here, send this and go on there by itself", "如果这里的显卡掉线或内存不足，自动发送并在那里继续"}
	PlaceAway     = Text{"The run goes on at %s. This page may be closed: it finds the run again. When the run is finished, its result comes here by itself.", "训练正在 %s 进行。可以关闭本页面，再打开时会找到它。训练完成后，结果会自动取回。"}
	PlaceBack     = Text{"Bring it back here", "搬回这里"}
	PlaceCut      = Text{"%s is not reached now; it is tried again and again. The run goes on there all the same. (%s)", "现在连不上 %s，正在不断重试。那里的训练不受影响。（%s）"}
	PlaceDenied   = Text{"%s does not let this page in: %s", "%s 拒绝了本页面：%s"}
	PlaceUse      = Text{"Use this token", "使用这个令牌"}
	PlaceLost     = Text{"Give the server up and go on here from step %d, or from what has come back since", "放弃服务器，从第 %d 步或之后取回的进度起在这里继续"}
	PlaceRuns     = Text{"Your runs there that this page does not show yet", "那里还有这些你的训练，本页面尚未显示"}
	PlaceByID     = Text{"Another one, by its ID, as `hone runs` lists it", "其他训练：填写 `hone runs` 列出的 ID"}
	PlaceShow     = Text{"Show here", "在这里显示"}
	PlaceAt       = Text{"at %s", "在 %s"}
	StatusQueued  = Text{"Waiting for a device there", "正在等待那里的设备"}
)

// How far a move has come.
var (
	MoveConnecting = Text{"Asking the server…", "正在询问服务器……"}
	MoveHashing    = Text{"Looking at the files…", "正在检查文件……"}
	MoveSending    = Text{"Sending: %s of %s", "正在发送：%s，共 %s"}
	MoveStopping   = Text{"Ending with a saved step…", "正在保存并结束……"}
	MoveFetching   = Text{"Fetching: %s of %s", "正在取回：%s，共 %s"}
)

// What a run brings along.
var (
	ParcelModel   = Text{"Model", "模型"}
	ParcelAdapter = Text{"Adapter", "适配器"}
	ParcelData    = Text{"Rows", "数据"}
	ParcelState   = Text{"The run: what has been learnt, optimiser, log and settings", "训练本身：学到的参数、优化器、日志和设置"}
	ParcelHub     = Text{"From a hub", "来自模型站"}
)
