package nn

import (
	"encoding/json"
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

func init() { register("gemma3_text", newGemma3) }

// gemma3 is the text decoder of Gemma 3 (Gemma Team, "Gemma 3 technical report", section 2): normalisation before and after
// each sublayer and of each query and key head, layers that see a sliding window between layers that see all, each kind
// with frequencies of its own, scaled embeddings, GELU-gated MLP. Normalisation weights are stored less 1.
type gemma3 struct {
	cfg           Config
	global, local Rope
	windows       []int // of each layer; 0 is all
	scale         float64
}

// gemma3Config is config.json as transformers' Gemma3TextConfig writes it.
type gemma3Config struct {
	baseConfig
	IntermediateSize int      `json:"intermediate_size"`
	KVHeads          int      `json:"num_key_value_heads"`
	HeadDim          int      `json:"head_dim"`
	RMSNormEps       float64  `json:"rms_norm_eps"`
	Activation       string   `json:"hidden_activation"`
	AttentionBias    bool     `json:"attention_bias"`
	QueryScalar      float64  `json:"query_pre_attn_scalar"`
	SlidingWindow    int      `json:"sliding_window"`
	Pattern          *int     `json:"sliding_window_pattern"`
	OldPattern       *int     `json:"_sliding_window_pattern"` // what transformers renamed it to
	LayerTypes       []string `json:"layer_types"`
	RopeLocalTheta   *float64 `json:"rope_local_base_freq"`
	FinalSoftcap     *float64 `json:"final_logit_softcapping"`
	AttnSoftcap      *float64 `json:"attn_logit_softcapping"`
	Bidirectional    bool     `json:"use_bidirectional_attention"`
	ropeConfig
}

func newGemma3(raw []byte) (Model, error) {
	j := gemma3Config{baseConfig: baseConfig{HiddenSize: 2304, Layers: 26, Heads: 8, VocabSize: 262208, MaxPositions: 131072, TieEmbeddings: true},
		IntermediateSize: 9216, KVHeads: 4, HeadDim: 256, RMSNormEps: 1e-6, Activation: "gelu_pytorch_tanh", QueryScalar: 256, SlidingWindow: 4096}
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, err
	}
	cfg := j.config("gemma3_text")
	cfg.IntermediateSize, cfg.KVHeads, cfg.HeadDim, cfg.RMSNormEps, cfg.AttentionBias = j.IntermediateSize, j.KVHeads, j.HeadDim, j.RMSNormEps, j.AttentionBias
	cfg.BasePrefix, cfg.Buffers, cfg.UnitOffset = "model.", []string{"rotary_emb.inv_freq"}, true
	if err := cfg.check(); err != nil {
		return nil, err
	}
	switch {
	case j.FinalSoftcap != nil:
		return nil, fmt.Errorf("final_logit_softcapping is %v; logits that are capped are not supported", *j.FinalSoftcap)
	case j.AttnSoftcap != nil:
		return nil, fmt.Errorf("attn_logit_softcapping is %v; scores that are capped are not supported", *j.AttnSoftcap)
	case j.Bidirectional:
		return nil, fmt.Errorf("use_bidirectional_attention is true; only decoders are supported")
	case j.Activation != "gelu_pytorch_tanh":
		return nil, fmt.Errorf("hidden_activation is %q; supported is gelu_pytorch_tanh", j.Activation)
	case j.IntermediateSize < 1 || j.IntermediateSize > maxWidth:
		return nil, fmt.Errorf("intermediate_size is %d; it must be from 1 to %d", j.IntermediateSize, maxWidth)
	case !(j.RMSNormEps > 0):
		return nil, fmt.Errorf("rms_norm_eps is %v; it must be above 0", j.RMSNormEps)
	case !(j.QueryScalar > 0):
		return nil, fmt.Errorf("query_pre_attn_scalar is %v; it must be above 0", j.QueryScalar)
	}
	m := &gemma3{cfg: cfg, scale: 1 / math.Sqrt(j.QueryScalar)}
	if err := m.setWindows(j); err != nil {
		return nil, err
	}
	if err := m.setRopes(j); err != nil {
		return nil, err
	}
	m.cfg.RopeTheta, m.cfg.RopeScaling = m.global.Theta, m.global.Type
	return m, nil
}

