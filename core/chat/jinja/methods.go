package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The methods that Python's values have, as far as they change nothing.
var (
	stringMethods map[string]func(r *run, t Text, a args) Value
	listMethods   map[string]func(r *run, l *List, a args) Value
	dictMethods   map[string]func(r *run, d *Dict, a args) Value
)

func makeMethods() {
	strip := func(name string, left, right bool) func(*run, Text, args) Value {
		return func(r *run, t Text, a args) Value {
			r.work(len(t.S))
			cut := space
			if chars := a.bind(name, "chars?")[0]; given(chars) {
				set := r.textArg("chars", chars).S
				cut = func(c rune) bool { return strings.ContainsRune(set, c) }
			}
			return t.trim(cut, left, right)
		}
	}
	letters := func(name string, f func(rune) rune) func(*run, Text, args) Value {
		return func(r *run, t Text, a args) Value {
			a.bind(name)
			b := builder{r: r}
			b.runes(t, func(c rune) string {
				if c == 'ß' && name == "upper" {
					return "SS"
				}
				return string(f(c))
			})
			return b.done()
		}
	}
	every := func(name string, f func(rune) bool) func(*run, Text, args) Value {
		return func(r *run, t Text, a args) Value {
			a.bind(name)
			r.work(len(t.S))
			return t.S != "" && !strings.ContainsFunc(t.S, func(c rune) bool { return !f(c) })
		}
	}
	pad := func(name string, left, right bool) func(*run, Text, args) Value {
		return func(r *run, t Text, a args) Value {
			p := a.bind(name, "width", "fillchar?")
			return r.pad(t, r.intArg("width", p[0]), r.textArg("fillchar", or(p[1], lit(" "))), left, right)
		}
	}
	stringMethods = map[string]func(r *run, t Text, a args) Value{
		"strip": strip("strip", true, true), "lstrip": strip("lstrip", true, false), "rstrip": strip("rstrip", false, true),
		"upper": letters("upper", unicode.ToUpper), "lower": letters("lower", unicode.ToLower), "casefold": letters("casefold", unicode.ToLower),
		"swapcase": letters("swapcase", func(c rune) rune {
			if unicode.IsUpper(c) {
				return unicode.ToLower(c)
			}
			return unicode.ToUpper(c)
		}),
		"title": func(r *run, t Text, a args) Value {
			a.bind("title")
			return r.titled(t, func(c rune) bool { return !unicode.IsUpper(c) && !unicode.IsLower(c) && !unicode.IsTitle(c) })
		},
		"capitalize": func(r *run, t Text, a args) Value {
			a.bind("capitalize")
			return r.titled(t, func(rune) bool { return false })
		},
		"isalpha":   every("isalpha", unicode.IsLetter),
		"isdigit":   every("isdigit", unicode.IsDigit),
		"isdecimal": every("isdecimal", unicode.IsDigit),
		"isnumeric": every("isnumeric", unicode.IsNumber),
		"isalnum":   every("isalnum", func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) }),
		"isspace":   every("isspace", space),
		"isascii":   func(_ *run, t Text, a args) Value { a.bind("isascii"); return len(t.S) == t.runes() },
		"isupper": func(_ *run, t Text, a args) Value {
			a.bind("isupper")
			return cased(t, unicode.IsUpper, unicode.IsLower)
		},
		"islower": func(_ *run, t Text, a args) Value {
			a.bind("islower")
			return cased(t, unicode.IsLower, unicode.IsUpper)
		},
		"startswith": func(r *run, t Text, a args) Value {
			return r.affix(t, a.bind("startswith", "prefix", "start?", "end?"), strings.HasPrefix)
		},
		"endswith": func(r *run, t Text, a args) Value {
			return r.affix(t, a.bind("endswith", "suffix", "start?", "end?"), strings.HasSuffix)
		},
		"removeprefix": func(r *run, t Text, a args) Value {
			p := r.textArg("prefix", a.bind("removeprefix", "prefix")[0]).S
			return t.slice(len(t.S)-len(strings.TrimPrefix(t.S, p)), len(t.S))
		},
		"removesuffix": func(r *run, t Text, a args) Value {
			return t.slice(0, len(strings.TrimSuffix(t.S, r.textArg("suffix", a.bind("removesuffix", "suffix")[0]).S)))
		},
		"split":  func(r *run, t Text, a args) Value { return r.split(t, a.bind("split", "sep?", "maxsplit?"), false) },
		"rsplit": func(r *run, t Text, a args) Value { return r.split(t, a.bind("rsplit", "sep?", "maxsplit?"), true) },
		"splitlines": func(r *run, t Text, a args) Value {
			out := &List{}
			for _, line := range r.splitLines(t, truth(or(a.bind("splitlines", "keepends?")[0], false))) {
				out.Items = append(out.Items, line)
			}
			return out
		},
		"partition": func(r *run, t Text, a args) Value {
			sep := r.separator(a.bind("partition", "sep")[0])
			return r.parted(t, sep, strings.Index(t.S, sep), false)
		},
		"rpartition": func(r *run, t Text, a args) Value {
			sep := r.separator(a.bind("rpartition", "sep")[0])
			return r.parted(t, sep, strings.LastIndex(t.S, sep), true)
		},
		"join": func(r *run, t Text, a args) Value {
			b := builder{r: r}
			for i, item := range r.items(a.bind("join", "iterable")[0]) {
				if i > 0 {
					b.text(t)
				}
				b.text(r.textArg("an item of join", item))
			}
			return b.done()
		},
		"replace": func(r *run, t Text, a args) Value {
			p := a.bind("replace", "old", "new", "count?")
			n := -1
			if given(p[2]) {
				n = r.intArg("count", p[2])
			}
			return r.replace(t, r.textArg("old", p[0]).S, r.textArg("new", p[1]), n)
		},
		"find":   func(r *run, t Text, a args) Value { return r.find(t, a, "find", strings.Index) },
		"rfind":  func(r *run, t Text, a args) Value { return r.find(t, a, "rfind", strings.LastIndex) },
		"index":  func(r *run, t Text, a args) Value { return r.found(r.find(t, a, "index", strings.Index)) },
		"rindex": func(r *run, t Text, a args) Value { return r.found(r.find(t, a, "rindex", strings.LastIndex)) },
		"count": func(r *run, t Text, a args) Value {
			p := a.bind("count", "sub", "start?", "end?")
			part, _ := r.part(t, p[1:])
			return int64(strings.Count(part.S, r.textArg("sub", p[0]).S))
		},
		"center": pad("center", true, true), "ljust": pad("ljust", false, true), "rjust": pad("rjust", true, false),
		"zfill": func(r *run, t Text, a args) Value {
			width := r.intArg("width", a.bind("zfill", "width")[0])
			sign := 0
			if strings.HasPrefix(t.S, "-") || strings.HasPrefix(t.S, "+") {
				sign = 1
			}
			return r.concat(t.slice(0, sign), r.pad(t.slice(sign, len(t.S)), width-sign, lit("0"), true, false))
		},
		"expandtabs": func(r *run, t Text, a args) Value {
			p := a.bind("expandtabs", "tabsize?")
			return r.replace(t, "\t", r.repeat(lit(" "), int64(r.intArg("tabsize", or(p[0], int64(8))))).(Text), -1)
		},
		"format": func(r *run, t Text, a args) Value { return r.format(t, a) },
	}
	listMethods = map[string]func(r *run, l *List, a args) Value{
		"count": func(r *run, l *List, a args) Value {
			n, x := int64(0), a.bind("count", "value")[0]
			for _, item := range r.items(l) {
				if r.equal(item, x) {
					n++
				}
			}
			return n
		},
		"index": func(r *run, l *List, a args) Value {
			x := a.bind("index", "value")[0]
			for i, item := range r.items(l) {
				if r.equal(item, x) {
					return int64(i)
				}
			}
			fail("index: the value is not in the list")
			return nil
		},
		"copy": func(r *run, l *List, a args) Value { a.bind("copy"); return r.newList(l.Items, list) },
	}
	for _, name := range []string{"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"} {
		listMethods[name] = func(*run, *List, args) Value {
			fail("%s() would change a list, which a template may not", name)
			return nil
		}
	}
	dictMethods = map[string]func(r *run, d *Dict, a args) Value{
		"get": func(_ *run, d *Dict, a args) Value {
			p := a.bind("get", "key", "default?")
			if v, ok := d.find(p[0]); ok {
				return v
			}
			return or(p[1], nil)
		},
		"items":  func(r *run, d *Dict, a args) Value { a.bind("items"); return pairs(r, d) },
		"keys":   func(r *run, d *Dict, a args) Value { a.bind("keys"); return r.newList(d.keys, view) },
		"values": func(r *run, d *Dict, a args) Value { a.bind("values"); return r.newList(d.values, view) },
		"copy":   func(r *run, d *Dict, a args) Value { a.bind("copy"); return r.newDict(args{pos: []Value{d}}) },
	}
	for _, name := range []string{"clear", "pop", "popitem", "setdefault", "update"} {
		dictMethods[name] = func(*run, *Dict, args) Value {
			fail("%s() would change a mapping, which a template may not", name)
			return nil
		}
	}
}

