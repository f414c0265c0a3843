package quant_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/golden"
	"hone/core/quant"
	"hone/core/safetensors"
	"hone/core/tensor"
)

func floatsOf(t *testing.T, f *safetensors.File, name string) []float32 {
	t.Helper()
	info, ok := f.Lookup(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	v := make([]float32, info.Shape.Elements())
	if err := f.ReadF32(name, v); err != nil {
		t.Fatal(err)
	}
	return v
}

func bytesOf(t *testing.T, f *safetensors.File, name string) []byte {
	t.Helper()
	b, err := f.ReadBytes(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The bytes are those of bitsandbytes' algorithm in PyTorch, for our own random weights and, where the shared data is present, for
// trained and synthetic ones. Its README allows offsets and scales to differ by 1e-6; adding in PyTorch's order they are equal.
func TestGolden(t *testing.T) {
	t.Run("tiny", func(t *testing.T) { testGolden(t, golden.Own(t, "tiny_nf4")) })
	shared := filepath.Join(golden.Root(t), "..", "shared", "golden", "nf4")
	if _, err := os.Stat(shared + ".json"); err == nil {
		t.Run("shared", func(t *testing.T) { testGolden(t, shared) })
	}
}

func testGolden(t *testing.T, path string) {
	raw, err := os.ReadFile(path + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Weights map[string]struct {
			Shape     tensor.Shape
			OffsetHex string `json:"nested_offset_hex"`
		}
	}
	if err := json.Unmarshal(raw, &golden); err != nil || len(golden.Weights) == 0 {
		t.Fatalf("%s.json has %d weights, %v", path, len(golden.Weights), err)
	}
	f, err := safetensors.Open(path + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, want := range floatsOf(t, f, "quant_map") {
		if quant.NF4Table[i] != want {
			t.Errorf("code %d is %v, want %v", i, quant.NF4Table[i], want)
		}
	}
	for i, want := range floatsOf(t, f, "nested_quant_map") {
		if math.Float32bits(quant.DefaultMap[i]) != math.Float32bits(want) {
			t.Errorf("entry %d of the map is %x, want %x", i, quant.DefaultMap[i], want)
		}
	}
	for name, want := range golden.Weights {
		t.Run(name, func(t *testing.T) {
			w := floatsOf(t, f, name)
			q := quant.QuantizeNF4(w, want.Shape)
			packed, absmax := bytesOf(t, f, name+".packed"), bytesOf(t, f, name+".absmax")
			nested, offset := floatsOf(t, f, name+".nested_absmax"), floatsOf(t, f, name+".nested_offset")[0]
			dequantized := floatsOf(t, f, name+".dequantized")
			if bits := fmt.Sprintf("%08x", math.Float32bits(offset)); bits != want.OffsetHex {
				t.Fatalf("the golden files differ: offset %s and %s", bits, want.OffsetHex)
			}
			if string(q.Codes) != string(packed) {
				t.Error("the codes differ")
			}
			if string(q.Absmax) != string(absmax) {
				t.Error("the block scales differ")
			}
			if q.Offset != offset {
				t.Errorf("offset %v, want %v", q.Offset, offset)
			}
			if len(q.NestedAbsmax) != len(nested) {
				t.Fatalf("%d nested scales, want %d", len(q.NestedAbsmax), len(nested))
			}
			for i := range nested {
				if q.NestedAbsmax[i] != nested[i] {
					t.Errorf("nested scale %d is %v, want %v", i, q.NestedAbsmax[i], nested[i])
				}
			}
			got := make([]float32, len(w))
			q.Dequantize(got, 0)
			for i := range got {
				if got[i] != dequantized[i] {
					t.Fatalf("after the round trip element %d is %v, want %v", i, got[i], dequantized[i])
				}
			}
			given := &quant.NF4{Shape: want.Shape, Codes: packed, Absmax: absmax, NestedAbsmax: nested, Offset: offset}
			given.Dequantize(got, 0)
			for i := range got {
				if math.Float32bits(got[i]) != math.Float32bits(dequantized[i]) {
					t.Fatalf("the given bytes make element %d %x, want exactly %x", i, got[i], dequantized[i])
				}
			}
		})
	}
}

// A published bitsandbytes checkpoint loads as it is, and holds what quantising the original model gives.
func TestBitsAndBytesCheckpoint(t *testing.T) {
	dir := filepath.Join(golden.Root(t), "..", "shared", "golden")
	m, err := safetensors.OpenModel(filepath.Join(dir, "stories260k-bnb-4bit"))
	if err != nil {
		t.Skip("no shared data beside the repository; TestFromBitsAndBytes reads a made-up checkpoint")
	}
	defer m.Close()
	original, err := safetensors.OpenModel(filepath.Join(dir, "stories260k"))
	if err != nil {
		t.Fatal(err)
	}
	defer original.Close()
	weights := 0
	for _, info := range m.Tensors() {
		name, ok := strings.CutSuffix(info.Name, quant.BitsAndBytesMark)
		if !ok {
			continue
		}
		weights++
		q, err := quant.FromBitsAndBytes(name, func(suffix string) (string, []byte, error) {
			info, _ := m.Lookup(name + suffix)
			b, err := m.ReadBytes(name + suffix)
			return info.DType, b, err
		})
		if err != nil {
			t.Fatal(err)
		}
		if q.Map != quant.DefaultMap {
			t.Errorf("%s: the published map is not recognised as the default one", name)
		}
		source, ok := original.Lookup(name)
		if !ok || !source.Shape.Equal(q.Shape) {
			t.Fatalf("%s has shape %v, the original %v", name, q.Shape, source.Shape)
		}
		w := make([]float32, q.Elements())
		if err := original.ReadF32(name, w); err != nil {
			t.Fatal(err)
		}
		own := quant.QuantizeNF4(w, q.Shape)
		if string(own.Codes) != string(q.Codes) || string(own.Absmax) != string(q.Absmax) || own.Offset != q.Offset || !slices.Equal(own.NestedAbsmax, q.NestedAbsmax) {
			t.Errorf("%s: quantising the original gives other bytes", name)
		}
	}
	if weights != 35 {
		t.Errorf("%d quantised weights, want 35", weights)
	}
}
