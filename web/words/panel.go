package words

// The panel of a server, for who runs it.
var (
	PanelTitle      = Text{"Hone: this server", "Hone：本服务器"}
	PanelHead       = Text{"This server", "本服务器"}
	PanelPage       = Text{"To the page that trains", "去训练页面"}
	PanelToken      = Text{"Token of scope admin", "admin 权限的令牌"}
	PanelEnter      = Text{"Enter", "进入"}
	PanelLeave      = Text{"Leave", "退出"}
	PanelFresh      = Text{"As of %s. ", "更新于 %s。"}
	PanelRefresh    = Text{"Look again", "刷新"}
	PanelFollow     = Text{"Look again every few seconds", "每隔几秒自动刷新"}
	PanelStill      = Text{"Do not look again by itself", "停止自动刷新"}
	PanelDevices    = Text{"Devices", "设备"}
	PanelDevice     = Text{"Device", "设备"}
	PanelWorker     = Text{"Worker", "工作进程"}
	PanelDoes       = Text{"Does", "正在做"}
	PanelIdle       = Text{"waits", "空闲"}
	PanelNone       = Text{"No worker is there. Runs wait until `hone worker`, or `hone serve --workers 1`, brings one.", "没有工作进程。训练会排队，直到有 `hone worker` 或 `hone serve --workers 1` 启动。"}
	PanelRuns       = Text{"Runs", "训练"}
	PanelNoRuns     = Text{"Nobody has sent a run yet.", "还没有人发来训练。"}
	PanelUser       = Text{"User", "用户"}
	PanelAttempts   = Text{"Attempts", "尝试次数"}
	PanelLook       = Text{"Log", "日志"}
	PanelKill       = Text{"Kill", "强行终止"}
	PanelKillSure   = Text{"Kill takes the run away from its worker at once; what was done since the last State is lost. Stop saves first.", "强行终止会立即收回训练，最近一次保存之后的进度会丢失；停止则会先保存。"}
	PanelTokens     = Text{"Tokens", "令牌"}
	PanelScope      = Text{"Scope", "权限"}
	PanelUsed       = Text{"Last used", "上次使用"}
	PanelNever      = Text{"never", "从未"}
	PanelRevoked    = Text{"revoked", "已吊销"}
	PanelRevoke     = Text{"Revoke", "吊销"}
	PanelAdd        = Text{"Make a token", "新建令牌"}
	PanelSecret     = Text{"The token of %s, shown this once:", "%s 的令牌，只显示这一次："}
	PanelFirst      = Text{"With the first token, everybody needs one, you too: keep one of scope admin.", "有了第一个令牌，所有人都需要令牌，你也一样：请先给自己留一个 admin 令牌。"}
	PanelClosed     = Text{"A server that has had a token stays closed to those without one, also when all are revoked: `hone token add` on that machine makes another.", "服务器一旦有过令牌，就不再放行没有令牌的人，即使令牌全部吊销也一样；可在该机器上用 `hone token add` 新建。"}
	PanelDisk       = Text{"Disk", "磁盘"}
	PanelKeeps      = Text{"Keeps", "占用"}
	PanelMay        = Text{"May keep", "上限"}
	PanelFree       = Text{"%s are free where this server keeps its data (%s).", "数据目录（%[2]s）所在磁盘剩余 %[1]s。"}
	PanelSet        = Text{"Set", "设置"}
	PanelUnfinished = Text{"Unfinished runs", "未结束的训练"}
	PanelQuota      = Text{"What is set here counts at once, before what a token or the server says; an empty field leaves it to these. What is there already stays.", "这里的设置立即生效，优先于令牌和服务器的设置；留空则沿用它们。已有的数据不受影响。"}
	PanelClear      = Text{"Delete all of %s", "删除 %s 的全部数据"}
	PanelClearTo    = Text{"Deletes the runs that are over and the files that no other run needs.", "删除已结束的训练，以及其他训练不再需要的文件。"}
	PanelSure       = Text{"Really", "确认"}
	PanelEvents     = Text{"The events of %s", "%s 的事件"}
	PanelLive       = Text{"The newest event is the first; more come by themselves.", "最新的事件在最前面，新事件会自动出现。"}
	PanelGoOn       = Text{"The log ends here: look again", "日志到此为止：继续查看"}
	PanelPast       = Text{"Attempts that ended before the run did", "提前结束的尝试"}
	PanelBack       = Text{"Back", "返回"}
	PanelEngine     = Text{"The job engine is not reached.", "连不上任务引擎。"}
)

// What a run on a server is doing, by its status.
var statuses = map[string]Text{
	"queued": {"waits", "排队"}, "running": {"runs", "训练中"}, "paused": {"paused", "已暂停"},
	"stopped": {"stopped", "已停止"}, "failed": {"failed", "失败"}, "done": {"finished", "已完成"},
}

// Status names what a run is doing; one of another release is named as it is.
func Status(s string) Text {
	if t, ok := statuses[s]; ok {
		return t
	}
	return Text{s, s}
}

// Priorities that are not the usual one.
var priorities = map[string]Text{"first": {"before all others", "最先"}, "last": {"when nothing else waits", "空闲时"}}

// Priority names when a run is done; one of another release is named as it is.
func Priority(s string) Text {
	if t, ok := priorities[s]; ok {
		return t
	}
	return Text{s, s}
}
