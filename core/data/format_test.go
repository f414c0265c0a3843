package data

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"hone/core/chat"
)

// conversation reads one row as the loader would, up to the messages.
func conversation(t *testing.T, row string, mapping map[string]string) (f *format, list []chat.Message, ignored []string, err error) {
	t.Helper()
	if err := check("f", 1, position{1, 1}, []byte(row)); err != nil {
		t.Fatal(err)
	}
	c, err := members([]byte(row))
	if err == nil {
		c, err = c.rename(mapping, func(string) {})
	}
	if err == nil {
		f, ignored, err = formatOf(c)
	}
	if err == nil && f.messages != nil {
		list, err = f.messages(c)
	}
	return f, list, ignored, err
}

// script writes a conversation in one line.
func script(list []chat.Message) string {
	var parts []string
	for _, m := range list {
		s := m.Role + ":" + m.Content
		if m.Loss != nil {
			s += fmt.Sprintf("(loss %v)", *m.Loss)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "|")
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ row, format, want, ignored string }{
		{`{"instruction":"q","input":"","output":"a"}`, "alpaca", "user:q|assistant:a", ""},
		{`{"instruction":"q","input":"x","output":"a","system":"s","history":[["q1","a1"],["q2","a2"]]}`, "alpaca", "system:s|user:q1|assistant:a1|user:q2|assistant:a2|user:q\n\nx|assistant:a", ""},
		{`{"instruction":"q","input":null,"output":"a","history":[],"id":7}`, "alpaca", "user:q|assistant:a", "id"},
		{`{"instruction":"q","input":"","output":"a","text":"Below is …"}`, "alpaca", "user:q|assistant:a", "text"},
		{`{"instruction":"q","context":"c","response":"a","category":"open_qa"}`, "dolly", "user:q\n\nc|assistant:a", "category"},
		{`{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"a","loss":false}]}`, "messages", "system:s|user:q|assistant:a(loss false)", ""},
		{`{"messages":[{"role":"user","content":[{"type":"text","text":"q"},{"type":"text","text":"q"}]},{"role":"assistant","content":"a","weight":1}]}`, "messages", "user:qq|assistant:a(loss true)", ""},
		{`{"prompt":"q","prompt_id":"1","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}`, "messages", "user:q|assistant:a", "prompt,prompt_id"},
		{`{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"system":"s","source":"x"}`, "messages", "system:s|user:q|assistant:a", "source"},
		{`{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}`, "sharegpt", "user:q|assistant:a", ""},
		{`{"conversations":[{"from":"system","value":"s"},{"from":"user","value":"q"},{"from":"assistant","value":"a"}],"id":"x"}`, "sharegpt", "system:s|user:q|assistant:a", "id"},
		{`{"conversations":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"system":""}`, "sharegpt", "user:q|assistant:a", ""},
		{`{"system":"s","conversation":[{"human":"q","assistant":"a"},{"human":"r","assistant":"b"}]}`, "conversation", "system:s|user:q|assistant:a|user:r|assistant:b", ""},
		{`{"query":"q","response":"a","history":[["q1","a1"]],"system":"s"}`, "query/response", "system:s|user:q1|assistant:a1|user:q|assistant:a", ""},
		{`{"question":"q","answer":"a"}`, "question/answer", "user:q|assistant:a", ""},
		{`{"prompt":"q","completion":"a"}`, "prompt/completion", "user:q|assistant:a", ""},
		{`{"prompt":[{"role":"user","content":"q"}],"completion":[{"role":"assistant","content":"a"}]}`, "prompt/completion", "user:q|assistant:a", ""},
		{`{"text":"x","url":"u"}`, "text", "", "url"},
		{`{"input_ids":[1],"attention_mask":[1],"labels":[1]}`, "pre-tokenised", "", ""},
		{`{"input_ids":[1],"text":"x"}`, "pre-tokenised", "", "text"},
		{"{\"query\":\"\\u4f60\\\"\\\\\",\n \"response\" : \"\\ud83d\\ude00\"}", "query/response", "user:你\"\\|assistant:😀", ""},
	} {
		f, list, ignored, err := conversation(t, c.row, nil)
		if err != nil {
			t.Errorf("%s: %v", c.row, err)
			continue
		}
		slices.Sort(ignored)
		if f.name != c.format || script(list) != c.want || strings.Join(ignored, ",") != c.ignored {
			t.Errorf("%s: %s, %q, left out %q; want %s, %q, %q", c.row, f.name, script(list), ignored, c.format, c.want, c.ignored)
		}
	}
}

