package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/golden"
)

// sentencePieceFile writes a tokenizer.model, as the proto of SentencePiece has it.
func sentencePieceFile(s *spModel) []byte {
	var out []byte
	field := func(out []byte, number int, content []byte) []byte {
		out = binary.AppendUvarint(out, uint64(number)<<3|2)
		out = binary.AppendUvarint(out, uint64(len(content)))
		return append(out, content...)
	}
	number := func(out []byte, number, value int) []byte {
		return binary.AppendUvarint(binary.AppendUvarint(out, uint64(number)<<3), uint64(uint32(value)))
	}
	flag := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	for _, p := range s.pieces {
		m := field(nil, 1, []byte(p.text))
		m = binary.LittleEndian.AppendUint32(binary.AppendUvarint(m, 2<<3|5), math.Float32bits(float32(p.score)))
		if p.kind != spNormal {
			m = number(m, 3, int(p.kind))
		}
		out = field(out, 1, m)
	}
	trainer := number(nil, 3, s.kind)
	trainer = number(trainer, 24, flag(s.whitespaceAfter))
	trainer = number(trainer, 35, flag(s.byteFallback()))
	for role, into := range map[int]string{40: s.unk, 41: s.bos, 42: s.eos, 43: s.pad} {
		id := -1
		for i, p := range s.pieces {
			if p.text == into {
				id = i
			}
		}
		trainer = number(trainer, role, id)
	}
	out = field(out, 2, trainer)
	spec := field(nil, 2, s.charsmap)
	spec = number(number(number(spec, 3, flag(s.dummyPrefix)), 4, flag(s.extraSpaces)), 5, flag(s.escapeSpaces))
	return field(out, 3, spec)
}

