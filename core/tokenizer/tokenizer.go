// Package tokenizer turns text into token ids and back, as the tokenizer.json of a Hugging Face model says.
// A tokenizer is a line of parts, one file each: added tokens are cut out, the rest is normalised, split into words,
// handed to the model (BPE), and framed by the post-processor; the decoder goes the other way. The package also trains
// small BPE tokenizers of its own and writes them in the same format.
//
// The reference for every part's meaning is the Rust crate tokenizers by Hugging Face.
package tokenizer

import "strings"

// A model turns one word, as the pre-tokenizer cut it, into ids.
type model interface {
	encode(word string, out []int32) []int32
	vocab() map[string]int32
}

// Tokenizer is a loaded tokenizer. It holds no changing state: any number of goroutines may use it at once.
type Tokenizer struct {
	normalizer normalizer   // nil: text is taken as it is
	split      preTokenizer // nil: a section is one word
	model      model
	post       postProcessor // nil: nothing is put around the ids
	decoder    decoder       // nil: tokens are joined by spaces
	added      addedTokens
	tokens     map[int32]string
	size       int

	BOS, EOS, Pad int32 // ids of the tokens named in tokenizer_config.json, -1 for one that is not named
}

// Encode gives the ids of text. Special tokens written in the text are recognised, so the text must be trusted (a chat
// template, not what a user typed). With addSpecial the post-processor's frame, commonly a begin token, is put around.
func (t *Tokenizer) Encode(text string, addSpecial bool) []int32 {
	ids := t.encode(text, false)
	if addSpecial && t.post != nil {
		ids = t.post.frame(ids)
	}
	return ids
}

// EncodeText gives the ids of plain text: a special token written in it (or the begin, end or padding token) is only
// letters. Nothing is put around. This is the way for what users write.
func (t *Tokenizer) EncodeText(text string) []int32 { return t.encode(text, true) }

func (t *Tokenizer) encode(text string, plain bool) []int32 {
	ids := make([]int32, 0, len(text)/3+4)
	control := func(id int32) bool { return id == t.BOS || id == t.EOS || id == t.Pad }
	for _, s := range t.added.raw.cut(text, plain, control) {
		if s.token {
			ids = append(ids, s.id)
			continue
		}
		normal := s.text
		if t.normalizer != nil {
			normal = t.normalizer.normalize(normal)
		}
		for _, s := range t.added.normalized.cut(normal, plain, control) {
			if s.token {
				ids = append(ids, s.id)
				continue
			}
			if t.split == nil {
				ids = t.model.encode(s.text, ids)
				continue
			}
			for _, word := range t.split.split([]string{s.text}) {
				ids = t.model.encode(word, ids)
			}
		}
	}
	return ids
}

// Decode gives the text of ids. Ids that the tokenizer does not have are left out; with skipSpecial so are special tokens.
// Bytes that are no UTF-8 become U+FFFD.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		token, ok := t.tokens[id]
		if !ok || skipSpecial && t.added.special[id] {
			continue
		}
		tokens = append(tokens, token)
	}
	if t.decoder == nil {
		return strings.Join(tokens, " ")
	}
	return strings.Join(t.decoder.decode(tokens), "")
}

// Size is the highest id plus one: the rows that an embedding needs at least.
func (t *Tokenizer) Size() int { return t.size }

// ID finds the id of a token, added or of the model.
func (t *Tokenizer) ID(token string) (int32, bool) {
	if id, ok := t.added.ids[token]; ok {
		return id, true
	}
	id, ok := t.model.vocab()[token]
	return id, ok
}

// Token gives the token of an id as the vocabulary writes it, undecoded.
func (t *Tokenizer) Token(id int32) (string, bool) {
	token, ok := t.tokens[id]
	return token, ok
}

// IsSpecial reports whether the id is one of the added tokens that are marked special.
func (t *Tokenizer) IsSpecial(id int32) bool { return t.added.special[id] }
