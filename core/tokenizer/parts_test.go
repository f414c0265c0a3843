package tokenizer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// The expected words and texts are what the tokenizers crate, 0.22, gives.
func TestMorePreTokenizers(t *testing.T) {
	for name, c := range map[string]struct {
		json, text string
		want       []string
	}{
		"punctuation":        {`{"type":"Punctuation"}`, "a,b..c«d$", []string{"a", ",", "b", ".", ".", "c", "«", "d", "$"}},
		"punctuation joined": {`{"type":"Punctuation","behavior":"Contiguous"}`, "a,b..c", []string{"a", ",", "b", "..", "c"}},
		"bert":               {`{"type":"BertPreTokenizer"}`, " don't  do 1.5", []string{"don", "'", "t", "do", "1", ".", "5"}},
		"delimiter":          {`{"type":"CharDelimiterSplit","delimiter":"a"}`, "xaay", []string{"x", "y"}},
		"scripts":            {`{"type":"UnicodeScripts"}`, "ab 中ひカーx.", []string{"ab ", "中ひカー", "x", "."}},
		"scripts space":      {`{"type":"UnicodeScripts"}`, " a", []string{"a"}},
		"fixed":              {`{"type":"FixedLength","length":2}`, "aé中xy", []string{"aé", "中x", "y"}},
		"metaspace":          {`{"type":"Metaspace"}`, "Hey  you", []string{"▁Hey", "▁", "▁you"}},
		"metaspace prefixed": {`{"type":"Metaspace"}`, " Hey", []string{"▁Hey"}},
		"metaspace never":    {`{"type":"Metaspace","prepend_scheme":"never"}`, "Hey you", []string{"Hey", "▁you"}},
		"metaspace older":    {`{"type":"Metaspace","replacement":"_","add_prefix_space":false,"str_rep":"_"}`, "Hey you", []string{"Hey", "_you"}},
		"metaspace whole":    {`{"type":"Metaspace","prepend_scheme":"first","split":false}`, "Hey you", []string{"▁Hey▁you"}},
		"words":              {`{"type":"Whitespace"}`, "a\u200db 😶\u200d🌫 x_1+=", []string{"a\u200db", "😶", "\u200d", "🌫", "x_1", "+="}},
		"inverted":           {`{"type":"Split","pattern":{"Regex":"\\d+"},"behavior":"MergedWithNext","invert":true}`, "a12b3", []string{"a12", "b3"}},
		"sequence": {`{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Sequence","pretokenizers":[{"type":"Metaspace","prepend_scheme":"first"},{"type":"Digits","individual_digits":true}]}]}`,
			"a1 b22", []string{"▁a", "1", "b", "2", "2"}},
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

func TestMoreNormalizers(t *testing.T) {
	for name, c := range map[string]struct{ json, text, want string }{
		"strip":         {`{"type":"Strip","strip_left":true,"strip_right":false}`, " \u3000a ", "a "},
		"strip both":    {`{"type":"Strip"}`, "\t a ", "a"},
		"accents":       {`{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"}]}`, "é Å ก้", "e A ก"},
		"nmt":           {`{"type":"Nmt"}`, "a\x01\tb\u200b▁\u00adc", "a b  \u00adc"},
		"bert":          {`{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}`, "É中\x00\t\u00adx\u200b", "e 中  x"},
		"bert accents":  {`{"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,"strip_accents":true,"lowercase":false}`, "É中\t", "E中\t"},
		"bert case":     {`{"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,"strip_accents":false,"lowercase":true}`, "É中", "é中"},
		"bytes":         {`{"type":"ByteLevel"}`, "é a", "Ã©Ġa"},
		"regex":         {`{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}`, "a   b c", "a▁b c"},
		"empty charmap": {`{"type":"Precompiled","precompiled_charsmap":""}`, "a", "a"},
	} {
		n, err := readNormalizer([]byte(c.json), 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := n.normalize(c.text); got != c.want {
			t.Errorf("%s: %+q, want %+q", name, got, c.want)
		}
	}
}

func TestMoreDecoders(t *testing.T) {
	for name, c := range map[string]struct {
		json   string
		tokens []string
		want   string
	}{
		"metaspace":       {`{"type":"Metaspace"}`, []string{"▁Hey", "▁you", "!"}, "Hey you!"},
		"metaspace never": {`{"type":"Metaspace","prepend_scheme":"never"}`, []string{"▁Hey", "▁you"}, " Hey you"},
		"wordpiece":       {`{"type":"WordPiece","prefix":"##","cleanup":true}`, []string{"##my", "fr", "##iend", ",", "do", "n't"}, "##my friend, don't"},
		"wordpiece plain": {`{"type":"WordPiece","prefix":"##","cleanup":false}`, []string{"a", ",", "b"}, "a , b"},
		"suffix":          {`{"type":"BPEDecoder","suffix":"</w>"}`, []string{"He", "y</w>", "you</w>"}, "Hey you"},
		"ctc":             {`{"type":"CTC"}`, []string{"<pad>", "h", "h", "<pad>", "e", "l", "<pad>", "l", "|", "o"}, "hell o"},
	} {
		d, err := readDecoder([]byte(c.json), 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(d.decode(slices.Clone(c.tokens)), ""); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestWordModels(t *testing.T) {
	added := `"added_tokens":[{"id":9,"content":"[CLS]","special":true}]`
	pieces := mustLoad(t, small(added+`,"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"BertProcessing","sep":["b",3],"cls":["[CLS]",9]},"decoder":{"type":"WordPiece","prefix":"##","cleanup":true}`,
		`{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":5,"vocab":{"[UNK]":0,"a":1,"ab":2,"b":3,"##b":4,"##ba":5,",":6,"[CLS]":9}}`))
	for text, want := range map[string][]int32{
		"":          {9, 3},
		"abba, ab":  {9, 2, 5, 6, 2, 3},
		"abx a":     {9, 0, 1, 3}, // one letter unknown, all the word is
		"abbbbb":    {9, 0, 3},    // too long
		"[CLS]a":    {9, 9, 1, 3},
		"ab\xffb a": {9, 0, 1, 3},
	} {
		if got := pieces.Encode(text, true); !slices.Equal(got, want) {
			t.Errorf("WordPiece %q: %v, want %v", text, got, want)
		}
	}
	if got := pieces.EncodeText("[CLS]"); slices.Contains(got, 9) {
		t.Errorf("WordPiece: plain text gave %v", got)
	}
	agree(t, pieces, pieces, []string{"abba, ab", "[CLS]"})

	words := mustLoad(t, small(added+`,"pre_tokenizer":{"type":"WhitespaceSplit"},"post_processor":{"type":"RobertaProcessing","sep":["a",1],"cls":["b",2],"trim_offsets":true,"add_prefix_space":false}`,
		`{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"a":1,"b":2,"[CLS]":9}}`))
	if got, want := words.Encode("a x [CLS] b", true), []int32{2, 1, 0, 9, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("WordLevel: %v, want %v", got, want)
	}
	if got, want := words.EncodeText("a [CLS]"), []int32{1, 0}; !slices.Equal(got, want) {
		t.Errorf("WordLevel, plain text: %v, want %v", got, want)
	}
	agree(t, words, words, []string{"a x [CLS] b"})
}

// What stands first in the text gets the prefix, what follows an added token does not.
func TestMetaspaceFirst(t *testing.T) {
	model := `{"type":"BPE","unk_token":"?","vocab":{"?":0,"▁":1,"a":2,"▁a":3,"A":4},"merges":["▁ a"]}`
	tok := mustLoad(t, small(`"added_tokens":[{"id":9,"content":"<x>"},{"id":10,"content":"<n>","normalized":true}],"pre_tokenizer":{"type":"Metaspace","prepend_scheme":"first"}`, model))
	for text, want := range map[string][]int32{
		"a":     {3},
		"a a":   {3, 3},
		"<x>a":  {9, 2},
		"a<x>a": {3, 9, 2},
		"<n>a":  {10, 2},
		"a<n>a": {3, 10, 2},
		"":      {},
	} {
		if got := tok.EncodeText(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// A saved file keeps every part, and reads back to itself.
func TestSavedFileKeepsParts(t *testing.T) {
	tok := mustLoad(t, small(`"version":"1.0","truncation":{"max_length":5},"added_tokens":[{"id":9,"content":"<x>","lstrip":true,"special":true}],"normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":true},"decoder":{"type":"Fuse"}`, ""))
	once, err := tok.TokenizerJSON()
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(once, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.AddedTokens) != 1 || !d.AddedTokens[0].LStrip || !strings.Contains(string(d.Truncation), "5") || !strings.Contains(string(d.Normalizer), "NFC") ||
		!strings.Contains(string(d.PreTokenizer), "never") || !strings.Contains(string(d.Decoder), "Fuse") || string(d.PostProcessor) != "null" {
		t.Errorf("a part is lost: %s", once)
	}
	twice, err := mustLoad(t, string(once)).TokenizerJSON()
	if err != nil || string(once) != string(twice) {
		t.Errorf("saved twice it is another file: %v\n%s\n%s", err, once, twice)
	}
}

// Texts that are all one word, or all borders, through every kind of model.
func TestHardTextsTakeLinearTime(t *testing.T) {
	files := map[string]*Tokenizer{
		"bytes":     mustLoad(t, byteLevelFile()),
		"chain":     mustLoad(t, small("", `{"type":"BPE","vocab":{"a":0,"aa":1,"aaaa":2},"merges":["a a","aa aa"]}`)),
		"wordpiece": mustLoad(t, small("", `{"type":"WordPiece","max_input_chars_per_word":100000000,"vocab":{"[UNK]":0,"`+strings.Repeat("a", 500)+`b":1,"a":2,"##a":3}}`)),
	}
	f := unigramFile{Vocab: []piece{{"a", -1}, {strings.Repeat("a", 500) + "b", -2}, {"▁", -3}}}
	files["unigram"] = unigramOf(t, "", f)
	own, err := trainBilingual(t, 340).Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	files["pieces"] = own
	const n = 1 << 18
	for name, tok := range files {
		for _, text := range []string{strings.Repeat("a", n), strings.Repeat(" ", n), strings.Repeat("\n", n), strings.Repeat("你", n/3), strings.Repeat("\xff", n), strings.Repeat("<s>", n/3)} {
			start := time.Now()
			ids := tok.EncodeText(text)
			tok.Decode(ids, false)
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("%s: %d bytes of %q took %v", name, len(text), text[:3], d)
			}
		}
	}
}