func (r *run) separator(v Value) string {
	sep := r.textArg("sep", v).S
	if sep == "" {
		fail("the separator is empty")
	}
	return sep
}

// pad fills a text up to width.
func (r *run) pad(t Text, width int, fill Text, left, right bool) Text {
	if fill.runes() != 1 {
		fail("the character to fill with is %q; expected one character", fill.S)
	}
	n := max(0, width-t.runes())
	before, after := n, n
	switch {
	case left && right:
		before = n/2 + n&width&1 // Python's rule for an odd rest
		after = n - before
	case left:
		after = 0
	default:
		before = 0
	}
	return r.concat(r.repeat(fill, int64(before)).(Text), t, r.repeat(fill, int64(after)).(Text))
}

// part is t[start:end].
func (r *run) part(t Text, bounds []Value) (part Text, from int) {
	from, to, _ := r.bounds([3]Value{or(bounds[0], nil), or(bounds[1], nil), nil}, t.runes())
	r.work(len(t.S))
	at := offset(t.S, from)
	return t.slice(at, at+offset(t.S[at:], to-from)), from
}

func (r *run) affix(t Text, p []Value, has func(s, affix string) bool) Value {
	part, _ := r.part(t, p[1:])
	if l, ok := p[0].(*List); ok && l.kind == tuple {
		return slices.ContainsFunc(l.Items, func(v Value) bool { return has(part.S, r.textArg("an affix", v).S) })
	}
	return has(part.S, r.textArg("the affix", p[0]).S)
}

