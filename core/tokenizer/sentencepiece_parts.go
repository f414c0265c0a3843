package tokenizer

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// fairseqClasses number their ids otherwise than their tokenizer.model does.
var fairseqClasses = []string{"XLMRobertaTokenizer", "CamembertTokenizer", "BarthezTokenizer", "MBartTokenizer", "MBart50Tokenizer",
	"NllbTokenizer", "XGLMTokenizer", "M2M100Tokenizer", "PegasusTokenizer"}

// readSentencePiece makes the parts of a tokenizer.json of a SentencePiece model, in the way of transformers' converters: the
// normaliser writes spaces as ▁, pieces become a Unigram or BPE model, control symbols and user-defined ones added tokens.
func readSentencePiece(file []byte, c *config) (*Tokenizer, error) {
	s, err := parseSentencePiece(file)
	if err != nil {
		return nil, err
	}
	switch {
	case slices.Contains(fairseqClasses, c.class):
		return nil, fmt.Errorf("tokenizer_class %s numbers its ids otherwise than the file; save it with transformers as a fast tokenizer (tokenizer.json)", c.class)
	case s.whitespaceAfter:
		return nil, errors.New("treat_whitespace_as_suffix is not supported")
	case s.denormalizer:
		return nil, errors.New("a denormalizer is not supported")
	}
	chatGLM := c.class == "ChatGLMTokenizer" || c.class == "" && c.modelType == "chatglm"
	var d document
	d.Version = "1.0"
	vocab := make(vocabulary, len(s.pieces))
	for i, p := range s.pieces {
		if first, twice := vocab[p.text]; twice {
			return nil, fmt.Errorf("pieces %d and %d are both %q", first, i, p.text)
		}
		vocab[p.text] = int32(i)
	}
	legacy := c.legacy == nil || *c.legacy
	prefix := s.dummyPrefix && (c.addPrefixSpace == nil || *c.addPrefixSpace)
	s.writeNormalizer(&d, prefix, legacy)
	own := s.addedTokens(prefix)
	if chatGLM {
		own = append(own, chatGLMTokens(int32(len(s.pieces)))...)
	}
	d.AddedTokens = c.tokens(own, vocab)
	for i, t := range d.AddedTokens {
		if t.Content == "sop" || t.Content == "eop" {
			d.AddedTokens[i].SingleWord = d.AddedTokens[i].SingleWord || chatGLM // "people" has one in it
		}
	}
	if chatGLM {
		d.PostProcessor, err = frameParts(d.AddedTokens, vocab, []string{"[gMASK]", "sop"}, nil)
	} else {
		d.PostProcessor, err = s.frame(c, d.AddedTokens, vocab)
	}
	if err != nil {
		return nil, err
	}
	m, err := s.model(vocab, d.AddedTokens)
	if err != nil {
		return nil, err
	}
	t, err := build(d, m)
	if err != nil {
		return nil, err
	}
	for into, token := range map[*int32]string{&t.BOS: s.bos, &t.EOS: s.eos, &t.Pad: s.pad} {
		if id, ok := vocab[token]; ok {
			*into = id
		}
	}
	if chatGLM && t.Pad < 0 && s.unk != "" {
		t.Pad = vocab[s.unk] // ChatGLMTokenizer pads with it
	}
	return t, nil
}

