package run

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hone/core/checkpoint"
	"hone/core/data"
	"hone/core/safetensors"
	"hone/core/tensor"
	"hone/core/tokenizer"
)

// NewModel makes the directory that pre-training starts from: a BPE tokenizer trained on the texts, or that of another
// directory, and random weights of the shape that config.json gives. vocab_size and the ids of <s> and </s> in the
// config become the tokenizer's.
func NewModel(dir, config, tokenizerDir string, texts []string, vocabSize int, seed uint64) error {
	raw, err := os.ReadFile(config)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		return fmt.Errorf("--config %s: %w", config, err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	tok, err := tokenizerFor(dir, tokenizerDir, texts, vocabSize)
	if err != nil {
		return err
	}
	members["vocab_size"] = tok.Size()
	members["torch_dtype"] = "float32"
	for key, id := range map[string]int32{"bos_token_id": tok.BOS, "eos_token_id": tok.EOS} {
		if delete(members, key); id >= 0 {
			members[key] = id
		}
	}
	if raw, err = json.MarshalIndent(members, "", "  "); err != nil {
		return err
	}
	if err := checkpoint.InitModel(dir, append(raw, '\n'), seed); err != nil {
		return fmt.Errorf("--config %s: %w", config, err)
	}
	return nil
}

// tokenizerFor puts a tokenizer into dir: a copy, or one trained on the texts.
func tokenizerFor(dir, from string, texts []string, vocabSize int) (*tokenizer.Tokenizer, error) {
	if from == "" {
		var failed error
		trained, err := tokenizer.Train(data.Texts(texts, &failed), tokenizer.TrainOptions{VocabSize: vocabSize})
		if failed != nil {
			return nil, failed
		}
		if err != nil {
			return nil, err
		}
		if err := trained.Save(dir); err != nil {
			return nil, err
		}
		return tokenizer.LoadDir(dir)
	}
	if err := copyBeside(from, dir); err != nil {
		return nil, err
	}
	return tokenizer.LoadDir(dir)
}

// copyBeside copies what a model directory holds beside config and weights: the tokenizer's files, the chat template,
// generation_config.json, as far as it has them.
func copyBeside(from, to string) error {
	names, err := tokenizer.Files(from)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range append(names, "generation_config.json") {
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o666)
}

// Export writes the model of a full checkpoint, without the State, to a directory that is one model and nothing else. Its
// weights are stored as dtype.
func Export(checkpointDir, dir string, dtype tensor.DType) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(checkpointDir, "config.json"))
	if err != nil {
		return err
	}
	if raw, err = checkpoint.WithDType(raw, dtype); err != nil {
		return fmt.Errorf("config.json of %s: %w", checkpointDir, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), raw, 0o666); err != nil {
		return err
	}
	if err := exportWeights(checkpointDir, dir, dtype); err != nil {
		return err
	}
	return copyBeside(checkpointDir, dir)
}

// exportWeights copies the weights, or rounds them to 16 bits.
func exportWeights(from, to string, dtype tensor.DType) error {
	if dtype == tensor.F32 {
		return copyFile(filepath.Join(from, checkpoint.ModelTensors), filepath.Join(to, checkpoint.ModelTensors))
	}
	base, err := checkpoint.OpenBase(from)
	if err != nil {
		return err
	}
	defer base.Close()
	var list []safetensors.Tensor
	for _, p := range base.Model.Params() {
		v := make([]float32, p.Shape.Elements())
		if err := base.Weights.ReadF32(p.Name, v); err != nil {
			return err
		}
		h := tensor.Host{Type: tensor.Type{DType: dtype, Shape: p.Shape}}
		for _, x := range v {
			bits := tensor.F32ToBF16(x)
			if dtype == tensor.F16 {
				bits = tensor.F32ToF16(x)
			}
			h.Bytes = binary.LittleEndian.AppendUint16(h.Bytes, bits)
		}
		list = append(list, safetensors.FromHost(p.Name, h))
	}
	return safetensors.WriteFile(filepath.Join(to, checkpoint.ModelTensors), list, map[string]string{"format": "pt"})
}
