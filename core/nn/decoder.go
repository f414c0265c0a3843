package nn

import (
	"fmt"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// decoder is what Llama and those after it share: RMSNorm before each sublayer, rotary positions, grouped key/value
// heads, SwiGLU (Touvron et al., "LLaMA: open and efficient foundation language models", section 2.2). The files of
// the architectures read their config.json and say what is theirs.
type decoder struct {
	cfg     Config
	rope    Rope
	outBias bool  // of o_proj; that of q, k and v is Config.AttentionBias
	qkNorm  bool  // RMSNorm of each query and key head
	windows []int // of each layer; nil is none
}

// decoderConfig is config.json as transformers writes it for these models.
type decoderConfig struct {
	baseConfig
	IntermediateSize int     `json:"intermediate_size"`
	KVHeads          *int    `json:"num_key_value_heads"` // null: as many as query heads
	HeadDim          *int    `json:"head_dim"`            // null: hidden_size / num_attention_heads
	RMSNormEps       float64 `json:"rms_norm_eps"`
	HiddenAct        string  `json:"hidden_act"`
	ropeConfig
}

// decoder checks what the models have in common.
func (j decoderConfig) decoder(architecture string) (*decoder, error) {
	cfg := j.config(architecture)
	cfg.IntermediateSize, cfg.RMSNormEps = j.IntermediateSize, j.RMSNormEps
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
	cfg.BasePrefix, cfg.Buffers = "model.", []string{"rotary_emb.inv_freq"}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if j.HiddenAct != "silu" {
		return nil, fmt.Errorf("hidden_act is %q; a %s here has silu", j.HiddenAct, architecture)
	}
	if j.IntermediateSize < 1 || j.IntermediateSize > maxWidth {
		return nil, fmt.Errorf("intermediate_size is %d", j.IntermediateSize)
	}
	if !(j.RMSNormEps > 0) {
		return nil, fmt.Errorf("rms_norm_eps is %v; it must be above 0", j.RMSNormEps)
	}
	rope, err := j.rope(cfg.HeadDim, cfg.MaxPositions)
	if err != nil {
		return nil, err
	}
	cfg.RopeTheta, cfg.RopeScaling = rope.Theta, rope.Type
	return &decoder{cfg: cfg, rope: rope}, nil
}

func (m *decoder) Config() Config { return m.cfg }

func (m *decoder) Head() string {
	if m.cfg.TieEmbeddings {
		return "model.embed_tokens.weight"
	}
	return "lm_head.weight"
}

func (m *decoder) Params() []Param {
	c := m.cfg
	list := paramList{{Name: "model.embed_tokens.weight", Shape: tensor.Shape{c.VocabSize, c.HiddenSize}, Kind: EmbeddingKind}}
	for i := range c.Layers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		list.norm(layer+"input_layernorm", c.HiddenSize)
		list.linear(layer+"self_attn.q_proj", c.Heads*c.HeadDim, c.HiddenSize, c.AttentionBias, AttentionKind)
		list.linear(layer+"self_attn.k_proj", c.KVHeads*c.HeadDim, c.HiddenSize, c.AttentionBias, AttentionKind)
		list.linear(layer+"self_attn.v_proj", c.KVHeads*c.HeadDim, c.HiddenSize, c.AttentionBias, AttentionKind)
		list.linear(layer+"self_attn.o_proj", c.HiddenSize, c.Heads*c.HeadDim, m.outBias, AttentionKind)
		if m.qkNorm {
			list.norm(layer+"self_attn.q_norm", c.HeadDim)
			list.norm(layer+"self_attn.k_norm", c.HeadDim)
		}
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

func (m *decoder) Hidden(c *Context, in Inputs) ir.Value {
	cfg, b := m.cfg, c.Builder
	norm := func(name string, x ir.Value, n int) ir.Value {
		return op.RMSNorm(b, x, c.Param(name+".weight", n), cfg.RMSNormEps)
	}
	attention := AttentionConfig{Heads: cfg.Heads, KVHeads: cfg.KVHeads, HeadDim: cfg.HeadDim, Rope: m.rope.Shape,
		InvFreq: m.rope.Frequencies(c, in.Tokens.Positions), Bias: cfg.AttentionBias, OutputBias: m.outBias}
	if m.qkNorm {
		attention.HeadNorm = func(name string, x ir.Value) ir.Value { return norm(name, x, cfg.HeadDim) }
	}
	x := op.Embedding(b, c.Param("model.embed_tokens.weight", cfg.VocabSize, cfg.HiddenSize), in.IDs)
	x = c.Tuner.Embedded(c, x)
	for i := range cfg.Layers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		if m.windows != nil {
			attention.Window = m.windows[i]
		}
		b.Block(func() {
			y := c.Attention(layer+"self_attn", i, norm(layer+"input_layernorm", x, cfg.HiddenSize), in, attention)
			x = op.Add(b, x, c.Tuner.Sublayer(c, layer+"self_attn", y))
			y = c.GatedMLP(layer+"mlp", norm(layer+"post_attention_layernorm", x, cfg.HiddenSize), cfg.IntermediateSize, cfg.MLPBias)
			x = op.Add(b, x, c.Tuner.Sublayer(c, layer+"mlp", y))
		})
	}
	return norm("model.norm", x, cfg.HiddenSize)
}
