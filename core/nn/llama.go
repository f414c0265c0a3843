package nn

import "encoding/json"

func init() { register("llama", newLlama) }

// llamaConfig is config.json of Llama 1 to 3.2, and of the many that are built like them: SmolLM2, TinyLlama.
type llamaConfig struct {
	decoderConfig
	AttentionBias bool `json:"attention_bias"`
	MLPBias       bool `json:"mlp_bias"`
}

func newLlama(raw []byte) (Model, error) {
	j := llamaConfig{decoderConfig: decoderConfig{RMSNormEps: 1e-6, HiddenAct: "silu"}}
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, err
	}
	m, err := j.decoder("llama")
	if err != nil {
		return nil, err
	}
	m.cfg.AttentionBias, m.outBias, m.cfg.MLPBias = j.AttentionBias, j.AttentionBias, j.MLPBias
	return m, nil
}
