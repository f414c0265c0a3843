package gguf

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hone/core/tensor"
)

func floats(name string, t Type, v []float32, shape ...int) Tensor {
	return Tensor{Name: name, Type: t, Shape: shape, Rows: func(put func([]float32) error) error { return put(v) }}
}

// ramp has values that every type holds well: multiples of 1/8 within ±2.
func ramp(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i*7%33-16) / 8
	}
	return v
}

var sampleMetadata = []Pair{
	{"general.architecture", "llama"}, {"general.alignment", uint32(32)},
	{"u8", uint8(1)}, {"i8", int8(-1)}, {"u16", uint16(2)}, {"i16", int16(-2)}, {"u32", uint32(3)}, {"i32", int32(-3)},
	{"u64", uint64(1 << 40)}, {"i64", int64(-1 << 40)}, {"f32", float32(0.5)}, {"f64", 0.25}, {"yes", true}, {"文", "字\x00"},
	{"strings", []string{"a", "", "▁b"}}, {"scores", []float32{0, -1}}, {"types", []int32{1, 6}}, {"flags", []bool{true, false}},
}

func sample(t testing.TB) []byte {
	var b bytes.Buffer
	if err := Write(&b, sampleMetadata, []Tensor{
		floats("a", F32, ramp(6), 2, 3), floats("b", F16, ramp(5), 5), floats("c", Q8_0, ramp(128), 2, 64),
		floats("d", Q4_0, ramp(96), 3, 32), floats("e", BF16, ramp(7), 7, 1),
	}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	raw := sample(t)
	f, err := NewReader(bytes.NewReader(raw), int64(len(raw)), "test.gguf")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sampleMetadata, f.Metadata); d != "" {
		t.Errorf("metadata (-written +read):\n%s", d)
	}
	for _, c := range []struct {
		name      string
		shape     tensor.Shape
		tolerance float64
	}{{"a", tensor.Shape{2, 3}, 0}, {"b", tensor.Shape{5}, 0}, {"c", tensor.Shape{2, 64}, 0.009}, {"d", tensor.Shape{3, 32}, 0.26}, {"e", tensor.Shape{7, 1}, 0}} {
		info, ok := f.Lookup(c.name)
		if !ok || !info.Shape.Equal(c.shape) {
			t.Fatalf("tensor %s: %+v, want the shape %v", c.name, info, c.shape)
		}
		got := make([]float32, c.shape.Elements())
		if err := f.ReadF32(c.name, got); err != nil {
			t.Fatal(err)
		}
		for i, want := range ramp(len(got)) {
			if math.Abs(float64(got[i]-want)) > c.tolerance {
				t.Errorf("tensor %s[%d] is %v, want %v within %v", c.name, i, got[i], want, c.tolerance)
				break
			}
		}
	}
}

// The bytes at the head of the format, by hand from its description.
func TestLayout(t *testing.T) {
	raw := sample(t)
	if string(raw[:4]) != "GGUF" || binary.LittleEndian.Uint32(raw[4:]) != 3 || binary.LittleEndian.Uint64(raw[8:]) != 5 ||
		binary.LittleEndian.Uint64(raw[16:]) != uint64(len(sampleMetadata)) {
		t.Errorf("the file begins with % x", raw[:24])
	}
	if want := "\x14\x00\x00\x00\x00\x00\x00\x00general.architecture\x08\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00llama"; !strings.HasPrefix(string(raw[24:]), want) {
		t.Errorf("the first key is % x", raw[24:24+len(want)])
	}
	// Tensor a of shape [2 3]: the innermost axis stands first.
	if want := "\x01\x00\x00\x00\x00\x00\x00\x00a\x02\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"; !strings.Contains(string(raw), want) {
		t.Error("tensor a is not written with its axes innermost first")
	}
}

func TestWriteRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		metadata []Pair
		tensor   Tensor
		want     string
	}{
		"odd row":      {nil, floats("w", Q4_0, ramp(33), 33), "blocks of 32"},
		"too few":      {nil, floats("w", F32, ramp(4), 2, 4), "wants 32"},
		"too many":     {nil, floats("w", F32, ramp(12), 2, 4), "more values"},
		"half a row":   {nil, floats("w", F32, ramp(6), 2, 4), "whole number of rows"},
		"odd metadata": {[]Pair{{"k", 7}}, floats("w", F32, ramp(4), 4), "int is no value"},
	} {
		err := Write(&bytes.Buffer{}, c.metadata, []Tensor{c.tensor})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", what, err, c.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := sample(t)
	edit := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	for what, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"empty":         {nil, "no GGUF"},
		"other file":    {[]byte("PK\x03\x04 and so on"), "no GGUF"},
		"old version":   {edit(func(b []byte) []byte { b[4] = 1; return b }), "version 1"},
		"many tensors":  {edit(func(b []byte) []byte { b[15] = 1; return b }), "at most"},
		"long key":      {edit(func(b []byte) []byte { b[28] = 1; return b }), "at most"},
		"key too long":  {edit(func(b []byte) []byte { b[26] = 1; return b }), "cut off"},
		"cut header":    {good[:100], "cut off"},
		"cut data":      {good[:len(good)-64], "cut off"},
		"twice the key": {edit(func(b []byte) []byte { return bytes.Replace(b, []byte("u16"), []byte("u32"), 1) }), "twice"},
	} {
		_, err := NewReader(bytes.NewReader(c.raw), int64(len(c.raw)), "test.gguf")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "test.gguf") {
			t.Errorf("%s: error %v, want one with %q", what, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte("GGUF\x03\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		g, err := NewReader(bytes.NewReader(raw), int64(len(raw)), "fuzz")
		if err != nil {
			return
		}
		for _, info := range g.Tensors {
			// A tensor that the header accepts lies in the file, so it can be read and takes no more than the file backs.
			if n := info.Shape.Elements(); n > 8*len(raw)+64 {
				t.Fatalf("%d elements out of %d bytes", n, len(raw))
			} else if err := g.ReadF32(info.Name, make([]float32, n)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