func (r *run) find(t Text, a args, name string, index func(s, sub string) int) Value {
	p := a.bind(name, "sub", "start?", "end?")
	part, from := r.part(t, p[1:])
	i := index(part.S, r.textArg("sub", p[0]).S)
	if i < 0 {
		return int64(-1)
	}
	return int64(from + utf8.RuneCountInString(part.S[:i]))
}

func (r *run) found(at Value) Value {
	if at == int64(-1) {
		fail("index: the string is not there")
	}
	return at
}

func (r *run) parted(t Text, sep string, i int, last bool) Value {
	out := &List{kind: tuple}
	switch {
	case i >= 0:
		out.Items = []Value{t.slice(0, i), t.slice(i, i+len(sep)), t.slice(i+len(sep), len(t.S))}
	case last:
		out.Items = []Value{Text{}, Text{}, t}
	default:
		out.Items = []Value{t, Text{}, Text{}}
	}
	return out
}

// split is Python's: without a separator at runs of white space, without empty parts.
func (r *run) split(t Text, p []Value, fromEnd bool) Value {
	limit := -1
	if given(p[1]) {
		limit = r.intArg("maxsplit", p[1])
	}
	var cuts [][2]int // what is taken out
	if !given(p[0]) {
		t = t.trim(space, limit < 0 || !fromEnd, limit < 0 || fromEnd)
		for at := 0; at < len(t.S); {
			n := spaces(t.S[at:])
			if n == 0 {
				at += offset(t.S[at:], 1)
				continue
			}
			cuts = append(cuts, [2]int{at, at + n})
			at += n
		}
		if limit < 0 || len(cuts) <= limit {
			t, cuts = dropEdges(t, cuts)
		}
	} else {
		sep := r.separator(p[0])
		if fromEnd {
			for end := len(t.S); ; {
				i := strings.LastIndex(t.S[:end], sep)
				if i < 0 {
					break
				}
				cuts = append(cuts, [2]int{i, i + len(sep)})
				end = i
			}
			slices.Reverse(cuts)
		} else {
			for at := 0; ; {
				i := strings.Index(t.S[at:], sep)
				if i < 0 {
					break
				}
				cuts = append(cuts, [2]int{at + i, at + i + len(sep)})
				at += i + len(sep)
			}
		}
	}
	r.alloc(16 * len(cuts))
	if limit >= 0 && len(cuts) > limit {
		if fromEnd {
			cuts = cuts[len(cuts)-limit:]
		} else {
			cuts = cuts[:limit]
		}
	}
	out := &List{}
	if !given(p[0]) && t.S == "" {
		return out
	}
	from := 0
	for _, c := range append(cuts, [2]int{len(t.S), 0}) {
		r.alloc(64)
		out.Items = append(out.Items, t.slice(from, c[0]))
		from = c[1]
	}
	return out
}

