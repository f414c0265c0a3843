package train

import (
	"math"

	"hone/core/ir"
	"hone/core/nn"
	"hone/core/op"
	"hone/core/tensor"
)

// noisy is a tuner whose embeddings are disturbed while training: Jain et al., "NEFTune: noisy embeddings improve instruction
// finetuning" (algorithm 1). As in transformers' neftune_post_forward_hook, the noise of a micro-batch of rows padded to length L
// is uniform within ±alpha/sqrt(L·hidden_size), for padding too.
type noisy struct {
	nn.Tuner
	key       ir.Value
	magnitude float64
}

func (s *Setup) noise(c *nn.Context, sh Shape) nn.Tuner {
	return noisy{c.Tuner, c.Feed("neftune_key", tensor.Of(tensor.I32, 4)), s.NEFTuneAlpha / math.Sqrt(float64(sh.Length*s.Model.Config().HiddenSize))}
}

// Embedded adds the noise to the output of the embedding, before anything that another tuner does to it.
func (n noisy) Embedded(c *nn.Context, x ir.Value) ir.Value {
	return n.Tuner.Embedded(c, op.UniformNoise(c.Builder, x, n.key, n.magnitude))
}
