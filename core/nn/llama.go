package nn

import (
	"encoding/json"
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

func init() { register("llama", newLlama) }

// llama is the decoder of Touvron et al., "LLaMA: open and efficient foundation language models" (section 2.2) and its
// successors: RMSNorm before each sublayer, rotary positions, grouped key/value heads, SwiGLU.
type llama struct {
	cfg     Config
	invFreq []float32
}

// llamaConfig is config.json as transformers' LlamaConfig writes it.
type llamaConfig struct {
	baseConfig
	IntermediateSize int     `json:"intermediate_size"`
	KVHeads          *int    `json:"num_key_value_heads"`
	HeadDim          *int    `json:"head_dim"`
	RMSNormEps       float64 `json:"rms_norm_eps"`
	AttentionBias    bool    `json:"attention_bias"`
	MLPBias          bool    `json:"mlp_bias"`
	HiddenAct        string  `json:"hidden_act"`
	ropeConfig
}

func newLlama(raw []byte) (Model, error) {
	j := llamaConfig{RMSNormEps: 1e-6, HiddenAct: "silu"}
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, err
	}
	cfg := j.config("llama")
	cfg.IntermediateSize, cfg.RMSNormEps = j.IntermediateSize, j.RMSNormEps
	cfg.AttentionBias, cfg.MLPBias = j.AttentionBias, j.MLPBias
	cfg.KVHeads, cfg.HeadDim = cfg.Heads, 0
	if j.KVHeads != nil {
		cfg.KVHeads = *j.KVHeads
	}
	if cfg.Heads > 0 {
		cfg.HeadDim = cfg.HiddenSize / cfg.Heads
	}
	if j.HeadDim != nil {
		cfg.HeadDim = *j.HeadDim
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if j.HiddenAct != "silu" {
		return nil, fmt.Errorf("hidden_act is %q; a llama here has silu", j.HiddenAct)
	}
	if j.IntermediateSize < 1 || j.IntermediateSize > maxWidth {
		return nil, fmt.Errorf("intermediate_size is %d", j.IntermediateSize)
	}
	if !(j.RMSNormEps > 0) {
		return nil, fmt.Errorf("rms_norm_eps is %v; it must be above 0", j.RMSNormEps)
	}
	theta, err := j.theta()
	if err != nil {
		return nil, err
	}
	cfg.RopeTheta = theta
	m := &llama{cfg: cfg}
	for i := 0; i < cfg.HeadDim; i += 2 {
		m.invFreq = append(m.invFreq, 1/float32(math.Pow(theta, float64(i)/float64(cfg.HeadDim))))
	}
	return m, nil
}

func (m *llama) Config() Config { return m.cfg }

func (m *llama) Head() string {
	if m.cfg.TieEmbeddings {
		return "model.embed_tokens.weight"
	}
	return "lm_head.weight"
}

func (m *llama) Params() []Param {
	c := m.cfg
	list := paramList{{Name: "model.embed_tokens.weight", Shape: tensor.Shape{c.VocabSize, c.HiddenSize}, Kind: EmbeddingKind}}
	for i := range c.Layers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		list.norm(layer+"input_layernorm", c.HiddenSize)
		list.linear(layer+"self_attn.q_proj", c.Heads*c.HeadDim, c.HiddenSize, c.AttentionBias, AttentionKind)
		list.linear(layer+"self_attn.k_proj", c.KVHeads*c.HeadDim, c.HiddenSize, c.AttentionBias, AttentionKind)
		list.linear(layer+"self_attn.v_proj", c.KVHeads*c.HeadDim, c.HiddenSize, c.AttentionBias, AttentionKind)
		list.linear(layer+"self_attn.o_proj", c.HiddenSize, c.Heads*c.HeadDim, c.AttentionBias, AttentionKind)
		list.norm(layer+"post_attention_layernorm", c.HiddenSize)
		list.linear(layer+"mlp.gate_proj", c.IntermediateSize, c.HiddenSize, c.MLPBias, MLPKind)
		list.linear(layer+"mlp.up_proj", c.IntermediateSize, c.HiddenSize, c.MLPBias, MLPKind)
		list.linear(layer+"mlp.down_proj", c.HiddenSize, c.IntermediateSize, c.MLPBias, MLPKind)
	}
	list.norm("model.norm", c.HiddenSize)
	if !c.TieEmbeddings {
		list = append(list, Param{Name: "lm_head.weight", Shape: tensor.Shape{c.VocabSize, c.HiddenSize}, Kind: HeadKind})
	}
	return list
}

func (m *llama) Hidden(c *Context, in Inputs) ir.Value {
	cfg, b := m.cfg, c.Builder
	attention := AttentionConfig{Heads: cfg.Heads, KVHeads: cfg.KVHeads, HeadDim: cfg.HeadDim, InvFreq: m.invFreq,
		Bias: cfg.AttentionBias, OutputBias: cfg.AttentionBias}
	norm := func(name string, x ir.Value) ir.Value {
		return op.RMSNorm(b, x, c.Param(name+".weight", cfg.HiddenSize), cfg.RMSNormEps)
	}
	x := op.Embedding(b, c.Param("model.embed_tokens.weight", cfg.VocabSize, cfg.HiddenSize), in.IDs)
	x = c.Tuner.Embedded(c, x)
	for i := range cfg.Layers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		b.Block(func() {
			y := c.Attention(layer+"self_attn", i, norm(layer+"input_layernorm", x), in, attention)
			x = op.Add(b, x, c.Tuner.Sublayer(c, layer+"self_attn", y))
			y = c.GatedMLP(layer+"mlp", norm(layer+"post_attention_layernorm", x), cfg.IntermediateSize, cfg.MLPBias)
			x = op.Add(b, x, c.Tuner.Sublayer(c, layer+"mlp", y))
		})
	}
	return norm("model.norm", x)
}
