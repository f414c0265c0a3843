package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// maxJSONDepth bounds how deep values handed to a template may lie in each other.
const maxJSONDepth = 64

// FromJSON reads a value, mappings in the order of the file. All its strings come from source.
func FromJSON(raw []byte, source int32) (Value, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return fromJSON(dec, source, 0)
}

func fromJSON(dec *json.Decoder, source int32, depth int) (Value, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("values lie deeper than %d in each other", maxJSONDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case string:
		return Written(tok, source), nil
	case json.Number:
		if strings.ContainsAny(tok.String(), ".eE") {
			f, err := tok.Float64()
			if err != nil {
				return nil, fmt.Errorf("the number %.40s is too large", tok)
			}
			return f, nil
		}
		i, err := strconv.ParseInt(tok.String(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the number %.40s is beyond 64 bits", tok)
		}
		return i, nil
	case json.Delim:
		if tok == '[' {
			l := &List{}
			for dec.More() {
				v, err := fromJSON(dec, source, depth+1)
				if err != nil {
					return nil, err
				}
				l.Items = append(l.Items, v)
			}
			_, err := dec.Token()
			return l, err
		}
		d := NewDict()
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := fromJSON(dec, source, depth+1)
			if err != nil {
				return nil, err
			}
			name := key.(string)
			d.put(Written(name, source), name, v)
		}
		_, err := dec.Token()
		return d, err
	}
	return tok, nil // nil, bool
}
