package checkpoint

import (
	"encoding/binary"
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

// InitModel writes a model directory with random weights for a config.json: normalisation weights 1, biases 0, all others
// normal with the config's initializer_range, drawn from the seed. Weights are made and written a piece at a time.
func InitModel(dir string, config []byte, seed uint64) error {
	m, err := nn.Parse(config)
	if err != nil {
		return err
	}
	if m.Config().Quantization != "" {
		return errors.New("config.json: quantization_config says that the weights are quantised; random ones are made in F32: leave it out")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "model.safetensors")
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s exists already; name another directory", path)
	}
	var tensors []safetensors.Tensor
	for i, p := range m.Params() {
		shape := p.Shape
		if p.FanInFanOut {
			shape = tensor.Shape{shape[1], shape[0]}
		}
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, DType: "F32", Shape: shape,
			Data: func(w io.Writer) error {
				return writeInit(w, p, rng.NewKey(seed, rng.Init, uint64(i)), m.Config().InitializerRange)
			}})
	}
	if err := safetensors.WriteFile(path, tensors, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644)
}

func writeInit(w io.Writer, p nn.Param, key rng.Key, std float64) error {
	value := func(i int) float32 { return float32(std * key.Normal(uint64(i))) }
	switch {
	case p.Kind == nn.NormKind && !strings.HasSuffix(p.Name, ".bias"):
		value = func(int) float32 { return 1 }
	case strings.HasSuffix(p.Name, ".bias"):
		value = func(int) float32 { return 0 }
	}
	buf := make([]byte, 0, 1<<16)
	for i := range p.Shape.Elements() {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(value(i)))
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
