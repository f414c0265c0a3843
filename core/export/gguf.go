// Package export turns what training made into what other programs read: an adapter merged into its base as a model
// directory, and GGUF files for llama.cpp and Ollama.
package export

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"hone/core/chat"
	"hone/core/checkpoint"
	"hone/core/gguf"
	"hone/core/nn"
)

// Summary says what was written.
type Summary struct {
	Bytes   int64
	Tensors int
	// LargestError is the largest difference between a weight and what the file gives back, in units of its tensor's
	// largest magnitude.
	LargestError float64
	ErrorTensor  string
}

// GGUF writes a model directory as one GGUF file at path, with the name that programs show, matrices in the given type: F32, F16, BF16, Q8_0 or Q4_0.
// Vectors stay F32; with Q4_0 the embedding and the head are Q8_0, as they lose most; a matrix whose rows are no whole
// number of blocks is F16. The file is read back and compared before it gets its name.
func GGUF(ctx context.Context, dir, path, name string, t gguf.Type) (Summary, error) {
	base, err := checkpoint.OpenBase(dir)
	if err != nil {
		return Summary{}, err
	}
	defer base.Close()
	w := &ggufWriter{ctx: ctx, base: base, name: name, t: t}
	if err := w.prepare(); err != nil {
		return Summary{}, fmt.Errorf("model %s as GGUF: %w", dir, err)
	}
	part := path + ".part"
	s, err := w.write(part)
	if err != nil {
		os.Remove(part)
		return Summary{}, err
	}
	return s, os.Rename(part, path)
}

// ggufWriter gathers what goes into a file.
type ggufWriter struct {
	ctx      context.Context
	base     *checkpoint.Base
	name     string
	t        gguf.Type
	metadata []gguf.Pair
	tensors  []gguf.Tensor
}

func (w *ggufWriter) prepare() error {
	cfg := w.base.Model.Config()
	if cfg.Quantization != "" {
		return fmt.Errorf("its weights are quantised (%s); export the model that they were made from", cfg.Quantization)
	}
	lay, err := layoutOf(w.base)
	if err != nil {
		return err
	}
	for _, p := range w.base.Model.Params() {
		name, change, err := lay.place(p)
		if err != nil {
			return err
		}
		w.add(name, p, change)
	}
	if lay.tiedHead {
		for _, p := range w.base.Model.Params() {
			if p.Name == w.base.Model.Head() {
				w.add("output.weight", p, asIs)
			}
		}
	}
	if lay.ropeFreqs != nil {
		w.tensors = append(w.tensors, gguf.Tensor{Name: "rope_freqs.weight", Type: gguf.F32, Shape: []int{len(lay.ropeFreqs)},
			Rows: func(put func([]float32) error) error { return put(lay.ropeFreqs) }})
	}
	tokens, err := tokenizerMetadata(w.base.Dir, cfg.VocabSize)
	if err != nil {
		return err
	}
	template, err := chat.ForModel(w.base.Dir)
	if err != nil {
		return err
	}
	if source := chat.Source(template); source != "" {
		tokens = append(tokens, gguf.Pair{Key: "tokenizer.chat_template", Value: source})
	}
	w.metadata = append(append([]gguf.Pair{
		{Key: "general.architecture", Value: lay.name},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: w.name},
		{Key: "general.file_type", Value: map[gguf.Type]uint32{gguf.F32: 0, gguf.F16: 1, gguf.Q4_0: 2, gguf.Q8_0: 7, gguf.BF16: 32}[w.t]},
		{Key: "general.quantization_version", Value: uint32(2)},
	}, lay.metadata...), tokens...)
	return nil
}

// add lists a parameter under its name in the file.
func (w *ggufWriter) add(name string, p nn.Param, c change) {
	w.tensors = append(w.tensors, gguf.Tensor{Name: name, Type: w.typeOf(name, p.Shape), Shape: p.Shape,
		Rows: func(put func([]float32) error) error {
			values, err := openWeight(w.base, p)
			if err != nil {
				return err
			}
			return c(values, func(v []float32) error {
				if err := w.ctx.Err(); err != nil {
					return err
				}
				return put(v)
			})
		}})
}

func (w *ggufWriter) typeOf(name string, shape []int) gguf.Type {
	t := w.t
	if t == gguf.Q4_0 && (name == "token_embd.weight" || name == "output.weight") {
		t = gguf.Q8_0
	}
	if len(shape) == 1 || name == "position_embd.weight" {
		return gguf.F32
	}
	if _, err := t.Bytes(shape); err != nil {
		return gguf.F16
	}
	return t
}

// write makes the file and reads it back.
func (w *ggufWriter) write(path string) (s Summary, err error) {
	f, err := os.Create(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	for _, step := range []func() error{
		func() error { return gguf.Write(f, w.metadata, w.tensors) }, f.Sync, f.Close,
	} {
		if err := step(); err != nil {
			return s, fmt.Errorf("%s: %w", path, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return s, err
	}
	s = Summary{Bytes: info.Size(), Tensors: len(w.tensors)}
	back, err := gguf.Open(path)
	if err != nil {
		return s, err
	}
	defer back.Close()
	for _, t := range w.tensors {
		if err := s.compare(back, t); err != nil {
			return s, err
		}
	}
	return s, nil
}

// compare reads a tensor back and notes how far it is from what was written.
func (s *Summary) compare(back *gguf.File, t gguf.Tensor) error {
	got := make([]float32, t.Shape.Elements())
	if err := back.ReadF32(t.Name, got); err != nil {
		return err
	}
	at, largest, difference := 0, 0.0, 0.0
	err := t.Rows(func(v []float32) error {
		for i, x := range v {
			largest = max(largest, math.Abs(float64(x)))
			d := math.Abs(float64(x) - float64(got[at+i]))
			if math.IsNaN(d) {
				return errors.New("holds a value that is not a number")
			}
			difference = max(difference, d)
		}
		at += len(v)
		return nil
	})
	if err != nil {
		return fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	// Half a step of the coarsest type, Q4_0, is a sixteenth of the largest magnitude; on one side of zero it is a whole one.
	if e := difference / max(largest, math.SmallestNonzeroFloat64); largest > 0 && e > s.LargestError {
		s.LargestError, s.ErrorTensor = e, t.Name
	}
	if difference > largest*0.13 {
		return fmt.Errorf("tensor %s comes back from the file with a difference of %v, its largest magnitude is %v", t.Name, difference, largest)
	}
	return nil
}
