package nn

import (
	"encoding/json"
	"fmt"
)

func init() { register("mistral", newMistral) }

// mistralConfig is config.json of Mistral 7B (Jiang et al., "Mistral 7B"): a Llama in which a token sees sliding_window
// positions back in every layer.
type mistralConfig struct {
	decoderConfig
	SlidingWindow *int `json:"sliding_window"` // null: no window
}

func newMistral(raw []byte) (Model, error) {
	kv, window := 8, 4096 // what transformers takes where config.json is silent
	j := mistralConfig{decoderConfig{KVHeads: &kv, RMSNormEps: 1e-6, HiddenAct: "silu", baseConfig: baseConfig{MaxPositions: 131072}}, &window}
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, err
	}
	m, err := j.decoder("mistral")
	if err != nil || j.SlidingWindow == nil {
		return m, err
	}
	if *j.SlidingWindow < 1 {
		return nil, fmt.Errorf("sliding_window is %d; it must be at least 1, or null", *j.SlidingWindow)
	}
	for range m.cfg.Layers {
		m.windows = append(m.windows, *j.SlidingWindow)
	}
	return m, nil
}
