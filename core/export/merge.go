package export

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"hone/core/checkpoint"
	"hone/core/nn"
	"hone/core/quant"
	"hone/core/safetensors"
	"hone/core/tensor"
)

// Delta is what an adapter adds to the weight [out, in] of a linear layer: Scale · B·A, A [Rank, in], B [out, Rank].
type Delta struct {
	A, B  []float32
	Rank  int
	Scale float64
}

// Merge adds an adapter to the weights of a base. Weights are read, changed and written a few rows at a time.
type Merge struct {
	Base *checkpoint.Base
	// Delta is the adapter of a linear layer; false for a layer without one.
	Delta func(module string) (Delta, bool)
	// Dequantised merges into what QLoRA trained against: the base's linear weights after NF4 and back. Otherwise it is the
	// base's own weights, which are closer to the original model.
	Dequantised bool
	// DType is the type of the merged weights; Invalid keeps that of each weight. Weights that only exist in NF4 are then F32.
	DType tensor.DType
	// MaxShard is how many bytes of weights a file holds at most; 0 is one file.
	MaxShard int64
}

// Write writes the merged weights into dir: model.safetensors, or shards with their index.
func (m Merge) Write(ctx context.Context, dir string) error {
	var tensors []safetensors.Tensor
	for _, p := range m.Base.Model.Params() {
		as, from := m.DType, m.Base.DType(p)
		if from == tensor.NF4 && !m.Dequantised {
			return fmt.Errorf("model %s holds its weights in 4 bits only: merge into the 16-bit model that it was made from (--model), or into the dequantised weights (--merge_dequantised)", m.Base.Dir)
		}
		if as == tensor.Invalid {
			if as = from; as == tensor.NF4 {
				as = tensor.F32
			}
		}
		tensors = append(tensors, m.Base.AsStored(p, safetensors.Tensor{Name: p.Name, DType: as.String(), Shape: p.Shape,
			Data: func(w io.Writer) error { return m.write(ctx, w, p, as) }}))
	}
	return safetensors.WriteModel(dir, tensors, map[string]string{"format": "pt"}, m.MaxShard)
}

// write computes the rows of one weight.
func (m Merge) write(ctx context.Context, w io.Writer, p nn.Param, as tensor.DType) error {
	next, err := m.rows(p)
	if err != nil {
		return err
	}
	n := p.Shape.Elements()
	wide := p.Shape[len(p.Shape)-1]
	d, adapted := Delta{}, false
	if p.Module != "" && len(p.Shape) == 2 {
		d, adapted = m.Delta(p.Module)
	}
	values := make([]float32, min(n, max(1, perRead/wide)*wide))
	var raw []byte
	for at := 0; at < n; at += len(values) {
		if err := ctx.Err(); err != nil {
			return err
		}
		values = values[:min(len(values), n-at)]
		if err := next(values); err != nil {
			return err
		}
		if adapted {
			d.add(values, at/wide, wide)
		}
		raw = narrow(raw[:0], values, as)
		if _, err := w.Write(raw); err != nil {
			return err
		}
	}
	return nil
}

// rows gives a weight's values from front to back.
func (m Merge) rows(p nn.Param) (next func([]float32) error, err error) {
	if p.Module != "" && len(p.Shape) == 2 && m.Dequantised {
		var q *quant.NF4
		if q, err = m.Base.NF4(p); err != nil {
			return nil, err
		}
		at := 0
		return func(dst []float32) error {
			q.Dequantize(dst, at)
			at += len(dst)
			return nil
		}, nil
	}
	w, err := openWeight(m.Base, p)
	if err != nil {
		return nil, err
	}
	return w.next, nil
}

// add adds the adapter to whole rows from the given one on. The sum over the rank is rounded to float32 once, as PEFT's
// merge rounds the product before it adds it.
func (d Delta) add(values []float32, row, in int) {
	sum := make([]float64, in)
	for ; len(values) > 0; values, row = values[in:], row+1 {
		clear(sum)
		for r, b := range d.B[row*d.Rank:][:d.Rank] {
			for i, a := range d.A[r*in:][:in] {
				sum[i] += float64(b) * float64(a)
			}
		}
		for i, s := range sum {
			values[i] += float32(s * d.Scale)
		}
	}
}

// narrow appends values as little-endian elements of a type.
func narrow(dst []byte, values []float32, t tensor.DType) []byte {
	for _, v := range values {
		switch t {
		case tensor.F16:
			dst = binary.LittleEndian.AppendUint16(dst, tensor.F32ToF16(v))
		case tensor.BF16:
			dst = binary.LittleEndian.AppendUint16(dst, tensor.F32ToBF16(v))
		default:
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
		}
	}
	return dst
}
