package quant

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"hone/core/tensor"
)

// otherMap is a map as another version of bitsandbytes might have made it.
func otherMap() *[256]float32 {
	m := *DefaultMap
	m[3] = math.Nextafter32(m[3], 0)
	return &m
}

func stream(t testing.TB, q *NF4) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := q.WriteTo(&b)
	if err != nil || n != int64(b.Len()) || n != q.StreamBytes() {
		t.Fatalf("WriteTo counts %d, StreamBytes %d, the buffer %d, %v", n, q.StreamBytes(), b.Len(), err)
	}
	return b.Bytes()
}

func same(a, b *NF4) bool {
	return a.Shape.Equal(b.Shape) && bytes.Equal(a.Codes, b.Codes) && bytes.Equal(a.Absmax, b.Absmax) &&
		slices.Equal(a.NestedAbsmax, b.NestedAbsmax) && a.Offset == b.Offset && *a.scaleMap() == *b.scaleMap() &&
		(a.Plain == nil) == (b.Plain == nil) && slices.Equal(a.Plain, b.Plain)
}

func TestStreamRoundTrip(t *testing.T) {
	for _, shape := range []tensor.Shape{{0}, {1}, {7, 53}, {300, 96}} {
		for _, m := range []*[256]float32{DefaultMap, otherMap()} {
			q := QuantizeNF4(normals(shape.Elements(), 9), shape)
			q.Map = m
			b := stream(t, q)
			if want := q.Bytes() + 4; m == DefaultMap && int64(len(b)) != want {
				t.Errorf("%v: %d bytes, want %d", shape, len(b), want)
			}
			r := bytes.NewReader(append(b, "next"...))
			got, err := ReadNF4(r, shape)
			if err != nil {
				t.Fatal(err)
			}
			if !same(got, q) {
				t.Errorf("%v: the weight comes back changed", shape)
			}
			if (m == DefaultMap) != (got.Map == DefaultMap) {
				t.Errorf("%v: the default map is not shared, or another one is lost", shape)
			}
			if r.Len() != 4 {
				t.Errorf("%v: %d bytes are left, want the 4 that follow", shape, r.Len())
			}
			for cut := range len(b) {
				if cut > 64 && cut < len(b)-64 {
					continue
				}
				if _, err := ReadNF4(bytes.NewReader(b[:cut]), shape); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("%v cut at %d of %d: %v", shape, cut, len(b), err)
				}
			}
		}
	}
}

func TestStreamLayout(t *testing.T) {
	q := &NF4{Shape: tensor.Shape{3}, Codes: []byte{0x12, 0x37}, Absmax: []byte{9}, NestedAbsmax: []float32{2}, Offset: 1}
	want := []byte("NF4\x00\x12\x37\x09\x00\x00\x00\x40\x00\x00\x80\x3f")
	if got := stream(t, q); !bytes.Equal(got, want) {
		t.Errorf("bytes % x, want % x", got, want)
	}
}

func TestHostileStreams(t *testing.T) {
	good := stream(t, QuantizeNF4(normals(100, 10), tensor.Shape{100}))
	edit := func(at int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return c
	}
	nan := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN())))
	for _, c := range []struct {
		name  string
		data  []byte
		shape tensor.Shape
		want  string
	}{
		{"other magic", edit(0, 'X'), tensor.Shape{100}, "another program"},
		{"unknown flag", edit(3, 4), tensor.Shape{100}, "newer version"},
		{"two flags", edit(3, 3), tensor.Shape{100}, "newer version"},
		{"flag without map", edit(3, 1), tensor.Shape{100}, "1024 bytes too early, in its map"},
		{"NaN offset", edit(len(good)-4, nan...), tensor.Shape{100}, "offset of the block scales is NaN"},
		{"NaN scale", edit(len(good)-8, nan...), tensor.Shape{100}, "nested scale 0 is NaN"},
		{"larger shape", good, tensor.Shape{1 << 20}, "too early"},
		{"huge shape", good, tensor.Shape{1 << 50}, "too early, in its codes"},
		{"negative shape", good, tensor.Shape{-4}, "negative"},
		{"shape beyond counting", good, tensor.Shape{1 << 40, 1 << 40}, "more elements"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ReadNF4(bytes.NewReader(c.data), c.shape)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
			t.Errorf("%s: %d bytes allocated for %d bytes of input", c.name, got, len(c.data))
		}
	}
}

