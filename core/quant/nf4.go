// Package quant stores weights in fewer bits. NF4 is the 4-bit NormalFloat of QLoRA (Dettmers et al., 2023) with double
// quantisation, bit for bit as bitsandbytes computes it: the weight is flattened row by row and cut into blocks of 64, each with
// a scale, and the scales are themselves stored in 8 bits. That is 4.127 bits a parameter. The package converts in plain Go and
// in bounded memory; devices multiply with the packed form directly.
package quant

import (
	"fmt"
	"math"
	"math/bits"

	"hone/core/tensor"
)

const (
	BlockSize  = 64  // elements that share one scale
	NestedSize = 256 // block scales that share one float32 scale
)

// NF4 is a weight of 4-bit codes. With b = i/64, element i has the value NF4Table[code i] * a, where its block's scale is
// a = Map[Absmax[b]] * NestedAbsmax[b/256] + Offset, every operation rounded to float32; or a = Plain[b].
type NF4 struct {
	Shape        tensor.Shape
	Codes        []byte        // two a byte, the element of even number in the high half; an odd tail is filled up with code 7
	Absmax       []byte        // one for each 64 elements: the place of the block's scale in Map
	NestedAbsmax []float32     // one for each 256 blocks
	Offset       float32       // mean of the block scales
	Plain        []float32     // without double quantisation the block scales themselves; the parts above but Codes are empty then
	Map          *[256]float32 // values of Absmax; DefaultMap unless a checkpoint brings its own, nil counts as DefaultMap
}

// sizes are the lengths of an NF4 weight's parts.
type sizes struct{ elements, codes, blocks, nested int }

// sizesOf checks a shape and counts.
func sizesOf(shape tensor.Shape) (sizes, error) {
	n := uint64(1)
	for _, d := range shape {
		hi, lo := bits.Mul64(n, uint64(d))
		if d < 0 || hi != 0 || lo > math.MaxInt-BlockSize {
			return sizes{}, fmt.Errorf("shape %v is negative or has more elements than can be counted", shape[:min(len(shape), 8)])
		}
		n = lo
	}
	s := sizes{elements: int(n), codes: int((n + 1) / 2), blocks: int((n + BlockSize - 1) / BlockSize)}
	s.nested = (s.blocks + NestedSize - 1) / NestedSize
	return s, nil
}

// Elements is the number of weights.
func (q *NF4) Elements() int { return q.Shape.Elements() }

// Bytes is what the weight takes: with double quantisation the same as tensor.Type.Bytes, without it PlainBytes more. A map
// of its own (1024 bytes) is not counted.
func (q *NF4) Bytes() int64 {
	if q.Plain != nil {
		return int64(len(q.Codes)) + 4*int64(len(q.Plain))
	}
	return int64(len(q.Codes)) + int64(len(q.Absmax)) + 4*int64(len(q.NestedAbsmax)) + 4
}

// PlainBytes is how many bytes more a weight of this shape takes without double quantisation: 4.5 bits a parameter.
func PlainBytes(shape tensor.Shape) int64 {
	blocks := int64((shape.Elements() + BlockSize - 1) / BlockSize)
	return 3*blocks - 4*((blocks+NestedSize-1)/NestedSize) - 4
}

// check is for weights that come from outside: the parts must have the lengths that the shape asks for, and every number must be
// finite, so that no NaN comes out of a matrix product later.
func (q *NF4) check() error {
	s, err := sizesOf(q.Shape)
	if err != nil {
		return err
	}
	if len(q.Codes) != s.codes {
		return fmt.Errorf("%d bytes of codes, but shape %v has %d", len(q.Codes), q.Shape, s.codes)
	}
	return q.checkScales(s)
}

// checkScales is check for all but the codes.
func (q *NF4) checkScales(s sizes) error {
	if q.Plain != nil {
		if len(q.Plain) != s.blocks {
			return fmt.Errorf("%d block scales, but shape %v has %d", len(q.Plain), q.Shape, s.blocks)
		}
		for i, v := range q.Plain {
			if !finite(v) {
				return fmt.Errorf("block scale %d is %v; a weight was not finite before it was quantised", i, v)
			}
		}
		return nil
	}
	for _, part := range []struct {
		name       string
		have, want int
	}{
		{"block scales", len(q.Absmax), s.blocks},
		{"nested scales", len(q.NestedAbsmax), s.nested},
	} {
		if part.have != part.want {
			return fmt.Errorf("%d %s, but shape %v has %d", part.have, part.name, q.Shape, part.want)
		}
	}
	if !finite(q.Offset) {
		return fmt.Errorf("the offset of the block scales is %v; a weight was not finite before it was quantised", q.Offset)
	}
	for i, v := range q.NestedAbsmax {
		if !finite(v) {
			return fmt.Errorf("nested scale %d is %v; a weight was not finite before it was quantised", i, v)
		}
	}
	for i, v := range q.scaleMap() {
		if !finite(v) {
			return fmt.Errorf("entry %d of the map of block scales is %v", i, v)
		}
	}
	return nil
}

func finite(v float32) bool { return math.Float32bits(v)&0x7f800000 != 0x7f800000 }

func (q *NF4) scaleMap() *[256]float32 {
	if q.Map == nil {
		return DefaultMap
	}
	return q.Map
}

// ownMap reports whether the weight was quantised with another map than DefaultMap.
func (q *NF4) ownMap() bool { return q.Map != nil && q.Map != DefaultMap && *q.Map != *DefaultMap }
