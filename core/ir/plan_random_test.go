package ir_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// builder makes a random program: every node picks its operands among all values so far, states and feeds included.
type builder struct {
	*ir.Builder
	r        *rand.Rand
	pool     []ir.Value // F32 values of any shape
	second   []ir.Value // second moments, which must stay positive
	states   map[ir.Value]bool
	assigned map[string]bool
}

var randomShapes = []tensor.Shape{{3, 3}, {2, 3}, {3, 2}, {2, 2}, {3}, {1}}

// sources are several states of each shape, a feed and a constant.
func (b *builder) sources() {
	for i, shape := range randomShapes {
		for j := range 3 {
			b.pool = append(b.pool, b.State(fmt.Sprintf("s%d%d", i, j), tensor.Of(tensor.F32, shape...)))
		}
		b.second = append(b.second, b.State(fmt.Sprintf("v%d", i), tensor.Of(tensor.F32, shape...)))
		for _, v := range slices.Concat(b.second[i:], b.pool[len(b.pool)-3:]) {
			b.states[v] = true
		}
		b.pool = append(b.pool, b.Feed(fmt.Sprintf("x%d", i), tensor.Of(tensor.F32, shape...)))
		b.pool = append(b.pool, b.Constant(normals(100+i, shape.Elements(), 0.5), shape...))
	}
}

// pick takes a random value of the shape, of late ones more often; a length of 0 is any.
func (b *builder) pick(from []ir.Value, shape ...int) ir.Value {
	var fit []ir.Value
search:
	for _, v := range from {
		s := b.Type(v).Shape
		if len(shape) > 0 && len(s) != len(shape) {
			continue
		}
		for i, n := range shape {
			if n != 0 && s[i] != n {
				continue search
			}
		}
		fit = append(fit, v)
	}
	if n := len(fit); n > 4 && b.r.IntN(2) == 0 {
		fit = fit[n-4:]
	}
	return fit[b.r.IntN(len(fit))]
}

func (b *builder) any() ir.Value { return b.pick(b.pool) }
func (b *builder) like(v ir.Value) ir.Value {
	return b.pick(b.pool, b.Type(v).Shape...)
}

func (b *builder) node() {
	keep := func(vs ...ir.Value) { b.pool = append(b.pool, vs...) }
	switch x := b.any(); b.r.IntN(12) {
	case 0, 1:
		keep(op.Add(b.Builder, x, b.like(x)))
	case 2:
		keep(op.Scale(b.Builder, x, 0.5))
	case 3:
		keep(op.SwiGLU(b.Builder, x, b.like(x)))
	case 4, 5:
		m := b.pick(b.pool, 0, 0)
		w := b.pick(b.pool, b.Dim(m, 1), 0)
		third := ir.None
		if b.r.IntN(2) == 0 {
			third = b.pick(b.pool, b.Dim(m, 0), b.Dim(w, 1))
		}
		keep(op.MatMul(b.Builder, m, w, third, op.Orientation{}, 0.25))
	case 6:
		m := b.pick(b.pool, 0, 3)
		keep(op.RMSNorm(b.Builder, m, b.pick(b.pool, 3), 0.1))
	case 7:
		m := b.pick(b.pool, 0, 3)
		keep(op.AddBias(b.Builder, m, b.pick(b.pool, 3)))
	case 8:
		g := b.Apply("swiglu_grad", nil, x, b.like(x), b.like(x))
		keep(g, b.Part(g, 1))
	case 9:
		v := b.pick(b.second, b.Type(x).Shape...)
		p, m, v := op.AdamW(b.Builder, x, b.like(x), b.like(x), v, b.pick(b.pool, 1), b.Feed("rates", f32(3)), op.AdamWSettings{Beta1: 0.5, Beta2: 0.5, Epsilon: 1, WeightDecay: 0.1})
		keep(p, m)
		b.second = append(b.second, v)
	case 10:
		keep(op.Sum(b.Builder, x), op.ZerosLike(b.Builder, x))
	case 11:
		m := b.pick(b.pool, 0, 3)
		src := b.pick(b.pool, 0, 3)
		keep(op.ScatterRows(b.Builder, m, src, b.Feed(fmt.Sprintf("at%d", b.Dim(src, 0)), tensor.Of(tensor.I32, b.Dim(src, 0)))))
	}
}

