package checkpoint

import (
	"fmt"
	"io"

	"hone/core/nn"
	"hone/core/quant"
	"hone/core/safetensors"
	"hone/core/tensor"
)

// Values reads a weight as little-endian float32, row by row in the order of its Shape.
func (b *Base) Values(p nn.Param) (io.Reader, error) {
	if b.Quantised(p.Name) {
		return nil, fmt.Errorf("weight %s of model %s is quantised", p.Name, b.Dir)
	}
	return b.reader(p, tensor.F32)
}

// NF4 is a weight of a linear layer as it stands in the checkpoint when that is quantised, and quantised now when not.
func (b *Base) NF4(p nn.Param) (*quant.NF4, error) { return b.nf4(p) }

// DType is the type of a weight's values in the checkpoint; NF4 for one that is quantised.
func (b *Base) DType(p nn.Param) tensor.DType {
	if b.Quantised(p.Name) {
		return tensor.NF4
	}
	info, _ := b.Weights.Lookup(b.StoredName(p.Name))
	return map[string]tensor.DType{"F32": tensor.F32, "F16": tensor.F16, "BF16": tensor.BF16}[info.DType]
}

// AsStored is a tensor with a weight's values in the order of its Shape, as the checkpoint has it: under its stored name,
// and turned where the checkpoint holds it as [in, out].
func (b *Base) AsStored(p nn.Param, t safetensors.Tensor) safetensors.Tensor {
	t.Name = b.StoredName(p.Name)
	if p.FanInFanOut {
		return TransposedTensor(t)
	}
	return t
}
