package export

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"hone/core/checkpoint"
	"hone/core/nn"
)

// A change is how a weight's rows lie in the file, against how they lie in the model: it gives the rows of w, whole ones at
// a time.
type change func(w *weight, put func([]float32) error) error

// weight reads the values of a parameter from front to back.
type weight struct {
	p   nn.Param
	r   io.Reader
	raw []byte
}

func openWeight(b *checkpoint.Base, p nn.Param) (*weight, error) {
	r, err := b.Values(p)
	return &weight{p: p, r: r}, err
}

// next fills dst with the values that follow.
func (w *weight) next(dst []float32) error {
	w.raw = append(w.raw[:0], make([]byte, 4*len(dst))...)
	if _, err := io.ReadFull(w.r, w.raw); err != nil {
		return fmt.Errorf("weight %s: %w", w.p.Name, err)
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(w.raw[4*i:]))
	}
	return nil
}

// width is the length of a row; a vector is one row.
func (w *weight) width() int { return w.p.Shape[len(w.p.Shape)-1] }

// perRead is how many values are held at a time where that is up to us.
const perRead = 1 << 18

// asIs copies.
func asIs(w *weight, put func([]float32) error) error {
	n := w.p.Shape.Elements()
	buf := make([]float32, min(n, max(1, perRead/w.width())*w.width()))
	for left := n; left > 0; left -= len(buf) {
		buf = buf[:min(len(buf), left)]
		if err := w.next(buf); err != nil {
			return err
		}
		if err := put(buf); err != nil {
			return err
		}
	}
	return nil
}

// onePlus adds one: the norms of some models multiply by 1 + weight.
func onePlus(w *weight, put func([]float32) error) error {
	return asIs(w, func(v []float32) error {
		for i := range v {
			v[i]++
		}
		return put(v)
	})
}

// headPairs reorders the rows of each head of a projection: the pair that turns together, i and i + head_dim/2, comes to
// stand at 2i and 2i + 1.
func headPairs(heads int) change {
	return func(w *weight, put func([]float32) error) error {
		vector := len(w.p.Shape) == 1 // a bias: one row, of which every head has a piece
		rows, wide := w.p.Shape[0], 1
		if !vector {
			wide = w.p.Shape[1]
		}
		dim := rows / heads
		head, out := make([]float32, dim*wide), make([]float32, 0, dim*wide)
		for range heads {
			if err := w.next(head); err != nil {
				return err
			}
			for i := range dim / 2 {
				out = append(append(out, head[i*wide:][:wide]...), head[(i+dim/2)*wide:][:wide]...)
			}
			if vector {
				continue
			}
			if err := put(out); err != nil {
				return err
			}
			out = out[:0]
		}
		if vector {
			return put(out)
		}
		return nil
	}
}
