package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"hone/core/nn"
	"hone/core/rng"
	"hone/core/safetensors"
	"hone/core/tensor"
)

// InitForm is how random weights are written.
type InitForm struct {
	DType        tensor.DType // F32, F16 or BF16
	MaxShardSize int64        // bytes of weights in a file, as save_pretrained's max_shard_size; 0 is one file
}

// torchNames are PyTorch's names of the types.
var torchNames = map[tensor.DType]string{tensor.F32: "float32", tensor.F16: "float16", tensor.BF16: "bfloat16"}

// ParseDType reads PyTorch's name of a type of weights: float32, float16 or bfloat16.
func ParseDType(name string) (tensor.DType, error) {
	for d, n := range torchNames {
		if n == strings.TrimPrefix(name, "torch.") {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%q is none of float32, float16 and bfloat16", name)
}

// InitModel writes a model directory with random weights in F32, in one file.
func InitModel(dir string, config []byte, seed uint64) error {
	return InitModelAs(dir, config, seed, InitForm{DType: tensor.F32})
}

// InitModelAs writes a model directory with random weights for a config.json: normalisation weights 1 (0 where they are stored less 1), biases 0, all others
// normal with the config's initializer_range, drawn from the seed. The same seed gives the same weights in every form, but
// for the rounding. Weights are made and written a piece at a time.
func InitModelAs(dir string, config []byte, seed uint64, form InitForm) error {
	m, err := nn.Parse(config)
	if err != nil {
		return err
	}
	if m.Config().Quantization != "" {
		return errors.New("config.json: quantization_config says that the weights are quantised; random ones are made in 16 or 32 bits: leave it out")
	}
	if config, err = WithDType(config, form.DType); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{safetensors.SingleName, safetensors.IndexName} {
		if path := filepath.Join(dir, name); exists(path) {
			return fmt.Errorf("%s exists already; name another directory", path)
		}
	}
	var tensors []safetensors.Tensor
	for i, p := range m.Params() {
		shape := p.Shape
		if p.FanInFanOut {
			shape = tensor.Shape{shape[1], shape[0]}
		}
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, DType: form.DType.String(), Shape: shape,
			Data: func(w io.Writer) error {
				return writeInit(w, p, rng.NewKey(seed, rng.Init, uint64(i)), m.Config(), form.DType)
			}})
	}
	if err := safetensors.WriteModel(dir, tensors, map[string]string{"format": "pt"}, form.MaxShardSize); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// WithDType is a config.json that says in which type the weights are stored; all else stays as it was, and so does the
// whole file when it says so already.
func WithDType(config []byte, d tensor.DType) ([]byte, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(config, &m); err != nil {
		return nil, err
	}
	name := json.RawMessage(`"` + torchNames[d] + `"`)
	same := false
	for _, key := range []string{"torch_dtype", "dtype"} { // the older and the newer name
		if old, ok := m[key]; ok {
			same = string(old) == string(name)
			m[key] = name
		}
	}
	if same {
		return config, nil
	}
	if _, newer := m["dtype"]; !newer {
		m["torch_dtype"] = name
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	return append(raw, '\n'), err
}

func writeInit(w io.Writer, p nn.Param, key rng.Key, c nn.Config, d tensor.DType) error {
	value := func(i int) float32 { return float32(c.InitializerRange * key.Normal(uint64(i))) }
	switch {
	case p.Kind == nn.NormKind && !strings.HasSuffix(p.Name, ".bias") && !c.UnitOffset:
		value = func(int) float32 { return 1 }
	case p.Kind == nn.NormKind || strings.HasSuffix(p.Name, ".bias"):
		value = func(int) float32 { return 0 }
	}
	buf := make([]byte, 0, 1<<16)
	for i := range p.Shape.Elements() {
		switch v := value(i); d {
		case tensor.F16:
			buf = binary.LittleEndian.AppendUint16(buf, tensor.F32ToF16(v))
		case tensor.BF16:
			buf = binary.LittleEndian.AppendUint16(buf, tensor.F32ToBF16(v))
		default:
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		if len(buf) == cap(buf) {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := w.Write(buf)
	return err
}

// WithoutQuantization is a config.json of weights that are not quantised any more.
func WithoutQuantization(config []byte) ([]byte, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(config, &m); err != nil {
		return nil, err
	}
	delete(m, "quantization_config")
	raw, err := json.MarshalIndent(m, "", "  ")
	return append(raw, '\n'), err
}
