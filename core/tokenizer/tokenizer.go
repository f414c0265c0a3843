// Package tokenizer turns text into token ids and back, as the files of a model directory say.
// A tokenizer is a line of parts, one file each: added tokens are cut out, the rest is normalised, split into words,
// handed to the model (BPE, Unigram, WordPiece, WordLevel), and framed by the post-processor; the decoder goes the other way.
// The other formats (tokenizer.model of SentencePiece, tiktoken's ranks, vocab.json with merges.txt) are read into the same
// parts, so whatever was loaded can be saved as tokenizer.json. The package also trains small BPE tokenizers of its own.
//
// The reference for every part's meaning is the Rust crate tokenizers by Hugging Face.
package tokenizer

import "strings"

// A model turns one word, as the pre-tokenizer cut it, into ids.
type model interface {
	encode(word string, out []int32) []int32
	vocab() vocabulary
	write() any                    // the model as tokenizer.json has it
	forbid(special map[int32]bool) // tokens that are no part of any word; called before the first word
}

// Tokenizer is a loaded tokenizer. Nothing in it changes but a cache that is safe to share: any number of goroutines may
// use it at once.
type Tokenizer struct {
	normalizer normalizer   // nil: text is taken as it is
	split      preTokenizer // nil: a section is one word
	model      model
	post       postProcessor // nil: nothing is put around the ids
	decoder    decoder       // nil: tokens are joined by spaces
	added      addedTokens
	tokens     map[int32]string
	size       int
	modelSize  int      // without the added tokens
	file       document // what it was made of, without the model
	config     config   // the tokenizer_config.json beside it, if any

	BOS, EOS, Pad int32 // ids of the tokens named in tokenizer_config.json, -1 for one that is not named
}

// Encode gives the ids of text. Special tokens written in the text are recognised, so the text must be trusted (a chat
// template, not what a user typed). With addSpecial the post-processor's frame, commonly a begin token, is put around.
func (t *Tokenizer) Encode(text string, addSpecial bool) []int32 {
	ids := t.encode(text, t.added.raw, t.none, t.none)
	if addSpecial && t.post != nil {
		ids = t.post.frame(ids)
	}
	return ids
}

// EncodeText gives the ids of plain text: a special token written in it (or the begin, end or padding token) is only
// letters. Nothing is put around. This is the way for what users write.
func (t *Tokenizer) EncodeText(text string) []int32 {
	return t.encode(text, t.added.raw, t.control, t.control)
}

// leaver says which added tokens stay letters, see cutter.
type leaver = func(a *addedToken, from, to int) (stays bool, until int)

func (t *Tokenizer) none(*addedToken, int, int) (bool, int) { return false, 0 }

// control leaves the tokens that steer a model.
func (t *Tokenizer) control(a *addedToken, _, _ int) (bool, int) {
	return a.Special || a.ID == t.BOS || a.ID == t.EOS || a.ID == t.Pad, 0
}

// encode cuts tokens out of the text, then those marked normalized out of what lies between, as far as they are not left.
func (t *Tokenizer) encode(text string, tokens *trie, left, leftNormalized leaver) []int32 {
	ids := make([]int32, 0, len(text)/3+4)
	token := func(id int32) { ids = append(ids, id) }
	word := func(word string, _ bool) { ids = t.model.encode(word, ids) }
	words := word
	if t.split != nil {
		words = func(text string, first bool) { t.split.split(text, first, word) }
	}
	section := words
	if n := t.added.normalized; len(n.nodes) > 1 {
		section = func(text string, first bool) {
			cutter{n, t.added.list, leftNormalized}.cut(text, func(text string, start bool) { words(text, first && start) }, token)
		}
	}
	cutter{tokens, t.added.list, left}.cut(text, func(text string, first bool) {
		if t.normalizer != nil {
			text = t.normalizer.normalize(text)
		}
		if text != "" {
			section(text, first)
		}
	}, token)
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

// ModelSize is the same without the added tokens, which a model need not have: Gemma 3's tokenizer names one for images
// behind the vocabulary of its text models, and tools add a padding token that nothing reads.
func (t *Tokenizer) ModelSize() int { return t.modelSize }

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
