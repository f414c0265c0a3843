package quant

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"hone/core/tensor"
)

// plain is a weight with the same values but for its block scales, which are not quantised again.
func plain(q *NF4) *NF4 {
	p := &NF4{Shape: q.Shape, Codes: q.Codes, Plain: make([]float32, len(q.Absmax))}
	q.Scales(p.Plain, 0)
	return p
}

// A weight without double quantisation has the values that its scales say, comes through a stream as it is, and takes the
// bytes that are counted.
func TestPlain(t *testing.T) {
	for _, shape := range []tensor.Shape{{0}, {1}, {63}, {7, 53}, {300, 96}} {
		q := QuantizeNF4(normals(shape.Elements(), 21), shape)
		p := plain(q)
		want, got := make([]float32, shape.Elements()), make([]float32, shape.Elements())
		q.Dequantize(want, 0)
		p.Dequantize(got, 0)
		for i := range want {
			if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
				t.Fatalf("%v: element %d is %v, want %v", shape, i, got[i], want[i])
			}
		}
		raw := stream(t, p)
		back, err := ReadNF4(bytes.NewReader(raw), shape)
		if err != nil || !same(back, p) {
			t.Fatalf("%v: the weight comes back changed: %v", shape, err)
		}
		if n := p.Bytes(); n != q.Bytes()+PlainBytes(shape) || int64(len(raw)) != n+4 {
			t.Errorf("%v: %d bytes, %d in the stream; with double quantisation %d, and %d more are counted", shape, n, len(raw), q.Bytes(), PlainBytes(shape))
		}
	}
	damaged := plain(QuantizeNF4(normals(100, 21), tensor.Shape{100}))
	raw := stream(t, damaged)
	for cut := range len(raw) {
		if _, err := ReadNF4(bytes.NewReader(raw[:cut]), tensor.Shape{100}); err == nil {
			t.Fatalf("%d of %d bytes are read without an error", cut, len(raw))
		}
	}
	damaged.Plain[1] = float32(math.Inf(1))
	if _, err := ReadNF4(bytes.NewReader(stream(t, damaged)), tensor.Shape{100}); err == nil || !strings.Contains(err.Error(), "block scale 1") {
		t.Errorf("an infinite scale gives %v", err)
	}
}

// bitsandbytes keeps such a weight with float32 scales and a shorter state.
func TestPlainBitsAndBytes(t *testing.T) {
	want := plain(QuantizeNF4(normals(7*53, 22), tensor.Shape{7, 53}))
	type part = struct {
		dtype string
		data  []byte
	}
	files := func(edit func(checkpoint)) checkpoint {
		c := checkpoint{"": part{"BF16", want.Codes}, suffixAbsmax: part{"F32", floatBytes(want.Plain)}, suffixTable: part{"F32", floatBytes(NF4Table[:])},
			suffixState: part{"U8", []byte(`{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [7, 53]}`)}}
		edit(c)
		return c
	}
	got, err := FromBitsAndBytes("w", files(func(checkpoint) {}).get)
	if err != nil || !same(got, want) {
		t.Fatalf("the weight comes back changed: %v", err)
	}
	table := NF4Table
	table[5] = 0.3
	for what, c := range map[string]struct {
		edit func(checkpoint)
		want string
	}{
		"8-bit scales":   {func(c checkpoint) { c[suffixAbsmax] = part{"U8", []byte{1}} }, "has type U8, want F32"},
		"too few scales": {func(c checkpoint) { c[suffixAbsmax] = part{"F32", floatBytes(want.Plain[1:])} }, "5 block scales, but shape [7 53] has 6"},
		"half a float":   {func(c checkpoint) { c[suffixAbsmax] = part{"F32", []byte{1, 2, 3}} }, "no whole number of float32"},
		"other table":    {func(c checkpoint) { c[suffixTable] = part{"F32", floatBytes(table[:])} }, "code 5"},
		"no table":       {func(c checkpoint) { delete(c, suffixTable) }, suffixTable},
		"no shape":       {func(c checkpoint) { c[suffixState] = part{"U8", []byte(`{"quant_type":"nf4","blocksize":64}`)} }, "no shape"},
		"fp4": {func(c checkpoint) {
			c[suffixState] = part{"U8", []byte(`{"quant_type":"fp4","blocksize":64,"shape":[7,53]}`)}
		}, "fp4"},
		"other shape": {func(c checkpoint) {
			c[suffixState] = part{"U8", []byte(`{"quant_type":"nf4","blocksize":64,"shape":[9,53]}`)}
		}, "bytes of codes"},
	} {
		if _, err := FromBitsAndBytes("model.w", files(c.edit).get); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "model.w") {
			t.Errorf("%s: error %v, want %q", what, err, c.want)
		}
	}
}
