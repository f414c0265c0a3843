package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"hone/core/chat"
	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/generate"
	"hone/core/ir"
	"hone/core/nn"
	"hone/core/peft"
	"hone/core/tensor"
	"hone/core/tokenizer"
)

// Pair is a base model and what tuning made of it, ready to answer. With an adapter both share the base's weights.
type Pair struct {
	Tokenizer *tokenizer.Tokenizer
	dev       device.Device
	sides     [2]*generate.Generator // base, tuned
	template  chat.Template
	stop      []int32  // ids that end an answer
	stopWords []string // text that does
	capacity  int
	release   []func()
}

// OpenPair loads a model and an adapter, or the checkpoint of a full fine-tuning in its place. quantised loads the base
// in NF4, as QLoRA trains it. The sequences of both may have at most capacity tokens.
func OpenPair(ctx context.Context, dev device.Device, model, tuned string, quantised bool, capacity int) (*Pair, error) {
	p := &Pair{dev: dev, capacity: capacity}
	err := p.open(ctx, model, tuned, quantised)
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Pair) open(ctx context.Context, model, tuned string, quantised bool) error {
	base, states, err := p.load(ctx, model, quantised)
	if err != nil {
		return err
	}
	if p.Tokenizer, err = tokenizer.LoadDir(model); err != nil {
		return err
	}
	if err := p.chooseTemplate(model, tuned); err != nil {
		return err
	}
	if p.sides[0], err = generate.New(ctx, p.dev, base.Model, frozenTrace(states, nil), states, p.capacity); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(tuned, checkpoint.AdapterFile)); err != nil {
		if _, full := os.Stat(filepath.Join(tuned, "config.json")); full != nil {
			return fmt.Errorf("%s is neither an adapter (no %s) nor a model (no config.json)", tuned, checkpoint.AdapterFile)
		}
		other, states, err := p.load(ctx, tuned, false)
		if err != nil {
			return err
		}
		p.sides[1], err = generate.New(ctx, p.dev, other.Model, frozenTrace(states, nil), states, p.capacity)
		return err
	}
	lora, err := p.adapter(ctx, base, tuned, states)
	if err != nil {
		return err
	}
	p.sides[1], err = generate.New(ctx, p.dev, base.Model, frozenTrace(states, lora), states, p.capacity)
	return err
}

// load opens a model and uploads its weights.
func (p *Pair) load(ctx context.Context, dir string, quantised bool) (*checkpoint.Base, map[string]device.Buffer, error) {
	base, err := checkpoint.OpenBase(dir)
	if err != nil {
		return nil, nil, err
	}
	p.release = append(p.release, func() { base.Close() })
	states := map[string]device.Buffer{}
	for _, w := range base.Model.Params() {
		b, err := base.Upload(ctx, p.dev, w, base.Stored(w, quantised, p.dev.Caps().Halves))
		if err != nil {
			return nil, nil, err
		}
		states[w.Name] = b
		p.release = append(p.release, b.Release)
	}
	return base, states, nil
}

// adapter opens a PEFT adapter for the model and adds its tensors to the states.
func (p *Pair) adapter(ctx context.Context, base *checkpoint.Base, dir string, states map[string]device.Buffer) (*peft.LoRA, error) {
	cfg, tensors, err := checkpoint.ReadAdapter(dir)
	if err != nil {
		return nil, err
	}
	lora, err := loraFor(base.Model, cfg.Rank, cfg.Alpha, targetsOf(base.Model, cfg), &cfg)
	if err != nil {
		return nil, fmt.Errorf("adapter %s: %w", dir, err)
	}
	lora.RSLoRA = cfg.RSLoRA
	if err := MatchAdapter(dir, lora, tensors); err != nil {
		return nil, err
	}
	for name, h := range tensors {
		b, err := p.dev.Upload(ctx, h.Type, littleEndian(h.F32))
		if err != nil {
			return nil, err
		}
		states[name] = b
		p.release = append(p.release, b.Release)
	}
	return lora, nil
}

// frozenTrace begins traces of a model of which nothing trains; states are its weights on the device.
func frozenTrace(states map[string]device.Buffer, tuner nn.Tuner) func(*ir.Builder) *nn.Context {
	return func(b *ir.Builder) *nn.Context {
		c := &nn.Context{Builder: b, Tuner: nn.NoTuner{}, DropoutKey: ir.None,
			Weight: func(name string, shape tensor.Shape) (tensor.Type, bool) {
				return tensor.Type{DType: states[name].Type().DType, Shape: shape}, true
			}}
		if tuner != nil && tuner != (*peft.LoRA)(nil) {
			c.Tuner = tuner
		}
		return c
	}
}

// Close frees what the pair holds.
func (p *Pair) Close() error {
	for _, g := range p.sides {
		if g != nil {
			g.Close()
		}
	}
	for _, f := range p.release {
		f()
	}
	p.release = nil
	return nil
}

// Capacity is how many tokens a model reads at most: max_position_embeddings, and at most limit.
func Capacity(dir string, limit int) (int, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return 0, err
	}
	m, err := nn.Parse(raw)
	if err != nil {
		return 0, err
	}
	n := m.Config().MaxPositions
	if n <= 0 {
		n = limit
	}
	if limit < 1 {
		return 0, errors.New("max_length must be at least 1")
	}
	return min(n, limit), nil
}
