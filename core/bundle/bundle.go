// Package bundle is the default that comes with the program: a Llama of about one million parameters with its tokenizer, and
// three sets of questions and answers to tune it on, in English and in Chinese. `make base-model` makes all of it again:
// package world writes the text that the model has read, `hone pretrain` trains it.
package bundle

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hone/core/atomicfile"
	"hone/core/bundle/world"
)

//go:embed default
var files embed.FS

// TuningFlags is the recipe, as the flags of `hone sft`, with which tuning on the bundled sets shows its effect within a
// minute: at most 300 steps of at most 16 rows of 64 tokens.
const TuningFlags = "--train_type lora --lora_rank 16 --lora_alpha 32 --lora_dropout 0 --learning_rate 3e-3 --warmup_ratio 0.05 " +
	"--per_device_train_batch_size 16 --gradient_accumulation_steps 1 --max_length 64 --max_steps 300 --gradient_checkpointing false"

// FS holds model/ (a Hugging Face directory), a file of rows in the Alpaca format for each of Sets, and heldout.json
// (world.Questions).
func FS() fs.FS {
	sub, err := fs.Sub(files, "default")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// Has reports whether FS has something of that name.
func Has(name string) bool {
	_, err := fs.Stat(FS(), name)
	return err == nil
}

// Keep writes the files of FS to a directory below dir that is named by what is in them, and gives it: beside those of another
// release, so that what was tuned keeps its base.
func Keep(dir string) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(FS(), path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(raw), raw)
		return err
	})
	if err != nil {
		return "", err
	}
	at := filepath.Join(dir, hex.EncodeToString(sum.Sum(nil))[:12])
	return at, WriteTo(at)
}

// WriteTo writes the files of FS below dir, which is made when missing. A file that is there already with the same bytes
// is left alone; one that differs is replaced as a whole, so that nobody ever reads half of one.
func WriteTo(dir string) error {
	err := fs.WalkDir(FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(path))
		if e.IsDir() {
			return os.MkdirAll(target, 0o777)
		}
		raw, err := fs.ReadFile(FS(), path)
		if err != nil {
			return err
		}
		if have, err := os.ReadFile(target); err == nil && bytes.Equal(have, raw) {
			return nil
		}
		return atomicfile.Write(target, raw, 0o644)
	})
	if err != nil {
		return fmt.Errorf("writing the bundled model: %w; name another directory", err)
	}
	return nil
}

// HeldOut are questions that are not among the rows of Sets; their answers follow from the stories of the pre-training.
func HeldOut() ([]world.Question, error) {
	raw, err := fs.ReadFile(FS(), "heldout.json")
	if err != nil {
		return nil, err
	}
	var qs []world.Question
	if err := json.Unmarshal(raw, &qs); err != nil {
		return nil, fmt.Errorf("heldout.json: %w", err)
	}
	return qs, nil
}
