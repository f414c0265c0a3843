package nn

import (
	"encoding/json"
	"maps"
	"math"
	"strings"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/rng"
	"hone/core/tensor"
)

const (
	small = `"hidden_size":12,"num_hidden_layers":3,"num_attention_heads":2,"num_key_value_heads":1,"intermediate_size":20,"vocab_size":17,"max_position_embeddings":16`
	// Half of a head of 6 is 3 long, of which two pairs turn.
	smallChatGLM3 = `"model_type":"chatglm","hidden_size":12,"num_layers":2,"num_attention_heads":2,"multi_query_attention":true,"multi_query_group_num":1,"ffn_hidden_size":20,"padded_vocab_size":17,"seq_length":16`
	smallGemma3   = `"model_type":"gemma3_text","hidden_size":12,"num_hidden_layers":3,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":8,"intermediate_size":20,"vocab_size":17,"max_position_embeddings":16,"sliding_window":3,"sliding_window_pattern":2,"query_pre_attn_scalar":12`
	smallGPT2     = `"model_type":"gpt2","n_embd":12,"n_layer":3,"n_head":2,"n_positions":16,"vocab_size":17`
)

// forwardCases are architectures with their settings, the odd ones too.
var forwardCases = []struct{ name, config string }{
	{"llama", `"model_type":"llama",` + small},
	{"llama, tied, biases, a head_dim of its own", `"model_type":"llama",` + small + `,"tie_word_embeddings":true,"attention_bias":true,"mlp_bias":true,"head_dim":10,"rope_theta":500000,"rms_norm_eps":1e-3`},
	{"llama, all heads their own", `"model_type":"llama",` + small + `,"num_key_value_heads":null`},
	{"llama, rope linear", `"model_type":"llama",` + small + `,"rope_scaling":{"type":"linear","factor":3.5}`},
	{"llama, rope llama3", `"model_type":"llama",` + small + `,"head_dim":16,"rope_theta":100,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":64}`},
	{"llama, rope llama3 in rope_parameters", `"model_type":"llama",` + small + `,"head_dim":16,"rope_parameters":{"rope_type":"llama3","rope_theta":50,"factor":4.0,"low_freq_factor":0.5,"high_freq_factor":3,"original_max_position_embeddings":32}`},
	{"llama, rope dynamic within its length", `"model_type":"llama",` + small + `,"rope_scaling":{"type":"dynamic","factor":2}`},
	{"llama, rope dynamic beyond its length", `"model_type":"llama",` + small + `,"max_position_embeddings":4,"rope_scaling":{"rope_type":"dynamic","factor":3}`},
	{"llama, rope default by name", `"model_type":"llama",` + small + `,"rope_parameters":{"rope_type":"default","rope_theta":1000}`},
	{"mistral", `"model_type":"mistral",` + small + `,"sliding_window":3,"rope_theta":1e6`},
	{"mistral, no window", `"model_type":"mistral",` + small + `,"sliding_window":null`},
	{"qwen2", `"model_type":"qwen2",` + small + `,"use_sliding_window":false,"sliding_window":2,"max_window_layers":0`},
	{"qwen2, tied", `"model_type":"qwen2",` + small + `,"tie_word_embeddings":true`},
	{"qwen2, windows", `"model_type":"qwen2",` + small + `,"use_sliding_window":true,"sliding_window":3,"max_window_layers":1`},
	{"qwen3", `"model_type":"qwen3",` + small + `,"head_dim":8`},
	{"qwen3, tied, biases", `"model_type":"qwen3",` + small + `,"head_dim":10,"attention_bias":true,"tie_word_embeddings":true`},
	{"qwen3, windows, rope linear", `"model_type":"qwen3",` + small + `,"head_dim":null,"num_key_value_heads":2,"use_sliding_window":true,"sliding_window":2,"max_window_layers":2,"rope_scaling":{"type":"linear","factor":2}`},
	{"gpt2", smallGPT2},
	{"gpt2, n_inner, exact gelu", smallGPT2 + `,"n_inner":31,"activation_function":"gelu","layer_norm_epsilon":1e-2`},
	{"gpt2, n_inner null, untied", smallGPT2 + `,"n_inner":null,"tie_word_embeddings":false,"activation_function":"gelu_pytorch_tanh"`},
	{"gpt2, unscaled", smallGPT2 + `,"scale_attn_weights":false`},
	{"gpt2, scaled by layer", smallGPT2 + `,"scale_attn_by_inverse_layer_idx":true`},
	{"chatglm3", smallChatGLM3},
	{"chatglm3, ratio, biases, channels of their own", smallChatGLM3 + `,"rope_ratio":50,"add_bias_linear":true,"kv_channels":10,"multi_query_group_num":2`},
	{"chatglm3, query bias, residual after the norm", smallChatGLM3 + `,"add_qkv_bias":true,"apply_residual_connection_post_layernorm":true,"layernorm_epsilon":1e-2`},
	{"chatglm3, layer norm, tied, no last norm", smallChatGLM3 + `,"rmsnorm":false,"tie_word_embeddings":true,"post_layer_norm":false`},
	{"chatglm3, layer norm at the end", smallChatGLM3 + `,"rmsnorm":false,"original_rope":true,"kv_channels":3`},
	{"gemma3", smallGemma3},
	{"gemma3, a window in each", smallGemma3 + `,"layer_types":["sliding_attention","sliding_attention","sliding_attention"],"rms_norm_eps":1e-3`},
	{"gemma3, a window in none, bfloat16", smallGemma3 + `,"sliding_window_pattern":1,"torch_dtype":"bfloat16","rope_scaling":{"rope_type":"linear","factor":8.0}`},
	{"gemma3, layer types, float16", smallGemma3 + `,"layer_types":["full_attention","sliding_attention","full_attention"],"torch_dtype":"float16","query_pre_attn_scalar":7`},
	{"gemma3, thetas, biases, untied", smallGemma3 + `,"rope_theta":5000,"rope_local_base_freq":50,"attention_bias":true,"tie_word_embeddings":false,"_sliding_window_pattern":3`},
	{"gemma3, rope_parameters", smallGemma3 + `,"rope_parameters":{"full_attention":{"rope_type":"linear","rope_theta":400,"factor":2},"sliding_attention":{"rope_type":"default","rope_theta":20}}`},
	{"gpt2, heads of odd length", smallGPT2 + `,"n_head":4`},
}