// assign gives some state, once, a value: often its own update.
func (b *builder) assign() {
	i, j := b.r.IntN(len(randomShapes)), b.r.IntN(4)
	name, from := fmt.Sprintf("s%d%d", i, j), b.pool
	if j == 3 {
		name, from = fmt.Sprintf("v%d", i), b.second
	}
	state := b.State(name, tensor.Of(tensor.F32, randomShapes[i]...))
	v := b.pick(from, randomShapes[i]...)
	switch b.r.IntN(3) {
	case 0:
		v = op.Scale(b.Builder, state, 0.5)
	case 1:
		if j < 3 {
			v = op.Add(b.Builder, state, v)
		}
	}
	if b.assigned[name] || b.states[v] { // the builder refuses a state as it is
		return
	}
	b.assigned[name] = true
	b.Assign(name, v)
	if j < 3 {
		b.pool = append(b.pool, v)
	}
}

func randomProgram(t *testing.T, seed uint64) *ir.Graph {
	return trace(t, func(ib *ir.Builder) {
		b := &builder{Builder: ib, r: rand.New(rand.NewPCG(seed, 0)), states: map[ir.Value]bool{}, assigned: map[string]bool{}}
		b.sources()
		for i := range 5 + b.r.IntN(25) {
			switch b.r.IntN(6) {
			case 0:
				b.assign()
			case 1:
				b.Output(fmt.Sprintf("y%d", i), b.any())
			default:
				b.node()
			}
		}
		b.Output("last", b.pool[len(b.pool)-1])
	})
}

// randomValues are small, with second moments and rates above zero.
func randomValues(g *ir.Graph) (feeds, states values) {
	feeds, states = fill(g, g.Feeds, 0.5), fill(g, g.States, 0.5)
	for name, t := range states {
		for i, x := range t.F {
			if name[0] == 'v' {
				t.F[i] = x * x
			}
		}
	}
	for i := range feeds["rates"].F {
		feeds["rates"].F[i] = 0.25
	}
	for name, t := range feeds {
		for i := range t.I {
			t.I[i] = int32(len(name)+i) % 3 // rows of a matrix with at least 2; the third is dropped
			if t.I[i] == 2 {
				t.I[i] = -1
			}
		}
	}
	return feeds, states
}

// Random programs give bit for bit the same in planned memory as with every value in memory of its own.
func TestPlanOnRandomPrograms(t *testing.T) {
	const programs = 4000
	var overlaps, copies, inState, shared, skipped int
	for seed := range uint64(programs) {
		g := randomProgram(t, seed)
		feeds, states := randomValues(g)
		p, err := agree(g, feeds, states)
		if errors.Is(err, errNotFinite) {
			skipped++
			continue
		}
		if err != nil {
			t.Fatalf("seed %d: %v in\n%v%v", seed, err, g, g.Assigns)
		}
		overlaps += p.overlap
		copies += len(p.plan.Copies)
		inState += len(g.Assigns) - len(p.plan.Copies)
		var bytes int64
		for i, n := range g.Nodes {
			if p.plan.Home[i].Kind == ir.InSlot {
				bytes += n.Type.Bytes()
			}
		}
		if p.plan.TemporaryBytes() > bytes {
			t.Fatalf("seed %d: %d bytes of temporaries for values of %d bytes", seed, p.plan.TemporaryBytes(), bytes)
		}
		if p.plan.TemporaryBytes() < bytes {
			shared++
		}
	}
	t.Logf("%d programs: %d results over an operand, %d assignments in place, %d copied, %d programs share memory, %d skipped", programs, overlaps, inState, copies, shared, skipped)
	if overlaps < programs || inState < programs/10 || copies < programs/10 || shared < programs/2 || skipped > programs/10 {
		t.Error("the random programs do not try what they are for")
	}
}
