package jinja

import (
	"slices"
	"strconv"
	"strings"
)

// listFilters adds the filters of lists and mappings.
func listFilters() {
	for name, f := range map[string]func(r *run, v Value, a args) Value{
		"length": func(_ *run, v Value, a args) Value { a.bind("length"); return int64(length(v)) },
		"count":  func(_ *run, v Value, a args) Value { a.bind("count"); return int64(length(v)) },
		"list":   func(r *run, v Value, a args) Value { a.bind("list"); return r.newList(r.items(v), list) },
		"first":  func(r *run, v Value, a args) Value { a.bind("first"); return end(r.items(v), 0, "first") },
		"last": func(r *run, v Value, a args) Value {
			a.bind("last")
			if l, ok := v.(*List); ok && l.kind == generator {
				fail("last: a generator cannot be read backwards; put |list before it")
			}
			items := r.items(v)
			return end(items, len(items)-1, "last")
		},
		"join":     join,
		"reverse":  reverse,
		"items":    func(r *run, v Value, a args) Value { a.bind("items"); return pairs(r, v) },
		"dictsort": dictsort,
		"sort":     sorted,
		"unique":   unique,
		"min":      func(r *run, v Value, a args) Value { return extreme(r, v, a, "min") },
		"max":      func(r *run, v Value, a args) Value { return extreme(r, v, a, "max") },
		"sum":      sum,
		"batch":    batch,
		"slice":    sliced,
		"groupby":  groupby,
		"map":      mapped,
		"select":   func(r *run, v Value, a args) Value { return chosen(r, v, a, false, true) },
		"reject":   func(r *run, v Value, a args) Value { return chosen(r, v, a, false, false) },
		"selectattr": func(r *run, v Value, a args) Value {
			return chosen(r, v, a, true, true)
		},
		"rejectattr": func(r *run, v Value, a args) Value {
			return chosen(r, v, a, true, false)
		},
	} {
		filters[name] = f
	}
}

func (r *run) newList(items []Value, k kind) *List {
	r.alloc(32 + 16*len(items))
	return &List{Items: slices.Clone(items), kind: k}
}

func end(items []Value, i int, which string) Value {
	if len(items) == 0 {
		return Undefined{"the " + which + " item of nothing"}
	}
	return items[i]
}

// getter reads an attribute path such as "function.name" of an item; None takes the item itself.
func (r *run) getter(path Value) func(Value) Value {
	var parts []Value
	switch p := path.(type) {
	case nil, missing:
	case Text:
		for _, part := range strings.Split(p.S, ".") {
			if n, err := strconv.ParseInt(part, 10, 64); err == nil && n >= 0 {
				parts = append(parts, n)
			} else {
				parts = append(parts, lit(part))
			}
		}
	default:
		parts = []Value{p}
	}
	return func(v Value) Value {
		for _, p := range parts {
			v = r.item(v, p)
		}
		return v
	}
}

// folded is the value that sorting compares when case does not count.
func folded(v Value, sensitive bool) Value {
	if t, ok := v.(Text); ok && !sensitive {
		return lit(strings.ToLower(t.S))
	}
	return v
}

func join(r *run, v Value, a args) Value {
	p := a.bind("join", "d?", "attribute?")
	by, get := r.str(or(p[0], Text{})), r.getter(p[1])
	b := builder{r: r}
	for i, item := range r.items(v) {
		if i > 0 {
			b.text(by)
		}
		b.text(r.str(get(item)))
	}
	return b.done()
}

func reverse(r *run, v Value, a args) Value {
	a.bind("reverse")
	items := r.newList(r.items(v), generator)
	slices.Reverse(items.Items)
	if _, ok := v.(Text); ok {
		b := builder{r: r}
		for _, c := range items.Items {
			b.text(c.(Text))
		}
		return b.done()
	}
	return items
}

