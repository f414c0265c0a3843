package export

import (
	"math"
	"strings"
	"testing"

	"hone/core/checkpoint"
	"hone/core/golden"
	"hone/core/nn"
	"hone/core/quant"
	"hone/core/rng"
	"hone/core/tensor"
)

// delta is a random adapter of rank 3 for every layer but one.
func delta(base *checkpoint.Base, without string) func(module string) (Delta, bool) {
	deltas := map[string]Delta{}
	for i, p := range base.Model.Params() {
		if p.Module == "" || len(p.Shape) != 2 || p.Module == without {
			continue
		}
		key := rng.NewKey(2, rng.Init, uint64(i))
		d := Delta{Rank: 3, Scale: 0.5, A: make([]float32, 3*p.Shape[1]), B: make([]float32, 3*p.Shape[0])}
		for j := range d.A {
			d.A[j] = float32(key.Normal(uint64(j)))
		}
		for j := range d.B {
			d.B[j] = float32(key.Normal(uint64(len(d.A) + j)))
		}
		deltas[p.Module] = d
	}
	return func(module string) (Delta, bool) { d, ok := deltas[module]; return d, ok }
}

// The merged weight is the base's plus scale · B·A, rounded to the base's type; what has no adapter stays to the bit.
func TestMerge(t *testing.T) {
	for name, c := range map[string]struct {
		config      string
		form        checkpoint.InitForm
		dequantised bool
		as          tensor.DType
		rounding    float64 // of the written type, relative
	}{
		"f32":                {configs["llama"], checkpoint.InitForm{DType: tensor.F32}, false, tensor.Invalid, 1e-7},
		"bf16, sharded":      {configs["qwen3"], checkpoint.InitForm{DType: tensor.BF16, MaxShardSize: 50000}, false, tensor.Invalid, 1.0 / 256},
		"f16 into f32":       {configs["chatglm"], checkpoint.InitForm{DType: tensor.F16}, false, tensor.F32, 1e-7},
		"[in, out]":          {configs["gpt2"], checkpoint.InitForm{DType: tensor.F32}, false, tensor.Invalid, 1e-7},
		"dequantised":        {configs["llama"], checkpoint.InitForm{DType: tensor.F32}, true, tensor.Invalid, 1e-7},
		"[in, out] of 4 bit": {configs["gpt2"], checkpoint.InitForm{DType: tensor.BF16}, true, tensor.F32, 1e-7},
	} {
		t.Run(name, func(t *testing.T) {
			dir, out := t.TempDir()+"/base", t.TempDir()
			config, err := checkpoint.WithDType([]byte("{"+c.config+"}"), c.form.DType)
			if err != nil {
				t.Fatal(err)
			}
			if err := checkpoint.InitModelAs(dir, config, 5, c.form); err != nil {
				t.Fatal(err)
			}
			base, err := checkpoint.OpenBase(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer base.Close()
			without := base.Model.Params()[3].Module
			m := Merge{Base: base, Delta: delta(base, without), Dequantised: c.dequantised, DType: c.as, MaxShard: c.form.MaxShardSize}
			if err := m.Write(t.Context(), out); err != nil {
				t.Fatal(err)
			}
			for _, p := range base.Model.Params() {
				before := values(t, base, p)
				if c.dequantised && p.Module != "" && len(p.Shape) == 2 {
					quant.QuantizeNF4(before, p.Shape).Dequantize(before, 0)
				}
				shape := append(tensor.Shape{}, p.Shape...)
				got := stored(t, out, p.Name)
				d, adapted := m.Delta(p.Module)
				adapted = adapted && len(shape) == 2
				for i, w := range before {
					want, at := float64(w), i
					if adapted {
						o, in := i/shape[1], i%shape[1]
						for r := range d.Rank {
							want += d.Scale * float64(d.B[o*d.Rank+r]) * float64(d.A[r*shape[1]+in])
						}
					}
					if p.FanInFanOut {
						at = i%shape[1]*shape[0] + i/shape[1]
					}
					if diff := math.Abs(float64(got[at]) - want); diff > c.rounding*max(math.Abs(want), math.Abs(float64(w)))+1e-6*btof(adapted) || !adapted && c.as == tensor.Invalid && !c.dequantised && diff != 0 {
						t.Fatalf("%s[%d] is %v, want %v", p.Name, i, got[at], want)
					}
				}
			}
		})
	}
}

func btof(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func values(t *testing.T, base *checkpoint.Base, p nn.Param) []float32 {
	t.Helper()
	w, err := openWeight(base, p)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, p.Shape.Elements())
	if err := w.next(v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Weights that only exist in 4 bits cannot be merged into as if they were the original ones.
func TestMergeOfQuantisedBase(t *testing.T) {
	base, err := checkpoint.OpenBase(golden.Shared(t, "golden/stories260k-bnb-4bit"))
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	m := Merge{Base: base, Delta: delta(base, "")}
	if err := m.Write(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "4 bits only") {
		t.Errorf("the error is %v", err)
	}
	m.Dequantised = true
	out := t.TempDir()
	if err := m.Write(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	if v := stored(t, out, "model.layers.0.mlp.up_proj.weight"); math.IsNaN(float64(v[0])) || v[0] == 0 {
		t.Errorf("the first merged value is %v", v[0])
	}
}
