package jinja

// signal says how a body ended.
type signal uint8

const (
	signalNone signal = iota
	signalBreak
	signalContinue
)

// stmt is a statement.
type stmt interface {
	exec(r *run, s *scope) signal
}

func (r *run) body(body []stmt, s *scope) signal {
	for _, st := range body {
		if sig := st.exec(r, s); sig != signalNone {
			return sig
		}
	}
	return signalNone
}

// located gives errors of a statement its line.
type located struct {
	line int
	stmt
}

func at(line int, s stmt) stmt { return located{line, s} }

func (l located) exec(r *run, s *scope) signal {
	r.step(1)
	done := false
	defer func() {
		if !done {
			panic(atLine(recover(), l.line))
		}
	}()
	sig := l.stmt.exec(r, s)
	done = true
	return sig
}

type output struct{ expr }

func (o output) exec(r *run, s *scope) signal {
	r.write(r.str(o.eval(r, s)))
	return signalNone
}

type group []stmt

func (g group) exec(r *run, s *scope) signal { return r.body(g, s) }

type jump signal

func (j jump) exec(*run, *scope) signal { return signal(j) }

// target is what is assigned to: a name, an attribute of a namespace, or several targets.
type target struct {
	name, attr string
	parts      []target
}

func (t target) assign(r *run, s *scope, v Value) {
	switch {
	case t.parts != nil:
		items := r.items(v)
		if len(items) != len(t.parts) {
			fail("%d values are given to %d names", len(items), len(t.parts))
		}
		for i, part := range t.parts {
			part.assign(r, s, items[i])
		}
	case t.attr != "":
		ns, _ := s.find(t.name)
		n, ok := ns.(*Namespace)
		if !ok {
			fail("%s.%s cannot be set: %[1]s is no namespace()", t.name, t.attr)
		}
		r.alloc(64)
		n.vars.Set(t.attr, v)
	default:
		r.alloc(64)
		s.vars[t.name] = v
	}
}

type set struct {
	target target
	value  expr
}

func (n *set) exec(r *run, s *scope) signal {
	n.target.assign(r, s, n.value.eval(r, s))
	return signalNone
}

type setBlock struct {
	target target
	filter expr // a chain of filters without an object; nil: none
	body   []stmt
}

func (n *setBlock) exec(r *run, s *scope) signal {
	text := r.capture(func() { r.body(n.body, s.inner()) })
	n.target.assign(r, s, r.filtered(n.filter, s, text))
	return signalNone
}

type filterBlock struct {
	filter expr
	body   []stmt
}

func (n *filterBlock) exec(r *run, s *scope) signal {
	text := r.capture(func() { r.body(n.body, s.inner()) })
	r.write(r.str(r.filtered(n.filter, s, text)))
	return signalNone
}

// filtered puts a text through the filters of a block.
func (r *run) filtered(f expr, s *scope, t Text) Value {
	if f == nil {
		return t
	}
	fl := f.(*filter)
	return fl.apply(r, s, r.filtered(fl.of, s, t))
}

type generation struct{ body []stmt }

func (n *generation) exec(r *run, s *scope) signal {
	r.generation++
	sig := r.body(n.body, s.inner())
	r.generation--
	return sig
}

type with struct {
	targets []target
	values  []expr
	body    []stmt
}

func (n *with) exec(r *run, s *scope) signal {
	in := s.inner()
	for i, t := range n.targets {
		t.assign(r, in, n.values[i].eval(r, s))
	}
	return r.body(n.body, in)
}

type ifElse struct {
	tests     []expr
	bodies    [][]stmt
	otherwise []stmt
}

func (n *ifElse) exec(r *run, s *scope) signal {
	for i, t := range n.tests {
		if truth(t.eval(r, s)) {
			return r.body(n.bodies[i], s)
		}
	}
	return r.body(n.otherwise, s)
}

type forLoop struct {
	target          target
	over, test      expr
	body, otherwise []stmt
	recursive       bool
}

func (n *forLoop) exec(r *run, s *scope) signal {
	n.loop(r, s, n.over.eval(r, s), 1)
	return signalNone
}

