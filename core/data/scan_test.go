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

func FuzzRows(f *testing.F) {
	for _, s := range []string{
		"", "[]", "[{}]", `{"input_ids":[1,2],"labels":[-100,2]}`, "{\"input_ids\":[1]}\n\n{\"input_ids\":[2]}\r\n",
		`[{"input_ids":[1]}, {"input_ids":[-2e5]}]`, "\uFEFF[{\"text\":\"x\"}]", "[1,\"a\\\"]\",[{}],null ]", "{\"a\":\"\xff\"}", "[[[[", `"x"`, "\xff\xfe[",
		`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, `{"instruction":"x","input":null,"output":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	tok := testTokenizer(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, opt := range []Options{{Tokenizer: tok, MaxLength: 32, Truncation: "right"}, {VocabSize: 9, MaxRow: 64}} {
			for _, name := range []string{"f.json", "f.txt"} {
				set, err := LoadFrom(t.Context(), []Source{{name, strings.NewReader(string(content))}}, opt)
				if err != nil {
					if !strings.HasPrefix(err.Error(), name) && !strings.HasPrefix(err.Error(), "data: ") {
						t.Errorf("%q: error %q names no file", content, err)
					}
					continue
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