// dropEdges takes white space at the ends away, which gives no empty parts.
func dropEdges(t Text, cuts [][2]int) (Text, [][2]int) {
	if n := len(cuts); n > 0 && cuts[n-1][1] == len(t.S) {
		t, cuts = t.slice(0, cuts[n-1][0]), cuts[:n-1]
	}
	if len(cuts) > 0 && cuts[0][0] == 0 {
		n := cuts[0][1]
		t, cuts = t.slice(n, len(t.S)), cuts[1:]
		for i := range cuts {
			cuts[i][0], cuts[i][1] = cuts[i][0]-n, cuts[i][1]-n
		}
	}
	return t, cuts
}

// splitLines cuts at the line ends that Python's str.splitlines knows.
func (r *run) splitLines(t Text, keep bool) []Text {
	var out []Text
	from := 0
	for at := 0; at < len(t.S); {
		c, n := utf8.DecodeRuneInString(t.S[at:])
		end := at
		at += n
		switch {
		case c == '\r' && at < len(t.S) && t.S[at] == '\n':
			at++
		case c >= '\n' && c <= '\r', c >= 0x1c && c <= 0x1e, c == 0x85, c == 0x2028, c == 0x2029:
		default:
			continue
		}
		if keep {
			end = at
		}
		r.alloc(64)
		out = append(out, t.slice(from, end))
		from = at
	}
	if from < len(t.S) {
		out = append(out, t.slice(from, len(t.S)))
	}
	return out
}

// replace puts by in the place of old, n times at most; n < 0 is always.
func (r *run) replace(t Text, old string, by Text, n int) Text {
	r.work(len(t.S))
	b := builder{r: r}
	from := 0
	for ; n != 0; n-- {
		i := strings.Index(t.S[from:], old)
		if i < 0 {
			break
		}
		if old == "" { // between all characters
			b.text(by)
			if from == len(t.S) {
				return b.done()
			}
			i = offset(t.S[from:], 1)
			b.text(t.slice(from, from+i))
			from += i
			continue
		}
		b.text(t.slice(from, from+i))
		b.text(by)
		from += i + len(old)
	}
	b.text(t.slice(from, len(t.S)))
	return b.done()
}
