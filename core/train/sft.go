package train

import (
	"hone/core/ir"
	"hone/core/nn"
	"hone/core/op"
	"hone/core/tensor"
)

// Supervised fine-tuning minimises the negative log likelihood of the targets. A micro-batch adds the gradient of the
// sum over its tokens; the update divides by the number of tokens of the whole step.

// SFT is the program of a micro-batch. Feeds: ids, positions, segments, targets, with dropout also dropout_key, with
// NEFTune neftune_key.
// Output: loss, the sum of the negative log likelihoods in nats.
func (s *Setup) SFT(sh Shape) (*ir.Graph, error) {
	return ir.Trace(func(b *ir.Builder) {
		b.SetRecompute(s.Recompute)
		c := s.Context(b)
		if s.Dropout {
			c.DropoutKey = b.Feed("dropout_key", tensor.Of(tensor.I32, 4))
		}
		if s.NEFTuneAlpha > 0 {
			c.Tuner = s.noise(c, sh)
		}
		s.accumulate(b, s.nll(c, sh))
	})
}

// Evaluate is the program that measures the same loss and changes nothing.
func (s *Setup) Evaluate(sh Shape) (*ir.Graph, error) {
	return ir.Trace(func(b *ir.Builder) { s.nll(s.Context(b), sh) })
}

// nll traces the model and its loss, and makes the sum the output loss.
func (s *Setup) nll(c *nn.Context, sh Shape) ir.Value {
	b, cfg := c.Builder, s.Model.Config()
	in := inputs(b, sh)
	targets := b.Feed("targets", tensor.Of(tensor.I32, sh.Rows*sh.Length))
	h := s.Model.Hidden(c, in)
	loss := op.Sum(b, op.LinearCrossEntropy(b, h, c.Param(s.Model.Head(), cfg.VocabSize, cfg.HiddenSize), targets))
	b.Output("loss", loss)
	return loss
}
