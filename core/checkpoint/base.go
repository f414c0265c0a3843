package checkpoint

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"hone/core/device"
	"hone/core/nn"
	"hone/core/quant"
	"hone/core/safetensors"
	"hone/core/tensor"
)

// Base is a model directory in Hugging Face's layout, opened and checked: config.json and weights agree.
type Base struct {
	Dir     string
	Model   nn.Model
	Config  []byte             // config.json
	Weights *safetensors.Model // under the names of the checkpoint: see StoredName
}

// OpenBase opens a model directory. Weights stay on disk until they are uploaded.
func OpenBase(dir string) (*Base, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, fmt.Errorf("model %s: %w; a model directory holds config.json, *.safetensors and a tokenizer", dir, err)
	}
	m, err := nn.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", dir, err)
	}
	w, err := safetensors.OpenModel(dir)
	if err != nil {
		return nil, err
	}
	b := &Base{Dir: dir, Model: m, Config: raw, Weights: w}
	if err := b.check(); err != nil {
		w.Close()
		return nil, fmt.Errorf("model %s: %w", dir, err)
	}
	return b, nil
}

// Close closes the files.
func (b *Base) Close() error { return b.Weights.Close() }

// StoredName is the checkpoint's name of a weight. A checkpoint that was saved without the head's class, such as the published
// GPT-2, has the names without their prefix: h.0.ln_1.weight for transformer.h.0.ln_1.weight.
func (b *Base) StoredName(name string) string {
	if _, ok := b.Weights.Lookup(name); ok {
		return name
	}
	if short, ok := strings.CutPrefix(name, b.Model.Config().BasePrefix); ok {
		if _, ok := b.Weights.Lookup(short); ok {
			return short
		}
	}
	return name
}

// Quantised reports whether the checkpoint holds the weight as bitsandbytes NF4.
func (b *Base) Quantised(name string) bool {
	_, ok := b.Weights.Lookup(b.StoredName(name) + quant.BitsAndBytesMark)
	return ok
}

// check compares the weights that config.json promises with those that are there.
func (b *Base) check() error {
	wanted := map[string]bool{}
	for _, p := range b.Model.Params() {
		stored, shape := b.StoredName(p.Name), p.Shape
		wanted[stored] = true
		info, ok := b.Weights.Lookup(stored)
		if !ok {
			return fmt.Errorf("config.json promises the weight %s %v, but the checkpoint has none of that name", p.Name, p.Shape)
		}
		if b.Quantised(p.Name) {
			if p.Module == "" {
				return fmt.Errorf("weight %s is quantised; only linear layers may be", p.Name)
			}
			continue
		}
		if p.FanInFanOut {
			shape = tensor.Shape{shape[1], shape[0]}
		}
		if !info.Shape.Equal(shape) {
			return fmt.Errorf("config.json promises the weight %s with shape %v, the checkpoint has %v", stored, shape, info.Shape)
		}
		switch info.DType {
		case "F32", "F16", "BF16":
		default:
			return fmt.Errorf("weight %s has type %s; supported are F32, F16, BF16 and bitsandbytes NF4", p.Name, info.DType)
		}
	}
	var extra []string
	for _, t := range b.Weights.Tensors() {
		name := t.Name
		if i := strings.Index(name, ".weight."); i >= 0 { // what bitsandbytes keeps beside a weight
			name = name[:i+len(".weight")]
		}
		tied := name == "lm_head.weight" && b.Model.Config().TieEmbeddings
		buffer := slices.ContainsFunc(b.Model.Config().Buffers, func(end string) bool { return strings.HasSuffix(name, end) })
		if !wanted[name] && !tied && !buffer {
			extra = append(extra, t.Name)
		}
	}
	if len(extra) > 0 {
		sort.Strings(extra)
		return fmt.Errorf("the checkpoint has %d tensors that config.json knows nothing of, such as %s; is it the config.json of another model?", len(extra), extra[0])
	}
	return nil
}

// Upload brings a weight to the device as F32, or as NF4 when that is asked for. A weight that the checkpoint holds as
// NF4 is uploaded as it is.
func (b *Base) Upload(ctx context.Context, dev device.Device, p nn.Param, as tensor.DType) (device.Buffer, error) {
	if as == tensor.NF4 {
		q, err := b.nf4(p)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", b.Dir, err)
		}
		var buf bytes.Buffer
		buf.Grow(int(q.StreamBytes()))
		if _, err := q.WriteTo(&buf); err != nil {
			return nil, err
		}
		return dev.Upload(ctx, tensor.Of(tensor.NF4, p.Shape...), &buf)
	}
	t, r, err := b.open(p)
	if err != nil {
		return nil, err
	}
	buffer, err := dev.Upload(ctx, tensor.Of(t, p.Shape...), r)
	if err != nil {
		return nil, fmt.Errorf("weight %s of %s: %w", p.Name, b.Dir, err)
	}
	return buffer, nil
}

// open reads the values of a weight that is not quantised, in the order of its Shape.
func (b *Base) open(p nn.Param) (tensor.DType, io.Reader, error) {
	stored := b.StoredName(p.Name)
	info, _ := b.Weights.Lookup(stored)
	t := map[string]tensor.DType{"F32": tensor.F32, "F16": tensor.F16, "BF16": tensor.BF16}[info.DType]
	r, err := b.Weights.Reader(stored)
	if err != nil || !p.FanInFanOut {
		return t, r, err
	}
	return t, Transposed(r, p.Shape[1], p.Shape[0], t.Size()), nil
}

// nf4 reads or makes the quantised form of a weight, a piece at a time.
func (b *Base) nf4(p nn.Param) (*quant.NF4, error) {
	if b.Quantised(p.Name) {
		stored := b.StoredName(p.Name)
		q, err := quant.FromBitsAndBytes(stored, func(suffix string) (string, []byte, error) {
			info, ok := b.Weights.Lookup(stored + suffix)
			if !ok {
				return "", nil, fmt.Errorf("its tensor %s%s is missing", stored, suffix)
			}
			raw, err := b.Weights.ReadBytes(stored + suffix)
			return info.DType, raw, err
		})
		if err == nil && !q.Shape.Equal(p.Shape) {
			err = fmt.Errorf("config.json promises the weight %s with shape %v, the checkpoint has %v", p.Name, p.Shape, q.Shape)
		}
		return q, err
	}
	z, err := quant.NewQuantizer(p.Shape)
	if err != nil {
		return nil, fmt.Errorf("weight %s: %w", p.Name, err)
	}
	t, r, err := b.open(p)
	if err != nil {
		return nil, err
	}
	values := make([]float32, min(p.Shape.Elements(), 1<<16))
	raw := make([]byte, len(values)*t.Size())
	for left := p.Shape.Elements(); left > 0; left -= len(values) {
		values = values[:min(left, len(values))]
		if _, err := io.ReadFull(r, raw[:len(values)*t.Size()]); err != nil {
			return nil, fmt.Errorf("weight %s: %w", p.Name, err)
		}
		tensor.Widen(values, raw, t)
		if err := z.Append(values); err != nil {
			return nil, fmt.Errorf("weight %s: %w", p.Name, err)
		}
	}
	return z.Finish()
}
