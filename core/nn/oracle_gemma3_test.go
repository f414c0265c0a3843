package nn

import (
	"fmt"
	"math"
)

// gemma3 is the forward pass of Gemma 3's text model: logits of every position.
func (o *oracle) gemma3(ids []int32) [][]float64 {
	n, heads, kv, dim := o.int("hidden_size", 2304), o.int("num_attention_heads", 8), o.int("num_key_value_heads", 4), o.int("head_dim", 256)
	norm := func(name string, x []float64) []float64 {
		w := o.weight(name + ".weight")
		y, sum := make([]float64, len(x)), 0.0
		for _, v := range x {
			sum += v * v / float64(len(x))
		}
		for i, v := range x {
			y[i] = v / math.Sqrt(sum+o.number("rms_norm_eps", 1e-6)) * (1 + w[i])
		}
		return y
	}
	// kindOf says what a layer sees and how its heads turn.
	kindOf := func(l int) (window int, theta, slowdown float64) {
		types, _ := o.config["layer_types"].([]any)
		sliding := (l+1)%o.int("sliding_window_pattern", o.int("_sliding_window_pattern", 6)) != 0
		if types != nil {
			sliding = types[l] == "sliding_attention"
		}
		parts, _ := o.config["rope_parameters"].(map[string]any)
		settings, _ := o.config["rope_scaling"].(map[string]any)
		theta, slowdown = o.number("rope_theta", 1e6), 1
		name := "full_attention"
		if sliding {
			name, window, theta, settings = "sliding_attention", o.int("sliding_window", 4096), o.number("rope_local_base_freq", 1e4), nil
		}
		if part, ok := parts[name].(map[string]any); ok {
			settings = part
		}
		if v, ok := settings["rope_theta"].(float64); ok {
			theta = v
		}
		if v, ok := settings["factor"].(float64); ok { // of linear scaling, the only one in these cases
			slowdown = v
		}
		return window, theta, slowdown
	}
	scale := math.Sqrt(float64(n))
	switch o.config["torch_dtype"] {
	case "bfloat16": // eight bits of fraction
		_, e := math.Frexp(scale)
		scale = math.RoundToEven(math.Ldexp(scale, 8-e)) * math.Ldexp(1, e-8)
	case "float16":
		_, e := math.Frexp(scale)
		scale = math.RoundToEven(math.Ldexp(scale, 11-e)) * math.Ldexp(1, e-11)
	}
	x := make([][]float64, len(ids))
	for t, id := range ids {
		for _, v := range row(o.weight("model.embed_tokens.weight"), int(id), n) {
			x[t] = append(x[t], v*scale)
		}
	}
	for l := range o.int("num_hidden_layers", 26) {
		layer := fmt.Sprintf("model.layers.%d.", l)
		window, theta, slowdown := kindOf(l)
		frequencies := make([]float64, dim/2)
		for i := range frequencies {
			frequencies[i] = math.Pow(theta, -2*float64(i)/float64(dim)) / slowdown
		}
		q, k, v := make([][]float64, len(ids)), make([][]float64, len(ids)), make([][]float64, len(ids))
		for t := range ids {
			h := norm(layer+"input_layernorm", x[t])
			v[t] = o.linear(layer+"self_attn.v_proj", h)
			heads := func(name string, normName string) (out []float64) {
				y := o.linear(layer+name, h)
				for i := 0; i < len(y); i += dim {
					out = append(out, norm(layer+normName, y[i:i+dim])...)
				}
				return turn(out, t, dim, frequencies)
			}
			q[t], k[t] = heads("self_attn.q_proj", "self_attn.q_norm"), heads("self_attn.k_proj", "self_attn.k_norm")
		}
		a := attend(q, k, v, heads, kv, dim, math.Pow(o.number("query_pre_attn_scalar", 256), -0.5), window)
		for t := range ids {
			x[t] = plus(x[t], norm(layer+"post_attention_layernorm", o.linear(layer+"self_attn.o_proj", a[t])))
			h := norm(layer+"pre_feedforward_layernorm", x[t])
			gate, up := o.linear(layer+"mlp.gate_proj", h), o.linear(layer+"mlp.up_proj", h)
			for i, g := range gate {
				up[i] *= g / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(g+0.044715*g*g*g)))
			}
			x[t] = plus(x[t], norm(layer+"post_feedforward_layernorm", o.linear(layer+"mlp.down_proj", up)))
		}
	}
	head := "model.embed_tokens"
	if !o.flag("tie_word_embeddings", true) {
		head = "lm_head"
	}
	for t := range ids {
		x[t] = o.linear(head, norm("model.norm", x[t]))
	}
	return x
}
