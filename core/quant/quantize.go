package quant

import (
	"fmt"
	"math"

	"hone/core/tensor"
)

// QuantizeNF4 quantises a weight that lies in memory; w has one value for every element of shape.
//
// A NaN or infinite value has no code: it makes the offset NaN, and with it every value of the weight, so that the mistake shows
// at once and everywhere. A Quantizer gives an error instead.
func QuantizeNF4(w []float32, shape tensor.Shape) *NF4 {
	z, err := NewQuantizer(shape)
	if err != nil || len(w) != z.size.elements {
		panic(fmt.Sprintf("quant: %d values for a weight of shape %v (%v)", len(w), shape, err))
	}
	broken := z.Append(w) != nil
	q := z.pack()
	if broken {
		q.Offset = float32(math.NaN())
	}
	return q
}

// Quantizer makes an NF4 weight from values that arrive by pieces. Beside the result it holds one float32 a block: a sixty-fourth
// of the weight's numbers.
type Quantizer struct {
	q      *NF4
	size   sizes
	absmax []float32          // of all blocks so far
	part   [BlockSize]float32 // a block that has begun
	filled int
	done   int // elements in complete blocks
}

// NewQuantizer starts an NF4 weight of this shape.
func NewQuantizer(shape tensor.Shape) (*Quantizer, error) {
	s, err := sizesOf(shape)
	if err != nil {
		return nil, err
	}
	q := &NF4{Shape: append(tensor.Shape{}, shape...), Codes: make([]byte, s.codes), Map: DefaultMap}
	return &Quantizer{q: q, size: s, absmax: make([]float32, 0, s.blocks)}, nil
}

// Append quantises the next values, in row-major order. It fails on more values than the shape has and on those that are not finite.
func (z *Quantizer) Append(w []float32) error {
	if len(w) > z.size.elements-z.done-z.filled {
		return fmt.Errorf("NF4 weight of shape %v: more than its %d values arrive", z.q.Shape, z.size.elements)
	}
	if z.filled > 0 {
		n := copy(z.part[z.filled:], w)
		z.filled += n
		w = w[n:]
		if z.filled == BlockSize {
			z.filled = 0
			if err := z.block(z.part[:]); err != nil {
				return err
			}
		}
	}
	for len(w) >= BlockSize {
		if err := z.block(w[:BlockSize]); err != nil {
			return err
		}
		w = w[BlockSize:]
	}
	z.filled += copy(z.part[z.filled:], w)
	if z.filled > 0 && z.done+z.filled == z.size.elements { // the last block may be shorter
		last := z.part[:z.filled]
		z.filled = 0
		return z.block(last)
	}
	return nil
}

// Finish quantises the block scales and gives the weight. All values must have arrived.
func (z *Quantizer) Finish() (*NF4, error) {
	if z.done != z.size.elements {
		return nil, fmt.Errorf("NF4 weight of shape %v: only %d of its %d values have arrived", z.q.Shape, z.done+z.filled, z.size.elements)
	}
	return z.pack(), nil
}

// block quantises one block, of 64 values or fewer at the very end.
func (z *Quantizer) block(w []float32) error {
	// Magnitudes of floats are ordered as their bits, in which NaN and infinity are the largest.
	var largest uint32
	for _, v := range w {
		largest = max(largest, math.Float32bits(v)&0x7fffffff)
	}
	if largest >= 0x7f800000 {
		for i, v := range w {
			if !finite(v) {
				return fmt.Errorf("NF4 weight of shape %v: element %d is %v, and NF4 has only finite numbers; the weights are damaged, use another copy", z.q.Shape, z.done+i, v)
			}
		}
	}
	absmax := math.Float32frombits(largest)
	encodeBlock(z.q.Codes[z.done/2:], w, absmax)
	z.absmax = append(z.absmax, absmax)
	z.done += len(w)
	return nil
}

// encodeBlock writes the codes of one block.
func encodeBlock(dst []byte, w []float32, absmax float32) {
	dst = dst[:(len(w)+1)/2]
	if absmax == 0 {
		for i := range dst {
			dst[i] = zeroCode<<4 | zeroCode
		}
		return
	}
	scale := 1 / absmax
	if !finite(scale) {
		encodeTiny(dst, w, absmax)
		return
	}
	pairs := w[:len(w)&^1]
	for i := range dst[:len(pairs)/2] {
		hi := nearestCode(float32(pairs[2*i] * scale))
		lo := nearestCode(float32(pairs[2*i+1] * scale))
		dst[i] = byte(hi<<4 | lo)
	}
	if len(w)%2 == 1 {
		dst[len(dst)-1] = byte(nearestCode(float32(w[len(w)-1]*scale))<<4 | zeroCode)
	}
}

// encodeTiny does without the reciprocal, which is infinite below 2^-128 and would turn zeros into NaN.
func encodeTiny(dst []byte, w []float32, absmax float32) {
	for i := range dst {
		lo := uint32(zeroCode)
		if 2*i+1 < len(w) {
			lo = nearestCode(w[2*i+1] / absmax)
		}
		dst[i] = byte(nearestCode(w[2*i]/absmax)<<4 | lo)
	}
}

// pack is the second quantisation: of the block scales, less their mean, to 8 bits.
func (z *Quantizer) pack() *NF4 {
	q := z.q
	q.Absmax = make([]byte, z.size.blocks)
	q.NestedAbsmax = make([]float32, z.size.nested)
	if z.size.blocks == 0 {
		return q
	}
	if len(z.absmax) < z.size.blocks { // only after a value that is not finite
		return q
	}
	q.Offset = mean(z.absmax)
	for g := range q.NestedAbsmax {
		first := g * NestedSize
		group := z.absmax[first:min(first+NestedSize, len(z.absmax))]
		var largest float32
		for _, a := range group {
			largest = max(largest, abs(a-q.Offset))
		}
		q.NestedAbsmax[g] = largest
		scale := 1 / largest
		for i, a := range group {
			d := a - q.Offset
			switch {
			case largest == 0:
				q.Absmax[first+i] = zeroAbsmax
			case finite(scale):
				q.Absmax[first+i] = nearestScale(float32(d * scale))
			default:
				q.Absmax[first+i] = nearestScale(d / largest)
			}
		}
	}
	return q
}

func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }
