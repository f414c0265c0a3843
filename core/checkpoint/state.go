package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// State is everything but tensors that a run needs to go on where it was. The tensors stand beside it: the adapter or the
// weights in their own formats, the optimiser's moments in state.safetensors.
type State struct {
	Step         int    `json:"step"`          // optimiser steps done
	Epoch        int    `json:"epoch"`         // whole passes over the rows done
	Batch        int    `json:"batch"`         // micro-batches done in the pass under way
	MicroBatches uint64 `json:"micro_batches"` // micro-batches done in all: the counter of random numbers for dropout
	Updates      int    `json:"updates"`       // the optimiser's own count t, for its bias correction

	BestMetric *float64 `json:"best_metric"` // lowest held-out loss so far, nil before the first evaluation
	BestStep   int      `json:"best_step"`   // the step that had it
	BadEvals   int      `json:"bad_evals"`   // evaluations since then: what early stopping counts

	Tokens  int64   `json:"tokens"`  // trained on so far
	Seconds float64 `json:"seconds"` // spent so far

	LearningRate float64 `json:"learning_rate,omitempty"` // of the recipe, as it was changed while the run went on
	Passing      bool    `json:"passing,omitempty"`       // saved because time had passed: the next checkpoint replaces it

	Line Line `json:"line"` // the log line under way, of steps since the last one

	RecipeHash    string `json:"recipe_hash"`
	ModelHash     string `json:"model_hash"`
	DataHash      string `json:"data_hash"`
	Device        string `json:"device"`
	KernelVariant string `json:"kernel_variant"` // a resumed run uses it again, so that its bits stay the same

	Files []FileHash `json:"files"` // every other file of the checkpoint; Save fills it
}

// Line is what the steps since the last log line add up to.
type Line struct {
	LossSum    float64 `json:"loss_sum"`
	Losses     int     `json:"losses"`
	Supervised int     `json:"supervised"`
	Tokens     int64   `json:"tokens"`
}

// stateFormat is the version of state.json; it rises when an older program would misread a newer file.
const stateFormat = 1

// envelope is what state.json holds: the state and its own hash, so that a changed digit is found too.
type envelope struct {
	Format int             `json:"format"`
	SHA256 string          `json:"sha256"`
	State  json.RawMessage `json:"state"`
}

func (s *State) encode() ([]byte, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("the state cannot be written as JSON: %w", err)
	}
	sum := sha256.Sum256(raw)
	out, err := json.MarshalIndent(envelope{stateFormat, hex.EncodeToString(sum[:]), raw}, "", "  ")
	return append(out, '\n'), err
}

func decodeState(data []byte) (*State, error) {
	var e envelope
	if err := strict(data, &e); err != nil {
		return nil, err
	}
	if e.Format != stateFormat {
		return nil, fmt.Errorf("it has format %d, and this program knows format %d; resume with the version of Hone that wrote it", e.Format, stateFormat)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, e.State); err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(compact.Bytes()); hex.EncodeToString(sum[:]) != e.SHA256 {
		return nil, errors.New("its content does not have the hash it gives; the file was changed or damaged")
	}
	var s State
	if err := strict(e.State, &s); err != nil {
		return nil, err
	}
	return &s, s.check()
}

// strict decodes exactly one JSON value without unknown fields.
func strict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("something follows the JSON value")
	}
	return nil
}

func (s *State) check() error {
	if s.Step < 0 || s.Epoch < 0 || s.Batch < 0 || s.Updates < 0 || s.BestStep < 0 || s.BadEvals < 0 || s.Tokens < 0 {
		return errors.New("it has a negative count")
	}
	if s.BestMetric != nil && (math.IsNaN(*s.BestMetric) || math.IsInf(*s.BestMetric, 0)) {
		return errors.New("the best metric is not a finite number")
	}
	if !(s.LearningRate >= 0 && s.LearningRate <= math.MaxFloat64) {
		return errors.New("the learning rate is not a finite number that is not negative")
	}
	if math.IsNaN(s.Seconds) || math.IsInf(s.Seconds, 0) {
		return errors.New("the time spent is not a finite number")
	}
	seen := map[string]bool{}
	for _, f := range s.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) || strings.Contains(f.Name, `\`) || f.Name == StateFile || f.Name == "." || seen[f.Name] {
			return fmt.Errorf("it lists a file %.100q, which cannot be part of a checkpoint", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// Load reads the State of a checkpoint and checks that every file of it is there with the bytes that were written.
func Load(dir string) (*State, error) {
	path := filepath.Join(dir, StateFile)
	data, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s: it is no checkpoint that a run can go on from", dir, StateFile)
	}
	if err != nil {
		return nil, err
	}
	s, err := decodeState(data)
	if err != nil {
		return nil, damaged(path, err)
	}
	for _, want := range s.Files {
		path := filepath.Join(dir, filepath.FromSlash(want.Name))
		st, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, damaged(path, errors.New("it is missing"))
		case err != nil:
			return nil, err
		case !st.Mode().IsRegular():
			return nil, damaged(path, errors.New("it is not a regular file"))
		case st.Size() != want.Size:
			return nil, damaged(path, fmt.Errorf("it has %d bytes, but %d were written", st.Size(), want.Size))
		}
		got, err := HashFile(path)
		if err != nil {
			return nil, err
		}
		if got.SHA256 != want.SHA256 {
			return nil, damaged(path, errors.New("its bytes are not those that were written"))
		}
	}
	return s, nil
}

func damaged(path string, err error) error {
	return fmt.Errorf("%s: %w; this checkpoint cannot be used, resume from an earlier one", path, err)
}

// Has reports whether the checkpoint has a file of this name.
func (s *State) Has(name string) bool {
	return slices.ContainsFunc(s.Files, func(f FileHash) bool { return f.Name == name })
}

// Matches checks that the run which goes on has the recipe, model and data of the one that was saved. An empty hash in s is
// not compared.
func (s *State) Matches(recipeHash, modelHash, dataHash string) error {
	for _, c := range []struct{ what, then, now string }{
		{"the settings", s.RecipeHash, recipeHash},
		{"the model's files", s.ModelHash, modelHash},
		{"the data set's files", s.DataHash, dataHash},
	} {
		if c.then != "" && c.then != c.now {
			return fmt.Errorf("%s are not those the checkpoint was made with (hash %.12s then, %.12s now); bring back the old ones or start a new run", c.what, c.then, c.now)
		}
	}
	return nil
}
