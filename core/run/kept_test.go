package run

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"hone/core/golden"
	"hone/core/recipe"
	"hone/core/wire"
)

// Rows are read once for who looks at them again, and anew when their file or a setting has changed.
func TestKept(t *testing.T) {
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	write := func(text string) {
		if err := os.WriteFile(rows, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	ctx := Keep(context.Background(), new(Kept))
	read := func(want int, more ...string) bool {
		t.Helper()
		r, err := recipe.Parse(append([]string{"--model", golden.Own(t, "tiny_llama"), "--dataset", rows}, more...))
		if err != nil {
			t.Fatal(err)
		}
		loaded := false
		p, err := OpenPreview(ctx, r, 0, 1, func(e wire.Event) {
			if _, ok := e.(wire.Loading); ok {
				loaded = true
			}
		})
		if err != nil || p.Rows.Train != want {
			t.Fatalf("%+v, %v", p, err)
		}
		return loaded
	}
	write("{\"input_ids\":[1,2,3]}\n{\"input_ids\":[4,5,6]}\n")
	for i, c := range []struct {
		loaded bool
		rows   int
		more   []string
	}{
		{true, 2, nil}, {false, 2, nil}, {false, 2, []string{"--learning_rate", "1e-3"}},
		{true, 1, []string{"--split_dataset_ratio", "0.5"}}, {false, 1, []string{"--split_dataset_ratio", "0.5"}}, {true, 2, nil},
	} {
		if got := read(c.rows, c.more...); got != c.loaded {
			t.Errorf("reading %d: the files were read is %v, want %v", i, got, c.loaded)
		}
	}
	write("{\"input_ids\":[1,2,3]}\n")
	if !read(1) {
		t.Error("a file that has changed was not read again")
	}
}
