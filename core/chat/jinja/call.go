package jinja

import (
	"fmt"
	"slices"
)

// arguments are those of a call as the template writes them.
type arguments struct {
	pos    []expr
	names  []string
	named  []expr
	star   expr // *list
	kwargs expr // **mapping
}

// args are the values that a function is called with.
type args struct {
	pos   []Value
	named []namedArg
}

type namedArg struct {
	name  string
	value Value
}

func (n *arguments) eval(r *run, s *scope) args {
	var a args
	for _, e := range n.pos {
		a.pos = append(a.pos, e.eval(r, s))
	}
	if n.star != nil {
		more := r.items(n.star.eval(r, s))
		r.alloc(16 * len(more))
		a.pos = append(a.pos, more...)
	}
	for i, e := range n.named {
		a.named = append(a.named, namedArg{n.names[i], e.eval(r, s)})
	}
	if n.kwargs != nil {
		d, ok := n.kwargs.eval(r, s).(*Dict)
		if !ok {
			fail("** needs a mapping")
		}
		r.alloc(32 * len(d.keys))
		for i, k := range d.keys {
			t, ok := k.(Text)
			if !ok {
				fail("** needs a mapping whose keys are strings")
			}
			a.named = append(a.named, namedArg{t.S, d.values[i]})
		}
	}
	return a
}

// missing stands for a parameter that no argument is given for.
type missing struct{}

// bind gives the arguments in the order of the parameters; one that ends in "?" may be left out and is missing{} then.
func (a args) bind(function string, params ...string) []Value {
	if len(a.pos) > len(params) {
		fail("%s takes %d arguments at most, not %d", function, len(params), len(a.pos))
	}
	out := make([]Value, len(params))
	for i := range out {
		out[i] = missing{}
	}
	copy(out, a.pos)
	for _, k := range a.named {
		i := slices.IndexFunc(params, func(p string) bool { return p == k.name || p == k.name+"?" })
		if i < 0 {
			fail("%s has no argument %s", function, k.name)
		}
		if out[i] != (missing{}) {
			fail("%s is given %s twice", function, k.name)
		}
		out[i] = k.value
	}
	for i, p := range params {
		if out[i] == (missing{}) && p[len(p)-1] != '?' {
			fail("%s needs the argument %s", function, p)
		}
	}
	return out
}

// or gives v, or a default where it is missing.
func or(v, otherwise Value) Value {
	if _, ok := v.(missing); ok {
		return otherwise
	}
	return v
}

// given is false where v is missing or None.
func given(v Value) bool { return v != nil && v != (missing{}) }

func (r *run) intArg(what string, v Value) int {
	i, _, isInt, _ := number(v)
	if !isInt {
		must(v)
		fail("%s is a %s; expected a whole number", what, typeName(v))
	}
	return int(i)
}

func (r *run) textArg(what string, v Value) Text {
	t, ok := v.(Text)
	if !ok {
		must(v)
		fail("%s is a %s; expected a string", what, typeName(v))
	}
	return t
}

type call struct {
	line int
	f    expr
	args arguments
}

func (n *call) eval(r *run, s *scope) Value { return n.with(r, s, nil) }

// with calls, handing the body of a call block over as caller.
func (n *call) with(r *run, s *scope, caller *Func) Value {
	f := n.f.eval(r, s)
	a := n.args.eval(r, s)
	if caller != nil {
		a.named = append(a.named, namedArg{"caller", caller})
	}
	return r.call(f, a)
}

func (r *run) call(f Value, a args) Value {
	r.enter()
	defer r.leave()
	switch f := f.(type) {
	case *Func:
		return f.call(r, a)
	case *loop:
		if f.again == nil {
			fail("loop() is for loops marked recursive")
		}
		return f.again.call(r, a)
	}
	must(f)
	fail("a %s cannot be called", typeName(f))
	return nil
}

type attribute struct {
	of   expr
	name string
}

func (n *attribute) eval(r *run, s *scope) Value {
	r.step(1)
	return r.attr(n.of.eval(r, s), n.name)
}

// attr is v.name: a method, or else the item of that name.
func (r *run) attr(v Value, name string) Value {
	must(v)
	if v, ok := r.method(v, name); ok {
		return v
	}
	if d, ok := v.(*Dict); ok {
		if v, ok := d.Get(name); ok {
			return v
		}
	}
	return Undefined{fmt.Sprintf("the attribute %q of a %s", name, typeName(v))}
}

