package safetensors

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names of the weights in a model directory: one file, or the index of several.
const (
	SingleName = "model.safetensors"
	IndexName  = "model.safetensors.index.json"
)

// Model is the weights of a Hugging Face model directory, in one file or in shards, under one set of names.
// Its methods may be called from several goroutines at once.
type Model struct {
	dir   string
	files []*File
	of    map[string]*File
}

// OpenModel opens model.safetensors, or the shards that model.safetensors.index.json names, and checks them against the index.
func OpenModel(dir string) (*Model, error) {
	single, index := filepath.Join(dir, SingleName), filepath.Join(dir, IndexName)
	m := &Model{dir: dir, of: map[string]*File{}}
	if exists(single) {
		f, err := Open(single)
		if err != nil {
			return nil, err
		}
		m.add(f)
		return m, nil
	}
	if !exists(index) {
		return nil, missingModel(dir)
	}
	if err := m.openShards(index); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid)
}

// missingModel says what the directory has in the place of weights that can be read.
func missingModel(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("model directory %s: %w", dir, cause(err))
	}
	for _, e := range entries {
		if n := e.Name(); strings.HasSuffix(n, ".bin") || strings.HasSuffix(n, ".pth") || strings.HasSuffix(n, ".pt") || strings.HasSuffix(n, ".gguf") {
			return fmt.Errorf("model directory %s has %s, but neither %s nor %s; convert the model to safetensors", dir, n, SingleName, IndexName)
		}
	}
	return fmt.Errorf("model directory %s has neither %s nor %s; download the weights into it: %w", dir, SingleName, IndexName, fs.ErrNotExist)
}

func (m *Model) add(f *File) {
	m.files = append(m.files, f)
	for _, t := range f.tensors {
		m.of[t.Name] = f
	}
}

func (m *Model) openShards(index string) error {
	weightMap, err := readIndex(index)
	if err != nil {
		return fmt.Errorf("%s: %w", index, err)
	}
	shards := slices.Compact(slices.Sorted(maps.Values(weightMap)))
	for _, s := range shards {
		if err := shardName(s); err != nil {
			return fmt.Errorf("%s: %w", index, err)
		}
	}
	for _, s := range shards {
		f, err := Open(filepath.Join(m.dir, s))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: shard %.200q, one of %d, is not in the directory; download it: %w", index, s, len(shards), fs.ErrNotExist)
		}
		if err != nil {
			return err
		}
		for _, t := range f.tensors {
			if home, listed := weightMap[t.Name]; !listed || home != s {
				f.Close()
				place := "does not list it"
				if listed {
					place = fmt.Sprintf("gives it to %.200q", home)
				}
				return fmt.Errorf("%s: shard %.200q has tensor %.200q, but the index %s; index and shards belong to different models: download them again", index, s, t.Name, place)
			}
		}
		m.add(f)
	}
	for _, name := range slices.Sorted(maps.Keys(weightMap)) {
		if m.of[name] == nil {
			return fmt.Errorf("%s: tensor %.200q should be in %.200q, but is not; index and shards belong to different models: download them again", index, name, weightMap[name])
		}
	}
	return nil
}

// shardName refuses a name that would lead out of the model directory.
func shardName(s string) error {
	if s == "" || s == "." || strings.ContainsAny(s, "/\\\x00") || strings.Contains(s, "..") || filepath.Base(s) != s {
		return fmt.Errorf("weight_map names the shard %.200q; only plain names of files in the model directory are allowed", s)
	}
	return nil
}

// readIndex reads weight_map, from tensor name to file name.
func readIndex(path string) (map[string]string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, cause(err)
	}
	if !st.Mode().IsRegular() || st.Size() > maxHeader {
		return nil, fmt.Errorf("the index is not a regular file of at most %d bytes", maxHeader)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, cause(err)
	}
	if err := lfsPointer(raw[:min(len(raw), 512)]); err != nil {
		return nil, err
	}
	return parseIndex(raw)
}

func parseIndex(raw []byte) (map[string]string, error) {
	w, err := newWalker(raw)
	if err != nil {
		return nil, fmt.Errorf("the index is not valid JSON: %w", err)
	}
	var weightMap map[string]string
	err = w.object(func(key string) error {
		if key != "weight_map" {
			return w.skip()
		}
		if weightMap != nil {
			return errors.New("the index has weight_map twice")
		}
		var err error
		if weightMap, err = w.stringMap(); err != nil {
			return fmt.Errorf("weight_map: %w", err)
		}
		return nil
	})
	if err == nil && len(weightMap) == 0 {
		err = errors.New("the index has no weight_map, or an empty one")
	}
	return weightMap, err
}

// Tensors lists the tensors of all files, sorted by name. An offset counts from the start of the tensor's own file.
func (m *Model) Tensors() []Info {
	var all []Info
	for _, f := range m.files {
		all = append(all, f.tensors...)
	}
	slices.SortFunc(all, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Lookup finds a tensor by name.
func (m *Model) Lookup(name string) (Info, bool) {
	f := m.of[name]
	if f == nil {
		return Info{}, false
	}
	return f.Lookup(name)
}

func (m *Model) file(name string) (*File, error) {
	if f := m.of[name]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("model %s has no tensor %.200q", m.dir, name)
}

// Reader reads the bytes of a tensor as they stand in its file: little-endian, row-major.
func (m *Model) Reader(name string) (*io.SectionReader, error) {
	f, err := m.file(name)
	if err != nil {
		return nil, err
	}
	return f.Reader(name)
}

// ReadBytes reads the bytes of a whole tensor.
func (m *Model) ReadBytes(name string) ([]byte, error) {
	f, err := m.file(name)
	if err != nil {
		return nil, err
	}
	return f.ReadBytes(name)
}

// ReadF32 reads a whole tensor as float32, as File.ReadF32 does.
func (m *Model) ReadF32(name string, dst []float32) error {
	f, err := m.file(name)
	if err != nil {
		return err
	}
	return f.ReadF32(name, dst)
}

// ReadF32At reads len(dst) elements of a tensor from element from on.
func (m *Model) ReadF32At(name string, dst []float32, from int) error {
	f, err := m.file(name)
	if err != nil {
		return err
	}
	return f.ReadF32At(name, dst, from)
}

// Close closes all files and gives their errors.
func (m *Model) Close() error {
	var errs []error
	for _, f := range m.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
