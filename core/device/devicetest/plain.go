package devicetest

import (
	"bytes"
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/quant"
	"hone/core/tensor"
)

// Plain is the serialised form of an NF4 weight without double quantisation, whose block scales have all their bits.
func Plain(values []float32, shape tensor.Shape) []byte {
	q := quant.QuantizeNF4(values, shape)
	p := quant.NF4{Shape: shape, Codes: q.Codes, Plain: make([]float32, len(q.Absmax))}
	q.Scales(p.Plain, 0)
	for i := range p.Plain {
		p.Plain[i] *= 1 + float32(i%7)/100
	}
	var b bytes.Buffer
	p.WriteTo(&b) // a bytes.Buffer never fails
	return b.Bytes()
}

// plainCases are products with weights as bitsandbytes quantises them when bnb_4bit_use_double_quant is off.
func plainCases() []Case {
	var cases []Case
	for _, s := range [][3]int{{9, 64, 32}, {1, 1, 1}, {5, 7, 53}, {40, 36, 300}, {65, 896, 64}, {3, 2000, 136}} {
		m, k, n := s[0], s[1], s[2]
		cases = append(cases, newCase(fmt.Sprintf("matmul %dx%dx%d with NF4 without double quantisation", m, k, n), matMulTolerance, func(d *draft) {
			t := tensor.Of(tensor.NF4, n, k)
			d.c.States["w"] = tensor.Host{Type: t, Bytes: Plain(d.values(1/math.Sqrt(float64(k)), n, k).F32, t.Shape)}
			w := d.Frozen("w", t)
			d.Output("y", op.Linear(d.Builder, d.feed("x", 1, m, k), w))
			d.Output("dx", op.MatMul(d.Builder, d.feed("dy", math.Sqrt(float64(k)/float64(n)), m, n), w, ir.None, op.Orientation{}, 1))
		}))
	}
	return cases
}
