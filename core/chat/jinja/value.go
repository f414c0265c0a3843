package jinja

import (
	"fmt"
	"math"
	"strings"
)

// Value is what an expression gives:
//
//	nil          None
//	Undefined    a name or attribute that is not there
//	bool, int64, float64, Text
//	*List        a list, tuple, generator or view of a mapping
//	*Dict        a mapping that keeps its order
//	*Namespace   the one object that templates can change
//	*Func        a function, macro, filter bound to its object
//	*loop        the variable loop
type Value any

// Undefined prints as nothing and is false; to use it otherwise is an error that names what is missing.
type Undefined struct{ what string }

type kind uint8

const (
	list kind = iota
	tuple
	generator // true even when empty, without length, empty after it has been walked through
	view
)

// List is a sequence. A template cannot change it.
type List struct {
	Items []Value
	kind  kind
	names []string // of a named tuple
}

// Dict is a mapping in the order of insertion.
type Dict struct {
	keys   []Value
	values []Value
	index  map[any]int
}

// NewDict makes an empty mapping.
func NewDict() *Dict { return &Dict{index: map[any]int{}} }

// Set puts a value under a name.
func (d *Dict) Set(name string, v Value) { d.put(lit(name), name, v) }

func (d *Dict) put(key Value, hash any, v Value) {
	if i, ok := d.index[hash]; ok {
		d.values[i] = v
		return
	}
	d.index[hash] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, v)
}

// Get finds what is under a name.
func (d *Dict) Get(name string) (Value, bool) {
	if i, ok := d.index[name]; ok {
		return d.values[i], true
	}
	return nil, false
}

// hash is the comparable that stands for a key, equal for keys that Python holds equal.
func hash(key Value) any {
	switch k := key.(type) {
	case nil:
		return Undefined{}
	case Text:
		return k.S
	case bool:
		if k {
			return int64(1)
		}
		return int64(0)
	case int64:
		return k
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<53 {
			return int64(k)
		}
		return k
	case *List:
		if k.kind == tuple {
			var b strings.Builder
			for _, item := range k.Items {
				fmt.Fprintf(&b, "%T %[1]v\x00", hash(item))
			}
			return [1]string{b.String()}
		}
	}
	fail("a %s cannot be a key of a mapping", typeName(key))
	return nil
}

func (d *Dict) find(key Value) (Value, bool) {
	if i, ok := d.index[hash(key)]; ok {
		return d.values[i], true
	}
	return nil, false
}

// Namespace is what namespace() gives.
type Namespace struct{ vars *Dict }

// Func is something that can be called.
type Func struct {
	name string
	call func(r *run, a args) Value
}

// typeName is the name that Jinja's messages use.
func typeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case Undefined:
		return "undefined"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case Text:
		return "str"
	case *List:
		return [...]string{"list", "tuple", "generator", "view"}[v.kind]
	case *Dict:
		return "dict"
	case *Namespace:
		return "namespace"
	case *Func:
		return "function"
	}
	return "loop"
}

func truth(v Value) bool {
	switch v := v.(type) {
	case nil, Undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case Text:
		return v.S != ""
	case *List:
		return v.kind == generator || len(v.Items) > 0
	case *Dict:
		return len(v.keys) > 0
	}
	return true
}

// number reads bool, int and float; ints stay ints.
func number(v Value) (i int64, f float64, isInt, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, 1, true, true
		}
		return 0, 0, true, true
	case int64:
		return v, float64(v), true, true
	case float64:
		return 0, v, false, true
	}
	return 0, 0, false, false
}

// equal is Python's ==.
func (r *run) equal(a, b Value) bool {
	r.enter()
	defer r.leave()
	ai, af, aInt, aNum := number(a)
	bi, bf, bInt, bNum := number(b)
	if aNum || bNum {
		if aInt && bInt {
			return ai == bi
		}
		return aNum && bNum && af == bf
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case Undefined:
		_, ok := b.(Undefined)
		return ok
	case Text:
		t, ok := b.(Text)
		r.work(min(len(a.S), len(t.S)))
		return ok && a.S == t.S
	case *List:
		l, ok := b.(*List)
		if !ok || a.kind != l.kind || len(a.Items) != len(l.Items) {
			return false
		}
		for i := range a.Items {
			if !r.equal(a.Items[i], l.Items[i]) {
				return false
			}
		}
		return true
	case *Dict:
		d, ok := b.(*Dict)
		if !ok || len(a.keys) != len(d.keys) {
			return false
		}
		for i, k := range a.keys {
			if v, ok := d.find(k); !ok || !r.equal(a.values[i], v) {
				return false
			}
		}
		return true
	}
	return a == b
}

// less is Python's <, for numbers, strings, lists and tuples.
func (r *run) less(a, b Value) bool {
	r.enter()
	defer r.leave()
	ai, af, aInt, aNum := number(a)
	bi, bf, bInt, bNum := number(b)
	if aNum && bNum {
		if aInt && bInt {
			return ai < bi
		}
		return af < bf
	}
	if s, ok := a.(Text); ok {
		if t, ok := b.(Text); ok {
			r.work(min(len(s.S), len(t.S)))
			return s.S < t.S // UTF-8 sorts as code points do
		}
	}
	if s, ok := a.(*List); ok {
		if t, ok := b.(*List); ok && s.kind == t.kind {
			for i := range min(len(s.Items), len(t.Items)) {
				if !r.equal(s.Items[i], t.Items[i]) {
					return r.less(s.Items[i], t.Items[i])
				}
			}
			return len(s.Items) < len(t.Items)
		}
	}
	must(a)
	must(b)
	fail("%s and %s have no order", typeName(a), typeName(b))
	return false
}

// length is Python's len.
func length(v Value) int {
	switch v := v.(type) {
	case Undefined:
		return 0
	case Text:
		return v.runes()
	case *List:
		if v.kind != generator {
			return len(v.Items)
		}
	case *Dict:
		return len(v.keys)
	case *loop:
		return len(v.items)
	}
	fail("a %s has no length", typeName(v))
	return 0
}

// items walks through what Python can iterate over; a generator is empty afterwards.
func (r *run) items(v Value) []Value {
	switch v := v.(type) {
	case Undefined:
		return nil
	case Text:
		var out []Value
		for at := 0; at < len(v.S); {
			n := offset(v.S[at:], 1)
			r.alloc(64)
			out = append(out, v.slice(at, at+n))
			at += n
		}
		return out
	case *List:
		items := v.Items
		if v.kind == generator {
			v.Items = nil
		}
		r.work(len(items))
		return items
	case *Dict:
		r.work(len(v.keys))
		return v.keys
	}
	fail("a %s cannot be walked through", typeName(v))
	return nil
}

// contains is Python's "item in v".
func (r *run) contains(v, item Value) bool {
	switch v := v.(type) {
	case Text:
		t, ok := item.(Text)
		if !ok {
			must(item)
			fail("'in' with a string needs a string, not a %s", typeName(item))
		}
		r.work(len(v.S))
		return strings.Contains(v.S, t.S)
	case *Dict:
		_, ok := v.find(item)
		return ok
	}
	for _, x := range r.items(v) {
		if r.equal(x, item) {
			return true
		}
	}
	return false
}

// must refuses an undefined value.
func must(v Value) {
	if u, ok := v.(Undefined); ok {
		fail("%s is undefined", u.what)
	}
}