// pairs are the items of a mapping.
func pairs(r *run, v Value) Value {
	if _, ok := v.(Undefined); ok {
		return &List{kind: generator}
	}
	d, ok := v.(*Dict)
	if !ok {
		fail("items: a %s is no mapping", typeName(v))
	}
	out := &List{kind: view}
	r.alloc(32 + 80*len(d.keys))
	for i, k := range d.keys {
		out.Items = append(out.Items, &List{Items: []Value{k, d.values[i]}, kind: tuple})
	}
	return out
}

// sort sorts by keys, equal ones in their order.
func (r *run) sort(items []Value, key func(Value) Value, backwards bool) []Value {
	type keyed struct{ key, v Value }
	r.alloc(64 * len(items))
	list := make([]keyed, len(items))
	for i, v := range items {
		list[i] = keyed{key(v), v}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		if backwards {
			a, b = b, a
		}
		switch {
		case r.less(a.key, b.key):
			return -1
		case r.less(b.key, a.key):
			return 1
		}
		return 0
	})
	out := make([]Value, len(list))
	for i, k := range list {
		out[i] = k.v
	}
	return out
}

func (r *run) sortedDict(d *Dict) *Dict {
	out := NewDict()
	for _, k := range r.sort(d.keys, func(v Value) Value { return v }, false) {
		v, _ := d.find(k)
		out.put(k, hash(k), v)
	}
	return out
}

func dictsort(r *run, v Value, a args) Value {
	p := a.bind("dictsort", "case_sensitive?", "by?", "reverse?")
	at := int64(0)
	switch by := r.textArg("by", or(p[1], lit("key"))).S; by {
	case "key":
	case "value":
		at = 1
	default:
		fail("dictsort: by is %q; expected key or value", by)
	}
	sensitive := truth(or(p[0], false))
	items := r.sort(r.items(pairs(r, v)), func(v Value) Value { return folded(v.(*List).Items[at], sensitive) }, truth(or(p[2], false)))
	return &List{Items: items}
}

func sorted(r *run, v Value, a args) Value {
	p := a.bind("sort", "reverse?", "case_sensitive?", "attribute?")
	sensitive := truth(or(p[1], false))
	key := r.getter(p[2])
	if t, ok := p[2].(Text); ok && strings.Contains(t.S, ",") {
		var keys []func(Value) Value
		for _, part := range strings.Split(t.S, ",") {
			keys = append(keys, r.getter(lit(strings.TrimSpace(part))))
		}
		key = func(v Value) Value {
			all := &List{kind: tuple}
			for _, k := range keys {
				all.Items = append(all.Items, folded(k(v), sensitive))
			}
			return all
		}
	}
	return &List{Items: r.sort(r.items(v), func(v Value) Value { return folded(key(v), sensitive) }, truth(or(p[0], false)))}
}

func unique(r *run, v Value, a args) Value {
	p := a.bind("unique", "case_sensitive?", "attribute?")
	get, seen, out := r.getter(p[1]), map[any]bool{}, &List{kind: generator}
	for _, item := range r.items(v) {
		r.alloc(64)
		if h := hash(folded(get(item), truth(or(p[0], false)))); !seen[h] {
			seen[h] = true
			out.Items = append(out.Items, item)
		}
	}
	return out
}

func extreme(r *run, v Value, a args, which string) Value {
	p := a.bind(which, "case_sensitive?", "attribute?")
	items, get := r.items(v), r.getter(p[1])
	if len(items) == 0 {
		return Undefined{"the " + which + " of nothing"}
	}
	key := func(v Value) Value { return folded(get(v), truth(or(p[0], false))) }
	best := items[0]
	for _, item := range items[1:] {
		if which == "min" && r.less(key(item), key(best)) || which == "max" && r.less(key(best), key(item)) {
			best = item
		}
	}
	return best
}

