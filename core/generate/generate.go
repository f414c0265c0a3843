// Package generate continues a text token by token, with the keys and values of what has been read kept on the device.
package generate

import (
	"context"
	"fmt"
	"slices"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/nn"
	"hone/core/op"
	"hone/core/tensor"
)

// chunk is how many tokens of a prompt are read at once.
const chunk = 32

// Generator holds the programs and the cache for one sequence at a time.
type Generator struct {
	dev      device.Device
	model    nn.Model
	capacity int
	caches   []device.Buffer
	read     map[int]device.Exec // by tokens a call: chunk and 1

	segments, positions []int32 // of the cache rows
	sequence            []int32 // the tokens whose keys and values the cache has
}

// New compiles a generator for sequences of at most capacity tokens. trace begins a trace of the model with its weights
// and its tuner, as train.Setup.Context does; states are their buffers.
func New(ctx context.Context, dev device.Device, model nn.Model, trace func(*ir.Builder) *nn.Context, states map[string]device.Buffer, capacity int) (*Generator, error) {
	g := &Generator{dev: dev, model: model, capacity: capacity, read: map[int]device.Exec{}}
	g.Reset()
	bound := map[string]device.Buffer{}
	for name, b := range states {
		bound[name] = b
	}
	cfg := model.Config()
	for layer := range cfg.Layers {
		for _, which := range []string{"k", "v"} {
			b, err := dev.Upload(ctx, tensor.Of(tensor.F32, capacity, cfg.KVHeads*cfg.HeadDim), nil)
			if err != nil {
				return nil, fmt.Errorf("generate: cache of %d tokens: %w", capacity, err)
			}
			g.caches = append(g.caches, b)
			bound[nn.CacheName("", layer, which)] = b
		}
	}
	for _, n := range []int{chunk, 1} {
		graph, err := ir.Trace(func(b *ir.Builder) { g.trace(trace(b), n) })
		if err != nil {
			return nil, err
		}
		e, err := dev.Compile(ctx, graph)
		if err != nil {
			return nil, err
		}
		if err := e.Bind(bound); err != nil {
			return nil, err
		}
		g.read[n] = e
	}
	return g, nil
}

// trace is the program that reads n tokens. Output: logits [1, vocab_size] behind the token that feed last names.
func (g *Generator) trace(c *nn.Context, n int) {
	b, cfg := c.Builder, g.model.Config()
	feed := func(name string, n int) ir.Value { return b.Feed(name, tensor.Of(tensor.I32, n)) }
	in := nn.Inputs{Batch: 1, IDs: feed("ids", n), Tokens: op.Tokens{Segments: feed("segments", n), Positions: feed("positions", n)},
		Cache: &nn.Cache{Capacity: g.capacity, At: feed("at", n),
			Tokens: op.Tokens{Segments: feed("cache_segments", g.capacity), Positions: feed("cache_positions", g.capacity)}}}
	h := op.Embedding(b, g.model.Hidden(c, in), feed("last", 1))
	b.Output("logits", op.Linear(b, h, c.Param(g.model.Head(), cfg.VocabSize, cfg.HiddenSize)))
}

// Reset forgets the sequence.
func (g *Generator) Reset() {
	g.segments, g.positions = make([]int32, g.capacity), make([]int32, g.capacity)
	g.sequence = g.sequence[:0]
}

// Sequence is the tokens that have been read. It is valid until the next call.
func (g *Generator) Sequence() []int32 { return g.sequence }

// truncate forgets the tokens from place n on.
func (g *Generator) truncate(n int) {
	g.sequence = g.sequence[:n]
	for i := n; i < g.capacity; i++ {
		g.segments[i], g.positions[i] = 0, 0
	}
}

// common is how many tokens of prompt the cache has from the beginning. The last one does not count: its logits are wanted.
func (g *Generator) common(prompt []int32) int {
	n := 0
	for n < min(len(g.sequence), len(prompt)-1) && g.sequence[n] == prompt[n] {
		n++
	}
	return n
}

