package nn

import (
	"fmt"
	"math"
)

// chatGLM3 is the forward pass of ChatGLM3: logits of every position.
func (o *oracle) chatGLM3(ids []int32) [][]float64 {
	n, heads, groups := o.int("hidden_size", 4096), o.int("num_attention_heads", 32), o.int("multi_query_group_num", 1)
	dim, inner := o.int("kv_channels", n/heads), o.int("ffn_hidden_size", 13696)
	norm := func(name string, x []float64) []float64 {
		if o.flag("rmsnorm", true) {
			return rmsNorm(x, o.weight(name+".weight"), o.number("layernorm_epsilon", 1e-5))
		}
		o.config["layer_norm_epsilon"] = o.number("layernorm_epsilon", 1e-5)
		return o.layerNorm(name, x)
	}
	// Half of each head turns, neighbours together; the other half stays.
	rotate := func(x []float64, position int) []float64 {
		y := append([]float64(nil), x...)
		for h := 0; h < len(x); h += dim {
			for pair := 0; 2*pair < dim/2; pair++ {
				base := 10000 * o.number("rope_ratio", 1)
				angle := float64(position) / math.Pow(base, float64(2*pair)/float64(dim/2))
				a, b := x[h+2*pair], x[h+2*pair+1]
				y[h+2*pair] = a*math.Cos(angle) - b*math.Sin(angle)
				y[h+2*pair+1] = b*math.Cos(angle) + a*math.Sin(angle)
			}
		}
		return y
	}
	x := make([][]float64, len(ids))
	for t, id := range ids {
		x[t] = row(o.weight("transformer.embedding.word_embeddings.weight"), int(id), n)
	}
	for l := range o.int("num_layers", 28) {
		layer := fmt.Sprintf("transformer.encoder.layers.%d.", l)
		residual := func(x, normed []float64) []float64 {
			if o.flag("apply_residual_connection_post_layernorm", false) {
				return normed
			}
			return x
		}
		normed, q, k, v := make([][]float64, len(ids)), make([][]float64, len(ids)), make([][]float64, len(ids)), make([][]float64, len(ids))
		for t := range ids {
			normed[t] = norm(layer+"input_layernorm", x[t])
			mixed := o.linear(layer+"self_attention.query_key_value", normed[t])
			q[t] = rotate(mixed[:heads*dim], t)
			k[t] = rotate(mixed[heads*dim:(heads+groups)*dim], t)
			v[t] = mixed[(heads+groups)*dim : (heads+2*groups)*dim]
		}
		a := attend(q, k, v, heads, groups, dim, 1/math.Sqrt(float64(dim)), 0)
		for t := range ids {
			x[t] = plus(residual(x[t], normed[t]), o.linear(layer+"self_attention.dense", a[t]))
			h := norm(layer+"post_attention_layernorm", x[t])
			both := o.linear(layer+"mlp.dense_h_to_4h", h)
			gated := make([]float64, inner)
			for i := range gated {
				gated[i] = both[i] / (1 + math.Exp(-both[i])) * both[inner+i]
			}
			x[t] = plus(residual(x[t], h), o.linear(layer+"mlp.dense_4h_to_h", gated))
		}
	}
	head := "transformer.output_layer"
	if o.flag("tie_word_embeddings", false) {
		head = "transformer.embedding.word_embeddings"
	}
	for t := range ids {
		if o.flag("post_layer_norm", true) {
			x[t] = norm("transformer.encoder.final_layernorm", x[t])
		}
		x[t] = o.linear(head, x[t])
	}
	return x
}
