// Package generate continues a text token by token, with the keys and values of what has been read kept on the device.
package generate

import (
	"context"
	"fmt"
	"maps"
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
	trace    func(*ir.Builder) *nn.Context
	bound    map[string]device.Buffer
	programs map[program]device.Exec

	segments, positions []int32 // of the cache rows
	sequence            []int32 // the tokens whose keys and values the cache has
	last                int     // tokens of the last call of a program
}

// program is what a program does: it reads so many tokens, chunk or 1, and gives the greatest logits behind them, or all.
type program struct{ tokens, top int }

// logits are what a program gives, until it runs again: all of them, or some with their tokens, as op.TopK has them.
type logits struct{ values, tokens []float32 }

// New compiles a generator for sequences of at most capacity tokens. trace begins a trace of the model with its weights
// and its tuner, as train.Setup.Context does; states are their buffers.
func New(ctx context.Context, dev device.Device, model nn.Model, trace func(*ir.Builder) *nn.Context, states map[string]device.Buffer, capacity int) (*Generator, error) {
	g := &Generator{dev: dev, model: model, capacity: capacity, trace: trace, bound: maps.Clone(states), programs: map[program]device.Exec{}}
	if g.bound == nil {
		g.bound = map[string]device.Buffer{}
	}
	g.Reset()
	cfg := model.Config()
	for layer := range cfg.Layers {
		for _, which := range []string{"k", "v"} {
			b, err := dev.Upload(ctx, tensor.Of(tensor.F32, capacity, cfg.KVHeads*cfg.HeadDim), nil)
			if err != nil {
				return nil, fmt.Errorf("generate: cache of %d tokens: %w", capacity, err)
			}
			g.caches = append(g.caches, b)
			g.bound[nn.CacheName("", layer, which)] = b
		}
	}
	for _, n := range []int{chunk, 1} {
		if _, err := g.program(ctx, program{tokens: n}); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// program compiles a program, or finds it compiled.
func (g *Generator) program(ctx context.Context, p program) (device.Exec, error) {
	if e, ok := g.programs[p]; ok {
		return e, nil
	}
	graph, err := ir.Trace(func(b *ir.Builder) { g.read(g.trace(b), p) })
	if err != nil {
		return nil, err
	}
	e, err := g.dev.Compile(ctx, graph)
	if err != nil {
		return nil, err
	}
	if err := e.Bind(g.bound); err != nil {
		e.Close()
		return nil, err
	}
	g.programs[p] = e
	return e, nil
}

// read traces a program. Output: logits [1, vocab_size] behind the token that feed last names, or the greatest of them.
func (g *Generator) read(c *nn.Context, p program) {
	b, cfg, n := c.Builder, g.model.Config(), p.tokens
	feed := func(name string, n int) ir.Value { return b.Feed(name, tensor.Of(tensor.I32, n)) }
	in := nn.Inputs{Batch: 1, IDs: feed("ids", n), Tokens: op.Tokens{Segments: feed("segments", n), Positions: feed("positions", n)},
		Cache: &nn.Cache{Capacity: g.capacity, At: feed("at", n),
			Tokens: op.Tokens{Segments: feed("cache_segments", g.capacity), Positions: feed("cache_positions", g.capacity)}}}
	h := op.Embedding(b, g.model.Hidden(c, in), feed("last", 1))
	logits := op.Linear(b, h, c.Param(g.model.Head(), cfg.VocabSize, cfg.HiddenSize))
	if p.top == 0 {
		b.Output("logits", logits)
		return
	}
	values, tokens := op.TopK(b, logits, p.top)
	b.Output("logits", values)
	b.Output("tokens", tokens)
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
	l, err := g.append(ctx, ids, 0)
	return slices.Clone(l.values), err
}

// append is Read, which reads back the greatest logits, or all where top is 0.
func (g *Generator) append(ctx context.Context, ids []int32, top int) (l logits, err error) {
	if len(ids) == 0 {
		return l, fmt.Errorf("generate: nothing to read; a prompt needs at least one token")
	}
	if n := len(g.sequence) + len(ids); n > g.capacity {
		return l, fmt.Errorf("generate: the sequence of %d tokens outgrows the cache of %d", n, g.capacity)
	}
	vocab := g.model.Config().VocabSize
	for _, id := range ids {
		if id < 0 || int(id) >= vocab {
			return l, fmt.Errorf("generate: token id %d is not in the vocabulary of %d", id, vocab)
		}
	}
	for len(ids) > 0 {
		if err := ctx.Err(); err != nil {
			return l, err
		}
		n := chunk
		if len(ids) == 1 {
			n = 1
		}
		part := ids[:min(n, len(ids))]
		ids = ids[len(part):]
		if l, err = g.group(ctx, part, program{n, top}); err != nil {
			g.truncate(len(g.sequence))
			return l, err
		}
		g.sequence = append(g.sequence, part...)
	}
	return l, nil
}

// all gives all logits behind the sequence: the last program runs again, with the same tokens in the same places.
func (g *Generator) all(ctx context.Context) ([]float32, error) {
	whole := len(g.sequence)
	part := g.sequence[whole-g.last:]
	g.sequence = g.sequence[:whole-g.last]
	n := chunk
	if len(part) == 1 {
		n = 1
	}
	l, err := g.group(ctx, part, program{tokens: n})
	g.sequence = g.sequence[:whole]
	return l.values, err
}

// group runs a program on at most as many tokens as it reads.
func (g *Generator) group(ctx context.Context, part []int32, p program) (logits, error) {
	e, err := g.program(ctx, p)
	if err != nil {
		return logits{}, err
	}
	n := p.tokens
	g.last = len(part)
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
	out, err := e.Run(ctx, feeds)
	if err != nil {
		return logits{}, err
	}
	return logits{out["logits"].F32, out["tokens"].F32}, nil
}

// Close frees the cache.
func (g *Generator) Close() {
	for _, e := range g.programs {
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
	top := o.Sampling.top(g.model.Config().VocabSize)
	reused := g.common(prompt)
	g.truncate(reused)
	l, err := g.append(ctx, prompt[reused:], top)
	var out []int32
	for err == nil && len(out) < o.MaxNewTokens {
		var id int32
		if id, err = g.next(ctx, o.Sampling, l); err != nil || slices.Contains(o.Stop, id) {
			break
		}
		out = append(out, id)
		if emit != nil && !emit(id) || len(out) >= o.MaxNewTokens || len(g.sequence) >= g.capacity {
			break
		}
		l, err = g.append(ctx, []int32{id}, top)
	}
	return out, err
}

// next chooses a token. Where others are as probable as the last of those that were read back, it needs them all.
func (g *Generator) next(ctx context.Context, s Sampling, l logits) (int32, error) {
	if l.tokens == nil {
		return s.Next(l.values, g.sequence)
	}
	id, enough, err := s.nextOf(l.values, l.tokens, len(g.sequence))
	if err != nil || enough {
		return id, err
	}
	values, err := g.all(ctx)
	if err != nil {
		return 0, err
	}
	return s.Next(values, g.sequence)
}
