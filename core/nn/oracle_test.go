package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
)

// The oracle computes models in float64 with plain loops, from the papers and the words of config.json alone: one
// sequence at a time, one token at a time, no graph, no operators. It knows weights as checkpoints hold them.
type oracle struct {
	config  map[string]any
	weights map[string][]float64 // checkpoint layout
	longest int                  // tokens of the longest sequence of the batch
}

// number reads a setting, or what holds without it; null is without it.
func (o *oracle) number(name string, absent float64) float64 {
	if v, ok := o.config[name].(float64); ok {
		return v
	}
	return absent
}

func (o *oracle) int(name string, absent int) int { return int(o.number(name, float64(absent))) }

func (o *oracle) flag(name string, absent bool) bool {
	if v, ok := o.config[name].(bool); ok {
		return v
	}
	return absent
}

func (o *oracle) weight(name string) []float64 {
	w, ok := o.weights[name]
	if !ok {
		panic("the oracle wants a weight " + name)
	}
	return w
}

// row is row i of a matrix with n columns.
func row(m []float64, i, n int) []float64 { return m[i*n : (i+1)*n] }

// linear is W·x + b, W [out, in]; the bias is added where there is one.
func (o *oracle) linear(name string, x []float64) []float64 {
	w := o.weight(name + ".weight")
	y := make([]float64, len(w)/len(x))
	for i := range y {
		for j, v := range x {
			y[i] += w[i*len(x)+j] * v
		}
	}
	return o.plusBias(name, y)
}

// conv1D is the same with W [in, out].
func (o *oracle) conv1D(name string, x []float64) []float64 {
	w := o.weight(name + ".weight")
	y := make([]float64, len(w)/len(x))
	for j, v := range x {
		for i := range y {
			y[i] += w[j*len(y)+i] * v
		}
	}
	return o.plusBias(name, y)
}

func (o *oracle) plusBias(name string, y []float64) []float64 {
	for i, b := range o.weights[name+".bias"] {
		y[i] += b
	}
	return y
}

func rmsNorm(x, w []float64, eps float64) []float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v / math.Sqrt(sum/float64(len(x))+eps) * w[i]
	}
	return y
}

func (o *oracle) layerNorm(name string, x []float64) []float64 {
	w, b := o.weight(name+".weight"), o.weight(name+".bias")
	mean, variance := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v-mean)/math.Sqrt(variance+o.number("layer_norm_epsilon", 1e-5))*w[i] + b[i]
	}
	return y
}

func plus(a, b []float64) []float64 {
	y := make([]float64, len(a))
	for i := range a {
		y[i] = a[i] + b[i]
	}
	return y
}

// attend lets each query head of each token see the keys up to its own, at most window of them (0: all).
func attend(q, k, v [][]float64, heads, kv, dim int, scale float64, window int) [][]float64 {
	out := make([][]float64, len(q))
	for t := range q {
		out[t] = make([]float64, heads*dim)
		for h := range heads {
			g := h * kv / heads
			var scores []float64
			total := 0.0
			for s := range t + 1 {
				score := math.Inf(-1)
				if window == 0 || t-s < window {
					score = 0
					for i := range dim {
						score += q[t][h*dim+i] * k[s][g*dim+i] * scale
					}
				}
				scores = append(scores, math.Exp(score))
				total += scores[s]
			}
			for s, p := range scores {
				for i := range dim {
					out[t][h*dim+i] += p / total * v[s][g*dim+i]
				}
			}
		}
	}
	return out
}

// rope gives theta and the settings under whichever of their names.
func (o *oracle) rope() (theta float64, settings map[string]any) {
	theta = o.number("rope_theta", 10000)
	settings, _ = o.config["rope_scaling"].(map[string]any)
	if settings == nil {
		settings, _ = o.config["rope_parameters"].(map[string]any)
	}
	if v, ok := settings["rope_theta"].(float64); ok {
		theta = v
	}
	return theta, settings
}

// frequencies are radians a position of the pairs of a head.
func (o *oracle) frequencies(dim int) []float64 {
	theta, s := o.rope()
	kind, ok := s["rope_type"].(string)
	if !ok {
		kind, _ = s["type"].(string)
	}
	factor, _ := s["factor"].(float64)
	most := o.number("max_position_embeddings", 0)
	if n := float64(o.longest); kind == "dynamic" && n > most {
		theta *= math.Pow(factor*n/most-factor+1, float64(dim)/float64(dim-2))
	}
	out := make([]float64, dim/2)
	for i := range out {
		f := math.Pow(theta, -float64(2*i)/float64(dim))
		switch kind {
		case "linear":
			f /= factor
		case "llama3":
			low, high := s["low_freq_factor"].(float64), s["high_freq_factor"].(float64)
			turns := s["original_max_position_embeddings"].(float64) * f / (2 * math.Pi) // in the first context
			if turns < low {
				f /= factor
			} else if turns <= high {
				smooth := (turns - low) / (high - low)
				f = (1-smooth)*f/factor + smooth*f
			}
		}
		out[i] = f
	}
	return out
}

// turn rotates the pairs (i, i+dim/2) of every head.
func turn(x []float64, position, dim int, frequencies []float64) []float64 {
	y := make([]float64, len(x))
	for h := 0; h < len(x); h += dim {
		for i, f := range frequencies {
			sin, cos := math.Sincos(float64(position) * f)
			a, b := x[h+i], x[h+i+dim/2]
			y[h+i], y[h+i+dim/2] = a*cos-b*sin, a*sin+b*cos
		}
	}
	return y
}

