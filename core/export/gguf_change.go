package export

import (
	"hone/core/nn"
	"hone/core/safetensors"
	"hone/core/tensor"
)

// A change is how a weight lies in the file, against how it lies in the checkpoint.
type change interface {
	shape(s tensor.Shape) tensor.Shape
	// rows gives the changed values, whole rows at a time.
	rows(w *safetensors.Model, p nn.Param, put func([]float32) error) error
}

// width is the length of a row; a vector is one row.
func width(s tensor.Shape) int { return s[len(s)-1] }

// perRead is how many values are held at a time where that is up to us.
const perRead = 1 << 18

// same copies.
type same struct{}

var asIs = same{}

func (same) shape(s tensor.Shape) tensor.Shape { return s }

func (same) rows(w *safetensors.Model, p nn.Param, put func([]float32) error) error {
	n := p.Shape.Elements()
	buf := make([]float32, min(n, max(1, perRead/width(p.Shape))*width(p.Shape)))
	for at := 0; at < n; at += len(buf) {
		buf = buf[:min(len(buf), n-at)]
		if err := w.ReadF32At(p.Name, buf, at); err != nil {
			return err
		}
		if err := put(buf); err != nil {
			return err
		}
	}
	return nil
}

// onePlus adds one: Gemma's norms multiply by 1 + weight.
type onePlus struct{ same }

func (c onePlus) rows(w *safetensors.Model, p nn.Param, put func([]float32) error) error {
	return c.same.rows(w, p, func(v []float32) error {
		for i := range v {
			v[i]++
		}
		return put(v)
	})
}

// transposed turns [in, out] into [out, in].
type transposed struct{}

func (transposed) shape(s tensor.Shape) tensor.Shape { return tensor.Shape{s[1], s[0]} }

func (transposed) rows(w *safetensors.Model, p nn.Param, put func([]float32) error) error {
	in, out := p.Shape[0], p.Shape[1]
	all := make([]float32, in*out)
	if err := w.ReadF32(p.Name, all); err != nil {
		return err
	}
	row := make([]float32, in)
	for o := range out {
		for i := range row {
			row[i] = all[i*out+o]
		}
		if err := put(row); err != nil {
			return err
		}
	}
	return nil
}

// headPairs is the number of heads of a projection whose rows are reordered: the pair that turns together, i and
// i + head_dim/2, comes to stand at 2i and 2i + 1.
type headPairs int

func (headPairs) shape(s tensor.Shape) tensor.Shape { return s }

func (heads headPairs) rows(w *safetensors.Model, p nn.Param, put func([]float32) error) error {
	n, wide := p.Shape[0], 1
	if len(p.Shape) == 2 {
		wide = p.Shape[1]
	}
	dim := n / int(heads)
	head, out := make([]float32, dim*wide), make([]float32, dim*wide)
	vector := make([]float32, 0, n)
	for h := range int(heads) {
		if err := w.ReadF32At(p.Name, head, h*dim*wide); err != nil {
			return err
		}
		for i := range dim / 2 {
			copy(out[2*i*wide:][:wide], head[i*wide:])
			copy(out[(2*i+1)*wide:][:wide], head[(i+dim/2)*wide:])
		}
		if len(p.Shape) == 1 { // a bias is one row
			vector = append(vector, out...)
			continue
		}
		if err := put(out); err != nil {
			return err
		}
	}
	if len(p.Shape) == 1 {
		return put(vector)
	}
	return nil
}
