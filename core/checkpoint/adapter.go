package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/core/safetensors"
	"hone/core/tensor"
)

// Adapter is an open PEFT directory.
type Adapter struct {
	Config  AdapterConfig
	Modules []string // names of the modules it adapts, as in the base model, sorted
	file    *safetensors.File
}

const (
	keyPrefix = "base_model.model."
	keyA      = ".lora_A.weight" // [r, in]
	keyB      = ".lora_B.weight" // [out, r]

	templateKey = "chat_template" // in the metadata of the tensors' file
)

// AdapterKeys are PEFT's names of the two tensors of a module: A [r, in] and B [out, r].
func AdapterKeys(module string) (a, b string) {
	return keyPrefix + module + keyA, keyPrefix + module + keyB
}

// ModuleOf takes the module's name out of a tensor's; part is 'A' or 'B'.
func ModuleOf(key string) (module string, part byte, ok bool) {
	rest, ok := strings.CutPrefix(key, keyPrefix)
	if !ok {
		return "", 0, false
	}
	if module, ok = strings.CutSuffix(rest, keyA); ok {
		return module, 'A', module != ""
	}
	module, ok = strings.CutSuffix(rest, keyB)
	return module, 'B', ok && module != ""
}

// OpenAdapter opens a PEFT directory and checks that its configuration and its tensors agree: an A and a B of its
// configured rank for every module, and nothing else. Whether they fit a model is for who has the model.
func OpenAdapter(dir string) (*Adapter, error) {
	config, err := ReadAdapterConfig(dir)
	if err != nil {
		return nil, err
	}
	a := &Adapter{Config: config}
	weights := filepath.Join(dir, AdapterTensors)
	if _, err := os.Stat(weights); errors.Is(err, fs.ErrNotExist) {
		return nil, missingTensors(dir)
	}
	if a.file, err = safetensors.Open(weights); err != nil {
		return nil, err
	}
	a.Config.Template = a.file.Metadata()[templateKey]
	if err := a.check(); err != nil {
		a.file.Close()
		return nil, fmt.Errorf("%s: %w", weights, err)
	}
	return a, nil
}

// ReadAdapterConfig reads the configuration of a PEFT directory.
func ReadAdapterConfig(dir string) (AdapterConfig, error) {
	path := filepath.Join(dir, AdapterFile)
	data, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return AdapterConfig{}, fmt.Errorf("adapter %s: there is no %s; name a PEFT directory, or a checkpoint-<step> directory of a run", dir, AdapterFile)
	}
	if err != nil {
		return AdapterConfig{}, fmt.Errorf("adapter %s: %w", dir, err)
	}
	c, err := ParseAdapterConfig(data)
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func missingTensors(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "adapter_model.bin")); err == nil {
		return fmt.Errorf("adapter %s has only adapter_model.bin, a Python pickle; convert it in that directory with: python3 -c \"import torch, safetensors.torch as s; "+
			"s.save_file({k: v.contiguous() for k, v in torch.load('adapter_model.bin', map_location='cpu', weights_only=True).items()}, '%s', {'format': 'pt'})\"", dir, AdapterTensors)
	}
	return fmt.Errorf("adapter %s: there is no %s; the directory is incomplete, copy or download it again", dir, AdapterTensors)
}

