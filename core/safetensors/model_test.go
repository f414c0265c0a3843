package safetensors

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shardedModel writes a model of two shards and an index, any of which edit may change or remove.
func shardedModel(t *testing.T, index string) string {
	dir := t.TempDir()
	for name, tensors := range map[string][]Tensor{
		"model-00001-of-00002.safetensors": {Floats("b", []float32{1, 2}, 2), Floats("d", []float32{3}, 1)},
		"model-00002-of-00002.safetensors": {Floats("a", []float32{4}, 1), Floats("c", []float32{5, 6, 7}, 3)},
	} {
		if err := WriteFile(filepath.Join(dir, name), tensors, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, IndexName), []byte(index), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

const goodIndex = `{"metadata":{"total_size":28},"weight_map":{
	"a":"model-00002-of-00002.safetensors","b":"model-00001-of-00002.safetensors",
	"c":"model-00002-of-00002.safetensors","d":"model-00001-of-00002.safetensors"}}`

func TestShardedModel(t *testing.T) {
	m, err := OpenModel(shardedModel(t, goodIndex))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	names := ""
	for _, info := range m.Tensors() {
		names += info.Name
	}
	if names != "abcd" {
		t.Errorf("tensors %q, want abcd", names)
	}
	v := make([]float32, 3)
	if err := m.ReadF32("c", v); err != nil || v[0] != 5 || v[2] != 7 {
		t.Errorf("c is %v, %v", v, err)
	}
	if err := m.ReadF32At("c", v[:1], 1); err != nil || v[0] != 6 {
		t.Errorf("c from 1 is %v, %v", v[:1], err)
	}
	b, err := m.ReadBytes("d")
	if err != nil || string(b) != "\x00\x00\x40\x40" {
		t.Errorf("d is % x, %v", b, err)
	}
	r, err := m.Reader("b")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || len(b) != 8 {
		t.Errorf("b has %d bytes, %v", len(b), err)
	}
	if _, ok := m.Lookup("e"); ok {
		t.Error("found a tensor that is not there")
	}
	if err := m.ReadF32("e", nil); err == nil || !strings.Contains(err.Error(), `no tensor "e"`) {
		t.Errorf("reading a missing tensor: %v", err)
	}
}

func TestHostileIndex(t *testing.T) {
	const first, second = `"model-00001-of-00002.safetensors"`, `"model-00002-of-00002.safetensors"`
	swap := func(old, new string) string { return strings.ReplaceAll(goodIndex, old, new) }
	for _, c := range []struct{ name, index, want string }{
		{"path", swap(second, `"/etc/passwd"`), "only plain names"},
		{"parent", swap(second, `".."`), "only plain names"},
		{"parent path", swap(second, `"../model-00002-of-00002.safetensors"`), "only plain names"},
		{"backslash", swap(second, `"x\\y"`), "only plain names"},
		{"empty name", swap(second, `""`), "only plain names"},
		{"zero byte", swap(second, `"a\u0000b"`), "only plain names"},
		{"missing shard", swap(second, `"gone.safetensors"`), `shard "gone.safetensors", one of 2, is not in the directory`},
		{"not in its shard", swap(`"d":`+first, `"d":`+first+`,"e":`+first), `tensor "e" should be in`},
		{"in another shard", swap(`"d":`+first, `"d":`+second), "gives it to"},
		{"not listed", swap(`,"d":`+first, ""), "does not list it"},
		{"listed twice", swap(`"d":`+first, `"d":`+first+`,"d":`+first), "twice"},
		{"no weight_map", `{"metadata":{}}`, "no weight_map"},
		{"null weight_map", `{"weight_map":null}`, "no weight_map"},
		{"two weight_maps", `{"weight_map":{"a":"x"},"weight_map":{"a":"x"}}`, "weight_map twice"},
		{"numbers", `{"weight_map":{"a":1}}`, "want a string"},
		{"list", `[]`, "want an object"},
		{"no JSON", `{"weight_map":`, "not valid JSON"},
		{"empty", ``, "not valid JSON"},
		{"LFS pointer", "version https://git-lfs.github.com/spec/v1\nsize 9\n", "git lfs pull"},
		{"shard is the index", swap(second, `"`+IndexName+`"`), "safetensors"},
	} {
		m, err := OpenModel(shardedModel(t, c.index))
		if err == nil {
			m.Close()
			t.Errorf("%s: opened, want an error with %q", c.name, c.want)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

func TestDirectoriesWithoutAModel(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenModel(dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "neither") {
		t.Errorf("an empty directory gives %v", err)
	}
	if _, err := OpenModel(filepath.Join(dir, "gone")); !errors.Is(err, fs.ErrNotExist) && err != nil || err == nil {
		t.Errorf("a missing directory gives %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pytorch_model.bin"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenModel(dir); err == nil || !strings.Contains(err.Error(), "convert the model") {
		t.Errorf("a directory with pytorch_model.bin gives %v", err)
	}
}
