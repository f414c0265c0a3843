package words

// Trouble says what did not work, by the stage that it happened in. Why, and what to do, is said by the program, in English.
func Trouble(what string) Text {
	if t, ok := troubles[what]; ok {
		return t
	}
	return Text{"This did not work.", "操作没有成功。"}
}

var troubles = map[string]Text{
	"model":      {"This model cannot be used.", "这个模型无法使用。"},
	"put model":  {"The model could not be stored.", "模型未能保存。"},
	"fetch data": {"The download did not succeed.", "下载没有成功。"},
	"fetch":      {"The download did not succeed.", "下载没有成功。"},
	"data":       {"These rows cannot be used.", "这些数据无法使用。"},
	"put data":   {"The rows could not be taken over.", "数据未能读入。"},
	"method":     {"These settings do not work.", "这些设置行不通。"},
	"run":        {"The training does not go on.", "训练无法继续。"},
	"try":        {"There is no answer.", "没有得到回答。"},
	"save":       {"The file could not be made.", "文件未能生成。"},
}