func (a *Adapter) check() error {
	has := map[string]int{}
	for _, info := range a.file.Tensors() {
		module, part, ok := ModuleOf(info.Name)
		if !ok {
			return fmt.Errorf("tensor %.200q is no LoRA weight of a linear layer (%s<module>%s or %s); adapters with other tensors are not supported", info.Name, keyPrefix, keyA, keyB)
		}
		if !slices.Contains([]string{"F32", "F16", "BF16", "F64"}, info.DType) {
			return fmt.Errorf("tensor %.200q has type %s, not a floating-point one", info.Name, info.DType)
		}
		axis := 0
		if part == 'B' {
			axis = 1
		}
		if len(info.Shape) != 2 || info.Shape[0] < 1 || info.Shape[1] < 1 || info.Shape[axis] != a.Config.RankOf(module) {
			return fmt.Errorf("tensor %.200q has the wrong shape for rank %d of %s: A is [r, in] and B is [out, r]", info.Name, a.Config.RankOf(module), AdapterFile)
		}
		if !a.Config.Covers(module) {
			return fmt.Errorf("tensor %.200q belongs to a module that %s leaves out (target_modules, exclude_modules, layers_to_transform)", info.Name, AdapterFile)
		}
		if has[module]++; has[module] == 1 {
			a.Modules = append(a.Modules, module)
		}
	}
	if len(a.Modules) == 0 {
		return errors.New("there is no tensor in it")
	}
	slices.Sort(a.Modules)
	for _, module := range a.Modules {
		if has[module] != 2 {
			return fmt.Errorf("module %.200q has only one of lora_A and lora_B", module)
		}
	}
	return nil
}

// Shapes gives the inputs and outputs of the layer that a module's tensors are made for.
func (a *Adapter) Shapes(module string) (in, out int, err error) {
	keyA, keyB := AdapterKeys(module)
	infoA, okA := a.file.Lookup(keyA)
	infoB, okB := a.file.Lookup(keyB)
	if !okA || !okB {
		return 0, 0, fmt.Errorf("the adapter has nothing for module %.200q", module)
	}
	return infoA.Shape[1], infoB.Shape[0], nil
}

// Read gives a module's A [r, in] and B [out, r] in float32.
func (a *Adapter) Read(module string) (A, B tensor.Host, err error) {
	in, out, err := a.Shapes(module)
	if err != nil {
		return A, B, err
	}
	r := a.Config.RankOf(module)
	A = tensor.Floats(make([]float32, r*in), r, in)
	B = tensor.Floats(make([]float32, out*r), out, r)
	nameA, nameB := AdapterKeys(module)
	if err := a.file.ReadF32(nameA, A.F32); err != nil {
		return A, B, err
	}
	return A, B, a.file.ReadF32(nameB, B.F32)
}

// Close closes the file of the tensors.
func (a *Adapter) Close() error { return a.file.Close() }

// ReadAdapter reads a whole adapter: its configuration, and its tensors in float32 under PEFT's names.
func ReadAdapter(dir string) (AdapterConfig, map[string]tensor.Host, error) {
	a, err := OpenAdapter(dir)
	if err != nil {
		return AdapterConfig{}, nil, err
	}
	defer a.Close()
	out := map[string]tensor.Host{}
	for _, module := range a.Modules {
		keyA, keyB := AdapterKeys(module)
		if out[keyA], out[keyB], err = a.Read(module); err != nil {
			return AdapterConfig{}, nil, err
		}
	}
	return a.Config, out, nil
}

// WriteAdapter writes a PEFT directory, which must exist. Tensors have PEFT's names (AdapterKeys) and are written one after the
// other, each by its own function, so they need not lie in memory together.
func WriteAdapter(dir string, c AdapterConfig, tensors []safetensors.Tensor) error {
	for _, t := range tensors {
		if _, _, ok := ModuleOf(t.Name); !ok {
			return fmt.Errorf("writing adapter %s: %.200q is no name of a LoRA tensor", dir, t.Name)
		}
	}
	metadata := map[string]string{"format": "pt"}
	if c.Template != "" {
		metadata[templateKey] = c.Template
	}
	if err := safetensors.WriteFile(filepath.Join(dir, AdapterTensors), tensors, metadata); err != nil {
		return err
	}
	raw, err := c.Text()
	if err != nil {
		return fmt.Errorf("writing adapter %s: %w", dir, err)
	}
	return replace(filepath.Join(dir, AdapterFile), raw)
}

// Text is adapter_config.json.
func (c AdapterConfig) Text() ([]byte, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, raw, "", "  "); err != nil {
		return nil, err
	}
	pretty.WriteByte('\n')
	return pretty.Bytes(), nil
}