func TestStreamWriteError(t *testing.T) {
	q := QuantizeNF4(normals(1000, 11), tensor.Shape{1000})
	q.Map = otherMap()
	size := len(stream(t, q))
	for _, room := range []int{0, 3, 4, 100, 510, 520, 530, size - 1} {
		n, err := q.WriteTo(&limited{room})
		if !errors.Is(err, io.ErrShortWrite) || n != int64(room) {
			t.Errorf("room for %d of %d bytes: %d written, %v", room, size, n, err)
		}
	}
}

type limited struct{ n int }

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.n)
	l.n -= n
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// checkpoint is a weight as bitsandbytes stores it.
type checkpoint map[string]struct {
	dtype string
	data  []byte
}

func (c checkpoint) get(suffix string) (string, []byte, error) {
	p, ok := c[suffix]
	if !ok {
		return "", nil, fmt.Errorf("no tensor with suffix %q", suffix)
	}
	return p.dtype, p.data, nil
}

func floatBytes(v []float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func madeUp(q *NF4, edit map[string]any) checkpoint {
	state := map[string]any{
		"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": q.Shape,
		"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": float64(q.Offset),
	}
	for k, v := range edit {
		if state[k] = v; v == nil {
			delete(state, k)
		}
	}
	raw, err := json.Marshal(state)
	if err != nil {
		panic(err)
	}
	return checkpoint{
		"":                 {"U8", q.Codes},
		suffixAbsmax:       {"U8", q.Absmax},
		suffixNestedAbsmax: {"F32", floatBytes(q.NestedAbsmax)},
		suffixNestedMap:    {"F32", floatBytes(q.scaleMap()[:])},
		suffixTable:        {"F32", floatBytes(NF4Table[:])},
		suffixState:        {"U8", raw},
	}
}

func TestFromBitsAndBytes(t *testing.T) {
	q := QuantizeNF4(normals(7*53, 12), tensor.Shape{7, 53})
	q.Map = otherMap()
	got, err := FromBitsAndBytes("w", madeUp(q, nil).get)
	if err != nil {
		t.Fatal(err)
	}
	if !same(got, q) {
		t.Error("the weight comes back changed")
	}

	set := func(suffix, dtype string, data []byte) checkpoint {
		c := madeUp(q, nil)
		c[suffix] = struct {
			dtype string
			data  []byte
		}{dtype, data}
		return c
	}
	without := func(suffix string) checkpoint {
		c := madeUp(q, nil)
		delete(c, suffix)
		return c
	}
	table := NF4Table
	table[5] = -0.2
	for _, c := range []struct {
		name string
		have checkpoint
		want string
	}{
		{"fp4", madeUp(q, map[string]any{"quant_type": "fp4"}), `is in "fp4"; only nf4`},
		{"block size", madeUp(q, map[string]any{"blocksize": 128}), "blocks have 128 elements; only 64"},
		{"nested block size", madeUp(q, map[string]any{"nested_blocksize": 128}), "have 128 scales; only 256"},
		{"nested type", madeUp(q, map[string]any{"nested_dtype": "float16"}), "only float32"},
		{"half of double quantisation", madeUp(q, map[string]any{"nested_offset": nil}), "no nested_offset"},
		{"no double quantisation but its scales", madeUp(q, map[string]any{"nested_offset": nil, "nested_blocksize": nil}), "has type U8, want F32"},
		{"offset too large", madeUp(q, map[string]any{"nested_offset": 1e39}), "beyond float32"},
		{"no shape", madeUp(q, map[string]any{"shape": nil}), "no shape"},
		{"negative shape", madeUp(q, map[string]any{"shape": []int{-7, -53}}), "negative"},
		{"huge shape", madeUp(q, map[string]any{"shape": []int{1 << 62, 1 << 62}}), "more elements"},
		{"other shape", madeUp(q, map[string]any{"shape": []int{7, 54}}), "186 bytes of codes, but shape [7 54] has 189"},
		{"state no JSON", set(suffixState, "U8", []byte("{")), "not the JSON that bitsandbytes writes"},
		{"state of floats", set(suffixState, "F32", nil), "has type F32, want U8"},
		{"other table", set(suffixTable, "F32", floatBytes(table[:])), "code 5 stands for -0.2"},
		{"short table", set(suffixTable, "F32", floatBytes(table[:15])), "15 codes, NF4 has 16"},
		{"short map", set(suffixNestedMap, "F32", floatBytes(table[:])), "16 entries, want 256"},
		{"NaN in the map", set(suffixNestedMap, "F32", bytes.Repeat([]byte{255}, 1024)), "entry 0 of the map"},
		{"half a float", set(suffixNestedAbsmax, "F32", []byte{1, 2, 3}), "no whole number of float32"},
		{"float32 block scales", set(suffixAbsmax, "F32", nil), "has type F32, want U8"},
		{"too few block scales", set(suffixAbsmax, "U8", []byte{1}), "1 block scales, but shape [7 53] has 6"},
		{"no nested scales", set(suffixNestedAbsmax, "F32", nil), "0 nested scales"},
		{"codes missing", without(""), `no tensor with suffix ""`},
		{"map missing", without(suffixNestedMap), "no tensor with suffix"},
	} {
		if _, err := FromBitsAndBytes("model.w", c.have.get); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"model.w"`) {
			t.Errorf("%s: error %v, want the weight's name and %q", c.name, err, c.want)
		}
	}
}

func FuzzReadNF4(f *testing.F) {
	q := QuantizeNF4(normals(371, 13), tensor.Shape{7, 53})
	f.Add(stream(f, q), 7, 53)
	q.Map = otherMap()
	f.Add(stream(f, q), 7, 53)
	f.Add(stream(f, plain(q)), 7, 53)
	f.Add([]byte("NF4\x00\x00\x00\x00\x00"), 0, 1<<62)
	f.Fuzz(func(t *testing.T, b []byte, rows, columns int) {
		q, err := ReadNF4(bytes.NewReader(b), tensor.Shape{rows, columns})
		if err != nil {
			return
		}
		if q.Bytes() > int64(len(b)) {
			t.Fatalf("%d bytes of weight out of %d", q.Bytes(), len(b))
		}
		v := make([]float32, q.Elements())
		q.Dequantize(v, 0)
		again, err := ReadNF4(bytes.NewReader(stream(t, q)), q.Shape)
		if err != nil || !same(again, q) {
			t.Fatalf("the weight comes back changed: %v", err)
		}
	})
}

func FuzzQuantState(f *testing.F) {
	q := QuantizeNF4(normals(371, 14), tensor.Shape{7, 53})
	good := madeUp(q, nil)
	f.Add(good[suffixState].data)
	f.Add([]byte(`{"quant_type":"nf4","blocksize":64,"dtype":"float32","shape":[7,53]}`))
	f.Add([]byte(`{"quant_type":"nf4","blocksize":64,"shape":[371],"nested_blocksize":256,"nested_dtype":"float32","nested_offset":-1}`))
	f.Add([]byte(`{"quant_type":"nf4","blocksize":64,"shape":[0,9223372036854775807],"nested_blocksize":256,"nested_dtype":"float32","nested_offset":0}`))
	f.Fuzz(func(t *testing.T, state []byte) {
		c := madeUp(q, nil)
		c[suffixState] = struct {
			dtype string
			data  []byte
		}{"U8", state}
		got, err := FromBitsAndBytes("w", c.get)
		if err != nil {
			return
		}
		if n := got.Elements(); (n+1)/2 != len(q.Codes) {
			t.Fatalf("%s passes with shape %v", state, got.Shape)
		}
		v := make([]float32, got.Elements())
		got.Dequantize(v, 0)
		for i, x := range v {
			if !finite(x) {
				t.Fatalf("%s makes element %d %v", state, i, x)
			}
		}
	})
}

// TestStreamNF4 asks for the same weight from pieces, and for the taker's own error.
func TestStreamNF4(t *testing.T) {
	q := QuantizeNF4(normals(3*piece, 15), tensor.Shape{3, piece})
	var codes []byte
	got, err := StreamNF4(bytes.NewReader(stream(t, q)), q.Shape, func(p []byte) error {
		codes = append(codes, p...)
		clear(p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Codes != nil {
		t.Error("codes are kept that were given away")
	}
	if got.Codes = codes; !same(got, q) {
		t.Error("the weight comes back changed")
	}
	full := errors.New("full")
	if _, err := StreamNF4(bytes.NewReader(stream(t, q)), q.Shape, func([]byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v, want that of the taker", err)
	}
}
