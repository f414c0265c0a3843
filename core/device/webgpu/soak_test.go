//go:build soak && !js

package webgpu

import (
	"testing"

	"hone/core/tensor"
)

// TestFullEmbedding is TestBigEmbedding with the vocabulary and width of Qwen2.5-0.5B under WebGPU's default limit.
func TestFullEmbedding(t *testing.T) {
	trainBig(t, 151_936, 896, 128<<20, tensor.F32, 1)
}
