//go:build soak && !js

package webgpu

import (
	"testing"

	"hone/core/tensor"
)

// TestFullEmbedding is TestBigEmbedding with the vocabulary and width of Qwen2.5-0.5B under WebGPU's default limit.
func TestFullEmbedding(t *testing.T) {
	for name, j := range map[string]job{"LoRA": {lora: true, storage: tensor.F32}, "full": {}} {
		t.Run(name, func(t *testing.T) {
			j.config, j.steps = llamaConfig(896, 151_936), 1
			j.trainBig(t, 151_936, 896, 128<<20)
		})
	}
}
