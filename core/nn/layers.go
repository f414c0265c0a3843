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

// AttentionConfig describes self-attention with rotary positions.
type AttentionConfig struct {
	Heads, KVHeads, HeadDim int
	InvFreq                 []float32
	Bias, OutputBias        bool
	Window                  int
}

// Attention is the self-attention of a decoder layer: projections, rotation, (cache,) streamed attention, projection.
func (c *Context) Attention(module string, layer int, x ir.Value, in Inputs, cfg AttentionConfig) ir.Value {
	hidden := c.Dim(x, 1)
	q := c.Linear(module+".q_proj", x, cfg.Heads*cfg.HeadDim, cfg.Bias)
	k := c.Linear(module+".k_proj", x, cfg.KVHeads*cfg.HeadDim, cfg.Bias)
	v := c.Linear(module+".v_proj", x, cfg.KVHeads*cfg.HeadDim, cfg.Bias)
	freq := c.Constant(cfg.InvFreq, len(cfg.InvFreq))
	q = op.RoPE(c.Builder, q, in.Tokens.Positions, freq, op.RopeShape{HeadDim: cfg.HeadDim})
	k = op.RoPE(c.Builder, k, in.Tokens.Positions, freq, op.RopeShape{HeadDim: cfg.HeadDim})
	keys := in.Tokens
	if in.Cache != nil {
		k, v = c.remember(layer, "k", k, in), c.remember(layer, "v", v, in)
		keys = in.Cache.Tokens
	}
	k, v, keys = c.Tuner.KeyValue(c, layer, k, v, keys)
	a := op.Attention(c.Builder, q, k, v, in.Tokens, keys, op.AttentionShape{Batch: in.Batch, Heads: cfg.Heads, KVHeads: cfg.KVHeads,
		HeadDim: cfg.HeadDim, Scale: 1 / math.Sqrt(float64(cfg.HeadDim)), Window: cfg.Window})
	return c.Linear(module+".o_proj", a, hidden, cfg.OutputBias)
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
