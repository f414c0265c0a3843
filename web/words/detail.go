package words

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Detail is why something did not work, in the language of the page. The program says it in English; what users meet most is known
// here in Chinese. known is false where the text stands as it came, in English.
func Detail(l Language, text string) (detail string, known bool) {
	if l == English {
		return text, true
	}
	lines := strings.Split(text, "\n") // several errors have a line each
	for i, line := range lines {
		if plain, ok := detailOf(line); ok {
			lines[i], known = plain, true
		}
	}
	return strings.Join(lines, "\n"), known
}

func detailOf(text string) (detail string, known bool) {
	for _, d := range detailPatterns() {
		at := d.pattern.FindStringSubmatchIndex(text)
		if at == nil {
			continue
		}
		said := make([]any, 0, len(at)/2-1)
		for i := 2; i < len(at); i += 2 {
			said = append(said, conditions.Replace(text[at[i]:at[i+1]]))
		}
		plain := d.chinese
		if len(said) > 0 {
			plain = fmt.Sprintf(plain, said...)
		}
		return placeOf(text[:at[0]]) + plain, true
	}
	return text, false
}

// conditions are the few English words within what fills a sentence.
var conditions = strings.NewReplacer("at least ", "至少 ", " and at most ", "，至多 ", " and below ", "，小于 ", "above ", "大于 ", " for not set", "（表示不设）",
	" or ", " 或 ", "a smaller ", "减小 ")

// placeOf is where something is wrong: a file, a row, a line; or a setting.
func placeOf(text string) string {
	if m := settingPattern().FindStringSubmatch(text); m != nil {
		return m[1] + "："
	}
	m := placePattern().FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	place := m[1]
	if m[2] != "" {
		place += " 第 " + m[2] + " 条"
	}
	if m[3] != "" {
		place += "（第 " + m[3] + " 行"
		if m[4] != "" {
			place += "，第 " + m[4] + " 个字节"
		}
		place += "）"
	}
	return place + "："
}

var (
	placePattern = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:data: |model )?([^\s:][^:]*\.\w{1,12}):(?: row (\d+))?(?: \(line (\d+)(?:, column (\d+))?\))?`)
	})
	settingPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:recipe: )?(?:--)?([a-z_]+)(?: "[^"]*")?: $`) })
)

type detailPattern struct {
	pattern *regexp.Regexp
	chinese string
}

// detailPatterns are made of the formats below when the first error comes: a verb stands for whatever fills it.
var detailPatterns = sync.OnceValue(func() []detailPattern {
	verb := regexp.MustCompile(`%(?:\.\d+)?[a-z]`)
	var out []detailPattern
	for _, d := range details {
		pattern := regexp.QuoteMeta(d.format)
		if at := verb.FindStringIndex(pattern); at != nil && at[0] == 0 { // a name
			pattern = `([^\s:,;]+)` + pattern[at[1]:]
		}
		if all := verb.FindAllStringIndex(pattern, -1); len(all) > 0 && all[len(all)-1][1] == len(pattern) {
			pattern = pattern[:all[len(all)-1][0]] + `([^;]+)`
		}
		out = append(out, detailPattern{regexp.MustCompile(verb.ReplaceAllString(pattern, "(.+?)")), d.chinese})
	}
	return out
})

