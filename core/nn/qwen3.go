package nn

import "encoding/json"

func init() { register("qwen3", newQwen3) }

// qwen3Config is config.json of Qwen3's dense models (Yang et al., "Qwen3 technical report", section 2): a Llama that
// normalises each query and key head before the rotation, with a head_dim of its own and optional biases.
type qwen3Config struct {
	decoderConfig
	windowConfig
	AttentionBias bool `json:"attention_bias"`
}

func newQwen3(raw []byte) (Model, error) {
	kv, head, window := 32, 128, 4096 // what transformers takes where config.json is silent
	j := qwen3Config{decoderConfig: decoderConfig{KVHeads: &kv, HeadDim: &head, RMSNormEps: 1e-6, HiddenAct: "silu", baseConfig: baseConfig{MaxPositions: 32768}},
		windowConfig: windowConfig{SlidingWindow: &window, MaxWindowLayers: 28}}
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, err
	}
	m, err := j.decoder("qwen3")
	if err != nil {
		return nil, err
	}
	m.qkNorm, m.cfg.AttentionBias, m.outBias = true, j.AttentionBias, j.AttentionBias
	m.windows, err = j.windows(m.cfg.Layers)
	return m, err
}
