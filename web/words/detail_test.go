package words

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// TestDetailsAreSaid asks that each error known here is written so in a source, and comes out in Chinese alone but for what fills it.
func TestDetailsAreSaid(t *testing.T) {
	var sources strings.Builder
	for _, root := range []string{"../../core", "../../wasm", "../../server/jobs", "../../server/auth"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			raw, err := os.ReadFile(path)
			sources.Write(raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	verb := regexp.MustCompile(`%(?:\.\d+)?[a-z]`)
	for _, d := range details {
		if !strings.Contains(sources.String(), d.format) {
			t.Errorf("no source says %q", d.format)
		}
		text := "/data/mine.jsonl: row 7 (line 9): " + verb.ReplaceAllString(d.format, "42")
		got, known := Detail(Chinese, text)
		if !known || !strings.ContainsFunc(got, func(r rune) bool { return unicode.Is(unicode.Han, r) }) || strings.Contains(got, "%!") {
			t.Errorf("%q became %q", text, got)
		}
		if same, known := Detail(English, text); same != text || !known {
			t.Errorf("in English %q became %q", text, same)
		}
	}
}

func TestDetail(t *testing.T) {
	for text, want := range map[string]string{
		"/data/mine.jsonl: row 3 (line 4): the columns are \"antwort\", \"frage\"; understood are: pre-tokenised (input_ids, labels?). Names of your own are mapped with --columns '{\"yours\":\"query\"}'": `/data/mine.jsonl 第 3 条（第 4 行）：列名是 "antwort", "frage"，看不出`,
		"data/a.jsonl: (line 2, column 17): invalid JSON: unexpected end of JSON input":                                                                                                                     "data/a.jsonl（第 2 行，第 17 个字节）：JSON 有语法错误（unexpected end of JSON input）。",
		"lora_rank is 0; it must be at least 1 and at most 65536":                                                                                                                                           "lora_rank 的值是 0，应为 至少 1，至多 65536。",
		"org/none is not on Hugging Face, or private there (then set HF_TOKEN)":                                                                                                                             "Hugging Face 上没有 org/none，或者它是私有的",
		"org/none is not on Hugging Face":              "Hugging Face 上没有 org/none。",
		"max_steps \"many\": a whole number is wanted": "max_steps：这里要填整数。",
		"/data/my rows.jsonl: row 3 (line 4): the row is of the format messages, those before it are alpaca; a file has one format":         "/data/my rows.jsonl 第 3 条（第 4 行）：这一条的格式是 messages，前面的是 alpaca；一个文件只能用一种格式。",
		"lora_rank is 0; it must be at least 1 and at most 65536\nmax_steps is -3; it must be at least 1 and at most 99, or -1 for not set": "max_steps 的值是 -3，应为 至少 1，至多 99, 或 -1（表示不设）。",
		"This browser has no WebGPU. Chrome and Edge have it from version 113 on, Safari from 26.":                                          "这个浏览器没有 WebGPU。",
	} {
		if got, known := Detail(Chinese, text); !known || !strings.Contains(got, want) {
			t.Errorf("%q became %q, want %q in it", text, got, want)
		}
	}
	if got, known := Detail(Chinese, "something new"); known || got != "something new" {
		t.Errorf("what is not known became %q, %v", got, known)
	}
}
