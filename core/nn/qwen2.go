package nn

import "encoding/json"

func init() { register("qwen2", newQwen2) }

// qwen2Config is config.json of Qwen2 and Qwen2.5 (Yang et al., "Qwen2 technical report", section 2.2): a Llama whose
// query, key and value projections have biases, and with sliding windows where they are switched on.
type qwen2Config struct {
	decoderConfig
	windowConfig
}

func newQwen2(raw []byte) (Model, error) {
	kv, window := 32, 4096 // what transformers takes where config.json is silent
	j := qwen2Config{decoderConfig{KVHeads: &kv, RMSNormEps: 1e-6, HiddenAct: "silu", baseConfig: baseConfig{MaxPositions: 32768}},
		windowConfig{SlidingWindow: &window, MaxWindowLayers: 28}}
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, err
	}
	m, err := j.decoder("qwen2")
	if err != nil {
		return nil, err
	}
	m.cfg.AttentionBias = true
	m.windows, err = j.windows(m.cfg.Layers)
	return m, err
}
