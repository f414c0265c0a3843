package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"hone/core/chat"
	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/ir"
	"hone/core/nn"
	"hone/core/tensor"
	"hone/core/tokenizer"
)

// LoadOptions say how a model is loaded to be spoken to.
type LoadOptions struct {
	Quantised bool   // linear layers in NF4, as QLoRA trains on them
	Capacity  int    // tokens that a conversation has at most; 0: DefaultCapacity, or what the model has positions for
	Template  string // "auto" (also when empty): the adapter's or the model's own; "plain"
}

// DefaultCapacity is how long conversations may be where nobody says.
const DefaultCapacity = 2048

// Loaded is a base model on a device, ready to be spoken to by itself or through adapters, which share its weights.
type Loaded struct {
	Dir       string
	Base      *checkpoint.Base
	Tokenizer *tokenizer.Tokenizer
	Capacity  int

	dev      device.Device
	options  LoadOptions
	template chat.Template
	states   map[string]device.Buffer
	release  []func()
}

// Load opens a model directory and brings its weights to the device.
func Load(ctx context.Context, dev device.Device, dir string, o LoadOptions) (*Loaded, error) {
	l := &Loaded{Dir: dir, dev: dev, options: o, states: map[string]device.Buffer{}}
	if err := l.open(ctx); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Loaded) open(ctx context.Context) (err error) {
	if l.Base, err = checkpoint.OpenBase(l.Dir); err != nil {
		return err
	}
	l.release = append(l.release, func() { l.Base.Close() })
	if l.Tokenizer, err = tokenizer.LoadDir(l.Dir); err != nil {
		return err
	}
	if l.template, err = templateOf(l.Dir, l.options.Template); err != nil {
		return err
	}
	if l.Capacity, err = l.capacity(); err != nil {
		return err
	}
	for _, p := range l.Base.Model.Params() {
		b, err := l.Base.Upload(ctx, l.dev, p, l.Base.Stored(p, l.options.Quantised, l.dev.Caps().Halves))
		if err != nil {
			return err
		}
		l.states[p.Name] = b
		l.release = append(l.release, b.Release)
	}
	return nil
}

// capacity is how many tokens a conversation has at most: what was asked for, within the positions that the model knows.
func (l *Loaded) capacity() (int, error) {
	n := l.options.Capacity
	switch {
	case n < 0:
		return 0, errors.New("max_length must be at least 1")
	case n == 0:
		n = DefaultCapacity
	}
	if most := l.Base.Model.Config().MaxPositions; most > 0 {
		n = min(n, most)
	}
	return n, nil
}

// templateOf chooses how a conversation is laid out.
func templateOf(dir, choice string) (chat.Template, error) {
	switch choice {
	case "", "auto":
		return chat.ForModel(dir)
	case "plain":
		return chat.Plain, nil
	}
	return nil, fmt.Errorf("template %q is not known; there are auto and plain", choice)
}

// Close frees what the model holds. Its voices are closed before.
func (l *Loaded) Close() error {
	for _, f := range slices.Backward(l.release) {
		f()
	}
	l.release = nil
	return nil
}

// adapter reads a PEFT adapter for the model and brings it to the device; states is the model's with it.
func (l *Loaded) adapter(ctx context.Context, dir string) (tuner nn.Tuner, states map[string]device.Buffer, release []func(), err error) {
	cfg, tensors, err := checkpoint.ReadAdapter(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	lora, err := loraFor(l.Base.Model, cfg.Rank, cfg.Alpha, targetsOf(l.Base.Model, cfg), &cfg)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("adapter %s: %w", dir, err)
	}
	lora.RSLoRA = cfg.RSLoRA
	if err := MatchAdapter(dir, lora, tensors); err != nil {
		return nil, nil, nil, err
	}
	states = maps.Clone(l.states)
	for name, h := range tensors {
		b, err := l.dev.Upload(ctx, h.Type, littleEndian(h.F32))
		if err != nil {
			for _, f := range release {
				f()
			}
			return nil, nil, nil, fmt.Errorf("adapter %s: %w", dir, err)
		}
		states[name] = b
		release = append(release, b.Release)
	}
	return lora, states, release, nil
}

// frozenTrace begins traces of a model of which nothing trains; states are its weights on the device. A nil tuner is none.
func frozenTrace(states map[string]device.Buffer, tuner nn.Tuner) func(*ir.Builder) *nn.Context {
	if tuner == nil {
		tuner = nn.NoTuner{}
	}
	return func(b *ir.Builder) *nn.Context {
		return &nn.Context{Builder: b, Tuner: tuner, DropoutKey: ir.None,
			Weight: func(name string, shape tensor.Shape) (tensor.Type, bool) {
				return tensor.Type{DType: states[name].Type().DType, Shape: shape}, true
			}}
	}
}

// isAdapter tells an adapter from the checkpoint of a full fine-tuning.
func isAdapter(dir string) (bool, error) {
	if _, err := os.Stat(filepath.Join(dir, checkpoint.AdapterFile)); err == nil {
		return true, nil
	}
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
		return false, fmt.Errorf("%s is neither an adapter (no %s) nor a model (no config.json)", dir, checkpoint.AdapterFile)
	}
	return false, nil
}
