package nn

import (
	"encoding/json"
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

func init() { register("chatglm", newChatGLM3) }

// chatGLM3 is the decoder of ChatGLM3-6B and its kin (modeling_chatglm.py beside their weights): one projection for
// queries and the few groups of keys and values, of which the first half of each head turns in pairs of neighbours, and a
// gated MLP whose two halves are one matrix. Its dropouts are not applied when it is tuned; sines and cosines stay in
// float32, where the reference rounds them to the type of the weights.
type chatGLM3 struct {
	cfg          Config
	rope         Rope
	qkvBias      bool
	bias         bool // of all other linear layers
	layerNorm    bool // LayerNorm in the place of RMSNorm
	eps          float64
	postResidual bool // the residual stream is what the normalisation gives, not what it gets
	finalNorm    bool
}

// chatGLM3Config is config.json as configuration_chatglm.py writes it; the published models are silent on some.
type chatGLM3Config struct {
	baseConfig
	NumLayers     int     `json:"num_layers"`
	PaddedVocab   int     `json:"padded_vocab_size"`
	SeqLength     int     `json:"seq_length"`
	FFN           int     `json:"ffn_hidden_size"`
	KVChannels    *int    `json:"kv_channels"` // null: hidden_size / num_attention_heads
	MultiQuery    bool    `json:"multi_query_attention"`
	Groups        int     `json:"multi_query_group_num"`
	Epsilon       float64 `json:"layernorm_epsilon"`
	RMSNorm       bool    `json:"rmsnorm"`
	QKVBias       bool    `json:"add_qkv_bias"`
	Bias          bool    `json:"add_bias_linear"`
	PostResidual  bool    `json:"apply_residual_connection_post_layernorm"`
	PostLayerNorm bool    `json:"post_layer_norm"`
	RopeRatio     float64 `json:"rope_ratio"`
	QuantBits     int     `json:"quantization_bit"`
	PreSeqLen     *int    `json:"pre_seq_len"`
}

func newChatGLM3(raw []byte) (Model, error) {
	j := chatGLM3Config{baseConfig: baseConfig{HiddenSize: 4096, Heads: 32}, NumLayers: 28, PaddedVocab: 65024, SeqLength: 2048, FFN: 13696,
		Groups: 1, Epsilon: 1e-5, RMSNorm: true, PostLayerNorm: true, RopeRatio: 1}
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, err
	}
	j.Layers, j.VocabSize, j.MaxPositions = j.NumLayers, j.PaddedVocab, j.SeqLength
	cfg := j.config("chatglm")
	cfg.IntermediateSize, cfg.AttentionBias, cfg.MLPBias, cfg.KVHeads = j.FFN, j.QKVBias || j.Bias, j.Bias, j.Groups
	cfg.BasePrefix, cfg.Buffers = "transformer.", []string{"rotary_pos_emb.inv_freq"}
	if j.Heads > 0 {
		cfg.HeadDim = j.HiddenSize / j.Heads
	}
	if j.KVChannels != nil {
		cfg.HeadDim = *j.KVChannels
	}
	switch {
	case !j.MultiQuery:
		return nil, fmt.Errorf("multi_query_attention is false; only models that share keys and values among queries are supported")
	case j.Groups < 1:
		return nil, fmt.Errorf("multi_query_group_num is %d; it must be at least 1", j.Groups)
	case j.QuantBits != 0:
		return nil, fmt.Errorf("quantization_bit is %d: ChatGLM's own quantised checkpoints are not supported; start from the 16-bit one and take --train_type qlora", j.QuantBits)
	case j.PreSeqLen != nil && *j.PreSeqLen != 0:
		return nil, fmt.Errorf("pre_seq_len is %d: models with a prefix encoder are not supported", *j.PreSeqLen)
	case j.FFN < 1 || j.FFN > maxWidth:
		return nil, fmt.Errorf("ffn_hidden_size is %d; it must be from 1 to %d", j.FFN, maxWidth)
	case !(j.Epsilon > 0):
		return nil, fmt.Errorf("layernorm_epsilon is %v; it must be above 0", j.Epsilon)
	case !(10000*j.RopeRatio > 1) || math.IsInf(j.RopeRatio, 0):
		return nil, fmt.Errorf("rope_ratio is %v; 10000 times it is the base of the rotary frequencies and must be above 1", j.RopeRatio)
	case j.KVChannels != nil && cfg.HeadDim < 2:
		return nil, fmt.Errorf("kv_channels is %d; half of each head turns, so it must be at least 2", cfg.HeadDim)
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m := &chatGLM3{qkvBias: cfg.AttentionBias, bias: j.Bias, layerNorm: !j.RMSNorm, eps: j.Epsilon, postResidual: j.PostResidual, finalNorm: j.PostLayerNorm}
	m.rope = Rope{Theta: 10000 * j.RopeRatio, Type: "default", Shape: op.RopeShape{HeadDim: cfg.HeadDim, Interleaved: true}}
	for turning, i := cfg.HeadDim/2, 0; i < turning; i += 2 {
		m.rope.InvFreq = append(m.rope.InvFreq, 1/float32(math.Pow(m.rope.Theta, float64(i)/float64(turning))))
	}
	if len(m.rope.InvFreq) == 0 {
		return nil, fmt.Errorf("num_attention_heads %d leaves heads of %d, of which half should turn", j.Heads, cfg.HeadDim)
	}
	cfg.RopeTheta, cfg.RopeScaling, cfg.RMSNormEps = m.rope.Theta, m.rope.Type, j.Epsilon
	m.cfg = cfg
	return m, nil
}

func (m *chatGLM3) Config() Config { return m.cfg }

func (m *chatGLM3) Head() string {
	if m.cfg.TieEmbeddings {
		return "transformer.embedding.word_embeddings.weight"
	}
	return "transformer.output_layer.weight"
}

// query and keys are the widths of all queries, and of all keys, of a token.
func (m *chatGLM3) query() int { return m.cfg.Heads * m.cfg.HeadDim }
func (m *chatGLM3) keys() int  { return m.cfg.KVHeads * m.cfg.HeadDim }

func (m *chatGLM3) Params() []Param {
	c, n := m.cfg, m.cfg.HiddenSize
	list := paramList{{Name: "transformer.embedding.word_embeddings.weight", Shape: tensor.Shape{c.VocabSize, n}, Kind: EmbeddingKind}}
	norm := list.norm
	if m.layerNorm {
		norm = list.layerNorm
	}
	for i := range c.Layers {
		layer := fmt.Sprintf("transformer.encoder.layers.%d.", i)
		norm(layer+"input_layernorm", n)
		list.linear(layer+"self_attention.query_key_value", m.query()+2*m.keys(), n, m.qkvBias, AttentionKind)
		list.linear(layer+"self_attention.dense", n, m.query(), m.bias, AttentionKind)
		norm(layer+"post_attention_layernorm", n)
		list.linear(layer+"mlp.dense_h_to_4h", 2*c.IntermediateSize, n, m.bias, MLPKind)
		list.linear(layer+"mlp.dense_4h_to_h", n, c.IntermediateSize, m.bias, MLPKind)
	}
	if m.finalNorm {
		norm("transformer.encoder.final_layernorm", n)
	}
	if !c.TieEmbeddings {
		list = append(list, Param{Name: "transformer.output_layer.weight", Shape: tensor.Shape{c.VocabSize, n}, Kind: HeadKind})
	}
	return list
}

func (m *chatGLM3) Hidden(c *Context, in Inputs) ir.Value {
	cfg, b, n := m.cfg, c.Builder, m.cfg.HiddenSize
	norm := func(name string, x ir.Value) ir.Value {
		if m.layerNorm {
			return c.LayerNorm(name, x, m.eps)
		}
		return op.RMSNorm(b, x, c.Param(name+".weight", n), m.eps)
	}
	freq := m.rope.Frequencies(c, in.Tokens.Positions)
	shape := op.AttentionShape{Heads: cfg.Heads, KVHeads: cfg.KVHeads, HeadDim: cfg.HeadDim, Scale: 1 / math.Sqrt(float64(cfg.HeadDim))}
	x := op.Embedding(b, c.Param("transformer.embedding.word_embeddings.weight", cfg.VocabSize, n), in.IDs)
	x = c.Tuner.Embedded(c, x)
	// sublayer adds what f makes of the normalised x.
	sublayer := func(normName, name string, f func(h ir.Value) ir.Value) {
		h := norm(normName, x)
		if m.postResidual {
			x = h
		}
		x = op.Add(b, x, c.Tuner.Sublayer(c, name, f(h)))
	}
	for i := range cfg.Layers {
		layer := fmt.Sprintf("transformer.encoder.layers.%d.", i)
		b.Block(func() {
			sublayer(layer+"input_layernorm", layer+"self_attention", func(h ir.Value) ir.Value {
				qkv := c.Linear(layer+"self_attention.query_key_value", h, m.query()+2*m.keys(), m.qkvBias)
				k, v := m.query(), m.query()+m.keys() // where they begin
				turned := func(from, to int) ir.Value {
					return op.RoPE(b, op.SliceColumns(b, qkv, from, to), in.Tokens.Positions, freq, m.rope.Shape)
				}
				y := c.Attend(i, turned(0, k), turned(k, v), op.SliceColumns(b, qkv, v, v+m.keys()), in, shape)
				return c.Linear(layer+"self_attention.dense", y, n, m.bias)
			})
			sublayer(layer+"post_attention_layernorm", layer+"mlp", func(h ir.Value) ir.Value {
				both, inner := c.Linear(layer+"mlp.dense_h_to_4h", h, 2*cfg.IntermediateSize, m.bias), cfg.IntermediateSize
				y := op.SwiGLU(b, op.SliceColumns(b, both, 0, inner), op.SliceColumns(b, both, inner, 2*inner))
				return c.Linear(layer+"mlp.dense_4h_to_h", y, n, m.bias)
			})
		})
	}
	if m.finalNorm {
		x = norm("transformer.encoder.final_layernorm", x)
	}
	return x
}
