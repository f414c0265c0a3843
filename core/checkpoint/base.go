package checkpoint

import (
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

// Plain reports whether the checkpoint holds the weight as bitsandbytes NF4 without double quantisation.
func (b *Base) Plain(name string) bool {
	_, nested := b.Weights.Lookup(b.StoredName(name) + quant.BitsAndBytesNested)
	return !nested && b.Quantised(name)
}

// Bytes is the size of a weight that is stored as told; a device may need some more to hold it (device.Device).
func (b *Base) Bytes(p nn.Param, as tensor.DType) int64 {
	n := tensor.Type{DType: as, Shape: p.Shape}.Bytes()
	if as == tensor.NF4 && b.Plain(p.Name) {
		n += quant.PlainBytes(p.Shape)
	}
	return n
}

// check compares the weights that config.json promises with those that are there.
func (b *Base) check() error {
	wanted := map[string]bool{}
	var missing []string
	for _, p := range b.Model.Params() {
		stored, shape := b.StoredName(p.Name), p.Shape
		wanted[stored] = true
		info, ok := b.Weights.Lookup(stored)
		if !ok {
			missing = append(missing, p.Name)
			continue
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
	if len(missing) > 0 {
		return fmt.Errorf("config.json promises %d weights that the checkpoint does not have: %s; is it the config.json of another model, or is a shard missing?", len(missing), few(missing))
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
		return fmt.Errorf("the checkpoint has %d tensors that config.json knows nothing of: %s; is it the config.json of another model?", len(extra), few(extra))
	}
	return nil
}

// few names the first of many.
func few(names []string) string {
	const most = 4
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// Stored is how a weight that stays as it is lies on a device. A weight that the checkpoint holds in NF4 stays in it, and
// with quantised every linear layer's goes into it; but where the checkpoint is quantised, the layers that it left as they
// were (llm_int8_skip_modules) stay so. A matrix in F16 or BF16 is kept in that type by a device that can
// (device.Caps.Halves): half the memory, the same values. All else is F32.
func (b *Base) Stored(p nn.Param, quantised, halves bool) tensor.DType {
	if len(p.Shape) != 2 {
		return tensor.F32
	}
	if p.Module != "" && (quantised && b.Model.Config().Quantization == "" || b.Quantised(p.Name)) {
		return tensor.NF4
	}
	if info, _ := b.Weights.Lookup(b.StoredName(p.Name)); halves {
		switch info.DType {
		case "F16":
			return tensor.F16
		case "BF16":
			return tensor.BF16
		}
	}
	return tensor.F32
}

// Upload brings a weight to the device, streamed: as F32, as NF4, or in the 16-bit type of the checkpoint, which Stored
// chooses among. A weight that the checkpoint holds as NF4 is uploaded as it is.
func (b *Base) Upload(ctx context.Context, dev device.Device, p nn.Param, as tensor.DType) (device.Buffer, error) {
	r, err := b.reader(p, as)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", b.Dir, err)
	}
	buffer, err := dev.Upload(ctx, tensor.Of(as, p.Shape...), r)
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

// reader gives a weight's bytes as a device receives them.
func (b *Base) reader(p nn.Param, as tensor.DType) (io.Reader, error) {
	if as == tensor.NF4 {
		q, err := b.nf4(p)
		if err != nil {
			return nil, err
		}
		return q.Stream(), nil
	}
	t, r, err := b.open(p)
	switch {
	case err != nil || t == as:
		return r, err
	case as == tensor.F32:
		return tensor.WidenReader(r, t), nil
	}
	return nil, fmt.Errorf("weight %s has type %v in the checkpoint; it cannot be had as %v", p.Name, t, as)
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
	values := make([]float32, min(p.Shape.Elements(), 1<<13))
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
