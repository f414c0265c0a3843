package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"hone/core/chat"
)

// A format is one way to write a row, known by its columns.
type format struct {
	name     string
	required []string
	optional []string
}

var formats = []*format{
	{name: "pre-tokenised", required: []string{"input_ids"}, optional: []string{"labels"}},
	{name: "alpaca", required: []string{"instruction", "output"}, optional: []string{"input"}},
	{name: "text", required: []string{"text"}},
	{name: "messages", required: []string{"messages"}},
}

func (f *format) String() string {
	s := f.name + " (" + strings.Join(f.required, ", ")
	for _, c := range f.optional {
		s += ", " + c + "?"
	}
	return s + ")"
}

// formatOf finds the format that has all columns of a row; a column with null counts as absent.
func formatOf(columns map[string]json.RawMessage) (*format, error) {
	for name, v := range columns {
		if string(v) == "null" {
			delete(columns, name)
		}
	}
	found := slices.Sorted(maps.Keys(columns))
	var near *format
	for _, f := range formats {
		missing := slices.ContainsFunc(f.required, func(c string) bool { _, ok := columns[c]; return !ok })
		if missing {
			continue
		}
		unknown := slices.ContainsFunc(found, func(c string) bool { return !slices.Contains(f.required, c) && !slices.Contains(f.optional, c) })
		if !unknown {
			return f, nil
		}
		if near == nil {
			near = f
		}
	}
	var known []string
	for _, f := range formats {
		known = append(known, f.String())
	}
	message := fmt.Sprintf("the columns are %s; understood are: %s", quoteAll(found), strings.Join(known, "; "))
	if near != nil {
		extra := slices.DeleteFunc(found, func(c string) bool { return slices.Contains(near.required, c) || slices.Contains(near.optional, c) })
		message += fmt.Sprintf(". It would be a row of the format %s without %s; take that out of the file", near.name, quoteAll(extra))
	}
	return nil, fmt.Errorf("%s", message)
}

// quoteAll lists names; a row can have any number of them of any length, a message cannot.
func quoteAll(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	var out []string
	for i, n := range names {
		if i == 16 {
			out = append(out, fmt.Sprintf("… (%d in all)", len(names)))
			break
		}
		if len(n) > 64 {
			n = strings.ToValidUTF8(n[:64], "") + "…"
		}
		out = append(out, fmt.Sprintf("%q", n))
	}
	return strings.Join(out, ", ")
}

// example makes ids and labels of a row.
func (l *rowLoader) example(f *format, columns map[string]json.RawMessage) (ids, labels []int32, err error) {
	switch f.name {
	case "pre-tokenised":
		return preTokenised(columns)
	case "text":
		text, err := stringColumn(columns, "text")
		if err != nil {
			return nil, nil, err
		}
		ids := l.frame(l.opt.Tokenizer.EncodeText(text))
		return ids, slices.Clone(ids), nil
	case "alpaca":
		var v [3]string
		for i, name := range []string{"instruction", "input", "output"} {
			if v[i], err = stringColumn(columns, name); err != nil {
				return nil, nil, err
			}
		}
		return chat.Encode(l.opt.Tokenizer, l.opt.Template, chat.Alpaca(v[0], v[1], v[2]), chat.EncodeOptions{})
	case "messages":
		messages, err := messagesColumn(columns["messages"])
		if err != nil {
			return nil, nil, err
		}
		return chat.Encode(l.opt.Tokenizer, l.opt.Template, messages, chat.EncodeOptions{})
	}
	panic("data: format " + f.name + " is listed but not read")
}

// frame puts the begin token in front of a text and the end token behind it, as far as the tokenizer has them.
func (l *rowLoader) frame(ids []int32) []int32 {
	var out []int32
	if t := l.opt.Tokenizer; t.BOS >= 0 {
		out = append(out, t.BOS)
	}
	out = append(out, ids...)
	if t := l.opt.Tokenizer; t.EOS >= 0 {
		out = append(out, t.EOS)
	}
	return out
}

func preTokenised(columns map[string]json.RawMessage) (ids, labels []int32, err error) {
	if ids, err = integers(columns["input_ids"]); err != nil {
		return nil, nil, fmt.Errorf("input_ids: %w", err)
	}
	if len(ids) == 0 {
		return nil, nil, fmt.Errorf("input_ids is empty")
	}
	raw, ok := columns["labels"]
	if !ok {
		return ids, slices.Clone(ids), nil
	}
	if labels, err = integers(raw); err != nil {
		return nil, nil, fmt.Errorf("labels: %w", err)
	}
	if len(labels) != len(ids) {
		return nil, nil, fmt.Errorf("input_ids has %d entries and labels %d; expected as many, with -100 where nothing is learnt", len(ids), len(labels))
	}
	return ids, labels, nil
}

func stringColumn(columns map[string]json.RawMessage, name string) (string, error) {
	raw, ok := columns[name]
	if !ok {
		return "", nil
	}
	if raw[0] != '"' {
		return "", fmt.Errorf("%s is %s; expected a string", name, kindName(raw))
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

func messagesColumn(raw json.RawMessage) ([]chat.Message, error) {
	if raw[0] != '[' {
		return nil, fmt.Errorf("messages is %s; expected a list of objects {role, content}", kindName(raw))
	}
	// One message at a time: a long list of wrong ones ends at the first, before it takes memory.
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var out []chat.Message
	for i := 0; dec.More(); i++ {
		var m map[string]json.RawMessage
		if err := dec.Decode(&m); err != nil {
			return nil, fmt.Errorf("message %d is not an object {role, content}: %v", i+1, err)
		}
		for name := range m {
			if name != "role" && name != "content" {
				return nil, fmt.Errorf("message %d has the field %s; expected role and content", i+1, quoteAll([]string{name}))
			}
		}
		if len(m) != 2 {
			return nil, fmt.Errorf("message %d lacks role or content", i+1)
		}
		role, err := stringColumn(m, "role")
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", i+1, err)
		}
		content, err := stringColumn(m, "content")
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", i+1, err)
		}
		out = append(out, chat.Message{Role: role, Content: content})
	}
	return out, nil
}

// integers reads a JSON array of whole numbers, which is known to be valid JSON.
func integers(raw json.RawMessage) ([]int32, error) {
	if raw[0] != '[' {
		return nil, fmt.Errorf("%s; expected a list of integers", kindName(raw))
	}
	body := bytes.Trim(raw[1:len(raw)-1], " \t\r\n")
	if len(body) == 0 {
		return nil, nil
	}
	out := make([]int32, 0, 1+bytes.Count(body, []byte{','}))
	for len(body) > 0 {
		item, rest, _ := bytes.Cut(body, []byte{','})
		body = rest
		item = bytes.Trim(item, " \t\r\n")
		v, ok := integer(item)
		if !ok {
			if len(item) > 40 {
				item = item[:40]
			}
			return nil, fmt.Errorf("position %d is %s; expected an integer of at most 32 bits", len(out), strings.ToValidUTF8(string(item), ""))
		}
		out = append(out, v)
	}
	return out, nil
}

func integer(item []byte) (int32, bool) {
	digits := bytes.TrimPrefix(item, []byte{'-'})
	if len(digits) == 0 || len(digits) > 10 {
		return 0, false
	}
	v := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = 10*v + int64(c-'0')
	}
	if len(digits) < len(item) {
		v = -v
	}
	return int32(v), v >= math.MinInt32 && v <= math.MaxInt32
}
