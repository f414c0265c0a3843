package peft

import (
	"math"
	"strings"
	"testing"

	"hone/core/nn"
)

func model(t *testing.T) nn.Model {
	t.Helper()
	m, err := nn.Parse([]byte(`{"model_type":"llama","hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":160,"vocab_size":256}`))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Trainable parameters are (in + out)·rank summed over the layers that are named.
func TestLoRATargets(t *testing.T) {
	m := model(t)
	perLayer := map[string]int{"q_proj": 128, "k_proj": 96, "v_proj": 96, "o_proj": 128, "gate_proj": 224, "up_proj": 224, "down_proj": 224}
	for _, c := range []struct {
		targets []string
		want    int
	}{
		{[]string{"q_proj"}, 2 * perLayer["q_proj"]},
		{[]string{"q_proj", "v_proj"}, 2 * (128 + 96)},
		{[]string{"all-linear"}, 2 * 1120},
		{[]string{"ALL"}, 2 * 1120},
		{[]string{"model.layers.1.mlp.up_proj"}, 224},
	} {
		l, err := NewLoRA(m, 3, 6, c.targets)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, p := range l.Params() {
			n += p.Shape.Elements()
		}
		if n != 3*c.want {
			t.Errorf("targets %v train %d parameters, want %d", c.targets, n, 3*c.want)
		}
	}
	for _, bad := range [][]string{{"w_proj"}, {"q_proj", "proj"}, {}, {"lm_head"}} {
		if _, err := NewLoRA(m, 3, 6, bad); err == nil {
			t.Errorf("targets %v are accepted", bad)
		} else if len(bad) > 0 && !strings.Contains(err.Error(), bad[len(bad)-1]) {
			t.Errorf("targets %v: the error does not name the wrong one: %v", bad, err)
		}
	}
	if got := strings.Join(Targets(m, []string{"ALL"}), " "); got != "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj" {
		t.Errorf("ALL is %s", got)
	}
}

// A is uniform in ±1/sqrt(in) and another for every layer and seed; B is zero.
func TestLoRAInit(t *testing.T) {
	l, err := NewLoRA(model(t), 8, 16, []string{"down_proj"})
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]float32{}
	for _, p := range l.Params() {
		v := make([]float32, p.Shape.Elements())
		for i := range v {
			v[i] = float32(math.NaN())
		}
		p.Init(v)
		values[p.Name] = v
	}
	const a0, a1 = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight", "base_model.model.model.layers.1.mlp.down_proj.lora_A.weight"
	bound, sum, sq := 1/math.Sqrt(160), 0.0, 0.0
	for i, x := range values[a0] {
		if math.Abs(float64(x)) > bound {
			t.Fatalf("A[%d] is %v, beyond ±%v", i, x, bound)
		}
		sum, sq = sum+float64(x), sq+float64(x)*float64(x)
	}
	n := float64(len(values[a0]))
	if v := sq / n; math.Abs(sum/n) > 0.005 || math.Abs(v/(bound*bound/3)-1) > 0.1 {
		t.Errorf("A has mean %v and variance %v, a uniform one 0 and %v", sum/n, v, bound*bound/3)
	}
	if values[a0][0] == values[a1][0] {
		t.Error("two layers start with the same A")
	}
	for _, x := range values["base_model.model.model.layers.0.mlp.down_proj.lora_B.weight"] {
		if x != 0 {
			t.Fatalf("B starts at %v", x)
		}
	}
	if l.Scale() != 2 {
		t.Errorf("scale is %v, want alpha/rank = 2", l.Scale())
	}
	if l.RSLoRA = true; math.Abs(l.Scale()-16/math.Sqrt(8)) > 1e-12 {
		t.Errorf("rank-stabilised scale is %v", l.Scale())
	}
}
