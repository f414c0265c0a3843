package checkpoint

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestLog(t *testing.T) {
	run := Run{t.TempDir()}
	path := filepath.Join(run.Dir, LogFile)
	if lines, err := run.ReadLog(); err != nil || lines != nil {
		t.Errorf("a run without a log: %q, %v", lines, err)
	}
	if n, err := run.CutLog(3); err != nil || n != 0 {
		t.Errorf("cutting no log: %d, %v", n, err)
	}
	for _, line := range []any{
		LogLine{{"step", 1}, {"loss", math.NaN()}, {"a", "b\n"}},
		map[string]any{"step": 2},
		LogLine{{"eval_loss", 0.5}},
		LogLine{{"step", 3.0}},
	} {
		if err := run.AppendLog(line, nil); err != nil {
			t.Fatal(err)
		}
	}
	const all = "{\"step\":1,\"loss\":null,\"a\":\"b\\n\"}\n{\"step\":2}\n{\"eval_loss\":0.5}\n{\"step\":3}\n"
	if got, _ := os.ReadFile(path); string(got) != all {
		t.Errorf("the log is\n%s", got)
	}
	if err := run.AppendLog(LogLine{{"bad", func() {}}}, nil); err == nil {
		t.Error("a function is logged")
	}
	failAt(t, 0, false, syscall.ENOSPC)
	if err := run.AppendLog(LogLine{{"step", 9}}, nil); err == nil || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("a full disk: %v", err)
	}
	heal()
	for text, want := range map[string]struct {
		left string
		gone int
	}{
		all:                   {"{\"step\":1,\"loss\":null,\"a\":\"b\\n\"}\n{\"step\":2}\n{\"eval_loss\":0.5}\n", 1},
		all + `{"step":4,"lo`: {"{\"step\":1,\"loss\":null,\"a\":\"b\\n\"}\n{\"step\":2}\n{\"eval_loss\":0.5}\n", 2},
		"{\"step\":1}\n\x00\x00\x00\n{\"step\":2}\n":            {"{\"step\":1}\n{\"step\":2}\n", 1},
		"{\"step\":2}\n{\"step\":5}\n{\"x\":1}\n{\"step\":2}\n": {"{\"step\":2}\n{\"step\":2}\n", 2},
		"{\"step\":2}\n{\"step\":\"x\"}\n7\nnull\n[]\n":         {"{\"step\":2}\n", 4},
		"{\"step\":2}": {"", 1},
		"":             {"", 0},
	} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		n, err := run.CutLog(2)
		got, _ := os.ReadFile(path)
		if err != nil || n != want.gone || string(got) != want.left {
			t.Errorf("cutting %q: %d lines gone, left %q, %v; want %d, %q", text, n, got, err, want.gone, want.left)
		}
	}
}

func FuzzLog(f *testing.F) {
	f.Add([]byte("{\"step\":1}\n{\"step\":3}\n{\"st"), 2)
	f.Add([]byte("\n\n[]\n{}\n{\"step\":1e99}\n"), 0)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		run := Run{dir}
		path := filepath.Join(dir, LogFile)
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := run.CutLog(step); err != nil {
			t.Fatal(err)
		}
		once, _ := os.ReadFile(path)
		if n, err := run.CutLog(step); err != nil || n != 0 {
			t.Fatalf("cutting again takes %d lines, %v", n, err)
		}
		for line := range bytes.Lines(once) {
			if !json.Valid(line) {
				t.Fatalf("left is %q", line)
			}
		}
	})
}
