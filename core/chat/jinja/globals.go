package jinja

import "fmt"

// maxRange bounds range() as Jinja's sandbox does.
const maxRange = 100000

// globals are the functions that every template sees.
var globals = map[string]*Func{
	"range":           {"range", rangeOf},
	"dict":            {"dict", func(r *run, a args) Value { return r.newDict(a) }},
	"namespace":       {"namespace", func(r *run, a args) Value { return &Namespace{r.newDict(a)} }},
	"raise_exception": {"raise_exception", raise},
	"strftime_now": {"strftime_now", func(r *run, a args) Value {
		return lit(strftime(r.now, r.textArg("the format", a.bind("strftime_now", "format")[0]).S))
	}},
	"cycler": {"cycler", cycler},
	"joiner": {"joiner", joiner},
}

func rangeOf(r *run, a args) Value {
	if len(a.pos) < 1 || len(a.pos) > 3 || len(a.named) > 0 {
		fail("range() takes one to three whole numbers")
	}
	var p [3]int
	for i, v := range a.pos {
		p[i] = r.intArg("an argument of range()", v)
	}
	from, to, step := p[0], p[1], p[2]
	switch len(a.pos) {
	case 1:
		from, to, step = 0, p[0], 1
	case 2:
		step = 1
	}
	if step == 0 {
		fail("the step of range() is 0")
	}
	// In floating point nothing overflows; the last bits do not matter to the bound.
	if n := (float64(to) - float64(from)) / float64(step); n > maxRange {
		fail("range() would have %.0f items; a template may have %d", n, maxRange)
	}
	out := &List{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		r.alloc(24)
		out.Items = append(out.Items, int64(i))
		if step > 0 && i > i+step || step < 0 && i < i+step {
			break
		}
	}
	return out
}

// newDict is Python's dict(mapping or pairs, name=value…).
func (r *run) newDict(a args) *Dict {
	out := NewDict()
	put := func(k, v Value) {
		r.alloc(64)
		out.put(k, hash(k), v)
	}
	if len(a.pos) > 1 {
		fail("dict() and namespace() take one mapping at most")
	}
	if len(a.pos) == 1 {
		if d, ok := a.pos[0].(*Dict); ok {
			for i, k := range d.keys {
				put(k, d.values[i])
			}
		} else {
			for _, item := range r.items(a.pos[0]) {
				pair := r.items(item)
				if len(pair) != 2 {
					fail("dict() needs pairs, and one item has length %d", len(pair))
				}
				put(pair[0], pair[1])
			}
		}
	}
	for _, k := range a.named {
		put(lit(k.name), k.value)
	}
	return out
}

func raise(r *run, a args) Value {
	message := r.str(a.bind("raise_exception", "message")[0]).S
	if len(message) > 1000 {
		message = message[:1000] + "…"
	}
	panic(&Error{Message: fmt.Sprintf("the template refuses: %s", message), Raised: true})
}

func cycler(_ *run, a args) Value {
	if len(a.pos) == 0 {
		fail("cycler() needs values")
	}
	vars, at := NewDict(), 0
	set := func() { vars.Set("current", a.pos[at]) }
	vars.Set("next", &Func{"next", func(*run, args) Value {
		v := a.pos[at]
		at = (at + 1) % len(a.pos)
		set()
		return v
	}})
	vars.Set("reset", &Func{"reset", func(*run, args) Value { at = 0; set(); return nil }})
	set()
	return &Namespace{vars}
}

func joiner(_ *run, a args) Value {
	sep, used := or(a.bind("joiner", "sep?")[0], lit(", ")), false
	return &Func{"joiner", func(*run, args) Value {
		if !used {
			used = true
			return Text{}
		}
		return sep
	}}
}
