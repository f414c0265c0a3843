package tokenizer

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Patterns by which byte-level tokenizers cut a text into words.
const (
	// Qwen 1 to 3.
	qwenPattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	// OpenAI's cl100k_base, Llama 3, GLM-4: as Qwen's, with up to three digits.
	cl100kPattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	// OpenAI's o200k_base.
	o200kPattern = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// byteFamily is a kind of byte-level BPE: what its vocab.json does not say and its Python class knows.
type byteFamily struct {
	classes       []string // tokenizer_class, without Fast
	modelTypes    []string // model_type of config.json, where no class is named
	pattern       string
	nfc           bool
	specials      []string // special tokens; those that the vocabulary lacks are added where no file lists tokens
	base          int32    // id of the first of specials that is to be added; 0: the ids go on behind the vocabulary
	bos, eos      string
	before, after []string // put around a text
}

var byteFamilies = []byteFamily{
	{classes: []string{"GPT2Tokenizer", "CodeGenTokenizer", "GPTNeoXTokenizer"}, modelTypes: []string{"gpt2", "gpt_neo", "gptj", "gpt_neox", "codegen", ""},
		pattern: gpt2Pattern, specials: []string{"<|endoftext|>"}, bos: "<|endoftext|>", eos: "<|endoftext|>"},
	{classes: []string{"Qwen2Tokenizer", "Qwen3Tokenizer"}, modelTypes: []string{"qwen2", "qwen3", "qwen2_moe", "qwen3_moe"}, pattern: qwenPattern, nfc: true,
		specials: []string{"<|endoftext|>", "<|im_start|>", "<|im_end|>"}, eos: "<|endoftext|>"},
	{classes: []string{"RobertaTokenizer", "BartTokenizer", "LongformerTokenizer", "LEDTokenizer"}, modelTypes: []string{"roberta", "bart", "longformer", "led"},
		pattern: gpt2Pattern, specials: []string{"<s>", "<pad>", "</s>", "<unk>", "<mask>"}, bos: "<s>", eos: "</s>", before: []string{"<s>"}, after: []string{"</s>"}},
}

// familyOf finds the family by class, else by model type.
func familyOf(c *config) (*byteFamily, error) {
	var known []string
	for i := range byteFamilies {
		f := &byteFamilies[i]
		generic := c.class == "" || c.class == "PreTrainedTokenizer" || c.class == "AutoTokenizer"
		if slices.Contains(f.classes, c.class) || generic && slices.Contains(f.modelTypes, c.modelType) {
			return f, nil
		}
		known = append(known, f.classes...)
	}
	return nil, fmt.Errorf("vocab.json and merges.txt do not say how text is cut, and tokenizer_class %q of model_type %q is not known; known are %s. "+
		"Save it with transformers as a fast tokenizer (tokenizer.json)", c.class, c.modelType, strings.Join(known, ", "))
}

// readVocabAndMerges reads vocab.json, and merges.txt beside it.
func readVocabAndMerges(file []byte, c *config, path string) (*Tokenizer, error) {
	family, err := familyOf(c)
	if err != nil {
		return nil, err
	}
	if file, err = cleanText(file); err != nil {
		return nil, err
	}
	var vocab vocabulary
	if err := json.Unmarshal(file, &vocab); err != nil {
		return nil, err
	}
	mergesPath := filepath.Join(filepath.Dir(path), "merges.txt")
	text, err := readBounded(mergesPath)
	if err != nil {
		return nil, err
	}
	list, err := readMerges(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", mergesPath, err)
	}
	m, err := newBPE(bpeFile{Vocab: vocab, Merges: list})
	if err != nil {
		return nil, err
	}
	return family.build(m, c)
}

// readMerges reads a pair a line. The first line may be a comment with the version; a # elsewhere is a token.
func readMerges(file []byte) (merges, error) {
	file, err := cleanText(file)
	if err != nil {
		return nil, err
	}
	var out merges
	number := 0
	for line := range strings.Lines(string(file)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || number == 1 && strings.HasPrefix(line, "#version") {
			continue
		}
		pair, err := cutMerge(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		out = append(out, pair)
	}
	return out, nil
}

// build puts the parts of the family around its model.
func (f *byteFamily) build(m *bpe, c *config) (*Tokenizer, error) {
	d := document{Version: "1.0"}
	prefix := c.addPrefixSpace != nil && *c.addPrefixSpace
	level := func(prefix, regex bool) string {
		return fmt.Sprintf(`{"type":"ByteLevel","add_prefix_space":%t,"trim_offsets":false,"use_regex":%t}`, prefix, regex)
	}
	if f.nfc {
		d.Normalizer = json.RawMessage(`{"type":"NFC"}`)
	}
	if f.pattern == gpt2Pattern { // ByteLevel has it within
		d.PreTokenizer = json.RawMessage(level(prefix, true))
	} else {
		cut := string(appendJSON(nil, f.pattern))
		d.PreTokenizer = json.RawMessage(`{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":` + cut +
			`},"behavior":"Isolated","invert":false},` + level(prefix, false) + `]}`)
	}
	d.Decoder = json.RawMessage(level(false, true))
	d.AddedTokens = c.tokens(f.ownTokens(m.vocab(), c), m.vocab())
	bos, eos := f.bos, f.eos
	if t, ok := c.named["bos_token"]; ok {
		bos = t.Content
	}
	if t, ok := c.named["eos_token"]; ok {
		eos = t.Content
	}
	before, after := f.before, f.after
	if c.addBOS != nil && *c.addBOS && len(before) == 0 {
		before = []string{bos}
	}
	if c.addEOS != nil && *c.addEOS && len(after) == 0 {
		after = []string{eos}
	}
	var err error
	if d.PostProcessor, err = frameParts(d.AddedTokens, m.vocab(), before, after); err != nil {
		return nil, err
	}
	t, err := build(d, m)
	if err != nil {
		return nil, err
	}
	if id, ok := t.ID(eos); ok {
		t.EOS = id
	}
	if id, ok := t.ID(bos); ok {
		t.BOS = id
	}
	return t, nil
}

// ownTokens are the special tokens of the family that the vocabulary has, and the others too where no file lists tokens.
func (f *byteFamily) ownTokens(vocab vocabulary, c *config) []addedToken {
	var out []addedToken
	next := f.base
	if next == 0 {
		for _, id := range vocab {
			next = max(next, id+1)
		}
	}
	for _, s := range f.specials {
		id, known := vocab[s]
		if !known {
			if len(c.added) > 0 {
				continue
			}
			id = next
			next++
		}
		out = append(out, addedToken{ID: id, Content: s, Special: true, LStrip: s == "<mask>"})
	}
	return out
}
