package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// rankFamily is a vocabulary of tiktoken ranks, with what its Python code adds to them.
type rankFamily struct {
	name string
	file string // name of the file, without .tiktoken, where it has one of its own
	size int    // number of ranks
	byteFamily
}

// rankFamilies are the vocabularies known. Sources: tiktoken's openai_public.py; the tokenizer code of Qwen-7B
// (tokenization_qwen.py), Llama 3.1 (tokenizer.py) and GLM-4 (tokenization_chatglm.py).
//
//	family       ranks    words cut by    special tokens                            around a text
//	Qwen         151643   qwenPattern     <|endoftext|> <|im_start|> <|im_end|> …   nothing
//	Llama 3      128000   cl100kPattern   <|begin_of_text|> … <|eot_id|> …          <|begin_of_text|>
//	GLM-4        151329   cl100kPattern   <|endoftext|> [MASK] [gMASK] …            [gMASK] <sop>
//	cl100k_base  100256   cl100kPattern   <|endoftext|> <|fim_…|>                   nothing
//	o200k_base   199998   o200kPattern    <|endoftext|>                             nothing
//	r50k_base     50256   gpt2Pattern     <|endoftext|>                             nothing
//	p50k_base     50280   gpt2Pattern     <|endoftext|>                             nothing
var rankFamilies = []rankFamily{
	{"Qwen", "qwen", 151643, byteFamily{classes: []string{"QWenTokenizer"}, modelTypes: []string{"qwen"}, pattern: qwenPattern, nfc: true,
		specials: append([]string{"<|endoftext|>", "<|im_start|>", "<|im_end|>"}, numberedTokens("<|extra_%d|>", 0, 205)...), eos: "<|endoftext|>"}},
	{"Llama 3", "", 128000, byteFamily{modelTypes: []string{"llama"}, pattern: cl100kPattern,
		specials: slices.Concat([]string{"<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
			"<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>",
			"<|python_tag|>"}, numberedTokens("<|reserved_special_token_%d|>", 3, 248)),
		bos: "<|begin_of_text|>", eos: "<|end_of_text|>", before: []string{"<|begin_of_text|>"}}},
	{"GLM-4", "", 151329, byteFamily{classes: []string{"ChatGLM4Tokenizer"}, modelTypes: []string{"chatglm", "glm", "glm4"}, pattern: cl100kPattern,
		specials: []string{"<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>",
			"<|observation|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>"},
		eos: "<|endoftext|>", before: []string{"[gMASK]", "<sop>"}}},
	{"cl100k_base", "cl100k_base", 100256, byteFamily{pattern: cl100kPattern, base: 100257,
		specials: []string{"<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"}, eos: "<|endoftext|>"}},
	{"o200k_base", "o200k_base", 199998, byteFamily{pattern: o200kPattern, base: 199999, specials: []string{"<|endoftext|>"}, eos: "<|endoftext|>"}},
	{"r50k_base", "r50k_base", 50256, byteFamily{pattern: gpt2Pattern, specials: []string{"<|endoftext|>"}, eos: "<|endoftext|>"}},
	{"p50k_base", "p50k_base", 50280, byteFamily{pattern: gpt2Pattern, base: 50256, specials: []string{"<|endoftext|>"}, eos: "<|endoftext|>"}},
}

func numberedTokens(format string, from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf(format, i))
	}
	return out
}

// rankFamilyOf finds the family by class, file name, model type and, where a file names none, by the number of ranks.
func rankFamilyOf(c *config, path string, size int) (*rankFamily, error) {
	name := strings.TrimSuffix(filepath.Base(path), ".tiktoken")
	var known []string
	for _, fits := range []func(f *rankFamily) bool{
		func(f *rankFamily) bool { return slices.Contains(f.classes, c.class) },
		func(f *rankFamily) bool { return f.file != "" && f.file == name },
		func(f *rankFamily) bool { return f.size == size && slices.Contains(f.modelTypes, c.modelType) },
		func(f *rankFamily) bool { return f.size == size },
	} {
		for i := range rankFamilies {
			if fits(&rankFamilies[i]) {
				return &rankFamilies[i], nil
			}
		}
	}
	for _, f := range rankFamilies {
		known = append(known, fmt.Sprintf("%s (%d)", f.name, f.size))
	}
	return nil, fmt.Errorf("tiktoken ranks do not say how text is cut, and neither the file name nor tokenizer_class %q, model_type %q nor the number of ranks, %d, "+
		"is of a vocabulary known here: %s", c.class, c.modelType, size, strings.Join(known, ", "))
}

// readTiktoken reads lines of a token in base64 and its rank, which is its id.
func readTiktoken(file []byte, c *config, path string) (*Tokenizer, error) {
	ranks, err := readRanks(file)
	if err != nil {
		return nil, err
	}
	family, err := rankFamilyOf(c, path, len(ranks))
	if err != nil {
		return nil, err
	}
	list, vocab := rankMerges(ranks)
	// tiktoken takes a word that is a token as it is.
	m, err := newBPE(bpeFile{IgnoreMerges: true, Vocab: vocab, Merges: list})
	if err != nil {
		return nil, err
	}
	return family.build(m, c)
}

func readRanks(file []byte) (map[string]int32, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("%d bytes; at most %d are accepted", len(file), maxFile)
	}
	if isPointer(file) {
		return nil, errPointer
	}
	ranks, taken := map[string]int32{}, map[int32]bool{}
	number := 0
	for line := range bytes.Lines(file) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		token, rank, err := rankLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if _, twice := ranks[token]; twice || taken[rank] {
			return nil, fmt.Errorf("line %d: the token %q or the rank %d stands twice", number, token, rank)
		}
		ranks[token], taken[rank] = rank, true
	}
	if len(ranks) == 0 {
		return nil, errors.New("there are no ranks")
	}
	return ranks, nil
}

func rankLine(line []byte) (token string, rank int32, err error) {
	text, count, ok := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
	if !ok {
		return "", 0, fmt.Errorf("%.60q is not a token in base64 and a rank", line)
	}
	b, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(b) == 0 {
		return "", 0, fmt.Errorf("%.60q is not a token in base64", text)
	}
	if len(b) > maxPiece {
		return "", 0, fmt.Errorf("a token of %d bytes; at most %d are accepted", len(b), maxPiece)
	}
	n, err := strconv.ParseInt(string(count), 10, 32)
	if err != nil || n < 0 || n >= maxID {
		return "", 0, fmt.Errorf("%.60q is not a rank", count)
	}
	return string(b), int32(n), nil
}

// rankMerges are the pairs that make a token, the token with the lowest rank first: tiktoken merges the pair whose bytes together
// have the lowest rank. The order among the ways to make one token is that of transformers' converter.
func rankMerges(ranks map[string]int32) (merges, vocabulary) {
	type way struct{ rank, left, right int32 }
	var ways []way
	vocab := make(vocabulary, len(ranks))
	tokens := make(map[int32]string, len(ranks))
	for token, rank := range ranks {
		written := writeBytes(token)
		vocab[written], tokens[rank] = rank, written
		for i := 1; i < len(token); i++ {
			left, okLeft := ranks[token[:i]]
			right, okRight := ranks[token[i:]]
			if okLeft && okRight {
				ways = append(ways, way{rank, left, right})
			}
		}
	}
	slices.SortFunc(ways, func(a, b way) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right))
	})
	out := make(merges, len(ways))
	for i, w := range ways {
		out[i] = mergePair{tokens[w.left], tokens[w.right]}
	}
	return out, vocab
}