func (n *forLoop) loop(r *run, s *scope, over Value, depth int) {
	items := r.items(over)
	if n.test != nil {
		var kept []Value
		in := s.inner()
		for _, v := range items {
			n.target.assign(r, in, v)
			if truth(n.test.eval(r, in)) {
				r.alloc(16)
				kept = append(kept, v)
			}
		}
		items = kept
	}
	if len(items) == 0 {
		r.body(n.otherwise, s.inner())
		return
	}
	l := &loop{items: items, depth: depth}
	if n.recursive {
		l.again = &Func{"loop", func(r *run, a args) Value {
			v := a.bind("loop", "iterable")
			r.enter()
			defer r.leave()
			return r.capture(func() { n.loop(r, s, v[0], depth+1) })
		}}
	}
	for i, v := range items {
		r.step(1)
		l.at = i
		in := s.inner()
		in.vars["loop"] = l
		n.target.assign(r, in, v)
		if r.body(n.body, in) == signalBreak {
			break
		}
	}
}

// loop is the variable of that name.
type loop struct {
	items   []Value
	at      int
	depth   int
	again   *Func // of a recursive loop
	changed Value // what changed() was last asked
}

func (l *loop) attr(name string) Value {
	n := len(l.items)
	neighbour := func(i int) Value {
		if i < 0 || i >= n {
			return Undefined{"there is no further item; loop." + name}
		}
		return l.items[i]
	}
	switch name {
	case "index":
		return int64(l.at + 1)
	case "index0":
		return int64(l.at)
	case "revindex":
		return int64(n - l.at)
	case "revindex0":
		return int64(n - l.at - 1)
	case "first":
		return l.at == 0
	case "last":
		return l.at == n-1
	case "length":
		return int64(n)
	case "depth":
		return int64(l.depth)
	case "depth0":
		return int64(l.depth - 1)
	case "previtem":
		return neighbour(l.at - 1)
	case "nextitem":
		return neighbour(l.at + 1)
	case "cycle":
		return &Func{name, func(_ *run, a args) Value {
			if len(a.pos) == 0 {
				fail("cycle() needs values")
			}
			return a.pos[l.at%len(a.pos)]
		}}
	case "changed":
		return &Func{name, func(r *run, a args) Value {
			now := &List{Items: a.pos, kind: tuple}
			if before, ok := l.changed.(*List); ok && r.equal(before, now) {
				return false
			}
			l.changed = now
			return true
		}}
	}
	return Undefined{"loop." + name}
}

type macro struct {
	name     string
	params   []string
	defaults []expr // as long; nil: none
	body     []stmt

	varargs, kwargs bool // the body reads further arguments
}

func (n *macro) exec(r *run, s *scope) signal {
	s.vars[n.name] = n.bound(s)
	return signalNone
}

// bound is the macro as a function that sees the names around its definition.
func (n *macro) bound(s *scope) *Func {
	return &Func{n.name, func(r *run, a args) Value {
		r.enter()
		defer r.leave()
		in := s.inner()
		rest := NewDict()
		for i, p := range n.params {
			if i < len(a.pos) {
				in.vars[p] = a.pos[i]
			}
		}
		for _, k := range a.named {
			param := false
			for i, p := range n.params {
				if p == k.name {
					if param = true; i < len(a.pos) {
						fail("%s() is given %s twice", n.name, p)
					}
					in.vars[p] = k.value
				}
			}
			switch {
			case param:
			case k.name == "caller":
				in.vars["caller"] = k.value
			default:
				rest.Set(k.name, k.value)
			}
		}
		if extra := a.pos[min(len(n.params), len(a.pos)):]; len(extra) > 0 && !n.varargs {
			fail("%s() takes %d arguments, not %d", n.name, len(n.params), len(a.pos))
		} else if _, ok := in.vars["varargs"]; !ok {
			in.vars["varargs"] = &List{Items: extra, kind: tuple}
		}
		if len(rest.keys) > 0 && !n.kwargs {
			fail("%s() has no parameter %s", n.name, rest.keys[0].(Text).S)
		} else if _, ok := in.vars["kwargs"]; !ok {
			in.vars["kwargs"] = rest
		}
		for i, p := range n.params {
			if _, ok := in.vars[p]; ok {
				continue
			}
			in.vars[p] = Undefined{"the parameter " + p + " of " + n.name + "()"}
			if n.defaults[i] != nil {
				in.vars[p] = n.defaults[i].eval(r, in)
			}
		}
		return r.capture(func() { r.body(n.body, in) })
	}}
}

type callBlock struct {
	macro *macro
	call  *call
}

func (n *callBlock) exec(r *run, s *scope) signal {
	r.write(r.str(n.call.with(r, s, n.macro.bound(s))))
	return signalNone
}
