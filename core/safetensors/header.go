package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"hone/core/tensor"
)

// maxHeader is the reference implementation's limit on the length of the JSON header, in bytes.
const maxHeader = 100_000_000

const metadataKey = "__metadata__"

// parseHeader reads the JSON header and checks it against the number of data bytes that the file has after it.
// The tensors come back sorted by name, their offsets counted from the first data byte.
func parseHeader(raw []byte, dataLen int64) ([]Info, map[string]string, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil, errors.New("the header is not a JSON object; this is no safetensors file")
	}
	w, err := newWalker(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("the header is not valid JSON: %w", err)
	}
	var tensors []Info
	var metadata map[string]string
	err = w.object(func(key string) error {
		if key != metadataKey {
			info, err := w.tensor(key)
			tensors = append(tensors, info)
			return err
		}
		if metadata != nil {
			return errors.New(metadataKey + " stands twice in the header")
		}
		var err error
		metadata, err = w.stringMap()
		if err != nil {
			return fmt.Errorf("%s: %w", metadataKey, err)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if err := checkLayout(tensors, dataLen); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(tensors, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(tensors); i++ {
		if tensors[i].Name == tensors[i-1].Name {
			return nil, nil, fmt.Errorf("tensor %.200q stands twice in the header", tensors[i].Name)
		}
	}
	return tensors, metadata, nil
}

// checkLayout demands that the tensors cover the data exactly: no overlap, no hole, nothing missing, nothing left over.
func checkLayout(tensors []Info, dataLen int64) error {
	slices.SortFunc(tensors, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(a.Name, b.Name))
	})
	var end int64
	for i, t := range tensors {
		switch {
		case t.Offset < end:
			return fmt.Errorf("tensor %.200q begins at data byte %d, inside tensor %.200q, which ends at %d", t.Name, t.Offset, tensors[i-1].Name, end)
		case t.Offset > end:
			return fmt.Errorf("no tensor covers data bytes %d to %d, before tensor %.200q", end, t.Offset, t.Name)
		}
		end += t.Bytes
	}
	if end > dataLen {
		return fmt.Errorf("the file is truncated: %d of %d data bytes are missing; download or copy it again", end-dataLen, end)
	}
	if end < dataLen {
		return fmt.Errorf("%d bytes follow the last tensor; the file is damaged or was appended to", dataLen-end)
	}
	return nil
}

// walker goes through a JSON text whose syntax has been checked, token by token, so that repeated keys are seen.
type walker struct{ dec *json.Decoder }

func newWalker(raw []byte) (walker, error) {
	if !utf8.Valid(raw) {
		return walker{}, errors.New("it is not UTF-8")
	}
	// The decoder below takes a text piece by piece; this looks at the whole first, what follows the value included.
	var whole struct{}
	var syntax *json.SyntaxError
	if err := json.Unmarshal(raw, &whole); errors.As(err, &syntax) {
		return walker{}, fmt.Errorf("%w at byte %d", syntax, syntax.Offset)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return walker{dec}, nil
}

// list takes the value between the two delimiters and calls each for every element in it.
func (w walker) list(open, close json.Delim, what string, each func() error) error {
	tok, err := w.dec.Token()
	if err != nil {
		return err
	}
	if tok != open {
		return fmt.Errorf("want %s, have %.40q", what, fmt.Sprint(tok))
	}
	for w.dec.More() {
		if err := each(); err != nil {
			return err
		}
	}
	tok, err = w.dec.Token()
	if err == nil && tok != close {
		err = fmt.Errorf("%s does not end", what)
	}
	return err
}

func (w walker) object(member func(key string) error) error {
	return w.list('{', '}', "an object", func() error {
		key, err := w.text()
		if err != nil {
			return err
		}
		return member(key)
	})
}

func (w walker) text() (string, error) {
	tok, err := w.dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("want a string, have %.40q", fmt.Sprint(tok))
	}
	return s, nil
}

// skip passes over one value of any kind.
func (w walker) skip() error {
	var skipped json.RawMessage
	return w.dec.Decode(&skipped)
}

// integers reads an array of non-negative integers.
func (w walker) integers() ([]int64, error) {
	var list []int64
	err := w.list('[', ']', "an array", func() error {
		tok, err := w.dec.Token()
		if err != nil {
			return err
		}
		num, _ := tok.(json.Number)
		n, err := strconv.ParseInt(string(num), 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("want a whole number from 0, have %.40q", fmt.Sprint(tok))
		}
		list = append(list, n)
		return nil
	})
	return list, err
}

// stringMap reads an object of strings; null counts as an empty one.
func (w walker) stringMap() (map[string]string, error) {
	m := map[string]string{}
	var raw json.RawMessage
	if err := w.dec.Decode(&raw); err != nil {
		return nil, err
	}
	if string(raw) == "null" {
		return m, nil
	}
	inner := walker{json.NewDecoder(bytes.NewReader(raw))}
	return m, inner.object(func(key string) error {
		if _, twice := m[key]; twice {
			return fmt.Errorf("key %.200q stands twice", key)
		}
		v, err := inner.text()
		if err != nil {
			return fmt.Errorf("key %.200q: %w", key, err)
		}
		m[key] = v
		return nil
	})
}

// tensor reads the description of one tensor. Members it does not know are passed over, as the reference does.
func (w walker) tensor(name string) (Info, error) {
	info := Info{Name: name}
	var offsets []int64
	seen := map[string]bool{}
	err := w.object(func(key string) error {
		if seen[key] {
			return fmt.Errorf("%.40q stands twice", key)
		}
		var err error
		switch key {
		case "dtype":
			info.DType, err = w.text()
		case "shape":
			var dims []int64
			dims, err = w.integers()
			info.Shape = make(tensor.Shape, len(dims))
			for i, d := range dims {
				if info.Shape[i] = int(d); int64(info.Shape[i]) != d {
					return fmt.Errorf("shape: length %d is too large for this machine", d)
				}
			}
		case "data_offsets":
			offsets, err = w.integers()
		default:
			return w.skip()
		}
		seen[key] = true
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err == nil {
		err = info.place(offsets, seen)
	}
	if err != nil {
		return info, fmt.Errorf("tensor %.200q: %w", name, err)
	}
	return info, nil
}

// place sets where the data lies and checks that its length is what dtype and shape need.
func (info *Info) place(offsets []int64, seen map[string]bool) error {
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if !seen[key] {
			return fmt.Errorf("the header gives no %s", key)
		}
	}
	want, err := dataBytes(info.DType, info.Shape)
	if err != nil {
		return err
	}
	if len(offsets) != 2 {
		return fmt.Errorf("data_offsets has %d numbers, want begin and end", len(offsets))
	}
	if offsets[1] < offsets[0] {
		return fmt.Errorf("data_offsets end at %d, before they begin at %d", offsets[1], offsets[0])
	}
	info.Offset, info.Bytes = offsets[0], offsets[1]-offsets[0]
	if info.Bytes != want {
		return fmt.Errorf("%s%s takes %d bytes, but data_offsets hold %d", info.DType, brief(info.Shape), want, info.Bytes)
	}
	return nil
}