// setWindows says which layers see a window: those that layer_types names, or all but every sixth.
func (m *gemma3) setWindows(j gemma3Config) error {
	if err := checkLayerTypes(j.LayerTypes, m.cfg.Layers); err != nil {
		return err
	}
	pattern := 6
	for _, p := range []*int{j.OldPattern, j.Pattern} {
		if p != nil {
			pattern = *p
		}
	}
	if pattern < 1 {
		return fmt.Errorf("sliding_window_pattern is %d; it must be at least 1", pattern)
	}
	m.windows = make([]int, m.cfg.Layers)
	for i := range m.windows {
		sliding := (i+1)%pattern != 0
		if j.LayerTypes != nil {
			sliding = j.LayerTypes[i] == "sliding_attention"
		}
		if !sliding {
			continue
		}
		if m.windows[i] = j.SlidingWindow; j.SlidingWindow < 1 {
			return fmt.Errorf("sliding_window is %d; it must be at least 1", j.SlidingWindow)
		}
	}
	return nil
}

// setRopes reads rope_theta and rope_local_base_freq, or rope_parameters with a part for each kind of layer. Scaling in
// the older form is for the layers that see all.
func (m *gemma3) setRopes(j gemma3Config) (err error) {
	globalTheta, localTheta := 1e6, 1e4
	var global, local ropeSettings
	for _, part := range []struct {
		name string
		into *ropeSettings
	}{{"full_attention", &global}, {"sliding_attention", &local}} {
		if settings, ok := j.RopeParameters[part.name]; ok {
			members, ok := settings.(map[string]any)
			if !ok {
				return fmt.Errorf("rope_parameters: %s is %v; it must be an object", part.name, settings)
			}
			*part.into = members
		}
	}
	if global == nil && local == nil {
		if j.ropeConfig.RopeTheta == nil {
			j.ropeConfig.RopeTheta = &globalTheta
		}
		m.global, err = j.rope(m.cfg.HeadDim, m.cfg.MaxPositions)
	} else {
		m.global, err = global.rope(globalTheta, m.cfg.HeadDim, m.cfg.MaxPositions)
	}
	if err != nil {
		return err
	}
	if j.RopeLocalTheta != nil {
		localTheta = *j.RopeLocalTheta
	}
	if m.local, err = local.rope(localTheta, m.cfg.HeadDim, m.cfg.MaxPositions); err != nil {
		err = fmt.Errorf("rope_local_base_freq or rope_parameters.sliding_attention: %w", err)
	}
	return err
}

func (m *gemma3) Config() Config { return m.cfg }

func (m *gemma3) Head() string {
	if m.cfg.TieEmbeddings {
		return "model.embed_tokens.weight"
	}
	return "lm_head.weight"
}

func (m *gemma3) Params() []Param {
	c := m.cfg
	list := paramList{{Name: "model.embed_tokens.weight", Shape: tensor.Shape{c.VocabSize, c.HiddenSize}, Kind: EmbeddingKind}}
	for i := range c.Layers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		list.norm(layer+"input_layernorm", c.HiddenSize)
		list.linear(layer+"self_attn.q_proj", c.Heads*c.HeadDim, c.HiddenSize, c.AttentionBias, AttentionKind)
		list.linear(layer+"self_attn.k_proj", c.KVHeads*c.HeadDim, c.HiddenSize, c.AttentionBias, AttentionKind)
		list.linear(layer+"self_attn.v_proj", c.KVHeads*c.HeadDim, c.HiddenSize, c.AttentionBias, AttentionKind)
		list.linear(layer+"self_attn.o_proj", c.HiddenSize, c.Heads*c.HeadDim, c.AttentionBias, AttentionKind)
		list.norm(layer+"self_attn.q_norm", c.HeadDim)
		list.norm(layer+"self_attn.k_norm", c.HeadDim)
		list.norm(layer+"post_attention_layernorm", c.HiddenSize)
		list.norm(layer+"pre_feedforward_layernorm", c.HiddenSize)
		list.linear(layer+"mlp.gate_proj", c.IntermediateSize, c.HiddenSize, false, MLPKind)
		list.linear(layer+"mlp.up_proj", c.IntermediateSize, c.HiddenSize, false, MLPKind)
		list.linear(layer+"mlp.down_proj", c.HiddenSize, c.IntermediateSize, false, MLPKind)
		list.norm(layer+"post_feedforward_layernorm", c.HiddenSize)
	}
	list.norm("model.norm", c.HiddenSize)
	if !c.TieEmbeddings {
		list = append(list, Param{Name: "lm_head.weight", Shape: tensor.Shape{c.VocabSize, c.HiddenSize}, Kind: HeadKind})
	}
	return list
}