// randomWeights are the states of a model, and the same as its checkpoint would hold them.
func randomWeights(m Model) (states map[string]ir.Tensor[float64], stored map[string][]float64) {
	states, stored = map[string]ir.Tensor[float64]{}, map[string][]float64{}
	for i, p := range m.Params() {
		key := rng.NewKey(5, rng.Init, uint64(i))
		v := make([]float64, p.Shape.Elements())
		for j := range v {
			v[j] = 0.4 * key.Normal(uint64(j))
			if p.Kind == NormKind && strings.HasSuffix(p.Name, ".weight") {
				v[j]++
			}
		}
		states[p.Name] = ir.Tensor[float64]{Type: tensor.Of(tensor.F32, p.Shape...), F: v}
		stored[p.Name] = v
		if p.FanInFanOut {
			turned := make([]float64, len(v))
			out, in := p.Shape[0], p.Shape[1]
			for o := range out {
				for i := range in {
					turned[i*out+o] = v[o*in+i]
				}
			}
			stored[p.Name] = turned
		}
	}
	return states, stored
}

// batch lays sequences out below each other, padded to the longest.
func batch(rows [][]int32) (ids, segments, positions []int32, length int) {
	for _, r := range rows {
		length = max(length, len(r))
	}
	for _, r := range rows {
		for p := range length {
			id, segment, position := int32(0), int32(0), int32(0)
			if p < len(r) {
				id, segment, position = r[p], 1, int32(p)
			}
			ids, segments, positions = append(ids, id), append(segments, segment), append(positions, position)
		}
	}
	return ids, segments, positions, length
}

