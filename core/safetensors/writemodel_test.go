package safetensors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A model comes back from its shards as it went in, whatever their size; each shard keeps to the limit.
func TestWriteModel(t *testing.T) {
	tensors := []Tensor{Floats("z", []float32{1, 2, 3, 4, 5}, 5), Floats("b", []float32{6}, 1), Floats("a", []float32{7, 8}, 2, 1), Floats("c", []float32{9}, 1)}
	for limit, files := range map[int64]int{0: 1, 1000: 1, 36: 1, 35: 2, 20: 2, 12: 3, 1: 4} {
		dir := t.TempDir()
		if err := WriteModel(dir, tensors, map[string]string{"format": "pt"}, limit); err != nil {
			t.Fatal(err)
		}
		m, err := OpenModel(dir)
		if err != nil {
			t.Fatalf("limit %d: %v", limit, err)
		}
		if len(m.files) != files {
			t.Errorf("limit %d makes %d files, want %d", limit, len(m.files), files)
		}
		for _, f := range m.files {
			var size int64
			for _, info := range f.Tensors() {
				size += info.Bytes
			}
			if limit > 0 && size > limit && len(f.Tensors()) > 1 {
				t.Errorf("limit %d: a file of %d tensors holds %d bytes", limit, len(f.Tensors()), size)
			}
			if f.Metadata()["format"] != "pt" {
				t.Errorf("limit %d: a shard has no metadata", limit)
			}
		}
		next := float32(1)
		for _, w := range tensors {
			v := make([]float32, w.Shape.Elements())
			if err := m.ReadF32(w.Name, v); err != nil {
				t.Fatal(err)
			}
			for _, x := range v {
				if x != next {
					t.Errorf("limit %d: %s has %v, want %v", limit, w.Name, x, next)
				}
				next++
			}
		}
		m.Close()
	}
}

func TestWriteModelRefusesTwins(t *testing.T) {
	for _, limit := range []int64{0, 4} {
		dir := t.TempDir()
		err := WriteModel(dir, []Tensor{Floats("a", []float32{1}, 1), Floats("a", []float32{2}, 1)}, nil, limit)
		if err == nil || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("limit %d: two tensors of one name give %v", limit, err)
		}
		if _, err := os.Stat(filepath.Join(dir, IndexName)); err == nil {
			t.Errorf("limit %d: an index is there all the same", limit)
		}
	}
}
