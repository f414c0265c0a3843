package quant

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"hone/core/tensor"
)

// Suffixes of the tensors in which bitsandbytes keeps one 4-bit weight, after the name of the weight (which holds the codes).
const (
	suffixAbsmax       = ".absmax"
	suffixNestedAbsmax = ".nested_absmax"
	suffixNestedMap    = ".nested_quant_map"
	suffixTable        = ".quant_map"
	suffixState        = ".quant_state.bitsandbytes__nf4"
)

// BitsAndBytesMark is the suffix by which a checkpoint shows that a weight is NF4: FromBitsAndBytes can read the weight W when
// the checkpoint has a tensor named W + BitsAndBytesMark.
const BitsAndBytesMark = suffixState

// BitsAndBytesNested is the suffix of a tensor that a weight has only with double quantisation.
const BitsAndBytesNested = suffixNestedAbsmax

// FromBitsAndBytes reads one NF4 weight of a bitsandbytes checkpoint. The function get is asked for the tensor called name plus the
// suffix (the empty suffix for the codes) and gives its safetensors dtype and its bytes. The weight may have double quantisation
// or not; one whose code table or block sizes are other than bitsandbytes' defaults is refused.
func FromBitsAndBytes(name string, get func(suffix string) (dtype string, data []byte, err error)) (*NF4, error) {
	q, err := fromBitsAndBytes(get)
	if err != nil {
		return nil, fmt.Errorf("bitsandbytes weight %.200q: %w", name, err)
	}
	return q, nil
}

func fromBitsAndBytes(get func(string) (string, []byte, error)) (*NF4, error) {
	part := func(suffix, dtype string) ([]byte, error) {
		have, data, err := get(suffix)
		if err != nil {
			return nil, err
		}
		if have != dtype {
			return nil, fmt.Errorf("its tensor %s has type %s, want %s", suffix, have, dtype)
		}
		return data, nil
	}
	raw, err := part(suffixState, "U8")
	if err != nil {
		return nil, err
	}
	q, err := parseQuantState(raw)
	if err != nil {
		return nil, fmt.Errorf("its tensor %s: %w", suffixState, err)
	}
	// The codes are bytes, whatever type bnb_4bit_quant_storage has stored them as.
	if _, q.Codes, err = get(""); err != nil {
		return nil, err
	}
	if q.Plain != nil { // no double quantisation
		return q, q.readPlain(part)
	}
	if q.Absmax, err = part(suffixAbsmax, "U8"); err != nil {
		return nil, err
	}
	for _, p := range []struct {
		suffix string
		use    func([]float32) error
	}{
		{suffixNestedAbsmax, func(v []float32) error { q.NestedAbsmax = v; return nil }},
		{suffixNestedMap, func(v []float32) error {
			if len(v) != 256 {
				return fmt.Errorf("it has %d entries, want 256", len(v))
			}
			q.setMap((*[256]float32)(v))
			return nil
		}},
		{suffixTable, checkTable},
	} {
		b, err := part(p.suffix, "F32")
		if err == nil && len(b)%4 != 0 {
			err = fmt.Errorf("%d bytes are no whole number of float32", len(b))
		}
		if err == nil {
			err = p.use(floats(b))
		}
		if err != nil {
			return nil, fmt.Errorf("its tensor %s: %w", p.suffix, err)
		}
	}
	return q, q.check()
}

// readPlain completes a weight whose block scales are not quantised.
func (q *NF4) readPlain(part func(suffix, dtype string) ([]byte, error)) error {
	var numbers [2][]float32
	for i, suffix := range []string{suffixAbsmax, suffixTable} {
		b, err := part(suffix, "F32")
		if err == nil && len(b)%4 != 0 {
			err = fmt.Errorf("%d bytes are no whole number of float32", len(b))
		}
		if err != nil {
			return fmt.Errorf("its tensor %s: %w", suffix, err)
		}
		numbers[i] = floats(b)
	}
	if err := checkTable(numbers[1]); err != nil {
		return fmt.Errorf("its tensor %s: %w", suffixTable, err)
	}
	q.Plain = numbers[0]
	return q.check()
}

func checkTable(v []float32) error {
	if len(v) != len(NF4Table) {
		return fmt.Errorf("it has %d codes, NF4 has %d", len(v), len(NF4Table))
	}
	for i, x := range v {
		if x != NF4Table[i] {
			return fmt.Errorf("code %d stands for %v, in NF4 for %v; only weights in NF4 can be read", i, x, NF4Table[i])
		}
	}
	return nil
}

// parseQuantState reads the JSON that bitsandbytes stores as a tensor of bytes. It gives a weight with shape and
// offset, or with an empty Plain when its block scales are not quantised.
func parseQuantState(raw []byte) (*NF4, error) {
	var state struct {
		QuantType       string   `json:"quant_type"`
		BlockSize       int64    `json:"blocksize"`
		Shape           []int    `json:"shape"`
		NestedBlockSize int64    `json:"nested_blocksize"`
		NestedDType     string   `json:"nested_dtype"`
		NestedOffset    *float64 `json:"nested_offset"`
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		return nil, fmt.Errorf("it is not the JSON that bitsandbytes writes: %w", err)
	}
	switch {
	case state.QuantType != "nf4":
		return nil, fmt.Errorf("the weight is in %.40q; only nf4 can be read", state.QuantType)
	case state.BlockSize != BlockSize:
		return nil, fmt.Errorf("blocks have %d elements; only %d can be read, so quantise the model again with that size", state.BlockSize, BlockSize)
	case state.NestedOffset == nil && state.NestedBlockSize != 0:
		return nil, errors.New("it has a nested_blocksize, but no nested_offset")
	case state.NestedOffset == nil && state.Shape != nil: // no double quantisation
		_, err := sizesOf(state.Shape)
		return &NF4{Shape: tensor.Shape(state.Shape), Plain: []float32{}}, err
	case state.Shape == nil:
		return nil, errors.New("it gives no shape")
	case state.NestedBlockSize != NestedSize:
		return nil, fmt.Errorf("nested blocks have %d scales; only %d can be read", state.NestedBlockSize, NestedSize)
	case state.NestedDType != "float32":
		return nil, fmt.Errorf("nested scales are of type %.40q; only float32 can be read", state.NestedDType)
	case math.Abs(*state.NestedOffset) > math.MaxFloat32:
		return nil, fmt.Errorf("nested_offset %v is beyond float32", *state.NestedOffset)
	}
	if _, err := sizesOf(state.Shape); err != nil {
		return nil, err
	}
	return &NF4{Shape: tensor.Shape(state.Shape), Offset: float32(*state.NestedOffset)}, nil
}
