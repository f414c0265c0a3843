package checkpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/device/cpu"
	"hone/core/golden"
	"hone/core/nn"
	"hone/core/quant"
	"hone/core/safetensors"
	"hone/core/tensor"
)

// Transposed gives the transpose for every shape, size of element and size of read, panels that end in the middle included.
func TestTransposed(t *testing.T) {
	for _, s := range [][3]int{{1, 1, 4}, {1, 7, 2}, {7, 1, 4}, {3, 5, 4}, {64, 65, 2}, {3, 1_500_000, 4}} {
		rows, cols, size := s[0], s[1], s[2]
		src, want := make([]byte, rows*cols*size), make([]byte, rows*cols*size)
		for r := range rows {
			for c := range cols {
				for b := range size {
					v := byte(r*31 + c*7 + b*101)
					src[(r*cols+c)*size+b], want[(c*rows+r)*size+b] = v, v
				}
			}
		}
		got, err := io.ReadAll(Transposed(bytes.NewReader(src), rows, cols, size))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%dx%d of %d bytes: not the transpose (%v)", rows, cols, size, err)
		}
		if _, err := io.ReadAll(Transposed(bytes.NewReader(src[:len(src)-1]), rows, cols, size)); err == nil {
			t.Errorf("%dx%d of %d bytes: an end that is missing is no error", rows, cols, size)
		}
	}
}

// published rewrites tiny_gpt2 as the published GPT-2 is: names without transformer., the masks of its attention beside the
// weights, and the head stored although it is tied.
func published(t *testing.T, change func(name string) string) string {
	t.Helper()
	from := golden.Own(t, "tiny_gpt2")
	w, err := safetensors.OpenModel(from)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	dir := t.TempDir()
	var tensors []safetensors.Tensor
	add := func(name string, shape tensor.Shape, values []float32) {
		tensors = append(tensors, safetensors.FromHost(name, tensor.Floats(values, shape...)))
	}
	for _, info := range w.Tensors() {
		values := make([]float32, info.Shape.Elements())
		if err := w.ReadF32(info.Name, values); err != nil {
			t.Fatal(err)
		}
		add(change(info.Name), info.Shape, values)
		if info.Name == "transformer.wte.weight" {
			add("lm_head.weight", info.Shape, values)
		}
	}
	for l := range 2 {
		add(change(fmt.Sprintf("transformer.h.%d.attn.bias", l)), tensor.Shape{1, 1, 4, 4}, make([]float32, 16))
		add(change(fmt.Sprintf("transformer.h.%d.attn.masked_bias", l)), tensor.Shape{1}, make([]float32, 1))
	}
	if err := safetensors.WriteFile(filepath.Join(dir, ModelTensors), tensors, nil); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(from, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// uploaded gives a weight's values as a device has them.
func uploaded(t *testing.T, dir string, p nn.Param, as tensor.DType) []byte {
	t.Helper()
	b, err := OpenBase(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dev := cpu.New(1)
	defer dev.Close()
	buffer, err := b.Upload(context.Background(), dev, p, as)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := dev.Download(context.Background(), buffer, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The published names give the weights of the full ones; [in, out] weights arrive as [out, in], and are quantised as
// bitsandbytes quantises the nn.Linear that transformers puts in their place: in blocks over rows of [out, in].
func TestPublishedGPT2(t *testing.T) {
	full := golden.Own(t, "tiny_gpt2")
	short := published(t, func(name string) string { return strings.TrimPrefix(name, "transformer.") })
	long := published(t, func(name string) string { return name })
	base, err := OpenBase(full)
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	turned := 0
	for _, p := range base.Model.Params() {
		values := make([]float32, p.Shape.Elements())
		if err := base.Weights.ReadF32(p.Name, values); err != nil {
			t.Fatal(err)
		}
		if p.FanInFanOut {
			turned++
			stored := append([]float32(nil), values...)
			out, in := p.Shape[0], p.Shape[1]
			for o := range out {
				for i := range in {
					values[o*in+i] = stored[i*out+o]
				}
			}
			var want bytes.Buffer
			if _, err := quant.QuantizeNF4(values, p.Shape).WriteTo(&want); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(uploaded(t, short, p, tensor.NF4), want.Bytes()) {
				t.Errorf("%s is quantised in other blocks", p.Name)
			}
		}
		var want []byte
		for _, v := range values {
			want = binary.LittleEndian.AppendUint32(want, math.Float32bits(v))
		}
		for _, dir := range []string{full, short, long} {
			if !bytes.Equal(uploaded(t, dir, p, tensor.F32), want) {
				t.Errorf("%s arrives with other values from %s", p.Name, dir)
			}
		}
	}
	if turned != 8 {
		t.Errorf("%d weights are [in, out], want 4 in each of 2 layers", turned)
	}
}

// A random model opens, with weights of norms 1 and biases 0, [in, out] weights as they are stored.
func TestInitGPT2(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if err := InitModel(dir, []byte(`{"model_type":"gpt2","n_embd":8,"n_layer":1,"n_head":2,"n_positions":5,"vocab_size":11}`), 1); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBase(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, want := range map[string]float32{"transformer.h.0.ln_1.weight": 1, "transformer.h.0.ln_1.bias": 0, "transformer.ln_f.weight": 1, "transformer.h.0.attn.c_attn.bias": 0} {
		info, _ := b.Weights.Lookup(name)
		v := make([]float32, info.Shape.Elements())
		if err := b.Weights.ReadF32(name, v); err != nil || len(v) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		for _, x := range v {
			if x != want {
				t.Errorf("%s starts at %v, want %v", name, x, want)
			}
		}
	}
	if info, _ := b.Weights.Lookup("transformer.h.0.attn.c_attn.weight"); !info.Shape.Equal(tensor.Shape{8, 24}) {
		t.Errorf("c_attn.weight is stored as %v, want [in, out]", info.Shape)
	}
}

// Tensors that belong to no weight are still refused, whatever the names look like.
func TestUnknownTensorsAreRefused(t *testing.T) {
	for _, name := range []string{"transformer.h.0.attn.other", "h.9.ln_1.weight"} {
		dir := published(t, func(n string) string {
			if n == "transformer.h.0.attn.masked_bias" {
				return name
			}
			return n
		})
		if b, err := OpenBase(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("the error %v does not name %s", err, name)
			if b != nil {
				b.Close()
			}
		}
	}
}
