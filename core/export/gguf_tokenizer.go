package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"hone/core/gguf"
	"hone/core/tokenizer"
)

// The kinds of a token, llama.cpp's llama_token_type.
const (
	normalToken  int32 = 1
	unknownToken int32 = 2
	controlToken int32 = 3
	userToken    int32 = 4
	unusedToken  int32 = 5
	byteToken    int32 = 6
)

// tokenizerFile is what GGUF keeps of a tokenizer.json.
type tokenizerFile struct {
	AddedTokens []struct {
		ID      int32  `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
	Normalizer   json.RawMessage `json:"normalizer"`
	PreTokenizer json.RawMessage `json:"pre_tokenizer"`
	Model        struct {
		Type         string           `json:"type"`
		UnkToken     *string          `json:"unk_token"`
		ByteFallback bool             `json:"byte_fallback"`
		Vocab        map[string]int32 `json:"vocab"`
		Merges       []merge          `json:"merges"`
	} `json:"model"`
}

// merge is a pair of tokens, written as "a b" or as ["a", "b"].
type merge [2]string

func (m *merge) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '[' {
		return json.Unmarshal(raw, (*[2]string)(m))
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	var ok bool
	if m[0], m[1], ok = strings.Cut(s, " "); !ok {
		return fmt.Errorf("merge %q has no space", s)
	}
	return nil
}

// tokenizerMetadata describes the tokenizer of a model directory: as SentencePiece's where bytes are tokens of their own
// (<0x0A>), as GPT-2's where the vocabulary is written in the alphabet of bytes. rows are those of the embedding: llama.cpp
// takes the length of the list for their number, and loads no file where both differ.
func tokenizerMetadata(dir string, rows int) ([]gguf.Pair, error) {
	tok, err := tokenizer.LoadDir(dir)
	if err != nil {
		return nil, err
	}
	raw, err := tok.TokenizerJSON()
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	var f tokenizerFile
	if err := errors.Join(json.Compact(&compact, raw), json.Unmarshal(compact.Bytes(), &f)); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if f.Model.Type != "BPE" && f.Model.Type != "" {
		return nil, fmt.Errorf("a tokenizer of the type %s has no form in this format here; BPE has", f.Model.Type)
	}
	l, err := listTokens(f, rows)
	if err != nil {
		return nil, err
	}
	put := func(key string, v any) {
		l.metadata = append(l.metadata, gguf.Pair{Key: "tokenizer.ggml." + key, Value: v})
	}
	if f.Model.ByteFallback {
		put("model", "llama")
		put("pre", "default")
		put("scores", l.scores(f))
		put("add_space_prefix", strings.Contains(string(f.Normalizer), `"Prepend"`) || strings.Contains(string(f.PreTokenizer), `"Metaspace"`))
	} else {
		pre, err := preTokenizer(string(f.PreTokenizer))
		if err != nil {
			return nil, err
		}
		put("model", "gpt2")
		put("pre", pre)
		merges := make([]string, len(f.Model.Merges))
		for i, m := range f.Model.Merges {
			if strings.Contains(m[0]+m[1], " ") {
				return nil, fmt.Errorf("the merge of %q and %q contains a space, which the format cannot write", m[0], m[1])
			}
			merges[i] = m[0] + " " + m[1]
		}
		put("merges", merges)
	}
	put("tokens", l.tokens)
	put("token_type", l.kinds)
	for _, special := range []struct {
		key string
		id  int32
	}{{"bos_token_id", tok.BOS}, {"eos_token_id", tok.EOS}, {"padding_token_id", tok.Pad}} {
		if special.id >= 0 && int(special.id) < rows {
			put(special.key, uint32(special.id))
		}
	}
	if unk := f.Model.UnkToken; unk != nil {
		if id, ok := tok.ID(*unk); ok && int(id) < rows {
			put("unknown_token_id", uint32(id))
		}
	}
	framed := tok.Encode("", true)
	put("add_bos_token", len(framed) > 0 && framed[0] == tok.BOS && tok.BOS >= 0)
	put("add_eos_token", len(framed) > 0 && framed[len(framed)-1] == tok.EOS && tok.EOS >= 0 && tok.EOS != tok.BOS)
	return l.metadata, nil
}

type tokenList struct {
	tokens   []string
	kinds    []int32
	metadata []gguf.Pair
}

// listTokens lists a token for each row of the embedding. Rows that no token has become unused tokens, as in models whose
// vocabulary is padded; added tokens that have no row, as Gemma's for images, are left out.
func listTokens(f tokenizerFile, rows int) (*tokenList, error) {
	l := &tokenList{tokens: make([]string, rows), kinds: make([]int32, rows)}
	for id := range l.tokens {
		l.tokens[id], l.kinds[id] = fmt.Sprintf("[PAD%d]", id), unusedToken
	}
	added := map[int32]bool{}
	for _, a := range f.AddedTokens {
		added[a.ID] = true
	}
	for token, id := range f.Model.Vocab {
		if int(id) >= rows {
			if added[id] {
				continue
			}
			return nil, fmt.Errorf("the tokenizer gives %q the id %d, and the model's embedding has %d rows: they do not belong together", token, id, rows)
		}
		l.tokens[id], l.kinds[id] = token, normalToken
		if f.Model.ByteFallback && isByteToken(token) {
			l.kinds[id] = byteToken
		}
		if u := f.Model.UnkToken; u != nil && *u == token {
			l.kinds[id] = unknownToken
		}
	}
	for _, a := range f.AddedTokens {
		if int(a.ID) >= rows {
			continue
		}
		l.tokens[a.ID] = a.Content
		switch {
		case l.kinds[a.ID] == unknownToken:
		case a.Special:
			l.kinds[a.ID] = controlToken
		default:
			l.kinds[a.ID] = userToken
		}
	}
	return l, nil
}

func isByteToken(s string) bool {
	return len(s) == 6 && strings.HasPrefix(s, "<0x") && s[5] == '>'
}

// scores are what SentencePiece's merging goes by: of two neighbours that can be merged, the pair whose token has the
// higher score is. With the negative rank of the merge that makes a token, that is BPE's order.
func (l *tokenList) scores(f tokenizerFile) []float32 {
	scores := make([]float32, len(l.tokens))
	ids := make(map[string]int, len(l.tokens))
	for id, token := range l.tokens {
		ids[token] = id
		if l.kinds[id] == normalToken {
			scores[id] = -float32(len(f.Model.Merges)) - 1 // made by no merge: a single character
		}
	}
	for rank := len(f.Model.Merges) - 1; rank >= 0; rank-- {
		if id, ok := ids[f.Model.Merges[rank][0]+f.Model.Merges[rank][1]]; ok && l.kinds[id] == normalToken {
			scores[id] = -float32(rank) - 1
		}
	}
	return scores
}

// preTokenizers are llama.cpp's names for the ways to cut text into words, known by a stretch of their pattern in
// tokenizer.json; the first that fits counts.
var preTokenizers = []struct{ name, sign string }{
	{"llama-bpe", `\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*`},
	{"qwen2", `\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*`},
	{"smollm", `"Digits","individual_digits":true`},
	{"gpt-2", `"ByteLevel"`},
}

// preTokenizer finds the name of a pre_tokenizer, written without spaces between its parts.
func preTokenizer(pre string) (string, error) {
	for _, p := range preTokenizers {
		if strings.Contains(pre, p.sign) {
			return p.name, nil
		}
	}
	return "", errors.New("llama.cpp has no name for the way in which tokenizer.json cuts text into words (pre_tokenizer); a GGUF file of it would tokenise wrongly")
}
