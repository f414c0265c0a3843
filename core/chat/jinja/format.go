package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// percent is Python's "…%s…" % values, with the conversions s r d i f g e x o c and %.
func (r *run) percent(t Text, v Value) Text {
	values := []Value{v}
	if l, ok := v.(*List); ok && l.kind == tuple {
		values = l.Items
	}
	dict, _ := v.(*Dict)
	b := builder{r: r}
	used := 0
	for at := 0; at < len(t.S); {
		i := strings.IndexByte(t.S[at:], '%')
		if i < 0 {
			b.text(t.slice(at, len(t.S)))
			break
		}
		b.text(t.slice(at, at+i))
		at += i + 1
		var arg Value = missing{}
		if strings.HasPrefix(t.S[at:], "(") && dict != nil {
			end := strings.IndexByte(t.S[at:], ')')
			if end < 0 {
				fail("a name in a format has no end")
			}
			var ok bool
			if arg, ok = dict.Get(t.S[at+1 : at+end]); !ok {
				fail("the format names %q, which is not given", t.S[at+1:at+end])
			}
			at += end + 1
		}
		spec := strings.IndexFunc(t.S[at:], func(c rune) bool { return !strings.ContainsRune("#0- +.123456789", c) })
		if spec < 0 {
			fail("a format ends after %%")
		}
		flags, verb := t.S[at:at+spec], t.S[at+spec]
		at += spec + 1
		if verb == '%' {
			b.str("%")
			continue
		}
		if arg == (missing{}) {
			if used >= len(values) {
				fail("the format needs more than %d values", len(values))
			}
			arg = values[used]
			used++
		}
		b.text(r.verb(flags, verb, arg))
	}
	if used < len(values) && dict == nil {
		fail("the format has no place for %d of its values", len(values)-used)
	}
	return b.done()
}

// verb writes one value.
func (r *run) verb(flags string, verb byte, v Value) Text {
	for _, part := range strings.FieldsFunc(flags, func(c rune) bool { return c < '0' || c > '9' }) {
		if len(part) > 3 {
			fail("a width of %s in a format is too large", part)
		}
	}
	if verb == 's' || verb == 'r' {
		t := r.str(v)
		if verb == 'r' {
			t = r.repr(v)
		}
		width, precision, cut := strings.Cut(strings.TrimLeft(flags, "-0+ #"), ".")
		if cut {
			n, _ := strconv.Atoi(precision)
			t = t.slice(0, offset(t.S, n))
		}
		n, _ := strconv.Atoi(width)
		left := strings.Contains(strings.TrimSuffix(flags, width+"."+precision), "-")
		return r.pad(t, n, lit(" "), !left, left)
	}
	i, f, isInt, ok := number(v)
	if !ok {
		must(v)
		fail("%%%c needs a number, not a %s", verb, typeName(v))
	}
	switch verb {
	case 'd', 'i', 'u':
		if !isInt {
			i = int64(f)
		}
		return lit(fmt.Sprintf("%"+flags+"d", i))
	case 'x', 'X', 'o', 'c':
		if isInt {
			return lit(fmt.Sprintf("%"+flags+string(verb), i))
		}
		fail("%%%c needs a whole number", verb)
	case 'f', 'F', 'e', 'E', 'g', 'G':
		return lit(fmt.Sprintf("%"+flags+string(verb), f))
	}
	fail("the conversion %%%c is not known", verb)
	return Text{}
}

// format is Python's "{} {name}".format(…), without format specifications.
func (r *run) format(t Text, a args) Text {
	b := builder{r: r}
	next := 0
	for at := 0; at < len(t.S); {
		i := strings.IndexAny(t.S[at:], "{}")
		if i < 0 {
			b.text(t.slice(at, len(t.S)))
			break
		}
		b.text(t.slice(at, at+i))
		at += i
		if at+1 < len(t.S) && t.S[at+1] == t.S[at] {
			b.text(t.slice(at, at+1))
			at += 2
			continue
		}
		end := strings.IndexByte(t.S[at:], '}')
		if t.S[at] == '}' || end < 0 {
			fail("format(): a brace stands alone")
		}
		field := t.S[at+1 : at+end]
		at += end + 1
		if strings.ContainsAny(field, ":!.[") {
			fail("format(): the field {%.40s} has more than a name or number", field)
		}
		v, ok := Value(nil), false
		if n, err := strconv.Atoi(field); err == nil || field == "" {
			if field == "" {
				n = next
				next++
			}
			if ok = n >= 0 && n < len(a.pos); ok {
				v = a.pos[n]
			}
		}
		for _, k := range a.named {
			if k.name == field {
				v, ok = k.value, true
			}
		}
		if !ok {
			fail("format(): nothing is given for {%.40s}", field)
		}
		b.text(r.str(v))
	}
	return b.done()
}

// strftime writes a time as C does in its plain locale.
func strftime(t time.Time, format string) string {
	layouts := map[byte]string{'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
		'B': "January", 'b': "Jan", 'h': "Jan", 'A': "Monday", 'a': "Mon", 'j': "002", 'Z': "MST", 'z': "-0700", 'f': ".000000", 'e': "_2",
		'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'D': "01/02/06", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05",
		'r': "03:04:05 PM"}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		bare := format[i] == '-' && i+1 < len(format) // without leading zeros
		if bare {
			i++
		}
		s := ""
		switch c := format[i]; c {
		case '%':
			s = "%"
		case 'n':
			s = "\n"
		case 't':
			s = "\t"
		case 's':
			s = strconv.FormatInt(t.Unix(), 10)
		case 'w':
			s = strconv.Itoa(int(t.Weekday()))
		case 'u':
			s = strconv.Itoa((int(t.Weekday())+6)%7 + 1)
		default:
			layout, ok := layouts[c]
			if !ok {
				fail("strftime_now: %%%c is not known", c)
			}
			if s = t.Format(layout); c == 'f' {
				s = s[1:]
			}
		}
		if bare {
			if s = strings.TrimLeft(s, "0 "); s == "" {
				s = "0"
			}
		}
		b.WriteString(s)
	}
	return b.String()
}
