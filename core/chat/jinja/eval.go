package jinja

import (
	"math"
	"slices"
	"strings"
)

// expr is an expression.
type expr interface {
	eval(r *run, s *scope) Value
}

type constant struct{ v Value }

func (n constant) eval(*run, *scope) Value { return n.v }

type name string

func (n name) eval(r *run, s *scope) Value {
	r.step(1)
	if v, ok := s.find(string(n)); ok {
		return v
	}
	if f, ok := globals[string(n)]; ok {
		return f
	}
	return Undefined{string(n)}
}

type sequence struct {
	items []expr
	kind  kind
}

func (n *sequence) eval(r *run, s *scope) Value {
	r.alloc(32 + 16*len(n.items))
	l := &List{kind: n.kind}
	for _, e := range n.items {
		l.Items = append(l.Items, e.eval(r, s))
	}
	return l
}

type mapping struct{ keys, values []expr }

func (n *mapping) eval(r *run, s *scope) Value {
	r.alloc(64 + 64*len(n.keys))
	d := NewDict()
	for i := range n.keys {
		k := n.keys[i].eval(r, s)
		d.put(k, hash(k), n.values[i].eval(r, s))
	}
	return d
}

type condition struct{ then, test, otherwise expr }

func (n *condition) eval(r *run, s *scope) Value {
	switch {
	case truth(n.test.eval(r, s)):
		return n.then.eval(r, s)
	case n.otherwise != nil:
		return n.otherwise.eval(r, s)
	}
	return Undefined{"an if without else, whose test is false,"}
}

type logic struct {
	a, b expr
	or   bool
}

func (n *logic) eval(r *run, s *scope) Value {
	r.step(1)
	if a := n.a.eval(r, s); truth(a) == n.or {
		return a
	}
	return n.b.eval(r, s)
}

type not struct{ e expr }

func (n *not) eval(r *run, s *scope) Value { return !truth(n.e.eval(r, s)) }

type comparison struct {
	first expr
	ops   []string
	rest  []expr
}

func (n *comparison) eval(r *run, s *scope) Value {
	a := n.first.eval(r, s)
	for i, op := range n.ops {
		b := n.rest[i].eval(r, s)
		if !r.compare(op, a, b) {
			return false
		}
		a = b
	}
	return true
}

func (r *run) compare(op string, a, b Value) bool {
	r.step(1)
	switch op {
	case "==":
		return r.equal(a, b)
	case "!=":
		return !r.equal(a, b)
	case "in":
		return r.contains(b, a)
	case "not in":
		return !r.contains(b, a)
	case "<":
		return r.less(a, b)
	case ">":
		return r.less(b, a)
	}
	// Not "not greater": a NaN is neither.
	if op == ">=" {
		a, b = b, a
	}
	return r.less(a, b) || r.equal(a, b)
}

type concat struct{ parts []expr }

func (n *concat) eval(r *run, s *scope) Value {
	b := builder{r: r}
	for _, e := range n.parts {
		b.text(r.str(e.eval(r, s)))
	}
	return b.done()
}

type sign struct {
	e        expr
	negative bool
}

func (n *sign) eval(r *run, s *scope) Value {
	v := n.e.eval(r, s)
	i, f, isInt, ok := number(v)
	switch {
	case !ok:
		must(v)
		fail("a %s has no sign", typeName(v))
	case isInt && n.negative:
		return -i
	case isInt:
		return i
	case n.negative:
		return -f
	}
	return f
}

type binary struct {
	op   string
	a, b expr
}

func (n *binary) eval(r *run, s *scope) Value {
	r.step(1)
	return r.arithmetic(n.op, n.a.eval(r, s), n.b.eval(r, s))
}

