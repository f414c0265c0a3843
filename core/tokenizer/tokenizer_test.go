package tokenizer

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// small is a tokenizer.json with the given parts around a BPE over a few letters.
func small(parts, model string) string {
	if model == "" {
		model = `{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"vocab":{"<unk>":0,"a":1,"b":2,"c":3,"ab":4,"abc":5,"bc":6,"▁":7},"merges":["a b",["ab","c"],"b c"]}`
	}
	if parts != "" {
		parts += ","
	}
	return "{" + parts + `"model":` + model + "}"
}

func mustLoad(t testing.TB, file string) *Tokenizer {
	t.Helper()
	tok, err := Load([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestBPEOrderAndUnknown(t *testing.T) {
	tok := mustLoad(t, small("", ""))
	for text, want := range map[string][]int32{
		"":        {},
		"abc":     {5},
		"bc":      {6},
		"aabcc":   {1, 5, 3},
		"abab":    {4, 4},
		"xyabz":   {0, 4, 0}, // fused
		"a\xffxb": {1, 0, 2},
	} {
		if got := tok.Encode(text, true); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	apart := mustLoad(t, strings.Replace(small("", ""), `"fuse_unk":true`, `"fuse_unk":false`, 1))
	if got := apart.Encode("xyab", false); !slices.Equal(got, []int32{0, 0, 4}) {
		t.Errorf("without fuse_unk: %v", got)
	}
	whole := mustLoad(t, small("", `{"type":"BPE","ignore_merges":true,"vocab":{"a":0,"b":1,"ba":2},"merges":[]}`))
	if got := whole.Encode("ba", false); !slices.Equal(got, []int32{2}) {
		t.Errorf("ignore_merges: %v", got)
	}
}

// naive merges the lowest rank, leftmost first, by looking at all pairs every time.
func naive(m *bpe, symbols []int32) []int32 {
	for {
		best, at := merge{rank: 1 << 30}, -1
		for i := 1; i < len(symbols); i++ {
			if r, ok := m.merges[pairKey(symbols[i-1], symbols[i])]; ok && r.rank < best.rank {
				best, at = r, i-1
			}
		}
		if at < 0 {
			return symbols
		}
		symbols = slices.Replace(symbols, at, at+2, best.id)
	}
}

func TestBPEAgreesWithNaive(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for round := range 40 {
		vocab := map[string]int32{"a": 0, "b": 1, "c": 2, "d": 3}
		list := []string{"a", "b", "c", "d"}
		var merges []string
		for range 30 {
			x, y := list[r.Intn(len(list))], list[r.Intn(len(list))]
			if _, ok := vocab[x+y]; ok {
				continue
			}
			vocab[x+y] = int32(len(list))
			list = append(list, x+y)
			merges = append(merges, fmt.Sprintf("%q", x+" "+y))
		}
		var pairs []string
		for i, s := range list {
			pairs = append(pairs, fmt.Sprintf("%q:%d", s, i))
		}
		tok := mustLoad(t, small("", `{"type":"BPE","vocab":{`+strings.Join(pairs, ",")+`},"merges":[`+strings.Join(merges, ",")+`]}`))
		for range 50 {
			b := make([]byte, r.Intn(40))
			chars := make([]int32, len(b))
			for i := range b {
				chars[i] = int32(r.Intn(4))
				b[i] = "abcd"[chars[i]]
			}
			if got, want := tok.Encode(string(b), false), naive(tok.model.(*bpe), chars); !slices.Equal(got, want) {
				t.Fatalf("round %d, %q: %v, want %v", round, b, got, want)
			}
		}
	}
}

// A model without pre-tokenizer gets the whole text as one word; one whose merges cross every border cannot be cut either.
func TestLongWordTakesNoQuadraticTime(t *testing.T) {
	tok := mustLoad(t, small("", `{"type":"BPE","vocab":{"a":0,"aa":1,"aaaa":2},"merges":["a a","aa aa"]}`))
	start := time.Now()
	n := 1 << 19
	if got := tok.Encode(strings.Repeat("a", n), false); len(got) != n/4 {
		t.Errorf("%d tokens, want %d", len(got), n/4)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("%d letters took %v", n, d)
	}
}

func TestAddedTokens(t *testing.T) {
	added := func(s string) string { return `"added_tokens":[` + s + `]` }
	for name, c := range map[string]struct {
		parts, text string
		want        []int32
	}{
		"cut out":      {added(`{"id":9,"content":"<x>","special":true}`), "a<x>b", []int32{1, 9, 2}},
		"longest":      {added(`{"id":9,"content":"<x>"},{"id":10,"content":"<x>a"}`), "<x>ab<x>b", []int32{10, 2, 9, 2}},
		"lstrip":       {added(`{"id":9,"content":"<x>","lstrip":true}`), "a  <x>b", []int32{1, 9, 2}},
		"rstrip":       {added(`{"id":9,"content":"<x>","rstrip":true}`), "a<x> \n b", []int32{1, 9, 2}},
		"single word":  {added(`{"id":9,"content":"aa","single_word":true}`), "aab aa", []int32{1, 4, 0, 9}},
		"each section": {added(`{"id":9,"content":"<x>"}`) + `,"normalizer":{"type":"Prepend","prepend":"▁"}`, "a<x>b", []int32{7, 1, 9, 7, 2}},
		"normalized":   {added(`{"id":9,"content":"X","normalized":true}`) + `,"normalizer":{"type":"Lowercase"}`, "axA", []int32{1, 9, 1}},
	} {
		if got := mustLoad(t, small(c.parts, "")).Encode(c.text, false); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestPlainTextHasNoSpecialTokens(t *testing.T) {
	tok := mustLoad(t, small(`"added_tokens":[{"id":9,"content":"<x>","special":true},{"id":10,"content":"ca"},{"id":11,"content":"bb"}]`, ""))
	if err := tok.Configure([]byte(`{"eos_token":{"content":"bb"},"pad_token":null}`)); err != nil {
		t.Fatal(err)
	}
	if tok.EOS != 11 || tok.Pad != -1 {
		t.Errorf("eos %d, pad %d", tok.EOS, tok.Pad)
	}
	if got, want := tok.EncodeText("a<x>cabb"), []int32{1, 0, 10, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v: special and end tokens are letters, other added tokens are not", got, want)
	}
	if err := tok.Configure([]byte(`{"bos_token":"<none>"}`)); err == nil || !strings.Contains(err.Error(), "<none>") {
		t.Errorf("a begin token that does not exist: error %v", err)
	}
}

// wordsOf are the words of a text, which begins what is encoded.
func wordsOf(p preTokenizer, text string) []string {
	var out []string
	p.split(text, true, func(word string, _ bool) { out = append(out, word) })
	return out
}

func TestPreTokenizers(t *testing.T) {
	for name, c := range map[string]struct {
		json, text string
		want       []string
	}{
		"byte level":    {`{"type":"ByteLevel","add_prefix_space":false}`, "I'll go  é\n", []string{"I", "'ll", "Ġgo", "Ġ", "ĠÃ©", "Ċ"}},
		"prefix":        {`{"type":"ByteLevel","add_prefix_space":true,"use_regex":false}`, "a b", []string{"ĠaĠb"}},
		"digits":        {`{"type":"Digits","individual_digits":true}`, "ab12c", []string{"ab", "1", "2", "c"}},
		"digit runs":    {`{"type":"Digits","individual_digits":false}`, "ab12c34", []string{"ab", "12", "c", "34"}},
		"whitespace":    {`{"type":"Whitespace"}`, "Hey, you_2  ü!?", []string{"Hey", ",", "you_2", "ü", "!?"}},
		"spaces":        {`{"type":"WhitespaceSplit"}`, " a, b\u3000c ", []string{"a,", "b", "c"}},
		"removed":       {`{"type":"Split","pattern":{"String":"-"},"behavior":"Removed","invert":false}`, "a--b-c", []string{"a", "b", "c"}},
		"isolated":      {`{"type":"Split","pattern":{"String":"-"},"behavior":"Isolated"}`, "a--b", []string{"a", "-", "-", "b"}},
		"previous":      {`{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithPrevious"}`, "the-final--countdown", []string{"the-", "final-", "-", "countdown"}},
		"next":          {`{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithNext"}`, "the-final--countdown", []string{"the", "-final", "-", "-countdown"}},
		"contiguous":    {`{"type":"Split","pattern":{"String":"-"},"behavior":"Contiguous"}`, "the-final--countdown", []string{"the", "-", "final", "--", "countdown"}},
		"unicode space": {`{"type":"Split","pattern":{"Regex":"\\s+(?!\\S)|\\s+"},"behavior":"Isolated"}`, "a\u00a0\u3000b", []string{"a", "\u00a0", "\u3000", "b"}},
		"three digits": {`{"type":"Split","pattern":{"Regex":"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated"}`,
			"It'S 12345 你好!\n\n  x", []string{"It", "'S", " ", "123", "45", " 你好", "!\n\n", " ", " x"}},
	} {
		p, err := readPreTokenizer([]byte(c.json), 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := wordsOf(p, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestDecoders(t *testing.T) {
	for name, c := range map[string]struct {
		json   string
		tokens []string
		want   string
	}{
		"bytes":        {`{"type":"ByteFallback"}`, []string{"a", "<0xE4>", "<0xBD>", "<0xA0>", "b"}, "a你b"},
		"broken bytes": {`{"type":"ByteFallback"}`, []string{"<0xE4>", "<0xBD>", "b", "<0xGG>"}, "\uFFFD\uFFFDb<0xGG>"},
		"strip":        {`{"type":"Strip","content":"_","start":1,"stop":2}`, []string{"__a__", "___b"}, "_a__b"},
		"byte level":   {`{"type":"ByteLevel"}`, []string{"Ġa", "Ã", "©", "你"}, " aé你"},
		"lossy":        {`{"type":"ByteLevel"}`, []string{"ä½", "a", "ÿÿ"}, "\uFFFDa\uFFFD\uFFFD"},
		"regex":        {`{"type":"Replace","pattern":{"Regex":"x+"},"content":"$1"}`, []string{"axxb"}, "a$1b"},
	} {
		d, err := readDecoder([]byte(c.json), 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(d.decode(c.tokens), ""); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestNormalizers(t *testing.T) {
	for kind, want := range map[string]string{"NFC": "é ﬁ İ", "NFKC": "é fi İ", "NFKD": "e\u0301 fi I\u0307", "Lowercase": "e\u0301 ﬁ i\u0307"} {
		n, err := readNormalizer([]byte(`{"type":"`+kind+`"}`), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.normalize("e\u0301 ﬁ İ"); got != want {
			t.Errorf("%s: %+q, want %+q", kind, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	deep := strings.Repeat(`{"type":"Sequence","normalizers":[`, 40) + `{"type":"NFC"}` + strings.Repeat("]}", 40)
	bomb := `{"type":"Sequence","normalizers":[` + strings.Repeat(`{"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaaaa"},`, 9) + `{"type":"NFC"}]}`
	for name, c := range map[string]struct{ file, want string }{
		"not json":       {"{", "unexpected end"},
		"lfs":            {"version https://git-lfs.github.com/spec/v1\n", "Git LFS"},
		"utf-8":          {"{\"a\":\"\xff\"}", "UTF-8"},
		"no model":       {"{}", "no model"},
		"model":          {small("", `{"type":"Neural"}`), `model "Neural" is not supported; supported are BPE, Unigram`},
		"normalizer":     {small(`"normalizer":{"type":"Rot13"}`, ""), `"Rot13" is not supported; supported are Sequence, Prepend`},
		"charsmap":       {small(`"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="}`, ""), `4294967295 bytes, of 0`},
		"pre-tokenizer":  {small(`"pre_tokenizer":{"type":"Whitespaces"}`, ""), `pre_tokenizer "Whitespaces" is not supported`},
		"metaspace":      {small(`"pre_tokenizer":{"type":"Metaspace","prepend_scheme":"last"}`, ""), `"last"`},
		"post-processor": {small(`"post_processor":{"type":"Frame"}`, ""), `"Frame" is not supported`},
		"roberta":        {small(`"post_processor":{"type":"RobertaProcessing","sep":["</s>",2]}`, ""), "cls"},
		"decoder":        {small(`"decoder":{"type":"Word"}`, ""), `"Word" is not supported`},
		"look behind":    {small(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?<=a)b"},"behavior":"Isolated"}`, ""), `looks behind`},
		"look far":       {small(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"a(?=b*c)"},"behavior":"Isolated"}`, ""), `looks ahead without bound`},
		"unigram twice":  {small("", `{"type":"Unigram","vocab":[["a",0],["a",1]]}`), "pieces 0 and 1"},
		"unigram unk":    {small("", `{"type":"Unigram","unk_id":7,"vocab":[["a",0]]}`), "unk_id 7"},
		"unigram score":  {small("", `{"type":"Unigram","vocab":[["a"]]}`), "a text and a score"},
		"wordpiece unk":  {small("", `{"type":"WordPiece","vocab":{"a":0}}`), `unk_token "[UNK]"`},
		"possessive":     {small(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"a++b"},"behavior":"Isolated"}`, ""), `a++b`},
		"behavior":       {small(`"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"Gone"}`, ""), `"Gone"`},
		"template":       {small(`"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{}}`, ""), `"<s>"`},
		"template id":    {small(`"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"s"}},{"Sequence":{"id":"A"}}],"special_tokens":{"s":{"ids":[77]}}}`, ""), "77"},
		"deep":           {small(`"normalizer":`+deep, ""), "nested deeper"},
		"bomb":           {small(`"normalizer":`+bomb, ""), "times longer"},
		"merge":          {small("", `{"type":"BPE","vocab":{"a":0},"merges":["a b"]}`), `merge 0 of "a" and "b"`},
		"merge text":     {small("", `{"type":"BPE","vocab":{"a":0},"merges":["a"]}`), "two tokens"},
		"dropout":        {small("", `{"type":"BPE","dropout":0.1,"vocab":{"a":0},"merges":[]}`), "dropout"},
		"unk":            {small("", `{"type":"BPE","unk_token":"?","vocab":{"a":0},"merges":[]}`), `unk_token "?"`},
		"same id":        {small("", `{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}`), "share id 0"},
		"id":             {small("", `{"type":"BPE","vocab":{"a":-1},"merges":[]}`), "id -1"},
		"added id":       {small(`"added_tokens":[{"id":8,"content":"a"}]`, ""), "has id 8"},
		"empty":          {small("", `{"type":"BPE","vocab":{},"merges":[]}`), "vocabulary is empty"},
	} {
		if _, err := Load([]byte(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// byteLevelFile is a byte-level tokenizer without merges.
func byteLevelFile() string {
	var vocab []string
	for b := range 256 {
		vocab = append(vocab, fmt.Sprintf("%q:%d", string(byteRunes[b]), b))
	}
	part := `{"type":"ByteLevel","add_prefix_space":false}`
	return small(`"pre_tokenizer":`+part+`,"post_processor":`+part+`,"decoder":`+part,
		`{"type":"BPE","vocab":{`+strings.Join(vocab, ",")+`},"merges":[]}`)
}

func FuzzRoundTrip(f *testing.F) {
	for _, s := range append(bilingual, "", " ", "🚀\x00<s></s><0x41>", "a\u00a0 \u3000b", "▁", "don't  \r\n") {
		f.Add(s)
	}
	sentencePiece, err := trainBilingual(f, 340).Tokenizer()
	if err != nil {
		f.Fatal(err)
	}
	byteLevel := mustLoad(f, byteLevelFile())
	f.Fuzz(func(t *testing.T, text string) {
		ids := sentencePiece.EncodeText(text)
		for _, id := range append(byteLevel.EncodeText(text), sentencePiece.Encode(text, true)...) {
			if id < 0 || int(id) >= sentencePiece.Size() {
				t.Fatalf("id %d", id)
			}
		}
		if !utf8.ValidString(text) {
			return
		}
		if got, want := sentencePiece.Decode(ids, true), strings.ReplaceAll(text, space, " "); got != want {
			t.Errorf("%q came back as %q", text, got)
		}
		if got := byteLevel.Decode(byteLevel.EncodeText(text), true); got != text {
			t.Errorf("byte level: %q came back as %q", text, got)
		}
	})
}

func FuzzLoad(f *testing.F) {
	trained, err := trainBilingual(f, 270).TokenizerJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(trained)
	f.Add([]byte(byteLevelFile()))
	f.Add([]byte(small(`"added_tokens":[{"id":9,"content":"<x>","lstrip":true,"rstrip":true,"normalized":true}],"normalizer":{"type":"Lowercase"}`, "")))
	f.Add([]byte(small(`"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits"},{"type":"Split","pattern":{"Regex":"\\s+(?!\\S)|\\s+"},"behavior":"MergedWithNext","invert":true},{"type":"Whitespace"}]}`, "")))
	f.Add([]byte(small(`"added_tokens":[{"id":1,"content":"<s>","special":true}],"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"Metaspace","prepend_scheme":"first"},"decoder":{"type":"CTC"}`, `{"type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[["<unk>",0],["<s>",0],["a",-1],["▁",-2.5],["<0x41>",0]]}`)))
	f.Add([]byte(small(`"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"BertProcessing","sep":["a",1],"cls":["a",1]},"decoder":{"type":"WordPiece","prefix":"##","cleanup":true}`, `{"type":"WordPiece","unk_token":"?","vocab":{"?":0,"a":1,"##b":2}}`)))
	f.Add([]byte(small(`"pre_tokenizer":{"type":"UnicodeScripts"},"normalizer":{"type":"Nmt"}`, `{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"a":1}}`)))
	f.Add([]byte(small(`"decoder":{"type":"Sequence","decoders":[{"type":"Strip","content":"a","start":1,"stop":1},{"type":"Fuse"}]}`, "")))
	f.Fuzz(func(t *testing.T, file []byte) {
		tok, err := Load(file)
		if err != nil {
			return
		}
		useAll(t, tok)
	})
}