// writeNormalizer sets what is done to a text before the model sees it, and undone behind. The crate knows no dummy prefix; legacy puts it in front of
// every stretch between added tokens, as Prepend does, and otherwise only the text begins with one.
func (s *spModel) writeNormalizer(d *document, prefix, legacy bool) {
	var before, behind []string
	if len(s.charsmap) > 0 {
		before = append(before, `{"type":"Precompiled","precompiled_charsmap":"`+base64.StdEncoding.EncodeToString(s.charsmap)+`"}`)
	}
	if s.extraSpaces {
		before = append(before, `{"type":"Replace","pattern":{"Regex":"\\A +"},"content":""}`, `{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}`)
	}
	mark := " "
	if s.escapeSpaces {
		mark = space
		behind = append(behind, `{"type":"Replace","pattern":{"String":"▁"},"content":" "}`)
	}
	if prefix && !legacy && s.escapeSpaces {
		d.PreTokenizer = json.RawMessage(`{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}`)
	} else {
		if prefix {
			before = append(before, `{"type":"Prepend","prepend":"`+mark+`"}`)
		}
		if s.escapeSpaces {
			before = append(before, `{"type":"Replace","pattern":{"String":" "},"content":"▁"}`)
		}
	}
	if s.extraSpaces {
		before = append(before, `{"type":"Replace","pattern":{"Regex":"[ ▁]+\\z"},"content":""}`)
	}
	if s.byteFallback() {
		behind = append(behind, `{"type":"ByteFallback"}`)
	}
	behind = append(behind, `{"type":"Fuse"}`)
	if prefix || s.extraSpaces {
		behind = append(behind, `{"type":"Strip","content":" ","start":1,"stop":0}`)
	}
	if len(before) > 0 {
		d.Normalizer = json.RawMessage(`{"type":"Sequence","normalizers":[` + strings.Join(before, ",") + `]}`)
	}
	d.Decoder = json.RawMessage(`{"type":"Sequence","decoders":[` + strings.Join(behind, ",") + `]}`)
}

func (s *spModel) byteFallback() bool {
	return slices.ContainsFunc(s.pieces, func(p spPiece) bool { return p.kind == spByte })
}

// addedTokens are the control symbols, which are special, and the user-defined ones. One with a ▁ in it can only be
// found where spaces are written so, and only if no prefix is put in front of it too; the others of that kind are left to
// the model, where they have the best score, as Unigram does with them anyway.
func (s *spModel) addedTokens(prefix bool) []addedToken {
	var out []addedToken
	for i, p := range s.pieces {
		switch p.kind {
		case spControl, spUnknown:
			out = append(out, addedToken{ID: int32(i), Content: p.text, Special: true})
		case spUserDefined:
			marked := strings.Contains(p.text, space)
			if !marked || !prefix && s.kind == 2 {
				out = append(out, addedToken{ID: int32(i), Content: p.text, Normalized: marked})
			}
		}
	}
	return out
}

// frame puts the begin and end tokens around a text, as tokenizer_config.json says. Without it there is a begin token, if
// the model has one, and no end token.
func (s *spModel) frame(c *config, added []addedToken, vocab vocabulary) (json.RawMessage, error) {
	bos, eos := s.bos, s.eos
	if t, ok := c.named["bos_token"]; ok {
		bos = t.Content
	}
	if t, ok := c.named["eos_token"]; ok {
		eos = t.Content
	}
	onlyEnd := c.class == "T5Tokenizer" || c.class == "MT5Tokenizer"
	var before, after []string
	if bos != "" && (c.addBOS == nil && !onlyEnd || c.addBOS != nil && *c.addBOS) {
		before = []string{bos}
	}
	if eos != "" && (c.addEOS == nil && onlyEnd || c.addEOS != nil && *c.addEOS) {
		after = []string{eos}
	}
	return frameParts(added, vocab, before, after)
}

// frameParts writes a TemplateProcessing, or nothing where nothing is put around.
func frameParts(added []addedToken, vocab vocabulary, before, after []string) (json.RawMessage, error) {
	if len(before)+len(after) == 0 {
		return nil, nil
	}
	var single []any
	special := map[string]any{}
	token := func(name string) error {
		id, ok := vocab[name]
		if i := slices.IndexFunc(added, func(a addedToken) bool { return a.Content == name }); i >= 0 {
			id, ok = added[i].ID, true
		}
		if !ok {
			return fmt.Errorf("the token %q is to be put around a text, but the vocabulary does not have it", name)
		}
		single = append(single, map[string]any{"SpecialToken": map[string]any{"id": name, "type_id": 0}})
		special[name] = map[string]any{"id": name, "ids": []int32{id}, "tokens": []string{name}}
		return nil
	}
	for _, name := range before {
		if err := token(name); err != nil {
			return nil, err
		}
	}
	single = append(single, map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}})
	for _, name := range after {
		if err := token(name); err != nil {
			return nil, err
		}
	}
	pair := append(slices.Clone(single), map[string]any{"Sequence": map[string]any{"id": "B", "type_id": 1}})
	return plainJSON(map[string]any{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}, "")
}

