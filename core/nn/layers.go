package nn

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// Linear is y = x·Wᵀ (+ bias) with W [out, in] of module.weight, and whatever the tuner adds.
func (c *Context) Linear(module string, x ir.Value, out int, bias bool) ir.Value {
	var y ir.Value
	c.Scope(module, func() {
		y = op.Linear(c.Builder, x, c.Param(module+".weight", out, c.Dim(x, 1)))
		if bias {
			y = op.AddBias(c.Builder, y, c.Param(module+".bias", out))
		}
		y = c.Tuner.Linear(c, module, x, y)
	})
	return y
}

// LayerNorm normalises rows with module.weight and module.bias.
func (c *Context) LayerNorm(module string, x ir.Value, eps float64) ir.Value {
	n := c.Dim(x, 1)
	return op.LayerNorm(c.Builder, x, c.Param(module+".weight", n), c.Param(module+".bias", n), eps)
}

// AttentionConfig describes self-attention with rotary positions.
type AttentionConfig struct {
	Heads, KVHeads, HeadDim int
	InvFreq                 ir.Value // of Rope.Frequencies
	Rope                    op.RopeShape
	Bias, OutputBias        bool
	Window                  int     // how many positions back a query sees; 0 is all
	Scale                   float64 // of the scores; 0 is 1/sqrt(head_dim)
	// HeadNorm normalises each head of the queries (module.q_norm) and keys (module.k_norm) before they turn; nil does not.
	HeadNorm func(module string, x ir.Value) ir.Value
}

// Attention is the self-attention of a decoder layer: projections, rotation, (cache,) streamed attention, projection.
func (c *Context) Attention(module string, layer int, x ir.Value, in Inputs, cfg AttentionConfig) ir.Value {
	hidden := c.Dim(x, 1)
	q := c.Linear(module+".q_proj", x, cfg.Heads*cfg.HeadDim, cfg.Bias)
	k := c.Linear(module+".k_proj", x, cfg.KVHeads*cfg.HeadDim, cfg.Bias)
	v := c.Linear(module+".v_proj", x, cfg.KVHeads*cfg.HeadDim, cfg.Bias)
	if cfg.HeadNorm != nil {
		q, k = cfg.HeadNorm(module+".q_norm", q), cfg.HeadNorm(module+".k_norm", k)
	}
	q = op.RoPE(c.Builder, q, in.Tokens.Positions, cfg.InvFreq, cfg.Rope)
	k = op.RoPE(c.Builder, k, in.Tokens.Positions, cfg.InvFreq, cfg.Rope)
	scale := cfg.Scale
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(cfg.HeadDim))
	}
	a := c.Attend(layer, q, k, v, in, op.AttentionShape{Heads: cfg.Heads, KVHeads: cfg.KVHeads, HeadDim: cfg.HeadDim, Scale: scale, Window: cfg.Window})
	return c.Linear(module+".o_proj", a, hidden, cfg.OutputBias)
}

// Attend lets queries see keys and values: those of this call, of earlier ones (the cache), and what the tuner puts in
// front of them. The batch of the shape is that of the inputs.
func (c *Context) Attend(layer int, q, k, v ir.Value, in Inputs, s op.AttentionShape) ir.Value {
	keys := in.Tokens
	if in.Cache != nil {
		k, v = c.remember(layer, "k", k, in), c.remember(layer, "v", v, in)
		keys = in.Cache.Tokens
	}
	k, v, keys = c.Tuner.KeyValue(c, layer, k, v, keys)
	s.Batch = in.Batch
	return op.Attention(c.Builder, q, k, v, in.Tokens, keys, s)
}

// remember writes new keys or values into their cache and gives back all of it.
func (c *Context) remember(layer int, which string, x ir.Value, in Inputs) ir.Value {
	name := CacheName(c.Prefix, layer, which)
	old := c.State(name, tensor.Of(tensor.F32, in.Batch*in.Cache.Capacity, c.Dim(x, 1)))
	all := op.ScatterRows(c.Builder, old, x, in.Cache.At)
	c.Assign(name, all)
	return all
}

// CacheName is the state that holds a layer's keys ("k") or values ("v").
func CacheName(prefix string, layer int, which string) string {
	return fmt.Sprintf("%scache.%d.%s", prefix, layer, which)
}

// GatedMLP is down(silu(gate(x)) · up(x)).
func (c *Context) GatedMLP(module string, x ir.Value, inner int, bias bool) ir.Value {
	hidden := c.Dim(x, 1)
	gate := c.Linear(module+".gate_proj", x, inner, bias)
	up := c.Linear(module+".up_proj", x, inner, bias)
	return c.Linear(module+".down_proj", op.SwiGLU(c.Builder, gate, up), hidden, bias)
}
