package ir

// Grad adds the backward pass: reverse mode, one rule per operator, one walk from the loss to the start.
// It returns the gradient of the loss, a value of one element, with respect to each of wrt; None where the loss does
// not depend on it. Contributions are added in the order of the walk, so the sum does not depend on anything else.
//
// With SetRecompute, a rule that asks for a value from inside a Block gets a copy that is computed again just before:
// only what enters a block is kept from the forward pass (Chen et al., "Training deep nets with sublinear memory cost").
func (b *Builder) Grad(loss Value, wrt []Value) []Value {
	result := make([]Value, len(wrt))
	for i := range result {
		result[i] = None
	}
	b.GradEach(loss, wrt, nil, func(i int, grad Value) { result[i] = grad })
	return result
}

// GradEach is Grad, but hands out each gradient as soon as it is complete, in the middle of the backward pass: what use
// traces there runs there, so that the gradients of all weights are never in memory together. use is not called for a
// value that the loss does not depend on. With sums, the gradient of a state is added to the one of its number there: operators that can
// add do so themselves, and a large gradient needs no memory of its own.
func (b *Builder) GradEach(loss Value, wrt, sums []Value, use func(i int, grad Value)) {
	if n := b.Type(loss).Elements(); n != 1 {
		b.Fail("gradient of a value of %d elements; a loss has one", n)
	}
	end := Value(len(b.g.Nodes)) // nodes from here on belong to the backward pass
	needs := b.dependents(wrt, end)
	grads := make([]Value, end)
	for i := range grads {
		grads[i] = None
	}
	for i, sum := range sums {
		if !Source(b.g.Nodes[wrt[i]].Op) {
			b.Fail("the gradient of what %s gives is added to a sum; only that of a state can be", b.g.Nodes[wrt[i]].Op)
		}
		grads[wrt[i]] = sum
	}
	grads[loss] = b.Constant([]float32{1}, b.Type(loss).Shape...)
	re := recomputer{b: b, copies: map[Value]Value{}}
	for v := end - 1; v >= 0; v-- {
		n := b.g.Nodes[v]
		for i, w := range wrt {
			if w == v && grads[v] != None && (sums == nil || grads[v] != sums[i]) { // all uses of a value stand behind it
				use(i, grads[v])
			}
		}
		if Source(n.Op) || !needs[v] {
			continue
		}
		out := b.g.Parts(v)
		c := GradCall{Attrs: n.Attrs, In: make([]Value, len(n.In)), Out: make([]Value, len(out)), DOut: make([]Value, len(out)), Needs: make([]bool, len(n.In)),
			Sums: make([]Value, len(n.In)), Added: make([]bool, len(n.In))}
		reached := false
		for i, o := range out {
			c.DOut[i] = grads[o]
			reached = reached || grads[o] != None
		}
		if !reached {
			continue
		}
		d, err := Lookup(n.Op)
		if err != nil {
			b.Fail("%v", err)
		}
		if d.Grad == nil {
			b.Fail("%s has no gradient rule, and the loss depends on trained values through it", n.Op)
		}
		for i, in := range n.In {
			c.In[i], c.Sums[i] = in, None
			if in != None {
				if count(n.In, in) == 1 {
					c.Sums[i] = grads[in]
				}
				c.Needs[i] = needs[in]
				c.In[i] = re.value(in, n.Block)
			}
		}
		for i, o := range out {
			c.Out[i] = re.value(o, n.Block)
		}
		dIn := d.Grad(b, c)
		for i, g := range dIn {
			in := n.In[i]
			if g == None || in == None || !needs[in] {
				continue
			}
			if grads[in] == None || c.Added[i] {
				grads[in] = g
			} else {
				grads[in] = b.Apply("add", nil, grads[in], g)
			}
		}
	}
}

func count(vs []Value, v Value) (n int) {
	for _, w := range vs {
		if w == v {
			n++
		}
	}
	return n
}

// dependents marks the nodes before end whose value depends on one of wrt.
func (b *Builder) dependents(wrt []Value, end Value) []bool {
	needs := make([]bool, end)
	for _, w := range wrt {
		needs[w] = true
	}
	for v := range end {
		for _, in := range b.g.Nodes[v].In {
			if in != None && needs[in] {
				needs[v] = true
			}
		}
		// A node's further results depend on what it depends on.
	}
	return needs
}

// recomputer copies forward nodes of a block into the backward pass, each at most once.
type recomputer struct {
	b      *Builder
	copies map[Value]Value
}

// value gives what a gradient rule of a node in the given block should read for v.
func (r *recomputer) value(v Value, block int) Value {
	n := r.b.g.Nodes[v]
	if !r.b.recompute || block == 0 || n.Block != block || n.Op == "feed" || n.Op == "state" {
		return v
	}
	if c, ok := r.copies[v]; ok {
		return c
	}
	if n.Op == "part" { // copying the node copies its parts
		r.value(n.In[0], block)
		return r.copies[v]
	}
	in := make([]Value, len(n.In))
	for i, x := range n.In {
		in[i] = x
		if x != None {
			in[i] = r.value(x, block)
		}
	}
	old := r.b.g.Parts(v)
	n.In, n.Block = in, 0
	c := r.b.push(n)
	r.copies[v] = c
	for _, p := range old[1:] {
		pn := r.b.g.Nodes[p]
		pn.In, pn.Block = []Value{c}, 0
		r.copies[p] = r.b.push(pn)
	}
	return c
}
