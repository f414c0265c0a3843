package jinja

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// filters by name.
var filters map[string]func(r *run, v Value, a args) Value

func makeFilters() {
	filters = map[string]func(r *run, v Value, a args) Value{
		// of strings
		"upper": stringFilter("upper"), "lower": stringFilter("lower"), "capitalize": stringFilter("capitalize"),
		"trim": func(r *run, v Value, a args) Value {
			return stringMethods["strip"](r, r.str(v), args{pos: []Value{or(a.bind("trim", "chars?")[0], nil)}})
		},
		"replace": func(r *run, v Value, a args) Value {
			b := a.bind("replace", "old", "new", "count?")
			return stringMethods["replace"](r, r.str(v), args{pos: []Value{r.str(b[0]), r.str(b[1]), or(b[2], nil)}})
		},
		"title": func(r *run, v Value, a args) Value {
			a.bind("title")
			// Not str.title: here only white space, hyphens and opening brackets begin a word.
			return r.titled(r.str(v), func(c rune) bool { return space(c) || strings.ContainsRune("-({[<", c) })
		},
		"string":      func(r *run, v Value, a args) Value { a.bind("string"); return r.str(v) },
		"safe":        func(r *run, v Value, a args) Value { a.bind("safe"); return r.str(v) },
		"escape":      escape,
		"e":           escape,
		"forceescape": escape,
		"urlencode":   urlencode,
		"center": func(r *run, v Value, a args) Value {
			return stringMethods["center"](r, r.str(v), args{pos: []Value{or(a.bind("center", "width?")[0], int64(80))}})
		},
		"indent":    indent,
		"truncate":  truncate,
		"wordcount": wordcount,
		"format": func(r *run, v Value, a args) Value {
			if len(a.named) > 0 {
				d := NewDict()
				for _, k := range a.named {
					d.Set(k.name, k.value)
				}
				return r.percent(r.str(v), d)
			}
			return r.percent(r.str(v), &List{Items: a.pos, kind: tuple})
		},
		"tojson": tojson,

		// of numbers
		"abs":   abs,
		"int":   toInt,
		"float": toFloat,
		"round": round,

		// of anything
		"default": otherwise,
		"d":       otherwise,
		"attr": func(r *run, v Value, a args) Value {
			name := r.textArg("the name", a.bind("attr", "name")[0]).S
			must(v)
			if m, ok := r.method(v, name); ok {
				return m
			}
			return Undefined{"the attribute " + strconv.Quote(name)}
		},
	}
	listFilters()
}

func stringFilter(method string) func(r *run, v Value, a args) Value {
	return func(r *run, v Value, a args) Value { return stringMethods[method](r, r.str(v), a) }
}

// titled makes the first character of each word a capital and the others small.
func (r *run) titled(t Text, separates func(rune) bool) Text {
	b := builder{r: r}
	begins := true
	b.runes(t, func(c rune) string {
		was := begins
		if begins = separates(c); was {
			return string(unicode.ToTitle(c))
		}
		return string(unicode.ToLower(c))
	})
	return b.done()
}

var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")

func escape(r *run, v Value, a args) Value {
	a.bind("escape")
	b := builder{r: r}
	b.mapped(r.str(v), htmlEscaper.Replace)
	return b.done()
}

func urlencode(r *run, v Value, a args) Value {
	a.bind("urlencode")
	quote := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	b := builder{r: r}
	d, ok := v.(*Dict)
	if !ok {
		b.mapped(r.str(v), func(s string) string { return strings.ReplaceAll(quote(s), "%2F", "/") })
		return b.done()
	}
	for i, k := range d.keys {
		if i > 0 {
			b.str("&")
		}
		b.mapped(r.str(k), quote)
		b.str("=")
		b.mapped(r.str(d.values[i]), quote)
	}
	return b.done()
}

func indent(r *run, v Value, a args) Value {
	p := a.bind("indent", "width?", "first?", "blank?")
	by := Text{S: "    "}
	if t, ok := p[0].(Text); ok {
		by = t
	} else if p[0] != (missing{}) {
		by = r.repeat(lit(" "), int64(r.intArg("the width", p[0]))).(Text)
	}
	b := builder{r: r}
	for i, line := range r.splitLines(r.concat(r.str(v), lit("\n")), false) {
		if i > 0 {
			b.str("\n")
		}
		if i == 0 && truth(or(p[1], false)) || i > 0 && (line.S != "" || truth(or(p[2], false))) {
			b.text(by)
		}
		b.text(line)
	}
	return b.done()
}

func truncate(r *run, v Value, a args) Value {
	p := a.bind("truncate", "length?", "killwords?", "end?", "leeway?")
	t, end := r.str(v), r.textArg("end", or(p[2], lit("...")))
	length, leeway := r.intArg("length", or(p[0], int64(255))), r.intArg("leeway", or(p[3], int64(5)))
	if length < end.runes() || leeway < 0 {
		fail("truncate: the length is %d and the end has %d characters, the leeway is %d", length, end.runes(), leeway)
	}
	if t.runes() <= length+leeway {
		return t
	}
	t = t.slice(0, offset(t.S, length-end.runes()))
	if i := strings.LastIndexByte(t.S, ' '); i >= 0 && !truth(or(p[1], false)) {
		t = t.slice(0, i)
	}
	return r.concat(t, end)
}

