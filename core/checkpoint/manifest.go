package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Manifest records what a run was made of, so that it can be told later whether another had the same.
type Manifest struct {
	Created       time.Time `json:"created"`
	Hone          string    `json:"hone"` // version of the program
	Go            string    `json:"go"`
	Platform      string    `json:"platform"` // operating system/architecture
	CPUs          int       `json:"cpus"`
	Device        string    `json:"device"`
	KernelVariant string    `json:"kernel_variant"`
	RecipeHash    string    `json:"recipe_hash"`
	Model         Input     `json:"model"`
	Data          Input     `json:"data"`
	Adapter       *Input    `json:"adapter,omitempty"` // the one the run started from
	Sources       []Source  `json:"sources,omitempty"` // what was named by its id on a hub
	Memory        *Memory   `json:"memory,omitempty"`  // once the run has ended

	Rows     json.RawMessage `json:"rows,omitempty"`          // what became of the rows, as the run's first event says it
	Template string          `json:"chat_template,omitempty"` // how conversations are laid out: plain, or the model's own
}

// Memory is what a run took, in bytes.
type Memory struct {
	Before  int64 `json:"resident_before_model"`
	Peak    int64 `json:"resident_peak"`
	Planned int64 `json:"planned"` // predicted difference of the two
}

// Source is where something was found that was asked for by name. A run that goes on takes the same commit again.
type Source struct {
	Kind     string `json:"kind"` // model, adapter or dataset
	Name     string `json:"name"` // as it was asked for
	Hub      string `json:"hub"`  // hf or ms
	ID       string `json:"id"`
	Revision string `json:"revision"` // commit
	Part     string `json:"part,omitempty"`
}

// Input is a set of files that a run read.
type Input struct {
	Paths  []string   `json:"paths"`
	Digest string     `json:"digest"` // of the files in this order
	Files  []FileHash `json:"files"`
}

// NewInput hashes files in their order; paths says where the user found them.
func NewInput(paths, files []string) (Input, error) {
	hashes, err := HashFiles(files)
	if err != nil {
		return Input{}, fmt.Errorf("hashing the input of the run: %w", err)
	}
	return Input{paths, Digest(hashes), hashes}, nil
}

// Still says whether a directory holds the files that were read at a time. One that nobody has changed since and that has its size is
// not read again: weights are large.
func (in Input) Still(dir string, read time.Time) (bool, error) {
	for _, f := range in.Files {
		path := filepath.Join(dir, f.Name)
		st, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if st.Size() != f.Size {
			return false, nil
		}
		if st.ModTime().Before(read) {
			continue
		}
		if now, err := HashFile(path); err != nil || now.SHA256 != f.SHA256 {
			return false, err
		}
	}
	return true, nil
}

// NewManifest fills in what the program can find out by itself.
func NewManifest(version string, now time.Time) Manifest {
	return Manifest{Created: now.UTC().Truncate(time.Second), Hone: version, Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU()}
}

// WriteManifest records m in the run directory.
func (r Run) WriteManifest(m Manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(r.Dir, ManifestFile), append(data, '\n'))
}

// ReadManifest reads it back.
func (r Run) ReadManifest() (Manifest, error) {
	path := filepath.Join(r.Dir, ManifestFile)
	data, err := readSmall(path)
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
