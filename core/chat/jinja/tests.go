package jinja

import (
	"math"
	"strings"
	"unicode"
)

// tests by name, for "is".
var tests map[string]func(r *run, v Value, a args) bool

func makeTests() {
	of := func(f func(Value) bool) func(*run, Value, args) bool {
		return func(_ *run, v Value, a args) bool {
			a.bind("the test")
			return f(v)
		}
	}
	compared := func(op string) func(*run, Value, args) bool {
		return func(r *run, v Value, a args) bool { return r.compare(op, v, a.bind("the test", "other")[0]) }
	}
	rest := func(r *run, v Value, by Value) int64 {
		n, ok := r.arithmetic("%", v, by).(int64)
		if !ok {
			return 1
		}
		return n
	}
	tests = map[string]func(r *run, v Value, a args) bool{
		"defined":   of(func(v Value) bool { _, ok := v.(Undefined); return !ok }),
		"undefined": of(func(v Value) bool { _, ok := v.(Undefined); return ok }),
		"none":      of(func(v Value) bool { return v == nil }),
		"boolean":   of(func(v Value) bool { _, ok := v.(bool); return ok }),
		"true":      of(func(v Value) bool { b, ok := v.(bool); return ok && b }),
		"false":     of(func(v Value) bool { b, ok := v.(bool); return ok && !b }),
		"integer":   of(func(v Value) bool { _, ok := v.(int64); return ok }),
		"float":     of(func(v Value) bool { _, ok := v.(float64); return ok }),
		"number":    of(func(v Value) bool { _, _, _, ok := number(v); return ok }),
		"string":    of(func(v Value) bool { _, ok := v.(Text); return ok }),
		"mapping":   of(func(v Value) bool { _, ok := v.(*Dict); return ok }),
		"callable":  of(func(v Value) bool { _, ok := v.(*Func); return ok }),
		"escaped":   of(func(Value) bool { return false }),
		"sequence": of(func(v Value) bool {
			l, ok := v.(*List)
			switch v.(type) {
			case Text, *Dict, Undefined:
				return true
			}
			return ok && l.kind <= tuple
		}),
		"iterable": of(func(v Value) bool {
			switch v.(type) {
			case Text, *List, *Dict, Undefined, *loop:
				return true
			}
			return false
		}),
		"lower": of(func(v Value) bool { return cased(v, unicode.IsLower, unicode.IsUpper) }),
		"upper": of(func(v Value) bool { return cased(v, unicode.IsUpper, unicode.IsLower) }),
		"odd":   func(r *run, v Value, a args) bool { a.bind("odd"); return rest(r, v, int64(2)) == 1 },
		"even":  func(r *run, v Value, a args) bool { a.bind("even"); return rest(r, v, int64(2)) == 0 },
		"divisibleby": func(r *run, v Value, a args) bool {
			return rest(r, v, a.bind("divisibleby", "num")[0]) == 0
		},
		"sameas": func(r *run, v Value, a args) bool {
			other := a.bind("sameas", "other")[0]
			return typeName(v) == typeName(other) && r.same(v, other)
		},
		"in": func(r *run, v Value, a args) bool { return r.contains(a.bind("in", "seq")[0], v) },
		"filter": func(r *run, v Value, a args) bool {
			a.bind("filter")
			return filters[r.textArg("the name of a filter", v).S] != nil
		},
		"test": func(r *run, v Value, a args) bool {
			a.bind("test")
			return tests[r.textArg("the name of a test", v).S] != nil
		},
	}
	for op, names := range map[string]string{"==": "== eq equalto", "!=": "!= ne", "<": "< lt lessthan", "<=": "<= le", ">": "> gt greaterthan", ">=": ">= ge"} {
		for _, name := range strings.Fields(names) {
			tests[name] = compared(op)
		}
	}
}

// same is Python's "is", where two equal strings or numbers count as one object.
func (r *run) same(a, b Value) bool {
	switch a := a.(type) {
	case *List, *Dict, *Namespace, *Func, *loop:
		return a == b
	case float64:
		f, _ := b.(float64)
		return a == f || math.IsNaN(a) && math.IsNaN(f)
	}
	return r.equal(a, b)
}

// cased tells whether a text has letters of one case and none of the other.
func cased(v Value, is, not func(rune) bool) bool {
	t, _ := v.(Text)
	return strings.ContainsFunc(t.S, is) && !strings.ContainsFunc(t.S, not)
}