// embeddingScale is sqrt(hidden_size), rounded to the type of the embeddings as transformers rounds it: a checkpoint in
// bfloat16 with 1152 columns has 34, not 33.94. Embeddings that train are in float32, and so is their scale.
func (m *gemma3) embeddingScale(frozen bool) float64 {
	scale := float32(math.Sqrt(float64(m.cfg.HiddenSize)))
	switch {
	case frozen && m.cfg.DType == "bfloat16":
		scale = tensor.BF16ToF32(tensor.F32ToBF16(scale))
	case frozen && m.cfg.DType == "float16":
		scale = tensor.F16ToF32(tensor.F32ToF16(scale))
	}
	return float64(scale)
}

func (m *gemma3) Hidden(c *Context, in Inputs) ir.Value {
	cfg, b := m.cfg, c.Builder
	norm := func(name string, x ir.Value, n int) ir.Value {
		return op.RMSNormUnitOffset(b, x, c.Param(name+".weight", n), cfg.RMSNormEps)
	}
	global := AttentionConfig{Heads: cfg.Heads, KVHeads: cfg.KVHeads, HeadDim: cfg.HeadDim, Scale: m.scale, Bias: cfg.AttentionBias, OutputBias: cfg.AttentionBias,
		Rope: m.global.Shape, InvFreq: m.global.Frequencies(c, in.Tokens.Positions),
		HeadNorm: func(name string, x ir.Value) ir.Value { return norm(name, x, cfg.HeadDim) }}
	local := global
	local.Rope, local.InvFreq = m.local.Shape, m.local.Frequencies(c, in.Tokens.Positions)

	table := tensor.Shape{cfg.VocabSize, cfg.HiddenSize}
	_, frozen := c.Weight("model.embed_tokens.weight", table)
	x := op.Embedding(b, c.Param("model.embed_tokens.weight", table...), in.IDs)
	x = c.Tuner.Embedded(c, op.Scale(b, x, m.embeddingScale(frozen)))
	for i := range cfg.Layers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		attention := global
		if m.windows[i] > 0 {
			attention = local
			attention.Window = m.windows[i]
		}
		b.Block(func() {
			y := c.Attention(layer+"self_attn", i, norm(layer+"input_layernorm", x, cfg.HiddenSize), in, attention)
			y = norm(layer+"post_attention_layernorm", y, cfg.HiddenSize)
			x = op.Add(b, x, c.Tuner.Sublayer(c, layer+"self_attn", y))
			h := norm(layer+"pre_feedforward_layernorm", x, cfg.HiddenSize)
			gate := c.Linear(layer+"mlp.gate_proj", h, cfg.IntermediateSize, false)
			up := c.Linear(layer+"mlp.up_proj", h, cfg.IntermediateSize, false)
			y = c.Linear(layer+"mlp.down_proj", op.GEGLU(b, gate, up), cfg.HiddenSize, false)
			y = norm(layer+"post_feedforward_layernorm", y, cfg.HiddenSize)
			x = op.Add(b, x, c.Tuner.Sublayer(c, layer+"mlp", y))
		})
	}
	return norm("model.norm", x, cfg.HiddenSize)
}
