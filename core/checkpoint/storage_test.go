package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/device/cpu"
	"hone/core/nn"
	"hone/core/safetensors"
	"hone/core/tensor"
)

const smallConfig = `{"model_type":"llama","hidden_size":40,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":72,
	"vocab_size":96,"tie_word_embeddings":false,"rms_norm_eps":1e-5,"torch_dtype":"bfloat16"}`

// initialised makes a random model and opens it.
func initialised(t *testing.T, form InitForm) *Base {
	t.Helper()
	dir := t.TempDir()
	if err := InitModelAs(dir, []byte(smallConfig), 3, form); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBase(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// values are those of a weight in the checkpoint.
func values(t *testing.T, b *Base, p nn.Param) []float32 {
	t.Helper()
	v := make([]float32, p.Shape.Elements())
	if err := b.Weights.ReadF32(p.Name, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The forms of one seed are roundings of one model, sharded or not, and config.json says which.
func TestInitForms(t *testing.T) {
	wide := initialised(t, InitForm{DType: tensor.F32})
	for _, c := range []struct {
		form  InitForm
		round func(float32) float32
		name  string
		files int
	}{
		{InitForm{DType: tensor.F32, MaxShardSize: 30000}, func(x float32) float32 { return x }, "float32", 5},
		{InitForm{DType: tensor.F16}, func(x float32) float32 { return tensor.F16ToF32(tensor.F32ToF16(x)) }, "float16", 1},
		{InitForm{DType: tensor.BF16, MaxShardSize: 1}, func(x float32) float32 { return tensor.BF16ToF32(tensor.F32ToBF16(x)) }, "bfloat16", 21},
	} {
		b := initialised(t, c.form)
		if files, _ := filepath.Glob(filepath.Join(b.Dir, "*.safetensors")); len(files) != c.files {
			t.Errorf("%+v: %d files, want %d", c.form, len(files), c.files)
		}
		if !bytes.Contains(b.Config, []byte(`"`+c.name+`"`)) {
			t.Errorf("%+v: config.json does not say %s:\n%s", c.form, c.name, b.Config)
		}
		for _, p := range b.Model.Params() {
			if info, _ := b.Weights.Lookup(p.Name); info.DType != c.form.DType.String() {
				t.Errorf("%s has type %s, want %v", p.Name, info.DType, c.form.DType)
			}
			have, want := values(t, b, p), values(t, wide, p)
			for i := range have {
				if have[i] != c.round(want[i]) {
					t.Fatalf("%+v: %s[%d] is %v, want %v", c.form, p.Name, i, have[i], c.round(want[i]))
				}
			}
		}
	}
}

// A checkpoint whose weights have different types is brought to the device as each is stored, or widened.
func TestMixedTypes(t *testing.T) {
	src := initialised(t, InitForm{DType: tensor.F32})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), src.Config, 0o644); err != nil {
		t.Fatal(err)
	}
	types := []tensor.DType{tensor.BF16, tensor.F32, tensor.F16}
	var tensors []safetensors.Tensor
	for i, p := range src.Model.Params() {
		h := tensor.Host{Type: tensor.Type{DType: types[i%3], Shape: p.Shape}}
		for _, x := range values(t, src, p) {
			switch h.Type.DType {
			case tensor.F32:
				h.F32 = append(h.F32, x)
			case tensor.F16:
				h.Bytes = binary.LittleEndian.AppendUint16(h.Bytes, tensor.F32ToF16(x))
			default:
				h.Bytes = binary.LittleEndian.AppendUint16(h.Bytes, tensor.F32ToBF16(x))
			}
		}
		tensors = append(tensors, safetensors.FromHost(p.Name, h))
	}
	if err := safetensors.WriteModel(dir, tensors, nil, 20000); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBase(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dev := cpu.New(1)
	defer dev.Close()
	kept := map[tensor.DType]int{}
	for i, p := range b.Model.Params() {
		for _, halves := range []bool{true, false} {
			as := b.Stored(p, false, halves)
			want := types[i%3]
			if !halves || len(p.Shape) != 2 {
				want = tensor.F32
			}
			if as != want {
				t.Errorf("%s, in %v in the file, is stored as %v", p.Name, types[i%3], as)
			}
			kept[as]++
			buffer, err := b.Upload(t.Context(), dev, p, as)
			if err != nil {
				t.Fatal(err)
			}
			var raw bytes.Buffer
			if err := dev.Download(t.Context(), buffer, &raw); err != nil {
				t.Fatal(err)
			}
			for i, want := range values(t, b, p) {
				var have float32
				switch as {
				case tensor.F32:
					have = math.Float32frombits(binary.LittleEndian.Uint32(raw.Bytes()[4*i:]))
				case tensor.F16:
					have = tensor.F16ToF32(binary.LittleEndian.Uint16(raw.Bytes()[2*i:]))
				case tensor.BF16:
					have = tensor.BF16ToF32(binary.LittleEndian.Uint16(raw.Bytes()[2*i:]))
				}
				if have != want {
					t.Fatalf("%s[%d] as %v is %v on the device, want %v", p.Name, i, as, have, want)
				}
			}
			if n := int64(raw.Len()); n != buffer.Type().Bytes() {
				t.Errorf("%s: %d bytes came back, its type %v has %d", p.Name, n, buffer.Type(), buffer.Type().Bytes())
			}
		}
	}
	if kept[tensor.F16] == 0 || kept[tensor.BF16] == 0 || kept[tensor.F32] == 0 {
		t.Errorf("weights were kept as %v; all three types were wanted", kept)
	}
	p := b.Model.Params()[0]
	if _, err := b.Upload(t.Context(), dev, p, tensor.F16); err == nil || !strings.Contains(err.Error(), p.Name) {
		t.Errorf("a BF16 weight uploaded as F16 gives the error %v", err)
	}
}

// What a checkpoint lacks, and what it has too many, is named.
func TestBaseNamesWhatIsWrong(t *testing.T) {
	src := initialised(t, InitForm{DType: tensor.BF16})
	write := func(edit func([]safetensors.Tensor) []safetensors.Tensor) error {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), src.Config, 0o644); err != nil {
			t.Fatal(err)
		}
		var tensors []safetensors.Tensor
		for _, p := range src.Model.Params() {
			tensors = append(tensors, safetensors.Floats(p.Name, values(t, src, p), p.Shape...))
		}
		if err := safetensors.WriteModel(dir, edit(tensors), nil, 20000); err != nil {
			t.Fatal(err)
		}
		b, err := OpenBase(dir)
		if err == nil {
			b.Close()
		}
		return err
	}
	for name, c := range map[string]struct {
		edit func([]safetensors.Tensor) []safetensors.Tensor
		want []string
	}{
		"nothing":      {func(l []safetensors.Tensor) []safetensors.Tensor { return l }, nil},
		"missing":      {func(l []safetensors.Tensor) []safetensors.Tensor { return l[2:] }, []string{"2 weights", "model.embed_tokens.weight", "model.layers.0.input_layernorm.weight"}},
		"many missing": {func(l []safetensors.Tensor) []safetensors.Tensor { return l[:5] }, []string{"16 weights", "and 12 more"}},
		"extra": {func(l []safetensors.Tensor) []safetensors.Tensor {
			return append(l, safetensors.Floats("score.weight", []float32{1}, 1))
		}, []string{"1 tensors", "score.weight"}},
		"another shape": {func(l []safetensors.Tensor) []safetensors.Tensor {
			l[1] = safetensors.Floats(l[1].Name, make([]float32, 41), 41)
			return l
		}, []string{"model.layers.0.input_layernorm.weight", "[40]", "[41]"}},
	} {
		err := write(c.edit)
		if c.want == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, w := range c.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %v does not say %q", name, err, w)
			}
		}
	}
}
