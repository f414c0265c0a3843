package data

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/golden"
)

// The suite is Nicolas Seriot's "Parsing JSON is a Minefield": n_ must be refused, y_ parsed, i_ may be either.
func TestJSONTestSuite(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden.Shared(t, "data/badfiles/JSONTestSuite"), "*.json"))
	if err != nil || len(files) < 300 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, f := range files {
		name := filepath.Base(f)
		_, err := Load(t.Context(), []string{f}, Options{})
		var place *Error
		switch {
		case err == nil && name[0] != 'i':
			t.Errorf("%s is accepted as rows", name)
		case err == nil:
		case !errors.As(err, &place):
			t.Errorf("%s: error %v is not an *Error", name, err)
		case name[0] == 'y' && !place.Shape:
			t.Errorf("%s is valid JSON, but: %v", name, err)
		case name[0] == 'n' && place.Line == 0 && !strings.Contains(place.What, "no rows"):
			t.Errorf("%s: no position in %v", name, err)
		}
	}
}

// What the suite tests, in rows of our own: each stands as the second row of an array and of a JSONL file.
func TestJSONSyntax(t *testing.T) {
	for _, row := range []string{
		`{"input_ids":[1,]}`, `{"input_ids":[1 2]}`, `{"input_ids":[01]}`, `{"input_ids":[1.]}`, `{"input_ids":[.5]}`, `{"input_ids":[+1]}`, `{"input_ids":[1e]}`, `{"input_ids":[NaN]}`,
		`{"input_ids":[-Infinity]}`, `{"input_ids":[0x1]}`, `{input_ids:[1]}`, `{'input_ids':[1]}`, `{"input_ids":[1],}`, `{"input_ids"[1]}`, `{"input_ids"::[1]}`, `{"input_ids":[1]}}`,
		`{"input_ids":[1]`, `{"input_ids":[1}`, `{"text":"a\x"}`, `{"text":"\u12"}`, `{"text":"a}`, "{\"text\":\"a\tb\"}", "{\"text\":\"\x00\"}", "{\"input_ids\":[1]\x00}", "{\"text\":\"\xff\"}",
		"{\"text\":\"\xed\xa0\x80\"}", `{"input_ids":[1]} // note`, `/* note */ {"input_ids":[1]}`, `True`, `{"input_ids":[1],"a":nul}`, "\u00a0{\"input_ids\":[1]}", `]`, `,`,
	} {
		good := `{"input_ids":[1]}`
		for name, content := range map[string]string{"f.json": "[" + good + ",\n" + row + "]", "f.jsonl": good + "\n" + row + "\n"} {
			_, err := read(name, content, Options{})
			var place *Error
			if !errors.As(err, &place) || place.Line < 2 || place.Shape && !strings.Contains(row, "]}}") {
				t.Errorf("%s with %q: %v", name, row, err)
			}
		}
	}
	for _, row := range []string{
		`{"input_ids":[1,-0,1]}`, ` { "input_ids" : [ 1 , 1 ] } `, `{"input_ids":[1],"id":{"a":[{}, [], "\u0000\ud800", 1E+2, -0.5e-3, true, null]}}`, `{"input_ids":[1],"\u0069d":"]}{[\"\\"}`,
	} {
		for name, content := range map[string]string{"f.json": "[" + row + ",\n" + row + "]", "f.jsonl": row + "\n" + row} {
			if set, err := read(name, content, Options{}); err != nil || len(set.Examples) != 2 {
				t.Errorf("%s with %q: %v", name, row, err)
			}
		}
	}
}

// Files in other encodings and of other kinds are called by their name.
func TestFilesOfOtherKinds(t *testing.T) {
	gbk := "{\"text\":\"\xd6\xd0\xb9\xfa\xd2\xbd\xd1\xa7\"}"
	utf16 := func(s string, big bool) string {
		var b strings.Builder
		for _, r := range s {
			if big {
				b.WriteByte(0)
			}
			b.WriteRune(r)
			if !big {
				b.WriteByte(0)
			}
		}
		return b.String()
	}
	for name, c := range map[string]struct{ content, want string }{
		"gbk.jsonl":    {gbk, "GB18030"},
		"gbk.json":     {"[" + gbk + "]", "row 1 (line 1, column 11): byte 0xD6 is not valid UTF-8; the file looks like GB18030"},
		"latin.jsonl":  {"{\"text\":\"caf\xe9 cr\xe8me\"}", "0xE9 is not valid UTF-8; save the file as UTF-8"},
		"damage.jsonl": {"{\"text\":\"中国医学\xe4\xbd\"}", "a single character is damaged"},
		"mark.json":    {"\xff\xfe" + utf16("[]", false), "UTF-16"},
		"little.json":  {utf16(`[{"text":"x"}]`, false), "UTF-16 without a mark"},
		"big.json":     {utf16(`{"text":"x"}`, true), "UTF-16 without a mark"},
		"wide.json":    {"\xff\xfe\x00\x00[\x00\x00\x00", "UTF-32"},
		"rows.csv":     {"instruction,output\nSay yes,yes\n", `a table (CSV) with the columns "instruction", "output"; call it .csv`},
		"rows.tsv":     {"instruction\toutput\n", `"instruction", "output"`},
		"named.json":   {"department,title,ask\n\xd6\xd0,\xb9\xfa\xd2\xbd,\xd1\xa7\n", "GB18030"},
		"prose.json":   {"Once, upon a time\nthere was", "no JSON"},
		"rows.parquet": {"PAR1....", "Parquet"},
		"rows.jsonl":   {"\x1f\x8b\x08\x00", "gzip"},
		"rows.zip":     {"PK\x03\x04", "ZIP"},
		"page.json":    {"<!DOCTYPE html>\n<html>", "web page"},
		"zero.jsonl":   {"{\"text\":\"a\x00\"}", "value 0"},
	} {
		_, err := read(name, c.content, Options{Tokenizer: testTokenizer(t)})
		var place *Error
		if !errors.As(err, &place) || place.Line == 0 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with a place and %q", name, err, c.want)
		}
	}
}