// ReadOn makes prompt the sequence and returns the logits [vocab_size] of the token that follows. What the cache has of its beginning is not
// read again. The logits may differ from those after Reset and Read in the last bits, because the tokens fall into other groups.
func (g *Generator) ReadOn(ctx context.Context, prompt []int32) (logits []float32, reused int, err error) {
	reused = g.common(prompt)
	g.truncate(reused)
	logits, err = g.Read(ctx, prompt[reused:])
	return logits, reused, err
}

// Read appends tokens to the sequence and returns the logits [vocab_size] of the token that follows. After an error the sequence has what
// was read before it.
func (g *Generator) Read(ctx context.Context, ids []int32) ([]float32, error) {
	if len(ids) == 0 {
		return nil, fmt.Errorf("generate: nothing to read; a prompt needs at least one token")
	}
	if n := len(g.sequence) + len(ids); n > g.capacity {
		return nil, fmt.Errorf("generate: the sequence of %d tokens outgrows the cache of %d", n, g.capacity)
	}
	vocab := g.model.Config().VocabSize
	for _, id := range ids {
		if id < 0 || int(id) >= vocab {
			return nil, fmt.Errorf("generate: token id %d is not in the vocabulary of %d", id, vocab)
		}
	}
	var logits []float32
	for len(ids) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := chunk
		if len(ids) == 1 {
			n = 1
		}
		part := ids[:min(n, len(ids))]
		ids = ids[len(part):]
		var err error
		if logits, err = g.group(ctx, part, n); err != nil {
			g.truncate(len(g.sequence))
			return nil, err
		}
		g.sequence = append(g.sequence, part...)
	}
	return logits, nil
}

// group runs the program of n tokens on at most as many.
func (g *Generator) group(ctx context.Context, part []int32, n int) ([]float32, error) {
	f := map[string][]int32{"ids": make([]int32, n), "segments": make([]int32, n), "positions": make([]int32, n), "at": make([]int32, n),
		"last": {int32(len(part) - 1)}, "cache_segments": g.segments, "cache_positions": g.positions}
	for i := range n {
		f["at"][i] = -1
	}
	for i, id := range part {
		at := int32(len(g.sequence) + i)
		f["ids"][i], f["segments"][i], f["positions"][i], f["at"][i] = id, 1, at, at
		g.segments[at], g.positions[at] = 1, at
	}
	feeds := map[string]tensor.Host{}
	for name, v := range f {
		feeds[name] = tensor.Ints(v, len(v))
	}
	out, err := g.read[n].Run(ctx, feeds)
	if err != nil {
		return nil, err
	}
	return out["logits"].F32, nil
}

// Close frees the cache.
func (g *Generator) Close() {
	for _, e := range g.read {
		e.Close()
	}
	for _, b := range g.caches {
		b.Release()
	}
}

// Options of a generation.
type Options struct {
	MaxNewTokens int
	Sampling     Sampling
	Stop         []int32 // ids that end the text; they are not part of it
	Reuse        bool    // read on from what the cache has of the prompt's beginning, see ReadOn; without it every text begins afresh
}

// Generate continues prompt and returns the new tokens. emit, if given, sees each one as it comes, and may end the text by returning
// false. When the context ends, the tokens so far come with its error.
func (g *Generator) Generate(ctx context.Context, prompt []int32, o Options, emit func(id int32) bool) ([]int32, error) {
	if err := o.Sampling.Check(); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	if !o.Reuse {
		g.Reset()
	}
	logits, _, err := g.ReadOn(ctx, prompt)
	var out []int32
	for err == nil && len(out) < o.MaxNewTokens {
		var id int32
		if id, err = o.Sampling.Next(logits, g.sequence); err != nil || slices.Contains(o.Stop, id) {
			break
		}
		out = append(out, id)
		if emit != nil && !emit(id) || len(out) >= o.MaxNewTokens || len(g.sequence) >= g.capacity {
			break
		}
		logits, err = g.Read(ctx, []int32{id})
	}
	return out, err
}
