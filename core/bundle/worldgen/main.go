// Worldgen writes the files that the bundled model is made from: corpus.jsonl, config.json and tokenizer/ for `hone pretrain`,
// one file of rows for each task for `hone sft`, and heldout.json to measure what tuning changed.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"hone/core/bundle/world"
	"hone/core/tokenizer"
)

// config is the shape of the bundled model.
const config = `{
  "architectures": ["LlamaForCausalLM"],
  "model_type": "llama",
  "hidden_size": 128,
  "intermediate_size": 320,
  "num_hidden_layers": 5,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "max_position_embeddings": 256,
  "rms_norm_eps": 1e-05,
  "rope_theta": 10000.0,
  "hidden_act": "silu",
  "initializer_range": 0.04,
  "tie_word_embeddings": true
}
`

// vocabSize is room for every word to be one token.
const vocabSize = 1920

// story is a row of the corpus: with one row a story, every story gets its own begin and end token.
type story struct {
	Text string `json:"text"`
}

func main() {
	log.SetFlags(0)
	out, seed := flag.String("out", "", "directory to write to"), flag.Uint64("seed", 1, "what is told, and in which order, follows from it")
	stories := flag.Int("stories", 40000, "number of stories")
	fold := flag.Int("fold", world.HeldOut, "which part of the questions is held out; recipes are chosen with another one than the bundle's")
	flag.Parse()
	if *out == "" || *stories < 1 || *fold < 0 || *fold >= world.Folds || flag.NArg() > 0 {
		log.Fatalf("usage: worldgen --out DIR [--seed N] [--stories N] [--fold 0…%d]", world.Folds-1)
	}
	if err := write(*out, *seed, *stories, *fold); err != nil {
		log.Fatal("worldgen: ", err)
	}
}

func write(dir string, seed uint64, stories, fold int) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	texts := world.Stories(seed, stories)
	files, err := contents(texts, seed, fold)
	if err != nil {
		return err
	}
	for name, raw := range files {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o666); err != nil {
			return err
		}
	}
	t, err := vocabulary(texts)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "tokenizer"), 0o777); err != nil {
		return err
	}
	return t.Save(filepath.Join(dir, "tokenizer"))
}

// vocabulary trains the tokenizer. Every Chinese character stays a token of its own, as in BERT: a line end, which is always
// a word by itself, stands between them here. Of a language of whole phrases the model would not know what follows half of
// one: "今天天气很好" as one token never shows that 好 comes after 今天天气很. The marks of the plain chat template, which no
// story has, are in the vocabulary too, which keeps the rows of the tuning short.
func vocabulary(texts []string) (*tokenizer.Trained, error) {
	apart := func(yield func(string) bool) {
		for _, s := range texts {
			var b strings.Builder
			for _, r := range s {
				if unicode.Is(unicode.Han, r) {
					b.WriteByte('\n')
				}
				b.WriteRune(r)
			}
			if !yield(b.String()) {
				return
			}
		}
		for range len(texts) {
			if !yield("### User\n\n### Assistant\n") {
				return
			}
		}
	}
	return tokenizer.Train(apart, tokenizer.TrainOptions{VocabSize: vocabSize, Coverage: 1})
}

// contents gives the contents of all files by name, but for the tokenizer's.
func contents(texts []string, seed uint64, fold int) (map[string][]byte, error) {
	var corpus bytes.Buffer
	enc := json.NewEncoder(&corpus)
	for _, s := range texts {
		if err := enc.Encode(story{s}); err != nil {
			return nil, err
		}
	}
	train, held := world.Questions(seed, fold)
	files := map[string][]byte{"corpus.jsonl": corpus.Bytes(), "config.json": []byte(config)}
	var err error
	for _, task := range world.Tasks {
		rows := slices.DeleteFunc(slices.Clone(train), func(q world.Question) bool { return q.Task != task })
		for i := range rows {
			rows[i].Task, rows[i].Topic, rows[i].Language = "", "", "" // a row to tune on has no column that tuning does not know
		}
		if files[task+".json"], err = lines(rows); err != nil {
			return nil, err
		}
	}
	files["heldout.json"], err = lines(held)
	return files, err
}

// lines is a JSON array with one question a line.
func lines(qs []world.Question) ([]byte, error) {
	var b bytes.Buffer
	for i, q := range qs {
		fmt.Fprint(&b, map[bool]string{true: "[\n", false: ",\n"}[i == 0])
		raw, err := json.Marshal(q)
		if err != nil {
			return nil, err
		}
		b.Write(raw)
	}
	b.WriteString("\n]\n")
	return b.Bytes(), nil
}
