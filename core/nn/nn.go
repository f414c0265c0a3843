// Package nn has the models: one file per architecture, written with the layers of layers.go, reading like the paper.
// A model is traced into a program; what it computes with (which weights are trained, which are quantised, which tuner
// is attached) is decided by the Context, and the model does not know it.
package nn

import (
	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// Kind groups parameters for the inspector and the planner.
type Kind string

const (
	EmbeddingKind Kind = "embedding"
	AttentionKind Kind = "attention"
	MLPKind       Kind = "mlp"
	NormKind      Kind = "norm"
	HeadKind      Kind = "head"
)

// Param is a weight of a model under its checkpoint name.
type Param struct {
	Name  string
	Shape tensor.Shape
	Kind  Kind
	// Module is the name of the linear layer that the weight belongs to, where a tuner may attach and whose weight may
	// be quantised; empty for all other parameters.
	Module string
	// FanInFanOut says that the checkpoint holds the weight transposed, [in, out] (the Conv1D of GPT-2; the word is
	// PEFT's). Everywhere else it has Shape, [out, in]: reading and writing a checkpoint turns it.
	FanInFanOut bool
}

// Decays reports whether weight decay applies: not to biases and normalisation weights, as the Hugging Face Trainer.
func (p Param) Decays() bool { return len(p.Shape) > 1 }

// Config is what is the same in every architecture.
type Config struct {
	Architecture                  string // model_type of config.json
	HiddenSize, Layers, VocabSize int
	Heads, KVHeads, HeadDim       int
	MaxPositions                  int
	BOS, EOS                      []int32
	TieEmbeddings                 bool
	InitializerRange              float64
	IntermediateSize              int
	Quantization                  string // "" or "bitsandbytes nf4"
	RMSNormEps, RopeTheta         float64
	AttentionBias, MLPBias        bool
	RopeScaling                   string   // rope_type: default, linear, llama3, dynamic; empty without rotary positions
	LayerNormEps                  float64  // of models with LayerNorm
	LearnedPositions              bool     // there is a row for each of MaxPositions, and nothing beyond
	DType                         string   // of the weights, as dtype or torch_dtype says it; may be empty
	BasePrefix                    string   // in front of all names but the head's; some checkpoints leave it out
	UnitOffset                    bool     // normalisation weights are stored less 1
	Buffers                       []string // ends of names of tensors that old checkpoints hold beside the weights
}

// Model is an architecture with the sizes of one checkpoint.
type Model interface {
	Config() Config
	// Params lists all weights in a fixed order; tied ones once.
	Params() []Param
	// Hidden traces the model up to and with its last normalisation: [rows, hidden_size].
	Hidden(c *Context, in Inputs) ir.Value
	// Head names the weight [vocab_size, hidden_size] that turns hidden states into logits.
	Head() string
}

// Tuner is what attaches to a model while it is traced. Embed NoTuner and override what is needed.
type Tuner interface {
	// Embedded may change the embedding output x [rows, hidden].
	Embedded(c *Context, x ir.Value) ir.Value
	// Linear may change the output y [rows, out] of the named linear layer with input x [rows, in].
	Linear(c *Context, module string, x, y ir.Value) ir.Value
	// Sublayer may change the output y of an attention or MLP before it is added to the residual stream.
	Sublayer(c *Context, module string, y ir.Value) ir.Value
	// KeyValue may put further keys and values in front of a layer's own.
	KeyValue(c *Context, layer int, k, v ir.Value, keys op.Tokens) (ir.Value, ir.Value, op.Tokens)
}

// NoTuner leaves the model as it is.
type NoTuner struct{}

func (NoTuner) Embedded(_ *Context, x ir.Value) ir.Value            { return x }
func (NoTuner) Linear(_ *Context, _ string, _, y ir.Value) ir.Value { return y }
func (NoTuner) Sublayer(_ *Context, _ string, y ir.Value) ir.Value  { return y }
func (NoTuner) KeyValue(_ *Context, _ int, k, v ir.Value, keys op.Tokens) (ir.Value, ir.Value, op.Tokens) {
	return k, v, keys
}

// Context is what a model is traced in.
type Context struct {
	*ir.Builder
	Prefix string // of the states' names; several models in one program have several
	// Weight tells how a parameter is stored on the device and whether it is frozen.
	Weight func(name string, shape tensor.Shape) (t tensor.Type, frozen bool)
	Tuner  Tuner
	// DropoutKey is the feed that op.Dropout draws its masks from; ir.None when nothing is dropped, as in evaluation.
	DropoutKey ir.Value
}

// Param is the state of a weight.
func (c *Context) Param(name string, shape ...int) ir.Value {
	t, frozen := c.Weight(name, shape)
	if frozen {
		return c.Frozen(c.Prefix+name, t)
	}
	return c.State(c.Prefix+name, t)
}

// Inputs are the feeds of one batch; rows = Batch · length.
type Inputs struct {
	Batch  int
	IDs    ir.Value  // I32 [rows]
	Tokens op.Tokens // segment and position of every row
	Cache  *Cache    // keys and values of earlier calls when generating; nil when training
}

// Cache tells where the keys and values of this call are kept: States named <prefix>cache.<layer>.k and .v
// [Batch·Capacity, kv_heads·head_dim].
type Cache struct {
	Capacity int       // rows a sequence
	At       ir.Value  // I32 [rows]: the cache row that each new key goes to
	Tokens   op.Tokens // segment and position of every cache row after this call; segment 0 is unused
}