// Every architecture gives the logits of the oracle, for a padded batch, in every setting.
func TestForward(t *testing.T) {
	rows := [][]int32{{3, 1, 4, 1, 5, 9, 2, 6, 5}, {16, 0, 7, 7}, {2}}
	for _, c := range forwardCases {
		t.Run(c.name, func(t *testing.T) {
			config := `{` + c.config + `}`
			m, err := Parse([]byte(config))
			if err != nil {
				t.Fatal(err)
			}
			o := newOracle(t, config)
			states, stored := randomWeights(m)
			o.weights = stored
			ids, segments, positions, length := batch(rows)
			o.longest = length
			got := forward(t, m, states, len(rows), ids, segments, positions)
			vocab := m.Config().VocabSize
			for r, sequence := range rows {
				for p, want := range o.logits(sequence) {
					for i, w := range want {
						if g := got[(r*length+p)*vocab+i]; !(math.Abs(g-w) <= 2e-6*max(1, math.Abs(w))) {
							t.Fatalf("sequence %d, position %d, token %d: logit %.9g, want %.9g", r, p, i, g, w)
						}
					}
				}
			}
		})
	}
}

// forward runs a model at float64 and gives its logits [rows, vocab_size].
func forward(t *testing.T, m Model, states map[string]ir.Tensor[float64], rows int, ids, segments, positions []int32) []float64 {
	t.Helper()
	g, err := ir.Trace(func(b *ir.Builder) {
		feed := func(name string) ir.Value { return b.Feed(name, tensor.Of(tensor.I32, len(ids))) }
		c := &Context{Builder: b, Tuner: NoTuner{}, DropoutKey: ir.None, Weight: func(_ string, s tensor.Shape) (tensor.Type, bool) {
			return tensor.Of(tensor.F32, s...), true
		}}
		h := m.Hidden(c, Inputs{Batch: rows, IDs: feed("ids"), Tokens: op.Tokens{Segments: feed("segments"), Positions: feed("positions")}})
		b.Output("logits", op.Linear(b, h, c.Param(m.Head(), m.Config().VocabSize, m.Config().HiddenSize)))
	})
	if err != nil {
		t.Fatal(err)
	}
	ints := func(v []int32) ir.Tensor[float64] {
		return ir.Tensor[float64]{Type: tensor.Of(tensor.I32, len(v)), I: v}
	}
	out, _, err := ir.Interpret(g, map[string]ir.Tensor[float64]{"ids": ints(ids), "segments": ints(segments), "positions": ints(positions)}, states)
	if err != nil {
		t.Fatal(err)
	}
	return out["logits"].F
}