func FuzzRows(f *testing.F) {
	for _, s := range []string{
		"", "[]", "[{}]", `{"input_ids":[1,2],"labels":[-100,2]}`, "{\"input_ids\":[1]}\n\n{\"input_ids\":[2]}\r\n",
		`[{"input_ids":[1]}, {"input_ids":[-2e5]}]`, "\uFEFF[{\"text\":\"x\"}]", "[1,\"a\\\"]\",[{}],null ]", "{\"a\":\"\xff\"}", "[[[[", `"x"`, "\xff\xfe[",
		`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, `{"instruction":"x","input":null,"output":"\ud800"}`,
		`{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}],"system":"s"}`, `{"query":"q","response":"a","history":[["x","y"]],"id":[{}]}`,
		`{"conversation":[{"human":"q","assistant":"a"}]}`, `{"prompt":[{"role":"user","content":[{"type":"text","text":"t"}]}],"completion":[{"from":"gpt","value":"v","loss":false}]}`,
		`{"input_ids":[1,2,3,4],"attention_mask":[1,1,1,1],"label":1}`, `{"text":"a","text":"b"}`, "a,b\n1,2\n", "\x00[\x00]", "{\"text\":\"\xd6\xd0\xb9\xfa\"}",
	} {
		f.Add([]byte(s))
	}
	tok := testTokenizer(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, opt := range []Options{{Tokenizer: tok, MaxLength: 32, Truncation: "right"}, {Tokenizer: tok, MaxLength: 3, Truncation: "split", MaskHistory: true},
			{VocabSize: 9, MaxRow: 64}, {Tokenizer: tok, TrainOnPrompt: true, Columns: map[string]string{"a": "text", "id": ""}}} {
			for _, name := range []string{"f.json", "f.txt"} {
				set, err := LoadFrom(t.Context(), []Source{{name, strings.NewReader(string(content))}}, opt)
				if err != nil {
					if !strings.HasPrefix(err.Error(), name) && !strings.HasPrefix(err.Error(), "data: ") {
						t.Errorf("%q: error %q names no file", content, err)
					}
					continue
				}
				if s := set.Stats; s.Rows != s.Kept+s.Dropped || len(set.Examples) != s.Kept+s.Pieces {
					t.Fatalf("%q gave %d examples and %+v", content, len(set.Examples), s)
				}
				size := opt.VocabSize
				if size == 0 {
					size = tok.Size()
				}
				for _, e := range set.Examples {
					if len(e.IDs) == 0 || len(e.IDs) != len(e.Labels) || opt.MaxLength > 0 && len(e.IDs) > opt.MaxLength {
						t.Fatalf("%q gave %+v", content, e)
					}
					for i := range e.IDs {
						if e.IDs[i] < 0 || int(e.IDs[i]) >= size || int(e.Labels[i]) >= size {
							t.Fatalf("%q gave %+v", content, e)
						}
					}
				}
			}
		}
		// What is one JSON value and no rows is a matter of shape, and the other way round a syntax error is not.
		_, err := LoadFrom(t.Context(), []Source{{"f", strings.NewReader(string(content))}}, Options{})
		var place *Error
		if errors.As(err, &place) && place.Shape && place.Row == 0 && !json.Valid([]byte(strings.TrimPrefix(string(content), "\uFEFF"))) {
			t.Errorf("%q is no JSON, but the error is of shape: %v", content, err)
		}
	})
}

func BenchmarkRows(b *testing.B) {
	path := golden.Shared(b, "data/datasets/alpaca_en_demo.json")
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		rows := 0
		err = newScanner(f, path, 0).rows(func(int, position, []byte) error { rows++; return nil })
		f.Close()
		if err != nil || rows == 0 {
			b.Fatal(rows, err)
		}
	}
}