// dirWith is a directory with files.
func dirWith(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustLoadDir(t testing.TB, files map[string]string) *Tokenizer {
	t.Helper()
	tok, err := LoadDir(dirWith(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// llamaModel is the tokenizer.model that Llama's tokenizer.json was made of: bytes behind the special tokens, then pieces whose
// score falls with the id.
func llamaModel(tok *Tokenizer, specials int) *spModel {
	s := &spModel{kind: 2, unk: "<unk>", bos: "<s>", eos: "</s>", dummyPrefix: true, escapeSpaces: true}
	for id := range int32(len(tok.model.vocab())) {
		text, _ := tok.Token(id)
		p := spPiece{text: text, kind: spNormal, score: -float64(int(id) - specials - 256)}
		if _, isByte := byteToken(text); isByte {
			p.kind, p.score = spByte, 0
		} else if text == s.unk {
			p.kind, p.score = spUnknown, 0
		} else if int(id) < specials {
			p.kind, p.score = spControl, 0
		} else if len(text) > len(space) && strings.Trim(text, space) == "" {
			p.score = -1e9 // Llama's runs of spaces are merged last
		}
		s.pieces = append(s.pieces, p)
	}
	return s
}

// agree requires two tokenizers to give the same ids and texts, also after the second was saved and loaded again.
func agree(t *testing.T, want, got *Tokenizer, texts []string) {
	t.Helper()
	sameIDs(t, want, got, texts)
	dir := t.TempDir()
	if err := got.Save(dir); err != nil {
		t.Fatal(err)
	}
	saved, err := LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if saved.BOS != got.BOS || saved.EOS != got.EOS || saved.Pad != got.Pad || saved.Size() != got.Size() {
		t.Errorf("saved: bos %d, eos %d, pad %d, size %d; before %d, %d, %d, %d", saved.BOS, saved.EOS, saved.Pad, saved.Size(), got.BOS, got.EOS, got.Pad, got.Size())
	}
	sameIDs(t, got, saved, texts)
}

func sameIDs(t *testing.T, want, got *Tokenizer, texts []string) {
	t.Helper()
	for _, text := range texts {
		ids := want.EncodeText(text)
		if other := got.EncodeText(text); !slices.Equal(ids, other) {
			t.Fatalf("%.80q: ids %v, want %v", text, other, ids)
		}
		if a, b := want.Encode(text, true), got.Encode(text, true); !slices.Equal(a, b) {
			t.Fatalf("%.80q with special tokens: ids %v, want %v", text, b, a)
		}
		for _, skip := range []bool{false, true} {
			if a, b := want.Decode(ids, skip), got.Decode(ids, skip); a != b {
				t.Fatalf("%.80q: decoded %q, want %q", text, b, a)
			}
		}
	}
}

// hardTexts are those of the vocabulary cases, and some of the data sets.
func hardTexts(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(golden.Shared(t, "data/tokenizers/llama2"), "cases.inp"))
	if err != nil {
		t.Fatal(err)
	}
	texts := strings.Split(string(raw), "\n__ggml_vocab_test__\n")
	for _, name := range []string{"medical_sft_1K_format.jsonl", "alpaca_en_demo.json", "tinyshakespeare.txt"} {
		raw, err := os.ReadFile(golden.Shared(t, "data/datasets/"+name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw[:20000])
		texts = append(texts, strings.ToValidUTF8(text, ""))
		texts = append(texts, strings.SplitN(text, "\n", 40)[:39]...)
	}
	return append(texts, strings.Repeat(" ", 77)+"x", strings.Repeat("a", 301), "<s>[INST] hi </s>", "<|im_start|>user\n<|endoftext|>")
}

func TestLlama2AsSentencePiece(t *testing.T) {
	want, err := LoadDir(golden.Shared(t, "data/tokenizers/llama2"))
	if err != nil {
		t.Fatal(err)
	}
	file := sentencePieceFile(llamaModel(want, 3))
	got := mustLoadDir(t, map[string]string{"tokenizer.model": string(file)})
	if got.BOS != 1 || got.EOS != 2 || got.Size() != 32000 {
		t.Errorf("bos %d, eos %d, size %d", got.BOS, got.EOS, got.Size())
	}
	// transformers made the merges of tokenizer.json of the same pieces.
	a, b := want.model.write().(bpeFile).Merges, got.model.write().(bpeFile).Merges
	if len(a) != 61249 || !slices.Equal(a, b) {
		t.Errorf("%d merges, want %d, or others", len(b), len(a))
	}
	agree(t, want, got, hardTexts(t))
}

func TestPhi3AsSentencePiece(t *testing.T) {
	dir := golden.Shared(t, "data/tokenizers/phi-3")
	want, err := LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	decoder := map[string]addedToken{}
	for _, a := range want.added.list {
		decoder[fmt.Sprint(a.ID)] = a
	}
	raw, err := json.Marshal(map[string]any{"tokenizer_class": "LlamaTokenizer", "add_bos_token": false, "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
		"bos_token": "<s>", "added_tokens_decoder": decoder})
	if err != nil {
		t.Fatal(err)
	}
	got := mustLoadDir(t, map[string]string{"tokenizer.model": string(sentencePieceFile(llamaModel(want, 3))), "tokenizer_config.json": string(raw)})
	if got.BOS != 1 || got.EOS != 32000 || got.Pad != 32000 || got.Size() != 32011 {
		t.Errorf("bos %d, eos %d, pad %d, size %d", got.BOS, got.EOS, got.Pad, got.Size())
	}
	if err := want.Configure(raw); err != nil {
		t.Fatal(err)
	}
	agree(t, want, got, append(hardTexts(t), "<|user|>\n  Hello<|end|>\n<|assistant|>"))
}

// ranksOf writes the tokens of a byte-level tokenizer as tiktoken does.
func ranksOf(tok *Tokenizer) string {
	var b strings.Builder
	vocab := tok.model.vocab()
	for _, token := range slices.SortedFunc(maps.Keys(vocab), func(a, b string) int { return int(vocab[a] - vocab[b]) }) {
		if tok.IsSpecial(vocab[token]) {
			continue
		}
		bytes := make([]byte, 0, len(token))
		for _, r := range token {
			bytes = append(bytes, runeBytes()[r])
		}
		fmt.Fprintf(&b, "%s %d\n", base64.StdEncoding.EncodeToString(bytes), vocab[token])
	}
	return b.String()
}

func TestQwen2AsRanks(t *testing.T) {
	dir := golden.Shared(t, "data/tokenizers/qwen2")
	want, err := LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want.EOS != 151645 || want.Pad != 151643 || want.BOS != -1 {
		t.Errorf("bos %d, eos %d, pad %d", want.BOS, want.EOS, want.Pad)
	}
	config, err := os.ReadFile(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	qwen := strings.Replace(string(config), "Qwen2Tokenizer", "QWenTokenizer", 1)
	got := mustLoadDir(t, map[string]string{"qwen.tiktoken": ranksOf(want), "tokenizer_config.json": qwen})
	texts := append(hardTexts(t), "<|im_start|>system\nx<|im_end|>")
	agree(t, want, got, texts)
	// Without the configuration the special tokens are those of the family.
	alone := mustLoadDir(t, map[string]string{"qwen.tiktoken": ranksOf(want)})
	if alone.EOS != 151643 || alone.Size() != 151851 {
		t.Errorf("alone: eos %d, size %d", alone.EOS, alone.Size())
	}
	sameIDs(t, want, alone, texts)
}

func TestGPT2InOtherFormats(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(golden.Shared(t, "data/tokenizers/gpt2"), "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := mustLoad(t, string(withoutAdded(t, file)))
	vocab, err := json.Marshal(want.model.vocab())
	if err != nil {
		t.Fatal(err)
	}
	lines := "#version: 0.2\n"
	for _, m := range want.model.write().(bpeFile).Merges {
		lines += m[0] + " " + m[1] + "\n"
	}
	texts := append(hardTexts(t), "<|endoftext|>a")
	got := mustLoadDir(t, map[string]string{"vocab.json": string(vocab), "merges.txt": lines, "config.json": `{"model_type":"gpt2","bos_token_id":50256,"eos_token_id":50256}`})
	if got.BOS != 50256 || got.EOS != 50256 {
		t.Errorf("bos %d, eos %d", got.BOS, got.EOS)
	}
	agree(t, want, got, texts)
	ranks := mustLoadDir(t, map[string]string{"r50k_base.tiktoken": ranksOf(want)})
	agree(t, want, ranks, texts)
	byCount := mustLoadDir(t, map[string]string{"tokenizer.model": ranksOf(want)})
	sameIDs(t, want, byCount, texts)
}

// The same without the shared files: a small vocabulary of our own in every format.
func TestOwnVocabularyInEveryFormat(t *testing.T) {
	trained := trainBilingual(t, 425)
	own, err := trained.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	s := llamaModel(own, 4)
	// Scores that follow the merges: the earlier, the better.
	rank := map[string]int{}
	for i, m := range trained.Merges {
		if _, ok := rank[m[0]+m[1]]; !ok {
			rank[m[0]+m[1]] = i
		}
	}
	for i, p := range s.pieces {
		if p.kind == spNormal {
			s.pieces[i].score = -1000
			if r, ok := rank[p.text]; ok {
				s.pieces[i].score = -float64(r)
			}
		}
	}
	texts := append(slices.Clone(bilingual), "🚀 unseen Ω", "<s>not special</s><0x41>", "  two  spaces ", "\n")
	model := mustLoadDir(t, map[string]string{"tokenizer.model": string(sentencePieceFile(s))})
	for _, text := range texts {
		got := model.EncodeText(text)
		if want := naivePieces(s, text); !slices.Equal(got, want) {
			t.Errorf("tokenizer.model, %q: %v, want %v", text, got, want)
		}
		if back := model.Decode(got, true); back != text {
			t.Errorf("%q came back as %q", text, back)
		}
	}
	agree(t, model, model, texts)

	// Byte-level: every byte, and the words that were learnt, with the pairs that make them.
	vocab, merges := vocabulary{}, "#version: 0.2\n"
	for b := range 256 {
		vocab[string(byteRunes[b])] = int32(b)
	}
	for _, m := range trained.Merges {
		a, b := writeBytes(strings.ReplaceAll(m[0], space, " ")), writeBytes(strings.ReplaceAll(m[1], space, " "))
		if len(m[0]+m[1]) == len([]rune(m[0]+m[1])) || strings.HasPrefix(m[0], space) && len(m[0]+m[1]) == len([]rune(m[0]+m[1]))+2 {
			_, okA := vocab[a]
			_, okB := vocab[b]
			if _, taken := vocab[a+b]; okA && okB && !taken {
				vocab[a+b] = int32(len(vocab))
				merges += a + " " + b + "\n"
			}
		}
	}
	if len(vocab) < 280 {
		t.Fatalf("only %d tokens", len(vocab))
	}
	raw, err := json.Marshal(vocab)
	if err != nil {
		t.Fatal(err)
	}
	for class, pattern := range map[string]string{"GPT2Tokenizer": "r50k_base.tiktoken", "Qwen2TokenizerFast": "qwen.tiktoken"} {
		config := `{"tokenizer_class":"` + class + `","eos_token":"<end>"}`
		pair := mustLoadDir(t, map[string]string{"vocab.json": string(raw), "merges.txt": merges, "tokenizer_config.json": config, "added_tokens.json": fmt.Sprintf(`{"<end>":%d}`, len(vocab))})
		if pair.EOS != int32(len(vocab)) || !pair.IsSpecial(pair.EOS) {
			t.Errorf("%s: eos %d", class, pair.EOS)
		}
		for _, text := range texts {
			if back := pair.Decode(pair.EncodeText(text), true); back != text {
				t.Errorf("%s: %q came back as %q", class, text, back)
			}
		}
		ranks := mustLoadDir(t, map[string]string{pattern: ranksOf(pair), "added_tokens.json": fmt.Sprintf(`{"<end>":%d}`, len(vocab)), "special_tokens_map.json": `{"eos_token":"<end>"}`})
		for _, text := range texts {
			if got, want := ranks.EncodeText(text), naiveRanks(pair, text); !slices.Equal(got, want) {
				t.Errorf("%s, %q: %v, want %v", pattern, text, got, want)
			}
		}
		agree(t, pair, pair, append(texts, "a<end>b"))
		agree(t, ranks, ranks, append(texts, "a<end>b"))
	}
}

// naivePieces is SentencePiece's BPE: of all neighbours that make a piece together, those of the best score are merged.
func naivePieces(s *spModel, text string) []int32 {
	ids := map[string]int32{}
	for i, p := range s.pieces {
		if p.kind == spNormal {
			ids[p.text] = int32(i)
		}
	}
	if text == "" {
		return []int32{}
	}
	var symbols []string
	for _, r := range space + strings.ReplaceAll(text, " ", space) {
		symbols = append(symbols, string(r))
	}
	for {
		at, best := -1, math.Inf(-1)
		for i := range len(symbols) - 1 {
			if id, ok := ids[symbols[i]+symbols[i+1]]; ok && s.pieces[id].score > best {
				at, best = i, s.pieces[id].score
			}
		}
		if at < 0 {
			break
		}
		symbols = slices.Replace(symbols, at, at+2, symbols[at]+symbols[at+1])
	}
	var out []int32
	for _, p := range symbols {
		if id, ok := ids[p]; ok {
			out = append(out, id)
			continue
		}
		for _, b := range []byte(p) {
			out = append(out, int32(slices.IndexFunc(s.pieces, func(p spPiece) bool { return p.text == byteName(b) })))
		}
	}
	return out
}

// naiveRanks is tiktoken's: of all neighbours in a word that are a token together, those of the lowest rank are merged.
func naiveRanks(tok *Tokenizer, text string) []int32 {
	out := []int32{}
	if tok.normalizer != nil {
		text = tok.normalizer.normalize(text)
	}
	for _, word := range wordsOf(tok.split, text) {
		var symbols []string
		for i := range len(word) {
			symbols = append(symbols, writeBytes(word[i:i+1]))
		}
		for {
			at, best := -1, int32(math.MaxInt32)
			for i := range len(symbols) - 1 {
				if id, ok := tok.model.vocab()[symbols[i]+symbols[i+1]]; ok && id < best {
					at, best = i, id
				}
			}
			if at < 0 {
				break
			}
			symbols = slices.Replace(symbols, at, at+2, symbols[at]+symbols[at+1])
		}
		for _, s := range symbols {
			out = append(out, tok.model.vocab()[s])
		}
	}
	return out
}

// Random pieces with random scores: merges in every order.
func TestSentencePieceAgreesWithNaive(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for round := range 40 {
		s := &spModel{kind: 2, unk: "<unk>", dummyPrefix: true, escapeSpaces: true, pieces: []spPiece{{"<unk>", 0, spUnknown}}}
		list := []string{space, "a", "b", "c", "d"}
		for len(list) < 40 {
			if p := list[r.Intn(len(list))] + list[r.Intn(len(list))]; !slices.Contains(list, p) && periods(p) == 1 {
				list = append(list, p)
			}
		}
		for i, p := range r.Perm(len(list)) {
			s.pieces = append(s.pieces, spPiece{list[p], -float64(i), spNormal})
		}
		tok := mustLoadDir(t, map[string]string{"tokenizer.model": string(sentencePieceFile(s))})
		for range 60 {
			b := make([]byte, r.Intn(30))
			for i := range b {
				b[i] = "abcd "[r.Intn(5)]
			}
			if got, want := tok.EncodeText(string(b)), naivePieces(s, string(b)); !slices.Equal(got, want) {
				t.Fatalf("round %d, %q: %v, want %v", round, b, got, want)
			}
		}
	}
}

// periods is 2 for a text that overlaps itself, as aba does: where two ways to make one piece overlap, SentencePiece takes
// the left one and tokenizer.json, which must rank the ways, the one of lower ids. They are left out.
func periods(p string) int {
	for i := 1; i < len(p); i++ {
		if strings.HasPrefix(p, p[i:]) {
			return 2
		}
	}
	return 1
}
