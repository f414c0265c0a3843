// Package train is the loop: programs for one micro-batch, for the update and for evaluation, and what happens between
// them. One training method is one file; sft.go is supervised fine-tuning.
package train

import (
	"hone/core/ir"
	"hone/core/nn"
	"hone/core/op"
	"hone/core/optim"
	"hone/core/peft"
	"hone/core/tensor"
	"hone/core/wire"
)

// Setup is what a run trains: a model, what is attached to it, and which tensors move.
type Setup struct {
	Model     nn.Model
	Tuner     peft.Tuner // nil: full fine-tuning
	Trained   []optim.Param
	Optim     optim.Settings
	Recompute bool
	Dropout   bool // the program of a micro-batch is fed a dropout_key
	// NEFTuneAlpha is the size of the noise on the embeddings while training; with it, a micro-batch is fed a neftune_key.
	NEFTuneAlpha float64
	// Storage tells how weights lie on the device: F32 or NF4.
	Storage func(name string, shape tensor.Shape) tensor.Type

	trained map[string]bool
}

// Shape is the size of a micro-batch: Rows sequences of Length tokens.
type Shape = wire.Shape

// Context begins the trace of a model.
func (s *Setup) Context(b *ir.Builder) *nn.Context {
	if s.trained == nil {
		s.trained = map[string]bool{}
		for _, p := range s.Trained {
			s.trained[p.Name] = true
		}
	}
	c := &nn.Context{Builder: b, Tuner: nn.NoTuner{}, DropoutKey: ir.None,
		Weight: func(name string, shape tensor.Shape) (tensor.Type, bool) {
			return s.Storage(name, shape), !s.trained[name]
		}}
	if s.Tuner != nil {
		c.Tuner = s.Tuner
	}
	return c
}

// inputs are the feeds that every program over tokens has: ids, positions, segments, I32 [rows·length].
func inputs(b *ir.Builder, sh Shape) nn.Inputs {
	t := tensor.Of(tensor.I32, sh.Rows*sh.Length)
	return nn.Inputs{Batch: sh.Rows, IDs: b.Feed("ids", t), Tokens: op.Tokens{Segments: b.Feed("segments", t), Positions: b.Feed("positions", t)}}
}

// Apply is the program that ends an optimiser step.
func (s *Setup) Apply() (*ir.Graph, error) {
	return ir.Trace(func(b *ir.Builder) { optim.Apply(b, s.Trained, s.Optim) })
}

// accumulate adds the gradient of loss to the sums of the trained tensors.
func (s *Setup) accumulate(b *ir.Builder, loss ir.Value) {
	wrt, sums := make([]ir.Value, len(s.Trained)), make([]ir.Value, len(s.Trained))
	for i, p := range s.Trained {
		t := tensor.Of(tensor.F32, p.Shape...)
		wrt[i], sums[i] = b.State(p.Name, t), b.State(optim.Gradient(p.Name), t)
	}
	b.GradEach(loss, wrt, sums, func(i int, sum ir.Value) { b.Assign(optim.Gradient(s.Trained[i].Name), sum) })
}
