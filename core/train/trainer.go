package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"hone/core/data"
	"hone/core/device"
	"hone/core/ir"
	"hone/core/op"
	"hone/core/rng"
	"hone/core/tensor"
)

// Trainer is a Setup compiled for a device, with its states bound: what one step of a run is made of.
type Trainer struct {
	setup      *Setup
	dev        device.Device
	states     map[string]device.Buffer
	accumulate map[Shape]device.Exec
	evaluate   map[Shape]device.Exec
	apply      update
}

// Compile makes the programs of a run: one for each shape of micro-batch, one for each shape of evaluation batch, and the
// update. Nothing is bound yet and no memory taken; Costs tells what they need.
func Compile(ctx context.Context, s *Setup, dev device.Device, train, eval []Shape) (*Trainer, error) {
	t := &Trainer{setup: s, dev: dev, accumulate: map[Shape]device.Exec{}, evaluate: map[Shape]device.Exec{}}
	add := func(g *ir.Graph, err error, keep func(device.Exec)) error {
		if err != nil {
			return err
		}
		e, err := dev.Compile(ctx, g)
		if err == nil {
			keep(e)
		}
		return err
	}
	for _, sh := range train {
		g, err := s.SFT(sh)
		if err := add(g, err, func(e device.Exec) { t.accumulate[sh] = e }); err != nil {
			return nil, err
		}
	}
	for _, sh := range eval {
		g, err := s.Evaluate(sh)
		if err := add(g, err, func(e device.Exec) { t.evaluate[sh] = e }); err != nil {
			return nil, err
		}
	}
	g, err := s.Apply()
	if err := add(g, err, func(e device.Exec) { t.apply = residentUpdate{e} }); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Trainer) programs() []device.Exec {
	return append(t.steps(), t.apply.programs()...)
}

// steps are the programs over batches.
func (t *Trainer) steps() []device.Exec {
	var list []device.Exec
	for _, e := range t.accumulate {
		list = append(list, e)
	}
	for _, e := range t.evaluate {
		list = append(list, e)
	}
	return list
}

// Costs are those of all programs.
func (t *Trainer) Costs() []device.Cost {
	var list []device.Cost
	for _, e := range t.programs() {
		list = append(list, e.Cost())
	}
	return list
}

// FLOPs of one micro-batch of the shape.
func (t *Trainer) FLOPs(sh Shape) int64 { return t.accumulate[sh].Cost().FLOPs }

// Bind gives the programs their states: weights, trained tensors, gradients, moments.
func (t *Trainer) Bind(states map[string]device.Buffer) error {
	t.states = states
	for _, e := range t.steps() {
		if err := e.Bind(states); err != nil {
			return err
		}
	}
	return t.apply.bind(t.setup, states)
}

// Feeds are what the programs of a batch are fed with.
func Feeds(b data.Batch) map[string]tensor.Host {
	n := b.Rows * b.Length
	return map[string]tensor.Host{"ids": tensor.Ints(b.IDs, n), "positions": tensor.Ints(b.Positions, n),
		"segments": tensor.Ints(b.Segments, n), "targets": tensor.Ints(b.Targets, n)}
}

// Accumulate adds the gradient of one micro-batch to the sums and returns the sum of its losses, in nats.
// micro counts the micro-batches of the run: dropout draws its masks by it, NEFTune its noise.
func (t *Trainer) Accumulate(ctx context.Context, b data.Batch, seed, micro uint64) (float64, error) {
	e, ok := t.accumulate[Shape{Rows: b.Rows, Length: b.Length}]
	if !ok {
		return 0, fmt.Errorf("train: no program is compiled for micro-batches of %d × %d tokens", b.Rows, b.Length)
	}
	f := Feeds(b)
	if t.setup.Dropout {
		f["dropout_key"] = tensor.Ints(op.DropoutKey(rng.NewKey(seed, rng.Dropout, micro)), 4)
	}
	if t.setup.NEFTuneAlpha > 0 {
		f["neftune_key"] = tensor.Ints(op.DropoutKey(rng.NewKey(seed, rng.NEFTune, micro)), 4)
	}
	out, err := e.Run(ctx, f)
	if err != nil {
		return 0, err
	}
	return float64(out["loss"].F32[0]), nil
}

// Apply ends a step: update number k = 0, 1, … with gradients that were summed over that many tokens.
// It returns the norm of the mean gradient before clipping.
func (t *Trainer) Apply(ctx context.Context, tokens int, learningRate float64, k int) (gradNorm float64, err error) {
	rates, err := t.setup.Optim.Rates(learningRate, k)
	if err != nil {
		return 0, err
	}
	return t.apply.run(ctx, tensor.Floats([]float32{float32(tokens)}, 1), tensor.Floats(rates, 3))
}

// Evaluate returns the mean loss over the tokens of the batches; nothing changes.
func (t *Trainer) Evaluate(ctx context.Context, batches func(yield func(data.Batch) bool)) (loss float64, tokens int, err error) {
	for b := range batches {
		e, ok := t.evaluate[Shape{Rows: b.Rows, Length: b.Length}]
		if !ok {
			return 0, 0, fmt.Errorf("train: no program is compiled to evaluate batches of %d × %d tokens", b.Rows, b.Length)
		}
		out, err := e.Run(ctx, Feeds(b))
		if err != nil {
			return 0, 0, err
		}
		loss, tokens = loss+float64(out["loss"].F32[0]), tokens+b.Tokens
	}
	if tokens == 0 {
		return math.NaN(), 0, nil
	}
	return loss / float64(tokens), tokens, nil
}

// Close forgets the programs.
func (t *Trainer) Close() {
	for _, e := range t.programs() {
		e.Close()
	}
}

// Profile times the nodes of the programs of one step: a micro-batch of this shape, and the update.
func (t *Trainer) Profile(ctx context.Context, b data.Batch) ([]device.OpTime, error) {
	resident, ok := t.apply.(residentUpdate)
	if !ok {
		return nil, errors.New("train: the operators of an update whose moments are paged are not timed")
	}
	rates, err := t.setup.Optim.Rates(1e-3, 0)
	if err != nil {
		return nil, err
	}
	var all []device.OpTime
	for _, part := range []struct {
		exec  device.Exec
		feeds map[string]tensor.Host
	}{
		{t.accumulate[Shape{Rows: b.Rows, Length: b.Length}], Feeds(b)},
		{resident.Exec, map[string]tensor.Host{"tokens": tensor.Floats([]float32{float32(b.Tokens)}, 1), "rates": tensor.Floats(rates, 3)}},
	} {
		p, ok := part.exec.(device.Profiler)
		if !ok {
			return nil, fmt.Errorf("train: this device cannot time its operators (%T)", part.exec)
		}
		times, err := p.Profile(ctx, part.feeds)
		if err != nil {
			return nil, err
		}
		all = append(all, times...)
	}
	return all, nil
}
