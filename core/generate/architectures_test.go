package generate_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/generate"
	"hone/core/ir"
	"hone/core/nn"
	"hone/core/op"
	"hone/core/tensor"
)

const (
	small         = `"hidden_size":24,"num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":40,"vocab_size":70,"max_position_embeddings":80,"initializer_range":0.2`
	smallChatGLM3 = `"model_type":"chatglm","hidden_size":24,"num_layers":3,"num_attention_heads":4,"multi_query_attention":true,"multi_query_group_num":2,"ffn_hidden_size":40,"padded_vocab_size":70,"seq_length":80,"initializer_range":0.2`
	smallGemma3   = `"model_type":"gemma3_text","head_dim":8,"sliding_window":5,"sliding_window_pattern":2,"query_pre_attn_scalar":8,` + small
	smallGPT2     = `"model_type":"gpt2","n_embd":24,"n_layer":3,"n_head":4,"n_positions":80,"vocab_size":70,"initializer_range":0.2`
)

// With keys and values kept, every architecture gives the logits of the program that reads the whole sequence at once.
func TestCacheEqualsUncached(t *testing.T) {
	for name, config := range map[string]string{
		"llama, rope llama3":          `"model_type":"llama",` + small + `,"rope_scaling":{"rope_type":"llama3","factor":4,"low_freq_factor":1,"high_freq_factor":2,"original_max_position_embeddings":40}`,
		"llama, rope linear":          `"model_type":"llama",` + small + `,"rope_scaling":{"type":"linear","factor":4}`,
		"llama, rope dynamic, within": `"model_type":"llama",` + small + `,"rope_scaling":{"type":"dynamic","factor":4}`,
		"mistral, a window":           `"model_type":"mistral",` + small + `,"sliding_window":7`,
		"qwen2":                       `"model_type":"qwen2",` + small + `,"tie_word_embeddings":true`,
		"qwen2, windows":              `"model_type":"qwen2",` + small + `,"use_sliding_window":true,"sliding_window":34,"max_window_layers":1`,
		"qwen3":                       `"model_type":"qwen3",` + small + `,"head_dim":10`,
		"chatglm3":                    smallChatGLM3,
		"chatglm3, odd":               smallChatGLM3 + `,"rmsnorm":false,"add_bias_linear":true,"kv_channels":10,"rope_ratio":3,"apply_residual_connection_post_layernorm":true`,
		"gemma3":                      smallGemma3,
		"gemma3, a long window":       smallGemma3 + `,"sliding_window":33,"layer_types":["full_attention","sliding_attention","sliding_attention"]`,
		"gpt2":                        smallGPT2,
		"gpt2, untied, by layer":      smallGPT2 + `,"tie_word_embeddings":false,"scale_attn_by_inverse_layer_idx":true`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "model")
			if err := checkpoint.InitModel(dir, []byte(`{`+config+`}`), 1); err != nil {
				t.Fatal(err)
			}
			g := open(t, dir, 75)
			ids := make([]int32, 70)
			for i := range ids {
				ids[i] = int32((i*37 + 11) % 70)
			}
			whole := uncached(t, dir, ids)
			for i, id := range ids {
				got, err := g.Read(context.Background(), []int32{id})
				if err != nil {
					t.Fatal(err)
				}
				near(t, "token by token", i, got, whole)
			}
			for _, n := range []int{1, 31, 32, 33, 70} {
				g.Reset()
				got, err := g.Read(context.Background(), ids[:n])
				if err != nil {
					t.Fatal(err)
				}
				near(t, "at once", n-1, got, whole)
			}
		})
	}
}

// near compares the logits behind token i.
func near(t *testing.T, how string, i int, got, whole []float32) {
	t.Helper()
	for j, x := range got {
		if want := whole[i*len(got)+j]; !(math.Abs(float64(x-want)) < 1e-4*max(1, math.Abs(float64(want)))) {
			t.Fatalf("%s: logit %d behind token %d is %v, uncached %v", how, j, i, x, want)
		}
	}
}

// uncached gives the logits [tokens, vocab_size] of a program without a cache.
func uncached(t *testing.T, dir string, ids []int32) []float32 {
	t.Helper()
	ctx := context.Background()
	base, err := checkpoint.OpenBase(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	dev := cpu.New(2)
	defer dev.Close()
	m := base.Model
	graph, err := ir.Trace(func(b *ir.Builder) {
		feed := func(name string) ir.Value { return b.Feed(name, tensor.Of(tensor.I32, len(ids))) }
		c := &nn.Context{Builder: b, Tuner: nn.NoTuner{}, DropoutKey: ir.None,
			Weight: func(_ string, s tensor.Shape) (tensor.Type, bool) { return tensor.Of(tensor.F32, s...), true }}
		h := m.Hidden(c, nn.Inputs{Batch: 1, IDs: feed("ids"), Tokens: op.Tokens{Segments: feed("segments"), Positions: feed("positions")}})
		b.Output("logits", op.Linear(b, h, c.Param(m.Head(), m.Config().VocabSize, m.Config().HiddenSize)))
	})
	if err != nil {
		t.Fatal(err)
	}
	exec, err := dev.Compile(ctx, graph)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Close()
	states := map[string]device.Buffer{}
	for _, p := range m.Params() {
		if states[p.Name], err = base.Upload(ctx, dev, p, tensor.F32); err != nil {
			t.Fatal(err)
		}
	}
	if err := exec.Bind(states); err != nil {
		t.Fatal(err)
	}
	segments, positions := make([]int32, len(ids)), make([]int32, len(ids))
	for i := range ids {
		segments[i], positions[i] = 1, int32(i)
	}
	out, err := exec.Run(ctx, map[string]tensor.Host{"ids": tensor.Ints(ids, len(ids)), "segments": tensor.Ints(segments, len(ids)), "positions": tensor.Ints(positions, len(ids))})
	if err != nil {
		t.Fatal(err)
	}
	return out["logits"].F32
}

// A dynamic rope turns slower only beyond max_position_embeddings; until there it reads through the cache as without, and a
// cache that reaches further is no error.
func TestDynamicRopeBeyond(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	config := `{"model_type":"llama",` + small + `,"max_position_embeddings":20,"rope_scaling":{"type":"dynamic","factor":2}}`
	if err := checkpoint.InitModel(dir, []byte(config), 1); err != nil {
		t.Fatal(err)
	}
	g := open(t, dir, 60)
	ids := make([]int32, 30)
	for i := range ids {
		ids[i] = int32(i)
	}
	whole := uncached(t, dir, ids[:20])
	got, err := g.Read(context.Background(), ids[:20])
	if err != nil {
		t.Fatal(err)
	}
	near(t, "within", 19, got, whole)
	out, err := g.Generate(context.Background(), ids, generate.Options{MaxNewTokens: 20}, nil)
	if err != nil || len(out) != 20 {
		t.Errorf("%d tokens beyond the positions, error %v", len(out), err)
	}
}
