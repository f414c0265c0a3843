package recipe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// HoldsOut reports whether the recipe asks for held-out rows.
func (r Recipe) HoldsOut() bool {
	return r.SplitDatasetRatio > 0 || len(r.ValDataset) > 0 || r.ValDatasetSample > 0
}

// ColumnNames reads columns: the new name of each column in it, empty for one that is left out.
func (r Recipe) ColumnNames() (map[string]string, error) {
	if r.Columns == "" {
		return nil, nil
	}
	wrong := func(what string) error {
		return fmt.Errorf(`columns is %s; %s: a JSON object of names is wanted, such as {"yours":"query"}`, quote(r.Columns), what)
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(r.Columns)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, wrong("it is no object")
	}
	names := map[string]string{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, wrong(err.Error())
		}
		value, err := dec.Token()
		if err != nil {
			return nil, wrong(err.Error())
		}
		to, ok := value.(string)
		if !ok {
			return nil, wrong(fmt.Sprintf("%q has a value that is no name", key))
		}
		if _, twice := names[key.(string)]; twice {
			return nil, wrong(fmt.Sprintf("%q stands there twice", key))
		}
		names[key.(string)] = to
	}
	if _, err := dec.Token(); err != nil {
		return nil, wrong("it ends too early")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, wrong("something follows the object")
	}
	return names, nil
}

// Probabilities reads interleave_prob: one number above 0 for each entry of dataset. They need not add up to 1.
func (r Recipe) Probabilities() ([]float64, error) {
	if len(r.InterleaveProb) == 0 {
		return nil, nil
	}
	if len(r.InterleaveProb) != len(r.Dataset) {
		return nil, fmt.Errorf("interleave_prob has %d numbers and dataset %d entries; give one for each", len(r.InterleaveProb), len(r.Dataset))
	}
	out := make([]float64, len(r.InterleaveProb))
	for i, s := range r.InterleaveProb {
		p, err := strconv.ParseFloat(s, 64)
		if err != nil || !(p > 0) || math.IsInf(p, 0) {
			return nil, fmt.Errorf("interleave_prob has %s; numbers above 0 are wanted, such as 0.7,0.3", quote(s))
		}
		out[i] = p
	}
	return out, nil
}

// samples are the numbers behind # in a list of files, which decide what is trained on, as the files' places do not; nil
// without any.
func (f *Field) samples(r *Recipe) []string {
	if !f.place || f.Kind != List {
		return nil
	}
	var out []string
	some := false
	for _, s := range f.parts(r) {
		n := ""
		if at := strings.LastIndexByte(s, '#'); at >= 0 {
			if _, err := strconv.Atoi(s[at+1:]); err == nil {
				n, some = s[at+1:], true
			}
		}
		out = append(out, n)
	}
	if !some {
		return nil
	}
	return out
}
