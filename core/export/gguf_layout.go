package export

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"hone/core/checkpoint"
	"hone/core/gguf"
	"hone/core/nn"
)

// layout is how llama.cpp names and stores an architecture (gguf-py's constants.py and tensor_mapping.py, and the
// conversions of convert_hf_to_gguf.py).
type layout struct {
	name       string            // general.architecture
	top        map[string]string // names outside the layers
	layers     string            // what stands before a layer's number
	inLayer    map[string]string // the module's name within a layer
	permuted   bool              // rotary pairs of q and k are neighbours, not halves of a head
	tiedHead   bool              // the file repeats a tied head
	ropeFreqs  []float32         // divisors of the rotary frequencies
	heads      [2]int            // of queries, of keys
	unitOffset bool              // norms multiply by 1 + weight
	metadata   []gguf.Pair
}

var llamaModules = map[string]string{
	"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
	"self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
	"post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}

var llamaTop = map[string]string{"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}

// layouts are the architectures by model_type.
var layouts = map[string]layout{
	"llama": {name: "llama", top: llamaTop, layers: "model.layers.", inLayer: llamaModules, permuted: true},
	"qwen2": {name: "qwen2", top: llamaTop, layers: "model.layers.", inLayer: llamaModules},
	"qwen3": {name: "qwen3", top: llamaTop, layers: "model.layers.", inLayer: llamaModules},
	"gemma3_text": {name: "gemma3", top: llamaTop, layers: "model.layers.", inLayer: with(llamaModules, map[string]string{
		"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm"})},
	"gpt2": {name: "gpt2", layers: "transformer.h.", tiedHead: true,
		top: map[string]string{"transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm", "lm_head": "output"},
		inLayer: map[string]string{"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
			"mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}},
	"chatglm": {name: "chatglm", layers: "transformer.encoder.layers.",
		top: map[string]string{"transformer.embedding.word_embeddings": "token_embd", "transformer.encoder.final_layernorm": "output_norm",
			"transformer.output_layer": "output"},
		inLayer: map[string]string{"input_layernorm": "attn_norm", "self_attention.query_key_value": "attn_qkv", "self_attention.dense": "attn_output",
			"post_attention_layernorm": "ffn_norm", "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down"}},
}

func with(m, more map[string]string) map[string]string {
	out := map[string]string{}
	for _, from := range []map[string]string{m, more} {
		for k, v := range from {
			out[k] = v
		}
	}
	return out
}

// place finds the name of a parameter in the file, and how it is stored there.
func (l layout) place(p nn.Param) (string, change, error) {
	dot := strings.LastIndexByte(p.Name, '.')
	module, kind := p.Name[:dot], p.Name[dot:]
	name, layer := l.top[module], ""
	if rest, ok := strings.CutPrefix(module, l.layers); ok {
		layer, module, _ = strings.Cut(rest, ".")
		if name = l.inLayer[module]; name != "" {
			name = "blk." + layer + "." + name
		}
	}
	if name == "" {
		return "", nil, fmt.Errorf("the format has no name for the weight %s of a %s", p.Name, l.name)
	}
	switch {
	case l.permuted && strings.HasSuffix(name, ".attn_q"):
		return name + kind, headPairs(l.heads[0]), nil
	case l.permuted && strings.HasSuffix(name, ".attn_k"):
		return name + kind, headPairs(l.heads[1]), nil
	case l.unitOffset && p.Kind == nn.NormKind:
		return name + kind, onePlus, nil
	}
	return name + kind, asIs, nil
}

// settings are the entries of config.json that only this format asks for.
type settings struct {
	LayerNormEpsilon float64        `json:"layer_norm_epsilon"` // GPT-2
	LayerNormEps     float64        `json:"layernorm_epsilon"`  // ChatGLM
	RMSNormEps       float64        `json:"rms_norm_eps"`
	SlidingWindow    int            `json:"sliding_window"`
	FFNHidden        int            `json:"ffn_hidden_size"`
	Scaling          map[string]any `json:"rope_scaling"`
	Rope             map[string]any `json:"rope_parameters"`
}

// layoutOf is the layout of a model with the numbers of its config.
func layoutOf(b *checkpoint.Base) (layout, error) {
	cfg := b.Model.Config()
	l, ok := layouts[cfg.Architecture]
	if !ok {
		return l, fmt.Errorf("the architecture %s has no layout in this format yet", cfg.Architecture)
	}
	var s settings
	if err := json.Unmarshal(b.Config, &s); err != nil {
		return l, fmt.Errorf("config.json: %w", err)
	}
	l.heads, l.unitOffset = [2]int{cfg.Heads, cfg.KVHeads}, cfg.UnitOffset
	l.tiedHead = l.tiedHead && cfg.TieEmbeddings
	put := func(key string, v any) { l.metadata = append(l.metadata, gguf.Pair{Key: l.name + "." + key, Value: v}) }
	put("context_length", uint32(cfg.MaxPositions))
	put("embedding_length", uint32(cfg.HiddenSize))
	put("block_count", uint32(cfg.Layers))
	put("feed_forward_length", uint32(feedForward(b.Model, s)))
	put("attention.head_count", uint32(cfg.Heads))
	put("attention.head_count_kv", uint32(cfg.KVHeads))
	put("vocab_size", uint32(cfg.VocabSize))
	if l.name == "gpt2" {
		eps := s.LayerNormEpsilon
		if eps == 0 {
			eps = 1e-5
		}
		put("attention.layer_norm_epsilon", float32(eps))
		return l, nil
	}
	put("attention.layer_norm_rms_epsilon", float32(max(cfg.RMSNormEps, s.RMSNormEps, s.LayerNormEps)))
	put("attention.key_length", uint32(cfg.HeadDim))
	put("attention.value_length", uint32(cfg.HeadDim))
	put("rope.freq_base", float32(cfg.RopeTheta))
	if l.name == "chatglm" {
		put("rope.dimension_count", uint32(cfg.HeadDim/2))
		return l, nil
	}
	put("rope.dimension_count", uint32(cfg.HeadDim))
	if l.name == "gemma3" && s.SlidingWindow > 0 {
		put("attention.sliding_window", uint32(s.SlidingWindow))
	}
	return l, l.scaling(s, cfg, put)
}

// feedForward is the width of the MLP: what its last matrix takes in.
func feedForward(m nn.Model, s settings) int {
	if s.FFNHidden > 0 {
		return s.FFNHidden
	}
	for _, p := range m.Params() {
		switch {
		case strings.HasSuffix(p.Name, "mlp.down_proj.weight"):
			return p.Shape[1]
		case strings.HasSuffix(p.Name, "mlp.c_proj.weight"):
			return p.Shape[1]
		}
	}
	return m.Config().IntermediateSize
}

// scaling writes how rotary positions are stretched. The kind llama3 is a divisor for every frequency.
func (l *layout) scaling(s settings, cfg nn.Config, put func(string, any)) error {
	m := s.Scaling
	if m == nil {
		m = s.Rope
	}
	kind, _ := m["rope_type"].(string)
	if kind == "" {
		kind, _ = m["type"].(string)
	}
	number := func(key string) float64 { v, _ := m[key].(float64); return v }
	switch kind {
	case "", "default", "dynamic": // dynamic changes nothing within the context length
	case "linear":
		put("rope.scaling.type", "linear")
		put("rope.scaling.factor", float32(number("factor")))
	case "llama3":
		factor, low, high, original := number("factor"), number("low_freq_factor"), number("high_freq_factor"), number("original_max_position_embeddings")
		for i := 0; i < cfg.HeadDim; i += 2 {
			wavelength := 2 * math.Pi * math.Pow(cfg.RopeTheta, float64(i)/float64(cfg.HeadDim))
			divisor := 1.0
			switch {
			case wavelength > original/low:
				divisor = factor
			case wavelength >= original/high:
				smooth := (original/wavelength - low) / (high - low)
				divisor = 1 / ((1-smooth)/factor + smooth)
			}
			l.ropeFreqs = append(l.ropeFreqs, float32(divisor))
		}
	default:
		return fmt.Errorf("rope scaling of the type %s has no form in this format", kind)
	}
	return nil
}
