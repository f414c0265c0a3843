package nn

import (
	"encoding/json"
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

func init() { register("gpt2", newGPT2) }

// gpt2 is the decoder of Radford et al., "Language models are unsupervised multitask learners" (section 2.3): learned
// positions, LayerNorm before each sublayer, one projection for queries, keys and values, GELU. Its dropouts
// (attn_pdrop, embd_pdrop, resid_pdrop) are not applied when it is tuned.
type gpt2 struct {
	cfg   Config
	tanh  bool      // GELU by its approximation
	scale []float64 // of the scores of each layer
}

// gpt2Config is config.json as transformers' GPT2Config writes it.
type gpt2Config struct {
	baseConfig
	Embd                int     `json:"n_embd"`
	Layer               int     `json:"n_layer"`
	Head                int     `json:"n_head"`
	Positions           int     `json:"n_positions"`
	Inner               *int    `json:"n_inner"` // null: 4·n_embd
	Activation          string  `json:"activation_function"`
	LayerNormEps        float64 `json:"layer_norm_epsilon"`
	ScaleAttnWeights    bool    `json:"scale_attn_weights"`
	ScaleByInverseLayer bool    `json:"scale_attn_by_inverse_layer_idx"`
	CrossAttention      bool    `json:"add_cross_attention"`
}

func newGPT2(raw []byte) (Model, error) {
	j := gpt2Config{baseConfig: baseConfig{VocabSize: 50257, TieEmbeddings: true}, Embd: 768, Layer: 12, Head: 12, Positions: 1024,
		Activation: "gelu_new", LayerNormEps: 1e-5, ScaleAttnWeights: true}
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, err
	}
	j.HiddenSize, j.Layers, j.Heads, j.MaxPositions = j.Embd, j.Layer, j.Head, j.Positions
	cfg := j.config("gpt2")
	cfg.KVHeads, cfg.LayerNormEps, cfg.AttentionBias, cfg.MLPBias = j.Head, j.LayerNormEps, true, true
	cfg.LearnedPositions, cfg.BasePrefix, cfg.Buffers = true, "transformer.", []string{".attn.bias", ".attn.masked_bias"}
	if cfg.IntermediateSize = 4 * j.Embd; j.Inner != nil {
		cfg.IntermediateSize = *j.Inner
	}
	for _, size := range []struct {
		name  string
		value int
	}{{"n_embd", j.Embd}, {"n_layer", j.Layer}, {"n_head", j.Head}, {"n_positions", j.Positions}, {"n_inner", cfg.IntermediateSize}} {
		if size.value < 1 || size.value > maxWidth {
			return nil, fmt.Errorf("%s is %d; it must be from 1 to %d", size.name, size.value, maxWidth)
		}
	}
	if cfg.HeadDim = j.Embd / j.Head; cfg.HeadDim*j.Head != j.Embd {
		return nil, fmt.Errorf("n_embd %d is no multiple of n_head %d", j.Embd, j.Head)
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if !(j.LayerNormEps > 0) {
		return nil, fmt.Errorf("layer_norm_epsilon is %v; it must be above 0", j.LayerNormEps)
	}
	if j.CrossAttention {
		return nil, fmt.Errorf("add_cross_attention is true; only decoders without an encoder are supported")
	}
	m := &gpt2{cfg: cfg}
	switch j.Activation {
	case "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh":
		m.tanh = true
	case "gelu", "gelu_python":
	default:
		return nil, fmt.Errorf("activation_function is %q; supported are gelu_new, gelu_fast, gelu_pytorch_tanh, gelu, gelu_python", j.Activation)
	}
	m.scale = make([]float64, cfg.Layers)
	for i := range m.scale {
		m.scale[i] = 1
		if j.ScaleAttnWeights {
			m.scale[i] = 1 / math.Sqrt(float64(cfg.HeadDim))
		}
		if j.ScaleByInverseLayer {
			m.scale[i] /= float64(i + 1)
		}
	}
	return m, nil
}

func (m *gpt2) Config() Config { return m.cfg }

func (m *gpt2) Head() string {
	if m.cfg.TieEmbeddings {
		return "transformer.wte.weight"
	}
	return "lm_head.weight"
}

func (m *gpt2) Params() []Param {
	c := m.cfg
	n := c.HiddenSize
	list := paramList{{Name: "transformer.wte.weight", Shape: tensor.Shape{c.VocabSize, n}, Kind: EmbeddingKind},
		{Name: "transformer.wpe.weight", Shape: tensor.Shape{c.MaxPositions, n}, Kind: EmbeddingKind}}
	for i := range c.Layers {
		layer := fmt.Sprintf("transformer.h.%d.", i)
		list.layerNorm(layer+"ln_1", n)
		list.conv1D(layer+"attn.c_attn", 3*n, n, AttentionKind)
		list.conv1D(layer+"attn.c_proj", n, n, AttentionKind)
		list.layerNorm(layer+"ln_2", n)
		list.conv1D(layer+"mlp.c_fc", c.IntermediateSize, n, MLPKind)
		list.conv1D(layer+"mlp.c_proj", n, c.IntermediateSize, MLPKind)
	}
	list.layerNorm("transformer.ln_f", n)
	if !c.TieEmbeddings {
		list = append(list, Param{Name: "lm_head.weight", Shape: tensor.Shape{c.VocabSize, n}, Kind: HeadKind})
	}
	return list
}

func (m *gpt2) Hidden(c *Context, in Inputs) ir.Value {
	cfg, b, n := m.cfg, c.Builder, m.cfg.HiddenSize
	longest := c.Dim(in.IDs, 0) / in.Batch
	if in.Cache != nil {
		longest = in.Cache.Capacity
	}
	if longest > cfg.MaxPositions {
		b.Fail("sequences of %d tokens: the model has learned positions for %d (n_positions); lower max_length", longest, cfg.MaxPositions)
	}
	x := op.Embedding(b, c.Param("transformer.wte.weight", cfg.VocabSize, n), in.IDs)
	x = c.Tuner.Embedded(c, x)
	x = op.Add(b, x, op.Embedding(b, c.Param("transformer.wpe.weight", cfg.MaxPositions, n), in.Tokens.Positions))
	for i := range cfg.Layers {
		layer := fmt.Sprintf("transformer.h.%d.", i)
		b.Block(func() {
			qkv := c.Linear(layer+"attn.c_attn", c.LayerNorm(layer+"ln_1", x, cfg.LayerNormEps), 3*n, true)
			part := func(i int) ir.Value { return op.SliceColumns(b, qkv, i*n, (i+1)*n) }
			y := c.Attend(i, part(0), part(1), part(2), in, op.AttentionShape{Heads: cfg.Heads, KVHeads: cfg.Heads, HeadDim: cfg.HeadDim, Scale: m.scale[i]})
			y = c.Linear(layer+"attn.c_proj", y, n, true)
			x = op.Add(b, x, c.Tuner.Sublayer(c, layer+"attn", y))
			y = c.Linear(layer+"mlp.c_fc", c.LayerNorm(layer+"ln_2", x, cfg.LayerNormEps), cfg.IntermediateSize, true)
			y = c.Linear(layer+"mlp.c_proj", op.GELU(b, y, m.tanh), n, true)
			x = op.Add(b, x, c.Tuner.Sublayer(c, layer+"mlp", y))
		})
	}
	return c.LayerNorm("transformer.ln_f", x, cfg.LayerNormEps)
}