// details are errors as the sources write them, or the part of them that tells them apart; the first that fits counts. A verb of the
// Chinese sentence names what fills the format by its number.
var details = []struct{ format, chinese string }{
	// The device.
	{"This page has no WebGPU, because it came over an address that the browser does not trust.", "浏览器不信任本页的地址，因此不提供 WebGPU。请用 https 打开，或用 http://localhost。"},
	{"This browser has no WebGPU.", "这个浏览器没有 WebGPU。Chrome 和 Edge 从 113 版起支持，Safari 从 26 版起，Windows 上的 Firefox 从 141 版起；在 Linux 上，Chrome 可能需要打开 chrome://flags/#enable-unsafe-webgpu。"},
	{"This browser's WebGPU offers no graphics card (%v).", "浏览器的 WebGPU 找不到显卡（%[1]s）。请在浏览器设置里打开硬件加速，更新显卡驱动，或到 chrome://gpu 查看原因。"},
	{"asks for %d bytes, this run holds %d on the device, and --device_memory allows %d", "显存不够：还要 %[1]s 字节，已用 %[2]s 字节，而设置只允许 %[3]s 字节。请提高上限，或减小批次、缩短每行。"},
	{"asks for %d bytes, and this run holds %d on the device", "显存不够：还要 %[1]s 字节，已用 %[2]s 字节。请减小批次、缩短每行，或改用 QLoRA。"},
	{"the run needs %s, %s more than %s (%s); what helps: %s. `hone plan`", "训练需要 %[1]s，比可用的（%[4]s）多 %[2]s。可以这样调整：%[5]s"},

	// Rows.
	{"the file has no rows", "文件里没有数据。应为 JSON 数组，或每行一个对象的 JSONL。"},
	{"this is no JSON", "这不是 JSON。应为 JSON 数组，或每行一个对象的 JSONL；表格请存为 CSV。"},
	{"the file is UTF-16", "文件的编码是 UTF-16，请另存为 UTF-8。"},
	{"is not valid UTF-8", "有些字节不是 UTF-8。较早的中文文件多为 GBK 或 GB18030，请另存为 UTF-8。"},
	{"the file ends inside the array; is it cut off?", "文件在数组中间就结束了，是不是没有下载完整？"},
	{"the file ends inside this row; is it cut off?", "文件在这一条中间就结束了，是不是没有下载完整？"},
	{"invalid JSON: %v", "JSON 有语法错误（%[1]s）。"},
	{"the file is empty", "文件是空的。"},
	{"the file has no line that names its columns", "文件里没有写列名的那一行。"},
	{"the table has a header and no rows", "表格只有表头，没有数据。"},
	{"is no UTF-8, and the text does not look like any encoding known here", "认不出文件的编码。请另存为 UTF-8。"},
	{"this is no whole Parquet file (%v)", "Parquet 文件不完整（%[1]s），请重新下载。"},
	{"the Parquet file is damaged (%v)", "Parquet 文件已损坏（%[1]s），请重新下载。"},
	{"the Parquet file names more rows than it has", "Parquet 文件里的数据比它声明的少，请重新下载。"},
	{"this is a Parquet file under another name; call it .parquet", "这是 Parquet 文件，请把扩展名改为 .parquet。"},
	{"call it .csv, and its rows are read", "这是 CSV 表格，请把扩展名改为 .csv。"},
	{"its rows are in %s; JSON, JSONL, CSV and Parquet are read", "它的数据在 %[1]s 里，而这里只读 JSON、JSONL、CSV 和 Parquet。请下载后转换，再拖到这里。"},
	{"these are preference pairs, for DPO and its kin", "这是偏好数据（DPO 一类用），监督微调只从一个回答里学习。请只保留一个回答。"},
	{"label marks good and bad answers, for KTO and its kin", "这些数据用 label 标出好坏回答（KTO 一类用），监督微调会把坏的也学进去。"},
	{"the models here read text only", "这里的模型只读文字。"},
	{"the columns are %s; understood are:", "列名是 %[1]s，看不出哪一列是问题、哪一列是回答。请在下面指定，或改名为 query 和 response。"},
	{"the row is of the format %s, those before it are %s; a file has one format", "这一条的格式是 %[1]s，前面的是 %[2]s；一个文件只能用一种格式。"},
	{"has the role %q; understood are", "有不认识的角色 %[1]s；可用的有 system、user（human）、assistant（gpt、bot、model）和 tool（observation）。"},
	{"%s is %s; expected a string", "%[1]s 应为文字，却是别的类型（%[2]s）。"},
	{"this is a Git LFS pointer", "这只是 Git LFS 的指针，不是文件本身。请用 git lfs pull 取回。"},
	{"this is a ZIP archive (or an Excel sheet)", "这是 ZIP 压缩包（或 Excel 表格）。请先解压，表格请存为 CSV。"},
	{"this is a gzip archive", "这是 gzip 压缩文件，请先解压。"},
	{"this is a PDF file", "这是 PDF 文件。请改用 JSON、JSONL 或纯文本。"},
	{"this is a web page, not the data", "这是一个网页，不是数据。下载时是不是存成了展示文件的页面？"},
	{"rows are longer than %d tokens and were left out; raise --max_length", "所有行都超过 %[1]s 个词元，全部被略去。请提高“每行最多”，或选择截断。"},
	{"has a token to learn: every label is -100", "没有一行有可学的词元。"},
	{"there are no rows; name at least one file with some", "还没有数据，请至少选择一个文件。"},
	{"of %d rows %d are to be held out, which leaves none to train on", "共 %[1]s 行，其中 %[2]s 行要留出，没有剩下可训练的。请减小留出的份额。"},

	{"column %s has values that are neither text nor numbers (from row %d on); they became null", "列 %[1]s 从第 %[2]s 行起有既不是文字也不是数字的值，已当作空值。"},

	// Models and hubs.
	{"config.json: model_type %q (architectures %v) is not supported; supported are: %s", "还不支持 %[1]s 这种模型。支持的有：%[3]s。"},
	{"a model directory holds config.json, *.safetensors and a tokenizer", "模型文件夹里要有 config.json、*.safetensors 和分词器。"},
	{"is a PEFT adapter, not a model", "这是 PEFT 适配器，不是模型。请把它的基础模型选为模型，再从这个适配器接着训练。"},
	{"config.json promises %d weights that the checkpoint does not have", "缺少 config.json 所说的 %[1]s 个权重。config.json 是不是别的模型的，或者少了一个分片？"},
	{"the tokenizer has ids up to %d, but vocab_size in config.json is %d", "分词器的编号到 %[1]s，而 config.json 的 vocab_size 是 %[2]s。它们是不是属于不同的模型？"},
	{"its weights are in %s only, a pickle", "它的权重只有 %[1]s（pickle），打开时可能执行任意代码，因此不读取。请找 safetensors 格式的版本。"},
	{" refuses %s: it is gated or private", "%[1]s 需要授权，或是私有的。请先在它的网页上同意条款，再填写访问令牌；也可以换一个平台。"},
	{" does not accept the token for %s (", "平台不接受用于 %[1]s 的访问令牌，请换一个或去掉它。"},
	{"%s is not on %s, or private there", "%[2]s 上没有 %[1]s，或者它是私有的（那就需要访问令牌）。"},
	{"the connection breaks again and again; try later: what has come is kept", "连接一再中断。请稍后再试，已下载的部分会保留。"},
	{"%s is not on %s", "%[2]s 上没有 %[1]s。请检查名字，或换一个平台。"},
	{"this page's server has no model %s; it has %s", "本页的服务器没有模型 %[1]s；它有：%[2]s。"},

	// Settings.
	{"%s is %s; it must be %s", "%[1]s 的值是 %[2]s，应为 %[3]s。"},
	{"a whole number is wanted", "这里要填整数。"},
	{"a number is wanted, such as 0.05 or 1e-4", "这里要填数字，例如 0.05 或 1e-4。"},

	// Runs and files.
	{"step %d: the loss of %s is %v", "第 %[1]s 步的损失不是有限的数（%[2]s）。降低学习率通常有用。"},
	{"step %d: the gradient's norm is %v", "第 %[1]s 步的梯度范数不是有限的数。降低学习率通常有用。"},
	{"is going on, and there is one device; stop it first, or wait for its end", "另一次训练正在进行，而设备只有一个。请先停止它，或等它结束。"},
	{"free some space on this disk or choose another output_dir", "存储空间不够。请删除不再需要的模型、数据或训练。"},
	{"the tab that did the work was closed meanwhile; ask again", "负责训练的标签页刚刚被关闭，请再试一次。"},
	{"no run is going on; start one, or use what it saved", "现在没有进行中的训练。请开始一次，或使用已保存的结果。"},

	{" was gone on with %d times and ended each time before its next step", "这次训练自动继续了 %[1]s 次，每次都在下一步之前中断，因此不再自动继续。它仍保留着，可以自己再试。"},
	{"the model that comes with Hone is another one since this run", "这次训练之后，Hone 自带的模型换过了，用新模型配这个适配器会答错。请在新模型上重新训练。"},
	{"the model %s is another one since this run", "这次训练之后，模型 %[1]s 换过了，用现在的模型配这个适配器会答错。请放回原来的模型，或在现在的模型上重新训练。"},
	{"its base is not to be had any more", "这次训练的基础模型已经不在了。请把它放回原处，或重新下载。"},
	{"is going on; stop it before it is deleted", "这次训练正在进行，请先停止，再删除。"},
	{", which is going on, needs it; stop the run first", "正在进行的训练要用到它，请先停止训练。"},
	{"the model %s is not here; download it first", "模型 %[1]s 不在这里，请先下载。"},
	{"the data set %s is not here; download it first", "数据集 %[1]s 不在这里，请先下载。"},
	{"there is no such directory", "这里没有这个文件夹，它可能已被删除。"},
	{"the run was stopped before it began", "训练在开始之前就停止了。"},

	// Servers.
	{"This token may only look at runs", "这个令牌只能查看训练。要把训练送过去，需要权限为 run 的令牌。"},
	{"You have %s on this server and may have %s; %s more do not fit.", "你在这台服务器上已用 %[1]s，限额 %[2]s，再加 %[3]s 放不下。请先在那里删除一些训练或文件。"},
	{"there is no run %s of yours at %s", "%[2]s 上没有你的训练 %[1]s。请核对 ID：在命令行里用 `hone runs` 可以列出。"},
	{"You have %d bytes on this server and may have %d. Delete runs or files", "你在这台服务器上已用 %[1]s 字节，限额 %[2]s 字节。请先在那里删除一些训练或文件。"},
	{"You have %d runs on this server that are not over, and may have %d", "你在这台服务器上有 %[1]s 次训练尚未结束，最多 %[2]s 次。请等其中一些结束，或先停止几次。"},
	{"the server fails, and does not say whether it has the run; it is asked on, and meanwhile the run waits", "服务器出错，没有说明是否已收到这次训练。正在继续询问，训练在此期间等待。"},
	{"given up after %d attempts to let it begin; the log of the server says what failed", "服务器试了 %[1]s 次都没能让它开始，已经放弃；原因见服务器的日志。它可以再次继续。"},
	{"This file is just being sent, or a run begins with it; ask again in a moment.", "这个文件正在上传，或有训练正要用它。请稍后再试。"},
	{"is paused and has given its device back; let it go on or do a step, and ask again", "这次训练暂停已久，设备已让给其他训练。请先继续或单步，然后再试。"},
	{"the run was paused for long and gives its device back; ask again in a moment", "这次训练暂停已久，正在交还设备。请稍后再试。"},
	{"at this moment; it waits for a worker.", "这次训练正在等待设备，现在做不了这件事。"},
	{"The disk of this server is nearly full", "服务器的磁盘快满了，需要管理者腾出空间。"},
	{"There is no room for the first State of this run", "你在这台服务器上的空间放不下这次训练的第一个存档。请先在那里删除一些训练或文件，再继续。"},
	{"A file of %d bytes; this server takes up to %d.", "文件有 %[1]s 字节，这台服务器最多收 %[2]s 字节。"},
	{"has no State yet; wait until its first step is saved.", "这次训练还没有存档，请等第一步保存好。"},
	{"saves faster than its files can be listed; pause it, or ask again.", "这次训练存得太快，来不及列出文件。请先暂停，或再试一次。"},
	{"is just being deleted on this server; ask again in a minute.", "服务器正在删除这次训练，请过一分钟再试。"},
	{"%s has changed on the server while the model was fetched; ask for it again", "下载期间，服务器上的 %[1]s 变了。请再下载一次。"},
	{"has come to step %d on this server, and what is brought is its step %d; pull it from there first, or delete it there.", "这次训练在服务器上已经到了第 %[1]s 步，而带去的是第 %[2]s 步。请先把它从那里取回来，或者在那里删除它。"},
	{"on this server; stop it there before it goes on from elsewhere.", "这次训练在这台服务器上还没有结束。请先在那里停止，再从别处继续。"},
	{"which was not sent and is no id of a hub.", "配方里有一个名字，既没有随训练送来，也不是平台上的名字。"},
	{"The worker of run %s does not answer.", "训练 %[1]s 所在的设备没有应答，请稍后再试。"},
	{"This server lets only runs answer that are going on.", "这台服务器上只有进行中的训练能回答。"},
	{"too many requests; wait a moment", "请求太多，请稍等片刻。"},
	{"is no address of a server; one is like", "这不是服务器的地址；地址形如 https://gpu.example:8443。"},
	{" cannot be reached: %v", "连不上（%[1]s）。请检查网络和地址；下载模型时可以换用镜像或另一个平台，也可以把模型文件夹拖到这里。"},
}