func TestFormatsRefuse(t *testing.T) {
	for _, c := range []struct{ row, want string }{
		{`{"instruction":"q","output":"a","response":"b"}`, `without "response"`},
		{`{"instruction":"q","output":"a","chosen":"b"}`, "preference pairs"},
		{`{"messages":[{"role":"user","content":"q"}],"label":true}`, "good and bad answers"},
		{`{"messages":[{"role":"user","content":"q"}],"images":["x.png"]}`, "text only"},
		{`{"instruction":"q"}`, `the columns are "instruction"`},
		{`{"foo":1}`, `--columns '{"yours":"query"}'`},
		{`{"text":"a","text":"b"}`, "twice"},
		{`{"messages":[{"role":"user","role":"user","content":"q"}]}`, "message 1 is wrong"},
		{`{"messages":[{"role":"user","from":"user","content":"q"}]}`, "same thing twice"},
		{`{"messages":[{"role":"user","content":"q"},{"role":"user","content":[{"type":"image_url"}]}]}`, "message 2 has a part"},
		{`{"messages":[{"role":"user","content":"q","loss":"no"}]}`, "neither true nor false"},
		{`{"messages":[{"role":"narrator","content":"q"}]}`, `"narrator"`},
		{`{"messages":[{"role":"user","content":"q","mood":"sad"}]}`, `"mood"`},
		{`{"messages":[]}`, "messages is empty"},
		{`{"messages":"[]"}`, "messages is a string"},
		{`{"messages":[{"role":"system","content":"q"}],"system":"s"}`, "which one counts"},
		{`{"conversations":[{"from":"human"}]}`, "lacks role or content"},
		{`{"conversation":[{"human":"q"}]}`, "lacks role or content"},
		{`{"query":"q","response":["a","b"]}`, "response is an array"},
		{`{"query":"q","response":"a","history":[["q1"]]}`, "turn 1 is no pair"},
		{`{"query":"q","response":"a","history":[["q1","a1","x"]]}`, "turn 1 is no pair"},
		{`{"query":"q","response":"a","history":"[]"}`, "history is a string"},
		{`{"prompt":[{"role":"user","content":"q"}],"completion":"a"}`, "prompt is an array"},
		{`{` + strings.Repeat(`"a":1,`, 300) + `"b":1}`, "twice"},
		{columnsOf(300), "more than 256 columns"},
	} {
		if _, _, _, err := conversation(t, c.row, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.100s: error %v, want one with %q", c.row, err, c.want)
		}
	}
	for row, want := range map[string]string{
		`{"input_ids":[1,2],"attention_mask":[1,0]}`: "attention_mask is 0 at position 1",
		`{"input_ids":[1,2],"attention_mask":[1]}`:   "2 entries and attention_mask 1",
	} {
		if _, err := read("f", row, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", row, err, want)
		}
	}
}

func columnsOf(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(`"c%d":1`, i))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestColumnsAreRenamed(t *testing.T) {
	f, list, _, err := conversation(t, `{"frage":"q","antwort":"a","note":3}`, map[string]string{"frage": "query", "antwort": "response", "note": ""})
	if err != nil || f.name != "query/response" || script(list) != "user:q|assistant:a" {
		t.Errorf("%v, %q, %v", f, script(list), err)
	}
	if _, _, _, err := conversation(t, `{"frage":"q","query":"x","response":"a"}`, map[string]string{"frage": "query"}); err == nil || !strings.Contains(err.Error(), `two columns are called "query"`) {
		t.Errorf("a name taken twice: %v", err)
	}
	// Two names may change places.
	if _, list, _, err := conversation(t, `{"query":"a","response":"q"}`, map[string]string{"query": "response", "response": "query"}); err != nil || script(list) != "user:q|assistant:a" {
		t.Errorf("changed places: %q, %v", script(list), err)
	}
	if _, err := read("f", `{"input_ids":[1]}`, Options{Columns: map[string]string{"typo": "text"}}); err == nil || !strings.Contains(err.Error(), `"typo"`) {
		t.Errorf("a column that no row has: %v", err)
	}
}

// A message's fields for other templates than the plain one are refused where the plain one lays it out.
func TestPlainHasNoPlaceForMore(t *testing.T) {
	row := `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning_content":"hm"}]}`
	_, list, _, err := conversation(t, row, nil)
	if err != nil || string(list[1].More["reasoning_content"]) != `"hm"` {
		t.Fatalf("%v, %v", list, err)
	}
	if _, err := read("f", row, Options{Tokenizer: testTokenizer(t)}); err == nil || !strings.Contains(err.Error(), "reasoning_content") {
		t.Errorf("error %v", err)
	}
}

func TestWhatIsLearnt(t *testing.T) {
	tok := testTokenizer(t)
	row := `{"query":"Tell","response":"Once","history":[["a story","upon"]]}`
	learnt := func(opt Options) string {
		opt.Tokenizer = tok
		set, err := read("f", row, opt)
		if err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, r := range set.Examples[0].Runs(tok) {
			if r.Learnt {
				parts = append(parts, r.Text)
			}
		}
		return strings.Join(parts, "|")
	}
	if got := learnt(Options{}); got != " upon</s>| Once</s>" {
		t.Errorf("answers: %q", got)
	}
	if got := learnt(Options{MaskHistory: true}); got != " Once</s>" {
		t.Errorf("mask_history: %q", got)
	}
	if got := learnt(Options{TrainOnPrompt: true}); !strings.HasPrefix(got, " ### User\na story") || !strings.HasSuffix(got, "Once</s>") || strings.Contains(got, "|") {
		t.Errorf("train_on_prompt: %q", got)
	}
}
