package data

import (
	"encoding/json"
	"fmt"
	"slices"
)

// The functions of this file walk JSON that is known to be valid, so they look only for where things begin and end.

// A column is one member of a row.
type column struct {
	name  string
	value []byte // JSON
}

// columns are the members of a row in their order; those that are null count as absent.
type columns []column

func (c columns) get(name string) ([]byte, bool) {
	for i := range c {
		if c[i].name == name {
			return c[i].value, true
		}
	}
	return nil, false
}

func (c columns) has(name string) bool { _, ok := c.get(name); return ok }

func (c columns) names() []string {
	out := make([]string, len(c))
	for i := range c {
		out[i] = c[i].name
	}
	slices.Sort(out)
	return out
}

// maxColumns is how many members an object of a row may have; the formats need six.
const maxColumns = 256

// members reads the members of an object. A name that stands there twice is an error: JSON does not say which one counts.
func members(raw []byte) (columns, error) {
	var out columns
	i := skipSpace(raw, 1)
	for raw[i] != '}' {
		end := skipValue(raw, i)
		name := stringOf(raw[i:end])
		i = skipSpace(raw, skipSpace(raw, end)+1) // behind the colon
		end = skipValue(raw, i)
		if out.has(name) {
			return nil, fmt.Errorf("the column %s stands there twice; which one counts?", quoteAll([]string{name}))
		}
		if len(out) == maxColumns {
			return nil, fmt.Errorf("the object has more than %d columns", maxColumns)
		}
		out = append(out, column{name, raw[i:end]})
		if i = skipSpace(raw, end); raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	return slices.DeleteFunc(out, func(c column) bool { return string(c.value) == "null" }), nil
}

// elements calls yield with each element of an array, until it fails.
func elements(raw []byte, yield func(i int, value []byte) error) error {
	i := skipSpace(raw, 1)
	for n := 0; raw[i] != ']'; n++ {
		end := skipValue(raw, i)
		if err := yield(n, raw[i:end]); err != nil {
			return err
		}
		if i = skipSpace(raw, end); raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	return nil
}

func skipSpace(raw []byte, i int) int {
	for raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\r' || raw[i] == '\n' {
		i++
	}
	return i
}

// skipValue is the place behind the value that begins at i.
func skipValue(raw []byte, i int) int {
	depth := 0
	for ; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of what a number or a word stands in
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// stringOf reads a JSON string.
func stringOf(raw []byte) string {
	body := raw[1 : len(raw)-1]
	if !slices.Contains(body, '\\') {
		return string(body)
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		panic("data: a string that was checked is none: " + err.Error())
	}
	return s
}

// text reads a value that must be a string.
func text(name string, raw []byte) (string, error) {
	if raw[0] != '"' {
		return "", fmt.Errorf("%s is %s; expected a string", name, kindName(raw))
	}
	return stringOf(raw), nil
}

// text reads a column of text; one that is absent is empty.
func (c columns) text(name string) (string, error) {
	raw, ok := c.get(name)
	if !ok {
		return "", nil
	}
	return text(name, raw)
}
