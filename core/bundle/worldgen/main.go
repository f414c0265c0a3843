// Worldgen writes the files that the bundled model is made from: corpus.jsonl and config.json for `hone pretrain`,
// instructions.json for `hone sft`, and heldout.json to measure what tuning changed.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"log"
	"os"
	"path/filepath"

	"hone/core/bundle/world"
)

// config is the shape of the bundled model: 188,992 parameters with a vocabulary of 640 tokens.
const config = `{
  "architectures": ["LlamaForCausalLM"],
  "model_type": "llama",
  "hidden_size": 64,
  "intermediate_size": 128,
  "num_hidden_layers": 4,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "max_position_embeddings": 256,
  "rms_norm_eps": 1e-05,
  "rope_theta": 10000.0,
  "hidden_act": "silu",
  "initializer_range": 0.05,
  "tie_word_embeddings": true
}
`

// story is a row of the corpus: with one row a story, every story gets its own begin and end token.
type story struct {
	Text string `json:"text"`
}

func main() {
	log.SetFlags(0)
	out, seed := flag.String("out", "", "directory to write to"), flag.Uint64("seed", 1, "what is told, and in which order, follows from it")
	stories := flag.Int("stories", 7000, "number of stories")
	flag.Parse()
	if *out == "" || *stories < 1 || flag.NArg() > 0 {
		log.Fatal("usage: worldgen --out DIR [--seed N] [--stories N]")
	}
	if err := write(*out, *seed, *stories); err != nil {
		log.Fatal("worldgen: ", err)
	}
}

func write(dir string, seed uint64, stories int) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	files, err := contents(seed, stories)
	if err != nil {
		return err
	}
	for name, raw := range files {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// contents gives the contents of all files by name.
func contents(seed uint64, stories int) (map[string][]byte, error) {
	var corpus bytes.Buffer
	enc := json.NewEncoder(&corpus)
	for _, s := range world.Stories(seed, stories) {
		if err := enc.Encode(story{s}); err != nil {
			return nil, err
		}
	}
	train, held := world.Questions(seed)
	for i := range train {
		train[i].Task = "" // a row to tune on has no column that tuning does not know
	}
	files := map[string][]byte{"corpus.jsonl": corpus.Bytes(), "config.json": []byte(config)}
	for name, v := range map[string]any{"instructions.json": train, "heldout.json": held} {
		raw, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			return nil, err
		}
		files[name] = append(raw, '\n')
	}
	return files, nil
}