// llama is the forward pass of Llama, Mistral, Qwen2 and Qwen3: logits of every position.
func (o *oracle) llama(ids []int32) [][]float64 {
	kind := o.config["model_type"].(string)
	n, heads := o.int("hidden_size", 0), o.int("num_attention_heads", 0)
	kv := o.int("num_key_value_heads", heads)
	dim := o.int("head_dim", n/heads)
	eps := o.number("rms_norm_eps", 1e-6)
	frequencies := o.frequencies(dim)
	x := make([][]float64, len(ids))
	for t, id := range ids {
		x[t] = row(o.weight("model.embed_tokens.weight"), int(id), n)
	}
	for l := range o.int("num_hidden_layers", 0) {
		layer := fmt.Sprintf("model.layers.%d.", l)
		window := 0
		if kind == "mistral" {
			window = o.int("sliding_window", 0)
		}
		if o.flag("use_sliding_window", false) && l >= o.int("max_window_layers", 28) {
			window = o.int("sliding_window", 0)
		}
		q, k, v := make([][]float64, len(ids)), make([][]float64, len(ids)), make([][]float64, len(ids))
		for t := range ids {
			h := rmsNorm(x[t], o.weight(layer+"input_layernorm.weight"), eps)
			q[t], k[t], v[t] = o.linear(layer+"self_attn.q_proj", h), o.linear(layer+"self_attn.k_proj", h), o.linear(layer+"self_attn.v_proj", h)
			if kind == "qwen3" {
				for h := range heads {
					copy(row(q[t], h, dim), rmsNorm(row(q[t], h, dim), o.weight(layer+"self_attn.q_norm.weight"), eps))
				}
				for h := range kv {
					copy(row(k[t], h, dim), rmsNorm(row(k[t], h, dim), o.weight(layer+"self_attn.k_norm.weight"), eps))
				}
			}
			q[t], k[t] = turn(q[t], t, dim, frequencies), turn(k[t], t, dim, frequencies)
		}
		a := attend(q, k, v, heads, kv, dim, 1/math.Sqrt(float64(dim)), window)
		for t := range ids {
			x[t] = plus(x[t], o.linear(layer+"self_attn.o_proj", a[t]))
			h := rmsNorm(x[t], o.weight(layer+"post_attention_layernorm.weight"), eps)
			gate, up := o.linear(layer+"mlp.gate_proj", h), o.linear(layer+"mlp.up_proj", h)
			for i, g := range gate {
				up[i] *= g / (1 + math.Exp(-g))
			}
			x[t] = plus(x[t], o.linear(layer+"mlp.down_proj", up))
		}
	}
	head := "lm_head"
	if o.flag("tie_word_embeddings", false) {
		head = "model.embed_tokens"
	}
	for t := range ids {
		x[t] = o.linear(head, rmsNorm(x[t], o.weight("model.norm.weight"), eps))
	}
	return x
}

// gpt2 is the forward pass of GPT-2: logits of every position.
func (o *oracle) gpt2(ids []int32) [][]float64 {
	n, heads := o.int("n_embd", 0), o.int("n_head", 0)
	dim := n / heads
	act := func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*math.Pow(x, 3))))
	}
	if o.config["activation_function"] == "gelu" {
		act = func(x float64) float64 { return x * (1 + math.Erf(x/math.Sqrt2)) / 2 }
	}
	x := make([][]float64, len(ids))
	for t, id := range ids {
		x[t] = plus(row(o.weight("transformer.wte.weight"), int(id), n), row(o.weight("transformer.wpe.weight"), t, n))
	}
	for l := range o.int("n_layer", 0) {
		layer := fmt.Sprintf("transformer.h.%d.", l)
		scale := 1.0
		if o.flag("scale_attn_weights", true) {
			scale /= math.Sqrt(float64(dim))
		}
		if o.flag("scale_attn_by_inverse_layer_idx", false) {
			scale /= float64(l + 1)
		}
		q, k, v := make([][]float64, len(ids)), make([][]float64, len(ids)), make([][]float64, len(ids))
		for t := range ids {
			qkv := o.conv1D(layer+"attn.c_attn", o.layerNorm(layer+"ln_1", x[t]))
			q[t], k[t], v[t] = row(qkv, 0, n), row(qkv, 1, n), row(qkv, 2, n)
		}
		a := attend(q, k, v, heads, heads, dim, scale, 0)
		for t := range ids {
			x[t] = plus(x[t], o.conv1D(layer+"attn.c_proj", a[t]))
			h := o.conv1D(layer+"mlp.c_fc", o.layerNorm(layer+"ln_2", x[t]))
			for i, v := range h {
				h[i] = act(v)
			}
			x[t] = plus(x[t], o.conv1D(layer+"mlp.c_proj", h))
		}
	}
	head := "lm_head"
	if o.flag("tie_word_embeddings", true) {
		head = "transformer.wte"
	}
	for t := range ids {
		x[t] = o.linear(head, o.layerNorm("transformer.ln_f", x[t]))
	}
	return x
}

// newOracle reads a config.json.
func newOracle(t *testing.T, config string) *oracle {
	o := &oracle{weights: map[string][]float64{}}
	if err := json.Unmarshal([]byte(config), &o.config); err != nil {
		t.Fatal(err)
	}
	return o
}

// logits of one sequence.
func (o *oracle) logits(ids []int32) [][]float64 {
	switch o.config["model_type"] {
	case "gpt2":
		return o.gpt2(ids)
	case "chatglm":
		return o.chatGLM3(ids)
	case "gemma3_text":
		return o.gemma3(ids)
	}
	return o.llama(ids)
}