func wordcount(r *run, v Value, a args) Value {
	a.bind("wordcount")
	t := r.str(v)
	r.work(len(t.S))
	return int64(len(strings.FieldsFunc(t.S, func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsNumber(c) })))
}

func tojson(r *run, v Value, a args) Value {
	p := a.bind("tojson", "ensure_ascii?", "indent?", "separators?", "sort_keys?")
	st := &jsonStyle{ascii: truth(or(p[0], false)), sort: truth(or(p[3], false)), item: ", ", pair: ": "}
	switch n := or(p[1], nil).(type) {
	case nil:
	case Text:
		st.breaks, st.indent = true, n.S
	default:
		st.breaks, st.indent = true, strings.Repeat(" ", max(0, min(r.intArg("indent", n), 64)))
	}
	if st.breaks {
		st.item = ","
	}
	if given(p[2]) {
		pair := r.items(p[2])
		if len(pair) != 2 {
			fail("tojson: separators needs two strings")
		}
		st.item, st.pair = r.textArg("separators", pair[0]).S, r.textArg("separators", pair[1]).S
	}
	b := builder{r: r}
	b.json(v, st, 0)
	return b.done()
}

func abs(_ *run, v Value, a args) Value {
	a.bind("abs")
	i, f, isInt, ok := number(v)
	switch {
	case !ok:
		must(v)
		fail("abs: a %s is no number", typeName(v))
	case isInt && i < 0:
		return -i
	case isInt:
		return i
	}
	return math.Abs(f)
}

// parseInt is Python's int(s, base): white space around, underscores between digits.
func parseInt(s string, base int) (int64, bool) {
	if s = strings.TrimFunc(s, space); len(s) > 1000 {
		return 0, false
	}
	if strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
		return 0, false
	}
	s = strings.ReplaceAll(s, "_", "")
	lower := strings.ToLower(s)
	for prefix, b := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
		if base == b || base == 0 {
			s = strings.TrimPrefix(lower, prefix)
			if s != lower {
				base = b
				break
			}
		}
	}
	n, err := strconv.ParseInt(s, base, 64)
	return n, err == nil
}

func parseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, space)
	if len(s) > 1000 {
		return 0, false
	}
	s = strings.ToLower(s)
	if strings.Contains(s, "x") || strings.Contains(s, "_") || strings.Contains(s, "p") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || math.IsInf(f, 0)
}

func toInt(r *run, v Value, a args) Value {
	p := a.bind("int", "default?", "base?")
	must(v)
	base := r.intArg("base", or(p[1], int64(10)))
	if base != 0 && (base < 2 || base > 36) {
		fail("int: the base is %d; expected 0 or 2 to 36", base)
	}
	i, f, isInt, ok := number(v)
	if t, text := v.(Text); text {
		if n, ok := parseInt(t.S, base); ok {
			return n
		}
		f, ok = parseFloat(t.S)
	}
	switch {
	case isInt:
		return i
	case ok && math.Abs(f) < 1<<63:
		return int64(f)
	}
	return or(p[0], int64(0))
}

func toFloat(_ *run, v Value, a args) Value {
	p := a.bind("float", "default?")
	must(v)
	_, f, _, ok := number(v)
	if t, text := v.(Text); text {
		f, ok = parseFloat(t.S)
	}
	if !ok {
		return or(p[0], 0.0)
	}
	return f
}

// round is Python's, which takes the even neighbour of a half; ints stay ints.
func round(r *run, v Value, a args) Value {
	p := a.bind("round", "precision?", "method?")
	digits := max(-400, min(r.intArg("precision", or(p[0], int64(0))), 400))
	i, f, isInt, ok := number(v)
	if !ok {
		must(v)
		fail("round: a %s is no number", typeName(v))
	}
	scale := math.Pow(10, float64(digits))
	switch method := r.textArg("method", or(p[1], lit("common"))).S; method {
	case "ceil":
		return math.Ceil(f*scale) / scale
	case "floor":
		return math.Floor(f*scale) / scale
	case "common":
		if isInt && digits >= 0 {
			return i
		}
		if digits >= 0 {
			out, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
			return out
		}
		if out := math.RoundToEven(f*scale) / scale; !isInt {
			return out
		} else {
			return int64(out)
		}
	default:
		fail("round: the method is %q; expected common, ceil or floor", method)
	}
	return nil
}

func otherwise(_ *run, v Value, a args) Value {
	p := a.bind("default", "default_value?", "boolean?")
	_, undefined := v.(Undefined)
	if undefined || truth(or(p[1], false)) && !truth(v) {
		return or(p[0], Text{})
	}
	return v
}
