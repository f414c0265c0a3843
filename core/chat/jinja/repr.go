package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is Python's str: what {{ }} writes.
func (r *run) str(v Value) Text {
	switch v := v.(type) {
	case Text:
		return v
	case Undefined:
		return Text{}
	}
	return r.repr(v)
}

// repr is Python's repr.
func (r *run) repr(v Value) Text {
	if t, ok := scalar(v); ok {
		return lit(t)
	}
	b := builder{r: r}
	b.repr(v)
	return b.done()
}

// scalar writes None, booleans and numbers as Python does.
func scalar(v Value) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "None", true
	case bool:
		if v {
			return "True", true
		}
		return "False", true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return floatRepr(v), true
	}
	return "", false
}

func floatRepr(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	case math.IsNaN(v):
		return "nan"
	}
	s := strconv.FormatFloat(v, 'e', -1, 64)
	e, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	if e >= -4 && e < 16 {
		s = strconv.FormatFloat(v, 'f', -1, 64)
		if strings.IndexByte(s, '.') < 0 {
			s += ".0"
		}
	}
	return s
}

func (b *builder) repr(v Value) {
	b.r.enter()
	defer b.r.leave()
	switch v := v.(type) {
	case Text:
		quote := "'"
		if strings.Contains(v.S, "'") && !strings.Contains(v.S, `"`) {
			quote = `"`
		}
		b.str(quote)
		b.runes(v, func(c rune) string { return pythonEscape(c, quote) })
		b.str(quote)
	case Undefined:
		b.str("Undefined")
	case *List:
		open, end := "[", "]"
		switch v.kind {
		case tuple:
			open, end = "(", ")"
			if len(v.Items) == 1 {
				end = ",)"
			}
		case generator:
			b.str("<generator object>")
			return
		case view:
			open, end = "dict_view([", "])"
		}
		b.str(open)
		for i, item := range v.Items {
			if i > 0 {
				b.str(", ")
			}
			b.repr(item)
		}
		b.str(end)
	case *Dict:
		b.str("{")
		for i, k := range v.keys {
			if i > 0 {
				b.str(", ")
			}
			b.repr(k)
			b.str(": ")
			b.repr(v.values[i])
		}
		b.str("}")
	case *Namespace:
		b.str("<Namespace ")
		b.repr(v.vars)
		b.str(">")
	case *Func:
		b.str("<function " + v.name + ">")
	case *loop:
		b.str(fmt.Sprintf("<LoopContext %d/%d>", v.at+1, len(v.items)))
	default:
		s, _ := scalar(v)
		b.str(s)
	}
}

func pythonEscape(c rune, quote string) string {
	switch {
	case string(c) == quote || c == '\\':
		return `\` + string(c)
	case c == '\n':
		return `\n`
	case c == '\r':
		return `\r`
	case c == '\t':
		return `\t`
	case unicode.IsPrint(c):
		return string(c)
	case c < 0x100:
		return fmt.Sprintf(`\x%02x`, c)
	case c < 0x10000:
		return fmt.Sprintf(`\u%04x`, c)
	}
	return fmt.Sprintf(`\U%08x`, c)
}

// jsonStyle are the arguments of tojson, which are those of Python's json.dumps; transformers sets ensure_ascii to false.
type jsonStyle struct {
	ascii      bool
	sort       bool
	indent     string // of a level; used when breaks is set
	breaks     bool
	item, pair string // separators
}

func (b *builder) json(v Value, st *jsonStyle, level int) {
	b.r.enter()
	defer b.r.leave()
	newline := func(level int) {
		if st.breaks {
			b.str("\n" + strings.Repeat(st.indent, level))
		}
	}
	switch v := v.(type) {
	case Text:
		b.jsonString(v, st)
	case nil:
		b.str("null")
	case bool:
		b.str(strconv.FormatBool(v))
	case float64:
		b.str(jsonFloat(v))
	case int64:
		b.str(strconv.FormatInt(v, 10))
	case *List:
		if v.kind > tuple {
			fail("a %s cannot be written as JSON; put |list behind it", typeName(v))
		}
		if len(v.Items) == 0 {
			b.str("[]")
			return
		}
		b.str("[")
		for i, item := range v.Items {
			if i > 0 {
				b.str(st.item)
			}
			newline(level + 1)
			b.json(item, st, level+1)
		}
		newline(level)
		b.str("]")
	case *Dict:
		if len(v.keys) == 0 {
			b.str("{}")
			return
		}
		b.str("{")
		keys, values := v.keys, v.values
		if st.sort {
			d := b.r.sortedDict(v)
			keys, values = d.keys, d.values
		}
		for i, k := range keys {
			if i > 0 {
				b.str(st.item)
			}
			newline(level + 1)
			b.jsonKey(k, st)
			b.str(st.pair)
			b.json(values[i], st, level+1)
		}
		newline(level)
		b.str("}")
	default:
		must(v)
		fail("a %s cannot be written as JSON", typeName(v))
	}
}

func jsonFloat(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	case math.IsNaN(v):
		return "NaN"
	}
	return floatRepr(v)
}

func (b *builder) jsonKey(k Value, st *jsonStyle) {
	switch k := k.(type) {
	case Text:
		b.jsonString(k, st)
	case nil, bool, int64, float64:
		b.str(`"`)
		b.json(k, st, 0)
		b.str(`"`)
	default:
		fail("a %s cannot be a key of JSON", typeName(k))
	}
}

func (b *builder) jsonString(t Text, st *jsonStyle) {
	b.str(`"`)
	b.runes(t, func(c rune) string {
		switch {
		case c == '"' || c == '\\':
			return `\` + string(c)
		case c == '\n':
			return `\n`
		case c == '\r':
			return `\r`
		case c == '\t':
			return `\t`
		case c == '\b':
			return `\b`
		case c == '\f':
			return `\f`
		case c < 0x20 || st.ascii && c > 0x7e && c < 0x10000:
			return fmt.Sprintf(`\u%04x`, c)
		case st.ascii && c >= utf8.RuneSelf:
			c -= 0x10000
			return fmt.Sprintf(`\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		}
		return string(c)
	})
	b.str(`"`)
}