// The cases differ: a setting that nothing reads would give the logits of another case.
func TestSettingsMatter(t *testing.T) {
	ids, segments, positions, _ := batch([][]int32{{3, 1, 4, 1, 5, 9, 2, 6, 5}})
	run := func(config string) string {
		m, err := Parse([]byte(`{` + config + `}`))
		if err != nil {
			t.Fatal(err)
		}
		states, _ := randomWeights(m)
		raw, _ := json.Marshal(forward(t, m, states, 1, ids, segments, positions))
		return string(raw)
	}
	llama := `"model_type":"llama",` + small
	for base, settings := range map[string][]string{
		llama: {`"rope_theta":100`, `"rms_norm_eps":0.01`, `"rope_scaling":{"type":"linear","factor":2}`, `"max_position_embeddings":4,"rope_scaling":{"type":"dynamic","factor":2}`,
			`"rope_parameters":{"rope_theta":200}`, `"original_max_position_embeddings":16,"rope_scaling":{"rope_type":"llama3","factor":2,"low_freq_factor":1,"high_freq_factor":2}`},
		`"model_type":"qwen3",` + small: {`"use_sliding_window":true,"sliding_window":2,"max_window_layers":1`, `"use_sliding_window":true,"sliding_window":3,"max_window_layers":1`,
			`"use_sliding_window":true,"sliding_window":2,"max_window_layers":2`, `"use_sliding_window":true,"sliding_window":2,"layer_types":["sliding_attention","full_attention","full_attention"]`},
		smallChatGLM3: {`"rope_ratio":2`, `"rmsnorm":false`, `"layernorm_epsilon":0.1`, `"post_layer_norm":false`, `"apply_residual_connection_post_layernorm":true`},
		smallGemma3: {`"rope_theta":100`, `"rope_local_base_freq":100`, `"query_pre_attn_scalar":3`, `"sliding_window":2`, `"sliding_window_pattern":3`, `"torch_dtype":"bfloat16"`,
			`"torch_dtype":"float16"`, `"rms_norm_eps":0.1`, `"rope_parameters":{"full_attention":{"rope_theta":30}}`, `"rope_scaling":{"rope_type":"linear","factor":2}`,
			`"layer_types":["full_attention","full_attention","sliding_attention"]`},
		smallGPT2: {`"activation_function":"gelu"`, `"layer_norm_epsilon":0.1`, `"scale_attn_weights":false`, `"scale_attn_by_inverse_layer_idx":true`},
	} {
		seen := map[string]string{run(base): "none"}
		for _, s := range settings {
			got := run(base + `,` + s)
			if other, ok := seen[got]; ok {
				t.Errorf("%s gives the same as %s", s, other)
			}
			seen[got] = s
		}
	}
}

// Frequencies of Llama 3.1's published settings, some of each part; figures worked out from the formula beside this code.
func TestLlama3Frequencies(t *testing.T) {
	m, err := Parse([]byte(`{` + good + `,"hidden_size":4096,"num_attention_heads":32,"num_key_value_heads":8,"max_position_embeddings":131072,"rope_theta":500000.0,
		"rope_scaling":{"factor":8.0,"high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"}}`))
	if err != nil {
		t.Fatal(err)
	}
	f := m.(*decoder).rope.InvFreq
	for i, want := range map[int]float64{0: 1, 32: 0.0005248461609929547, 63: math.Pow(500000, -126.0/128) / 8} {
		if math.Abs(float64(f[i])-want) > 1e-6*want {
			t.Errorf("frequency %d is %v, want %v", i, f[i], want)
		}
	}
	plain := func(i int) float64 { return math.Pow(500000, -float64(i)/64) }
	for i, x := range f {
		turns := 8192 * plain(i) / (2 * math.Pi)
		if within := float64(x) <= plain(i)*(1+1e-6) && float64(x) >= plain(i)/8*(1-1e-6); !within {
			t.Errorf("frequency %d is %v, outside of %v and its eighth", i, x, plain(i))
		}
		if part := float64(x) / plain(i); turns > 4 && part < 1-1e-6 || turns < 1 && part > 0.125+1e-6 {
			t.Errorf("frequency %d, %.2f turns, is %.4f of the plain one", i, turns, part)
		}
	}
}