// method finds what an object of Python has by that name. Names that begin with an underscore do not exist.
func (r *run) method(v Value, name string) (Value, bool) {
	switch v := v.(type) {
	case Text:
		if m, ok := stringMethods[name]; ok {
			return &Func{name, func(r *run, a args) Value { r.pass(v); return m(r, v, a) }}, true
		}
	case *List:
		if m, ok := listMethods[name]; ok && v.kind <= tuple {
			return &Func{name, func(r *run, a args) Value { return m(r, v, a) }}, true
		}
		if i := slices.Index(v.names, name); i >= 0 {
			return v.Items[i], true
		}
	case *Dict:
		if m, ok := dictMethods[name]; ok {
			return &Func{name, func(r *run, a args) Value { return m(r, v, a) }}, true
		}
	case *Namespace:
		return v.vars.Get(name)
	case *loop:
		out := v.attr(name)
		_, undefined := out.(Undefined)
		return out, !undefined || name == "previtem" || name == "nextitem"
	case *Func:
		if name == "name" {
			return lit(v.name), true
		}
	}
	return nil, false
}

type subscript struct{ of, index expr }

func (n *subscript) eval(r *run, s *scope) Value {
	r.step(1)
	v := n.of.eval(r, s)
	return r.item(v, n.index.eval(r, s))
}

// item is v[index]: an item, or else the attribute of that name.
func (r *run) item(v, index Value) Value {
	must(v)
	switch of := v.(type) {
	case *Dict:
		switch index.(type) {
		case Undefined, *Dict, *List, *Namespace:
		default:
			if v, ok := of.find(index); ok {
				return v
			}
		}
	case *List:
		if i, _, isInt, _ := number(index); isInt && of.kind <= tuple {
			if i < 0 {
				i += int64(len(of.Items))
			}
			if i >= 0 && i < int64(len(of.Items)) {
				return of.Items[i]
			}
			return Undefined{fmt.Sprintf("item %d of a list of %d", i, len(of.Items))}
		}
	case Text:
		if i, _, isInt, _ := number(index); isInt {
			r.work(len(of.S))
			n := int64(of.runes())
			if i < 0 {
				i += n
			}
			if i < 0 || i >= n {
				return Undefined{fmt.Sprintf("character %d of a string of %d", i, n)}
			}
			from := offset(of.S, int(i))
			return of.slice(from, from+offset(of.S[from:], 1))
		}
	}
	if t, ok := index.(Text); ok {
		if m, ok := r.method(v, t.S); ok {
			return m
		}
	}
	return Undefined{fmt.Sprintf("the item %.60s of a %s", r.repr(index).S, typeName(v))}
}

type slice struct {
	of    expr
	parts [3]expr // from, to, step
}

func (n *slice) eval(r *run, s *scope) Value {
	v := n.of.eval(r, s)
	var parts [3]Value
	for i, e := range n.parts {
		if e != nil {
			parts[i] = e.eval(r, s)
		}
	}
	must(v)
	switch v := v.(type) {
	case Text:
		from, to, step := r.bounds(parts, v.runes())
		r.work(len(v.S))
		if step == 1 {
			a := offset(v.S, from)
			return v.slice(a, a+offset(v.S[a:], to-from))
		}
		chars := r.items(v)
		b := builder{r: r}
		for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
			b.text(chars[i].(Text))
		}
		return b.done()
	case *List:
		if v.kind > tuple {
			break
		}
		from, to, step := r.bounds(parts, len(v.Items))
		out := &List{kind: v.kind}
		r.alloc(32)
		for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
			r.alloc(16)
			out.Items = append(out.Items, v.Items[i])
		}
		return out
	}
	return Undefined{"a slice of a " + typeName(v)}
}

// bounds are those of a Python slice of n items.
func (r *run) bounds(parts [3]Value, n int) (from, to, step int) {
	step = 1
	if parts[2] != nil {
		if step = r.intArg("the step of a slice", parts[2]); step == 0 {
			fail("the step of a slice is 0")
		}
		step = max(-n-1, min(step, n+1)) // a larger one takes no further item, and could not be added
	}
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	bound := func(v Value, otherwise int) int {
		if v == nil {
			return otherwise
		}
		i := r.intArg("the bound of a slice", v)
		if i < 0 {
			i += n
		}
		return max(low, min(i, high))
	}
	if step < 0 {
		from, to = bound(parts[0], high), bound(parts[1], low)
	} else {
		from, to = bound(parts[0], low), bound(parts[1], high)
		to = max(from, to)
	}
	return from, to, step
}
