package recipe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// givenKey lists the settings that somebody set, beside the settings themselves.
const givenKey = "explicit"

// ToJSON writes all settings in the order of Fields, and under "explicit" the names of those that were set. It fails on
// numbers that JSON cannot write (NaN, Inf), which Validate refuses too.
func (r Recipe) ToJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("{\n")
	for i := range fields {
		f := &fields[i]
		v := f.in(&r).Interface()
		if list, ok := v.([]string); ok && list == nil {
			v = []string{}
		}
		if err := writeMember(&b, f.Name, v); err != nil {
			return nil, err
		}
		b.WriteString(",\n")
	}
	names := slices.AppendSeq([]string{}, maps.Keys(r.given))
	slices.Sort(names)
	if err := writeMember(&b, givenKey, names); err != nil {
		return nil, err
	}
	b.WriteString("\n}\n")
	return b.Bytes(), nil
}

func writeMember(b *bytes.Buffer, name string, v any) error {
	var value bytes.Buffer
	enc := json.NewEncoder(&value)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("%s cannot be written as JSON: %w", name, err)
	}
	fmt.Fprintf(b, "  %q: %s", name, bytes.TrimSpace(value.Bytes()))
	return nil
}

// FromJSON reads what ToJSON wrote, or an object with some of the settings; those left out have their defaults. Unknown and
// repeated names and wrong types are errors that name the setting. Without the list "explicit", all settings in the object
// count as given. Settings that hang on others are resolved.
func FromJSON(data []byte) (Recipe, error) {
	r, err := fromJSON(data)
	if err != nil {
		return Recipe{}, fmt.Errorf("recipe: %w", err)
	}
	r.Resolve()
	return r, nil
}

func fromJSON(data []byte) (Recipe, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil {
		return Recipe{}, syntax(err)
	} else if t != json.Delim('{') {
		return Recipe{}, errors.New("a JSON object with settings is wanted")
	}
	r := Default()
	seen := map[string]bool{}
	var given *[]string
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return Recipe{}, syntax(err)
		}
		name := t.(string) // the decoder lets only strings stand here
		if seen[name] {
			return Recipe{}, fmt.Errorf("%s stands there twice", quote(name))
		}
		seen[name] = true
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return Recipe{}, syntax(err)
		}
		if name == givenKey {
			list, err := stringList(raw)
			if err != nil {
				return Recipe{}, fmt.Errorf("%s: %w", name, err)
			}
			given = &list
			continue
		}
		f := field(name)
		if f == nil {
			return Recipe{}, fmt.Errorf("there is no setting %s", quote(name))
		}
		if err := f.fromJSON(&r, raw); err != nil {
			return Recipe{}, fmt.Errorf("%s: %w", name, err)
		}
		r.mark(name)
	}
	if _, err := dec.Token(); err != nil {
		return Recipe{}, syntax(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Recipe{}, errors.New("something follows the JSON object")
	}
	if given != nil {
		r.given = nil
		for _, name := range *given {
			if field(name) == nil {
				return Recipe{}, fmt.Errorf("%s: there is no setting %s", givenKey, quote(name))
			}
			if !seen[name] {
				return Recipe{}, fmt.Errorf("%s names %s, which has no value", givenKey, name)
			}
			r.mark(name)
		}
	}
	return r, nil
}

func syntax(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON ends too early")
	}
	return fmt.Errorf("not JSON: %w", err)
}

func (f *Field) fromJSON(r *Recipe, raw json.RawMessage) error {
	v := f.in(r)
	var err error
	switch f.Kind {
	case Text:
		var s *string
		if err = json.Unmarshal(raw, &s); err != nil || s == nil {
			return fmt.Errorf("a string is wanted, not %s", snippet(raw))
		}
		return f.parse(r, *s)
	case Whole, Size:
		var n json.Number
		if raw[0] == '"' || json.Unmarshal(raw, &n) != nil || n == "" {
			return fmt.Errorf("a whole number is wanted, not %s", snippet(raw))
		}
		whole, err := parseWhole(n.String())
		if err != nil {
			return fmt.Errorf("a whole number is wanted, not %s", snippet(raw))
		}
		v.SetInt(whole)
	case Number:
		var x *float64
		if err = json.Unmarshal(raw, &x); err != nil || x == nil || math.IsInf(*x, 0) {
			return fmt.Errorf("a number is wanted, not %s", snippet(raw))
		}
		v.SetFloat(*x)
	case Switch:
		var b *bool
		if err = json.Unmarshal(raw, &b); err != nil || b == nil {
			return fmt.Errorf("true or false is wanted, not %s", snippet(raw))
		}
		v.SetBool(*b)
	case List:
		list, err := stringList(raw)
		if err != nil {
			return err
		}
		return f.setList(v, list)
	}
	return nil
}

// stringList reads a list whose entries are all strings; a null is neither a list nor an entry.
func stringList(raw json.RawMessage) ([]string, error) {
	var list []*string
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return nil, fmt.Errorf("a list of strings is wanted, not %s", snippet(raw))
	}
	out := make([]string, len(list))
	for i, s := range list {
		if s == nil {
			return nil, fmt.Errorf("entry %d is null", i+1)
		}
		out[i] = *s
	}
	return out, nil
}

// snippet shows the beginning of a wrong value.
func snippet(raw json.RawMessage) string {
	s := strings.ToValidUTF8(string(raw[:min(len(raw), 60)]), "")
	if len(raw) > 60 {
		s += "…"
	}
	return s
}
