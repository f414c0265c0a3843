package tokenizer

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// vocabulary gives each token of a model its id.
type vocabulary map[string]int32

// MarshalJSON writes the tokens in the order of their ids, as one reads them.
func (v vocabulary) MarshalJSON() ([]byte, error) {
	tokens := slices.SortedFunc(maps.Keys(v), func(a, b string) int { return int(v[a]) - int(v[b]) })
	b := []byte{'{'}
	for i, token := range tokens {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSON(b, token), ':')
		b = strconv.AppendInt(b, int64(v[token]), 10)
	}
	return append(b, '}'), nil
}

// plainJSON writes < and > as they are, which tokens have often.
func plainJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// appendJSON writes a string as JSON has it.
func appendJSON(b []byte, s string) []byte {
	quoted, _ := plainJSON(s, "") // a string cannot fail
	return append(b, bytes.TrimSpace(quoted)...)
}
