package nn

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	"hone/core/tensor"
)

// maxWidth bounds every size read from a config.json, far above any model, so that products of sizes cannot overflow.
const maxWidth = 1 << 24

// maxLayers keeps the list of parameters that a hostile config.json asks for small.
const maxLayers = 1 << 12

var architectures = map[string]func(raw []byte) (Model, error){}

func register(modelType string, f func(raw []byte) (Model, error)) { architectures[modelType] = f }

// Supported lists the architectures by model_type.
func Supported() []string {
	var names []string
	for n := range architectures {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Parse reads a config.json. An unknown architecture is refused by name with the list of those supported.
func Parse(raw []byte) (Model, error) {
	var head struct {
		ModelType     string   `json:"model_type"`
		Architectures []string `json:"architectures"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("config.json: %w", plainJSON(err))
	}
	f, ok := architectures[head.ModelType]
	if !ok {
		return nil, fmt.Errorf("config.json: model_type %q (architectures %v) is not supported; supported are: %s", head.ModelType, head.Architectures, strings.Join(Supported(), ", "))
	}
	m, err := f(raw)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", plainJSON(err))
	}
	return m, nil
}

// plainJSON says in the words of the file, not of Go, what has the wrong type.
func plainJSON(err error) error {
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("this is no JSON: %w at byte %d", err, syntax.Offset)
	case !errors.As(err, &wrong):
		return err
	case wrong.Field == "":
		return fmt.Errorf("the file holds a JSON %s; expected an object", wrong.Value)
	}
	return fmt.Errorf("%s is a JSON %s, which it cannot be", wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:], wrong.Value)
}

// baseConfig are the settings that most architectures share.
type baseConfig struct {
	HiddenSize       int             `json:"hidden_size"`
	Layers           int             `json:"num_hidden_layers"`
	Heads            int             `json:"num_attention_heads"`
	VocabSize        int             `json:"vocab_size"`
	MaxPositions     int             `json:"max_position_embeddings"`
	TieEmbeddings    bool            `json:"tie_word_embeddings"`
	BOS              oneOrMore       `json:"bos_token_id"`
	EOS              oneOrMore       `json:"eos_token_id"`
	InitializerRange *float64        `json:"initializer_range"`
	Quantization     *quantizationIn `json:"quantization_config"`
	DType            string          `json:"dtype"`
	TorchDType       string          `json:"torch_dtype"` // its older name
}

type quantizationIn struct {
	Method        string `json:"quant_method"`
	LoadIn4Bit    bool   `json:"load_in_4bit"`
	PrivateIn4Bit bool   `json:"_load_in_4bit"` // as some versions write it
	QuantType     string `json:"bnb_4bit_quant_type"`
}

// oneOrMore reads a token id that may be a number, a list of numbers, or null.
type oneOrMore []int32

func (o *oneOrMore) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	var one int32
	if json.Unmarshal(raw, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	var list []int32
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("%s is neither a token id nor a list of them", raw)
	}
	*o = list
	return nil
}

func (b baseConfig) config(architecture string) Config {
	c := Config{Architecture: architecture, HiddenSize: b.HiddenSize, Layers: b.Layers, Heads: b.Heads, VocabSize: b.VocabSize,
		MaxPositions: b.MaxPositions, TieEmbeddings: b.TieEmbeddings, BOS: b.BOS, EOS: b.EOS, InitializerRange: 0.02}
	if b.InitializerRange != nil {
		c.InitializerRange = *b.InitializerRange
	}
	if c.DType = b.DType; c.DType == "" {
		c.DType = b.TorchDType
	}
	c.DType = strings.TrimPrefix(c.DType, "torch.")
	if q := b.Quantization; q != nil {
		switch c.Quantization = q.Method; {
		case q.Method == "bitsandbytes" && !q.LoadIn4Bit && !q.PrivateIn4Bit:
			c.Quantization = "bitsandbytes in 8 bits"
		case q.Method == "bitsandbytes" && q.QuantType == "": // bitsandbytes' own default
			c.Quantization = "bitsandbytes fp4"
		case q.Method == "bitsandbytes":
			c.Quantization = "bitsandbytes " + q.QuantType
		case q.Method == "":
			c.Quantization = "without a quant_method"
		}
	}
	return c
}

// check refuses sizes that cannot be.
func (c Config) check() error {
	if c.Layers > maxLayers {
		return fmt.Errorf("num_hidden_layers is %d; at most %d are accepted", c.Layers, maxLayers)
	}
	for _, s := range []struct {
		name  string
		value int
	}{{"hidden_size", c.HiddenSize}, {"num_hidden_layers", c.Layers}, {"num_attention_heads", c.Heads}, {"num_key_value_heads", c.KVHeads},
		{"head_dim", c.HeadDim}, {"vocab_size", c.VocabSize}} {
		if s.value < 1 || s.value > maxWidth {
			return fmt.Errorf("%s is %d; it must be from 1 to %d", s.name, s.value, maxWidth)
		}
	}
	if c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("num_attention_heads %d is no multiple of num_key_value_heads %d", c.Heads, c.KVHeads)
	}
	if c.Quantization != "" && c.Quantization != "bitsandbytes nf4" {
		return fmt.Errorf("quantization_config %q is not supported; supported is bitsandbytes in 4 bits of type nf4", c.Quantization)
	}
	return nil
}

// paramList gathers the parameters of a model.
type paramList []Param

func (l *paramList) norm(name string, n int) {
	*l = append(*l, Param{Name: name + ".weight", Shape: tensor.Shape{n}, Kind: NormKind})
}

func (l *paramList) linear(module string, out, in int, bias bool, k Kind) {
	*l = append(*l, Param{Name: module + ".weight", Shape: tensor.Shape{out, in}, Kind: k, Module: module})
	if bias {
		*l = append(*l, Param{Name: module + ".bias", Shape: tensor.Shape{out}, Kind: k})
	}
}

func (l *paramList) layerNorm(name string, n int) {
	l.norm(name, n)
	*l = append(*l, Param{Name: name + ".bias", Shape: tensor.Shape{n}, Kind: NormKind})
}

// conv1D is a linear layer with a bias that the checkpoint holds as [in, out].
func (l *paramList) conv1D(module string, out, in int, k Kind) {
	*l = append(*l, Param{Name: module + ".weight", Shape: tensor.Shape{out, in}, Kind: k, Module: module, FanInFanOut: true},
		Param{Name: module + ".bias", Shape: tensor.Shape{out}, Kind: k})
}