func (r *run) arithmetic(op string, a, b Value) Value {
	must(a)
	must(b)
	ai, af, aInt, aNum := number(a)
	bi, bf, bInt, bNum := number(b)
	if aNum && bNum {
		if aInt && bInt && op != "/" && (op != "**" || bi >= 0) {
			return integers(op, ai, bi)
		}
		return floats(op, af, bf)
	}
	at, aText := a.(Text)
	bt, bText := b.(Text)
	al, aList := a.(*List)
	bl, bList := b.(*List)
	switch {
	case op == "+" && aText && bText:
		return r.concat(at, bt)
	case op == "+" && aList && bList && al.kind == bl.kind && al.kind <= tuple:
		r.alloc(32 + 16*(len(al.Items)+len(bl.Items)))
		return &List{Items: append(append([]Value(nil), al.Items...), bl.Items...), kind: al.kind}
	case op == "*" && bInt && (aText || aList && al.kind <= tuple):
		return r.repeat(a, bi)
	case op == "*" && aInt && (bText || bList && bl.kind <= tuple):
		return r.repeat(b, ai)
	case op == "%" && aText:
		return r.percent(at, b)
	}
	fail("%s %s %s has no meaning", typeName(a), op, typeName(b))
	return nil
}

func (r *run) repeat(v Value, n int64) Value {
	n = max(n, 0)
	switch v := v.(type) {
	case Text:
		if n > 0 && int64(len(v.S)) > math.MaxInt32/n {
			r.alloc(r.left.Bytes + 1)
		}
		if len(v.Marks) == 0 {
			r.alloc(len(v.S) * int(n))
			return lit(strings.Repeat(v.S, int(n)))
		}
		b := builder{r: r}
		for range n {
			b.text(v)
		}
		return b.done()
	case *List:
		if n > 0 && int64(len(v.Items)) > math.MaxInt32/16/n {
			r.alloc(r.left.Bytes + 1)
		}
		r.alloc(32 + 16*len(v.Items)*int(n))
		return &List{Items: slices.Repeat(v.Items, int(n)), kind: v.kind}
	}
	panic("jinja: repeat of a " + typeName(v))
}

// integers computes with whole numbers. Python's have no bound; a result beyond 64 bits is refused.
func integers(op string, a, b int64) Value {
	var out int64
	exact := true
	switch op {
	case "+":
		out = a + b
		exact = (out > a) == (b > 0)
	case "-":
		out = a - b
		exact = (out < a) == (b > 0)
	case "*":
		out = a * b
		exact = a == 0 || out/a == b && !(a == -1 && b == math.MinInt64)
	case "**":
		out = 1
		if a >= -1 && a <= 1 { // all powers are equal, or two take turns
			b = min(b, 2-b%2)
		}
		for ; b > 0 && exact; b-- {
			next := out * a
			exact = a == 0 || next/a == out
			out = next
		}
	case "//", "%":
		if b == 0 {
			fail("division by zero")
		}
		if a == math.MinInt64 && b == -1 {
			exact = op == "%"
			break
		}
		q, m := a/b, a%b
		if m != 0 && (m < 0) != (b < 0) { // Python rounds down
			q, m = q-1, m+b
		}
		if out = q; op == "%" {
			out = m
		}
	}
	if !exact {
		fail("%d %s %d is beyond 64 bits", a, op, b)
	}
	return out
}

func floats(op string, a, b float64) Value {
	if b == 0 && (op == "/" || op == "//" || op == "%") {
		fail("division by zero")
	}
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "/":
		return a / b
	case "//":
		return math.Floor(a / b)
	case "**":
		return math.Pow(a, b)
	}
	m := math.Mod(a, b)
	if m != 0 && (m < 0) != (b < 0) {
		m += b
	}
	return m
}

type filter struct {
	of   expr
	line int
	name string
	args arguments
}

func (n *filter) eval(r *run, s *scope) Value { return n.apply(r, s, n.of.eval(r, s)) }

func (n *filter) apply(r *run, s *scope, v Value) Value {
	a := n.args.eval(r, s)
	return r.filter(n.name, v, a)
}

func (r *run) filter(name string, v Value, a args) Value {
	f := filters[name]
	if f == nil {
		fail("the filter %q is not known", name)
	}
	r.enter()
	defer r.leave()
	r.pass(v)
	return f(r, v, a)
}

type test struct {
	of   expr
	line int
	name string
	args arguments
}

func (n *test) eval(r *run, s *scope) Value {
	return r.test(n.name, n.of.eval(r, s), n.args.eval(r, s))
}

func (r *run) test(name string, v Value, a args) bool {
	f := tests[name]
	if f == nil {
		fail("the test %q is not known", name)
	}
	r.pass(v)
	return f(r, v, a)
}

// pass pays for going through a value once, if it is a text.
func (r *run) pass(v Value) {
	t, _ := v.(Text)
	r.work(len(t.S))
}
