package data

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/chat"
	"hone/core/golden"
	"hone/core/tokenizer"
)

func testTokenizer(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	texts := []string{"### User\nTell a story. 讲一个故事。\n\n### Assistant\nOnce upon a time. 从前有一个故事。"}
	trained, err := tokenizer.Train(slices.Values(texts), tokenizer.TrainOptions{VocabSize: 340, MinCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := trained.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func read(name, content string, opt Options) (*Set, error) {
	return LoadFrom(context.Background(), []Source{{name, strings.NewReader(content)}}, opt)
}

func TestJSONAndJSONLByContent(t *testing.T) {
	rows := []string{`{"input_ids":[1,2,3],"labels":[-100,2,3]}`, `{"input_ids": [4 , 5] }`}
	for name, content := range map[string]string{
		"array.json":   "[" + strings.Join(rows, ",\n") + "]",
		"array.jsonl":  " \n[\n " + strings.Join(rows, " , ") + " ]\n",
		"lines.json":   strings.Join(rows, "\n"),
		"lines.jsonl":  strings.Join(rows, "\r\n\r\n") + "\n",
		"marked.jsonl": "\uFEFF" + strings.Join(rows, "\n"),
		"marked.json":  "\uFEFF[" + strings.Join(rows, ",") + "]",
		"pretty.json":  "[\n{\n \"labels\":null,\n\"input_ids\":\n[1,2\n,3]\n}\n,\n" + rows[1] + "]",
	} {
		set, err := read(name, content, Options{VocabSize: 6})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a, b := set.Examples[0], set.Examples[1]
		wantLabels := []int32{-100, 2, 3}
		if name == "pretty.json" {
			wantLabels = []int32{1, 2, 3}
		}
		if len(set.Examples) != 2 || !slices.Equal(a.IDs, []int32{1, 2, 3}) || !slices.Equal(a.Labels, wantLabels) ||
			!slices.Equal(b.IDs, []int32{4, 5}) || !slices.Equal(b.Labels, []int32{4, 5}) || b.Row != 2 || b.File != name {
			t.Errorf("%s: %+v", name, set.Examples)
		}
		if s := set.Stats; s.Rows != 2 || s.Kept != 2 || s.Tokens != 5 || s.SupervisedTokens != 3 {
			t.Errorf("%s: stats %+v", name, s)
		}
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	tok := testTokenizer(t)
	long := `{"input_ids":[` + strings.Repeat("1,", 3000) + `1]}`
	for name, c := range map[string]struct {
		content string
		opt     Options
		want    []string
	}{
		"empty.json":    {"", Options{}, []string{"empty.json", "no rows", "JSONL"}},
		"blank.jsonl":   {" \n\n", Options{}, []string{"no rows"}},
		"none.json":     {"[ ]", Options{}, []string{"no rows"}},
		"string.json":   {`"x"`, Options{}, []string{"a string", "line 1"}},
		"word.json":     {"hello", Options{}, []string{"no JSON", "line 1, column 1"}},
		"utf16.json":    {"\xff\xfe[\x00", Options{}, []string{"UTF-16"}},
		"lfs.json":      {"version https://git-lfs.github.com/spec/v1\noid", Options{}, []string{"Git LFS"}},
		"cut.json":      {"[{\"input_ids\":[1]},\n{\"input", Options{}, []string{"row 2 (line 2, column 1)", "cut off"}},
		"open.json":     {"[{\"input_ids\":[1]}\n", Options{}, []string{"cut off", "line 2"}},
		"comma.json":    {"[{\"input_ids\":[1]},]", Options{}, []string{"row 2"}},
		"two.json":      {"[{\"input_ids\":[1]}\n][{\"input_ids\":[1]}]", Options{}, []string{"line 2, column 2", "closing ]"}},
		"between.json":  {"[{\"input_ids\":[1]} {\"input_ids\":[1]}]", Options{}, []string{"between rows", "column 20"}},
		"syntax.json":   {"[{\"input_ids\":[1]},\n{\"input_ids\":[1,\n x]}]", Options{}, []string{"row 2 (line 3, column 2)", "invalid character 'x'"}},
		"syntax.jsonl":  {"{\"input_ids\":[1]}\n\n{\"input_ids\":[1,x]}", Options{}, []string{"row 2 (line 3, column 17)"}},
		"pretty.jsonl":  {"{\n\"input_ids\":[1]}\n", Options{}, []string{"one object over several lines", "array of objects"}},
		"torn.jsonl":    {"{\n\"input_ids\":[1]}\n{\n\"input_ids\":[2]}\n", Options{}, []string{"row 1", "need an array"}},
		"utf8.jsonl":    {"{\"text\":\"a\xffb\"}", Options{Tokenizer: tok}, []string{"row 1 (line 1, column 11)", "0xFF", "UTF-8"}},
		"number.json":   {"[{\"input_ids\":[1]},7]", Options{}, []string{"row 2", "a number", "expected an object"}},
		"deep.jsonl":    {`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}", Options{}, []string{"deeper than 64"}},
		"deep.json":     {strings.Repeat("[", 100000), Options{}, []string{"deeper than 64"}},
		"long.jsonl":    {long, Options{MaxRow: 1000}, []string{"row 1", "longer than 1000 bytes"}},
		"long.json":     {"[" + long + "]", Options{MaxRow: 1000}, []string{"row 1", "longer than 1000 bytes"}},
		"columns.jsonl": {`{"question":"x","reply":"y"}`, Options{}, []string{"row 1", `"question", "reply"`, `--columns`, "alpaca (instruction, output, input?, system?, history?)", "messages"}},
		"extra.jsonl":   {`{"instruction":"x","output":"y","weight":3}`, Options{Tokenizer: tok}, []string{`without "weight"`, `--columns '{"weight":""}'`}},
		"mixed.jsonl":   {"{\"text\":\"x\"}\n{\"input_ids\":[1]}", Options{Tokenizer: tok}, []string{"row 2", "pre-tokenised", "text", "one format"}},
		"notok.jsonl":   {`{"text":"x"}`, Options{}, []string{"row 1", "need a tokenizer"}},
		"high.jsonl":    {"{\"input_ids\":[1]}\n{\"input_ids\":[1,512]}", Options{VocabSize: 512}, []string{"row 2", "position 1 has id 512", "0…511"}},
		"low.jsonl":     {`{"input_ids":[-1]}`, Options{}, []string{"position 0 has id -1"}},
		"label.jsonl":   {`{"input_ids":[1,2],"labels":[-100,-99]}`, Options{VocabSize: 512}, []string{"position 1 has label -99"}},
		"uneven.jsonl":  {`{"input_ids":[1,2],"labels":[1]}`, Options{}, []string{"2 entries and labels 1"}},
		"noid.jsonl":    {`{"input_ids":[]}`, Options{}, []string{"empty"}},
		"float.jsonl":   {`{"input_ids":[1,2.5]}`, Options{}, []string{"position 1 is 2.5"}},
		"huge.jsonl":    {`{"input_ids":[99999999999999999999]}`, Options{}, []string{"position 0 is 9999"}},
		"over.jsonl":    {`{"input_ids":[4294967297]}`, Options{}, []string{"position 0 is 4294967297"}},
		"nested.jsonl":  {`{"input_ids":[[1]]}`, Options{}, []string{"position 0 is [1]"}},
		"type.jsonl":    {`{"instruction":"x","output":7}`, Options{Tokenizer: tok}, []string{"output is a number; expected a string"}},
		"role.jsonl":    {`{"messages":[{"role":"robot","content":"x"}]}`, Options{Tokenizer: tok}, []string{"row 1", `"robot"`, "assistant (gpt"}},
		"message.jsonl": {`{"messages":[{"role":"user"}]}`, Options{Tokenizer: tok}, []string{"message 1 lacks"}},
		"list.jsonl":    {`{"messages":[7]}`, Options{Tokenizer: tok}, []string{"message 1 is a number; expected an object"}},
		"all.jsonl":     {`{"input_ids":[1,2,3]}`, Options{MaxLength: 2}, []string{"all 1 rows are longer than 2"}},
		"limit.txt":     {"text", Options{Tokenizer: tok}, []string{"max_length"}},
		"blank.txt":     {" \n", Options{Tokenizer: tok, MaxLength: 8}, []string{"no text"}},
		"utf8.txt":      {"a\nb\xff", Options{Tokenizer: tok, MaxLength: 8}, []string{"line 2", "UTF-8"}},
	} {
		_, err := read(name, c.content, c.opt)
		if err == nil {
			t.Errorf("%s is accepted", name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %q lacks %q", name, err, w)
			}
		}
	}
	if _, err := Load(t.Context(), []string{"no-such-file.json"}, Options{}); err == nil || !strings.Contains(err.Error(), "no-such-file.json") {
		t.Errorf("missing file: error %v", err)
	}
	if _, err := Load(t.Context(), nil, Options{Truncation: "middle"}); err == nil || !strings.Contains(err.Error(), `"middle"`) {
		t.Errorf("unknown strategy: error %v", err)
	}
	if _, err := Load(t.Context(), nil, Options{}); err == nil {
		t.Error("no files are accepted")
	}
}

func TestFormatsThatNeedATokenizer(t *testing.T) {
	tok := testTokenizer(t)
	opt := Options{Tokenizer: tok}
	set, err := read("a.jsonl", `{"instruction":"Tell a story.","input":"讲","output":"Once"}`, opt)
	if err != nil {
		t.Fatal(err)
	}
	same, err := read("m.jsonl", `{"messages":[{"role":"user","content":"Tell a story.\n\n讲"},{"role":"assistant","content":"Once"}]}`, opt)
	if err != nil {
		t.Fatal(err)
	}
	a, m := set.Examples[0], same.Examples[0]
	if !slices.Equal(a.IDs, m.IDs) || !slices.Equal(a.Labels, m.Labels) {
		t.Errorf("alpaca and messages differ: %v, %v", a, m)
	}
	answer := append(tok.EncodeText("Once"), tok.EOS)
	if n := len(a.IDs) - len(answer); !slices.Equal(a.Labels[n:], answer) || a.Labels[n-1] != chat.Ignored || a.Supervised() != len(answer) {
		t.Errorf("labels %v do not teach just the answer %v", a.Labels, answer)
	}
	text, err := read("t.jsonl", `{"text":"Once upon"}`, opt)
	if err != nil {
		t.Fatal(err)
	}
	want := append(append([]int32{tok.BOS}, tok.EncodeText("Once upon")...), tok.EOS)
	if e := text.Examples[0]; !slices.Equal(e.IDs, want) || !slices.Equal(e.Labels, want) {
		t.Errorf("text row: %v, want %v", e, want)
	}
	long := strings.Repeat("Once upon a time. 从前\n", 20)
	raw, err := read("t.txt", long, Options{Tokenizer: tok, MaxLength: 16})
	if err != nil {
		t.Fatal(err)
	}
	var all []int32
	for i, e := range raw.Examples {
		if len(e.IDs) > 16 || len(e.IDs) < 16 && i < len(raw.Examples)-1 || e.Row != i+1 {
			t.Errorf("block %d is row %d with %d tokens", i, e.Row, len(e.IDs))
		}
		all = append(all, e.IDs...)
	}
	if want := append(append([]int32{tok.BOS}, tok.EncodeText(long)...), tok.EOS); !slices.Equal(all, want) {
		t.Error("the blocks do not join to the text's ids")
	}
}

func TestSplit(t *testing.T) {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "{\"input_ids\":[%d,1]}\n", i)
	}
	set, err := read("f", b.String(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	train, held, err := Split(set, 0.1, 7)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]int{}
	for _, s := range []*Set{train, held} {
		last := 0
		for _, e := range s.Examples {
			seen[e.Row]++
			if e.Row <= last {
				t.Error("the file's order is lost")
			}
			last = e.Row
		}
	}
	if len(seen) != 100 || len(held.Examples) != 10 || len(train.Examples) != 90 || held.Stats.Kept != 10 || train.Stats.Tokens != 180 {
		t.Errorf("%d rows seen, %d held, %d left, stats %+v", len(seen), len(held.Examples), len(train.Examples), train.Stats)
	}
	_, again, _ := Split(set, 0.1, 7)
	_, other, _ := Split(set, 0.1, 8)
	rows := func(s *Set) (r []int) {
		for _, e := range s.Examples {
			r = append(r, e.Row)
		}
		return r
	}
	if !slices.Equal(rows(held), rows(again)) || slices.Equal(rows(held), rows(other)) {
		t.Errorf("seed 7 held %v, then %v; seed 8 %v", rows(held), rows(again), rows(other))
	}
	if _, h, err := Split(set, 0, 1); h != nil || err != nil {
		t.Errorf("ratio 0: %v, %v", h, err)
	}
	if _, h, err := Split(set, 0.0001, 1); err != nil || len(h.Examples) != 1 {
		t.Errorf("a tiny ratio holds out %v, %v; want one row", h, err)
	}
	for _, r := range []float64{-0.1, 1, 2} {
		if _, _, err := Split(set, r, 1); err == nil {
			t.Errorf("ratio %v is accepted", r)
		}
	}
}

func TestGoldenSets(t *testing.T) {
	// The cases of our own stand in the repository; the others beside it.
	files, err := filepath.Glob(filepath.Join(golden.Root(t), "testdata", "golden", "*", "dataset.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden sets in testdata: %v", err)
	}
	for _, name := range []string{"lora_basic", "full_ft", "qlora_basic"} {
		if more := filepath.Join(golden.Root(t), "..", "shared", "golden", name, "dataset.jsonl"); exists(more) {
			files = append(files, more)
		}
	}
	for _, f := range files {
		set, err := Load(t.Context(), []string{f}, Options{VocabSize: 512})
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		if s := set.Stats; s.Kept == 0 || s.Kept != s.Rows || s.SupervisedTokens == 0 || s.SupervisedTokens >= s.Tokens {
			t.Errorf("%s: %+v", f, s)
		}
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func TestRealSets(t *testing.T) {
	tok := testTokenizer(t)
	for name, rows := range map[string]int{"alpaca_en_demo.json": 999, "alpaca_zh_demo.json": 1000, "identity.json": 91, "medical_sft_1K_format.jsonl": 1000, "gsm8k_test.jsonl": 1319} {
		set, err := Load(t.Context(), []string{golden.Shared(t, "data/datasets/"+name)}, Options{Tokenizer: tok})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s := set.Stats; s.Kept != rows || s.Unsupervised != 0 {
			t.Errorf("%s: %d rows, %d unsupervised, want %d and none", name, s.Kept, s.Unsupervised, rows)
		}
	}
	for name, want := range map[string]string{
		"datasets/dpo_zh_500.jsonl":              "preference pairs",
		"datasets/dpo_en_demo.json":              "preference pairs",
		"datasets/kto_en_demo.json":              "good and bad answers",
		"datasets/seed_tasks.jsonl":              "self-instruct",
		"datasets/internal_medicine_gb18030.csv": "GB18030",
		"badfiles/alpaca_extra_data.json":        "line 2502, column 2",
	} {
		if _, err := Load(t.Context(), []string{golden.Shared(t, "data/"+name)}, Options{Tokenizer: tok}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
}