// A model with learned positions says where they end.
func TestLearnedPositionsEnd(t *testing.T) {
	m, err := Parse([]byte(`{` + smallGPT2 + `}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = ir.Trace(func(b *ir.Builder) {
		c := &Context{Builder: b, Tuner: NoTuner{}, Weight: func(_ string, s tensor.Shape) (tensor.Type, bool) { return tensor.Of(tensor.F32, s...), true }}
		feed := func(name string) ir.Value { return b.Feed(name, tensor.Of(tensor.I32, 34)) }
		m.Hidden(c, Inputs{Batch: 2, IDs: feed("ids"), Tokens: op.Tokens{Segments: feed("segments"), Positions: feed("positions")}})
	})
	if want := "17 tokens"; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "16") {
		t.Errorf("error %v, want one that names %s and 16", err, want)
	}
}

// The gradient of every parameter, along a random direction, is the difference of the losses on both sides; and with
// recomputation it is the same.
func TestGradients(t *testing.T) {
	rows := [][]int32{{3, 1, 4, 1, 5, 9}, {16, 0, 7}}
	ids, segments, positions, _ := batch(rows)
	targets := make([]int32, len(ids))
	for i := range targets {
		if targets[i] = op.NoTarget; i+1 < len(ids) && segments[i] != 0 && segments[i+1] != 0 {
			targets[i] = ids[i+1]
		}
	}
	for _, c := range forwardCases {
		t.Run(c.name, func(t *testing.T) {
			m, err := Parse([]byte(`{` + c.config + `}`))
			if err != nil {
				t.Fatal(err)
			}
			states, _ := randomWeights(m)
			run := func(states map[string]ir.Tensor[float64], gradients, recompute bool) map[string]ir.Tensor[float64] {
				g, err := ir.Trace(func(b *ir.Builder) {
					b.SetRecompute(recompute)
					feed := func(name string) ir.Value { return b.Feed(name, tensor.Of(tensor.I32, len(ids))) }
					c := &Context{Builder: b, Tuner: NoTuner{}, DropoutKey: ir.None, Weight: func(_ string, s tensor.Shape) (tensor.Type, bool) {
						return tensor.Of(tensor.F32, s...), false
					}}
					h := m.Hidden(c, Inputs{Batch: len(rows), IDs: feed("ids"), Tokens: op.Tokens{Segments: feed("segments"), Positions: feed("positions")}})
					loss := op.Sum(b, op.LinearCrossEntropy(b, h, c.Param(m.Head(), m.Config().VocabSize, m.Config().HiddenSize), feed("targets")))
					b.Output("loss", loss)
					if gradients {
						var wrt []ir.Value
						for _, p := range m.Params() {
							wrt = append(wrt, c.Param(p.Name, p.Shape...))
						}
						for i, d := range b.Grad(loss, wrt) {
							if d == ir.None {
								b.Fail("no gradient reaches %s", m.Params()[i].Name)
							}
							b.Output(m.Params()[i].Name, d)
						}
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				feeds := map[string]ir.Tensor[float64]{}
				for name, v := range map[string][]int32{"ids": ids, "segments": segments, "positions": positions, "targets": targets} {
					feeds[name] = ir.Tensor[float64]{Type: tensor.Of(tensor.I32, len(v)), I: v}
				}
				out, _, err := ir.Interpret(g, feeds, states)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			grads, again := run(states, true, false), run(states, true, true)
			for i, p := range m.Params() {
				key, moved := rng.NewKey(6, rng.Init, uint64(i)), maps.Clone(states)
				at := states[p.Name]
				got, size := 0.0, 0.0
				beside := func(h float64) float64 {
					x := make([]float64, len(at.F))
					for j := range x {
						x[j] = at.F[j] + h*key.Normal(uint64(j))
					}
					moved[p.Name] = ir.Tensor[float64]{Type: at.Type, F: x}
					return run(moved, false, false)["loss"].F[0]
				}
				for j, g := range grads[p.Name].F {
					got += g * key.Normal(uint64(j))
					size += g * g
					if other := again[p.Name].F[j]; math.Abs(other-g) > 1e-12*max(1, math.Abs(g)) {
						t.Fatalf("%s: gradient %d is %v, recomputed %v", p.Name, j, g, other)
					}
				}
				const h = 1e-5
				if want := (beside(h) - beside(-h)) / (2 * h); !(math.Abs(got-want) <= 1e-5*max(math.Sqrt(size), 1e-2)) {
					t.Errorf("%s: the loss changes by %v, its gradient says %v", p.Name, want, got)
				}
			}
		})
	}
}