func sum(r *run, v Value, a args) Value {
	p := a.bind("sum", "attribute?", "start?")
	total, get := or(p[1], int64(0)), r.getter(p[0])
	for _, item := range r.items(v) {
		total = r.arithmetic("+", total, get(item))
	}
	return total
}

func batch(r *run, v Value, a args) Value {
	p := a.bind("batch", "linecount", "fill_with?")
	n := r.intArg("linecount", p[0])
	if n < 1 {
		fail("batch: linecount is %d; expected at least 1", n)
	}
	out := &List{kind: generator}
	for part := range slices.Chunk(r.items(v), n) {
		row := r.newList(part, list)
		for given(p[1]) && len(row.Items) < n {
			r.alloc(16)
			row.Items = append(row.Items, p[1])
		}
		out.Items = append(out.Items, row)
	}
	return out
}

func sliced(r *run, v Value, a args) Value {
	p := a.bind("slice", "slices", "fill_with?")
	n, items := r.intArg("slices", p[0]), r.items(v)
	if n < 1 {
		fail("slice: slices is %d; expected at least 1", n)
	}
	out, from := &List{kind: generator}, 0
	for i := range n {
		to := from + len(items)/n
		if i < len(items)%n {
			to++
		}
		part := r.newList(items[from:to], list)
		if given(p[1]) && i >= len(items)%n {
			part.Items = append(part.Items, p[1])
		}
		out.Items = append(out.Items, part)
		from = to
	}
	return out
}

func groupby(r *run, v Value, a args) Value {
	p := a.bind("groupby", "attribute", "default?", "case_sensitive?")
	get, sensitive := r.getter(p[0]), truth(or(p[2], false))
	raw := func(v Value) Value {
		out := get(v)
		if _, ok := out.(Undefined); ok && p[1] != (missing{}) {
			return p[1]
		}
		return out
	}
	key := func(v Value) Value { return folded(raw(v), sensitive) }
	out := &List{}
	var group *List
	for i, item := range r.sort(r.items(v), key, false) {
		r.alloc(16)
		if i == 0 || !r.equal(key(item), key(group.Items[0])) {
			r.alloc(128)
			group = &List{}
			out.Items = append(out.Items, &List{Items: []Value{raw(item), group}, kind: tuple, names: []string{"grouper", "list"}})
		}
		group.Items = append(group.Items, item)
	}
	return out
}

// mapped is map(attribute=…, default=…) or map("filter", arguments…).
func mapped(r *run, v Value, a args) Value {
	var f func(Value) Value
	switch {
	case len(a.pos) == 0:
		p := a.bind("map", "attribute", "default?")
		get := r.getter(p[0])
		f = func(v Value) Value {
			out := get(v)
			if _, ok := out.(Undefined); ok {
				return or(p[1], out)
			}
			return out
		}
	default:
		name := r.textArg("the filter's name", a.pos[0]).S
		rest := args{a.pos[1:], a.named}
		f = func(v Value) Value { return r.filter(name, v, rest) }
	}
	out := &List{kind: generator}
	for _, item := range r.items(v) {
		r.alloc(16)
		out.Items = append(out.Items, f(item))
	}
	return out
}

// chosen is select, reject, selectattr and rejectattr: without a test, the true items.
func chosen(r *run, v Value, a args, attribute, keep bool) Value {
	get, rest := r.getter(nil), a.pos
	if attribute {
		if len(rest) == 0 {
			fail("selectattr and rejectattr need the name of an attribute")
		}
		get, rest = r.getter(rest[0]), rest[1:]
	}
	pass := truth
	if len(rest) > 0 {
		name, more := r.textArg("the test's name", rest[0]).S, args{rest[1:], a.named}
		pass = func(v Value) bool { return r.test(name, v, more) }
	}
	out := &List{kind: generator}
	for _, item := range r.items(v) {
		if r.alloc(16); pass(get(item)) == keep {
			out.Items = append(out.Items, item)
		}
	}
	return out
}