// model makes the model of the pieces.
func (s *spModel) model(vocab vocabulary, added []addedToken) (model, error) {
	var unk *int32
	for i, p := range s.pieces {
		if p.kind == spUnknown {
			if unk != nil {
				return nil, fmt.Errorf("pieces %d and %d are both the unknown token", *unk, i)
			}
			id := int32(i)
			unk = &id
		}
	}
	switch s.kind {
	case 1:
		f := unigramFile{UnkID: unk, ByteFallback: s.byteFallback()}
		best := 0.0 // SentencePiece's max_score never falls below
		for _, p := range s.pieces {
			if p.kind == spNormal {
				best = max(best, p.score)
			}
		}
		for _, p := range s.pieces {
			switch p.kind {
			case spUserDefined: // they win over any other way to write the same text
				p.score = float64(utf8.RuneCountInString(p.text))*best - 0.1
			case spUnused:
				return nil, fmt.Errorf("the unused piece %q is not supported", p.text)
			}
			f.Vocab = append(f.Vocab, piece{p.text, p.score})
		}
		return newUnigram(f)
	case 2:
		f := bpeFile{FuseUnk: true, ByteFallback: s.byteFallback(), Vocab: vocab}
		if unk != nil {
			f.UnkToken = &s.pieces[*unk].text
		}
		var err error
		f.Merges, err = s.merges(vocab, added)
		if err != nil {
			return nil, err
		}
		return newBPE(f)
	case 3:
		return nil, errors.New("a SentencePiece model of whole words is not supported; supported are unigram and BPE")
	case 4:
		return nil, errors.New("a SentencePiece model of characters is not supported; supported are unigram and BPE")
	}
	return nil, fmt.Errorf("SentencePiece model type %d is not known", s.kind)
}

// merges are the pairs that make a piece, the piece with the best score first. SentencePiece looks pieces up as it merges;
// the order among the ways to make one piece is that of the ids, as in transformers' converter.
func (s *spModel) merges(vocab vocabulary, added []addedToken) (merges, error) {
	mergeable := make(map[string]bool, len(vocab))
	cut := map[string]bool{} // added tokens never reach the model
	for _, a := range added {
		cut[a.Content] = true
	}
	for _, p := range s.pieces {
		switch {
		case p.kind == spUnused:
			return nil, fmt.Errorf("the unused piece %q is not supported", p.text)
		case p.kind == spNormal, p.kind == spUserDefined && !cut[p.text]:
			mergeable[p.text] = true
		}
	}
	type way struct {
		score       float64
		left, right int32
	}
	var ways []way
	for _, p := range s.pieces {
		if !mergeable[p.text] {
			continue
		}
		from := len(ways)
		for i := range p.text {
			if left, right := p.text[:i], p.text[i:]; i > 0 && mergeable[left] && mergeable[right] {
				ways = append(ways, way{p.score, vocab[left], vocab[right]})
			}
		}
		slices.SortFunc(ways[from:], func(a, b way) int { return cmp.Or(cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right)) })
	}
	slices.SortStableFunc(ways, func(a, b way) int { return cmp.Compare(b.score, a.score) })
	out := make(merges, len(ways))
	for i, w := range ways {
		out[i] = mergePair{s.pieces[w.left].text, s.pieces[w.right].text}
	}
	return out, nil
}

// chatGLMTokens follow the vocabulary of ChatGLM2 and ChatGLM3, whose tokenizer.model does not have them.
func chatGLMTokens(next int32) []addedToken {
	var out []addedToken
	for i, name := range []string{"[MASK]", "[gMASK]", "[sMASK]", "sop", "eop", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"} {
		out = append(out, addedToken{ID: next + int32(i), Content: name, Special: true})
	}
	return out
}
