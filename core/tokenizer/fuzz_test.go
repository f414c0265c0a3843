package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

// useAll encodes and decodes with a tokenizer that a hostile file made: ids must be tokens, and nothing may fail.
func useAll(t *testing.T, tok *Tokenizer) {
	t.Helper()
	for _, text := range []string{"Hello, 世界 abc  <x> 12\n", "aaaa\xffbb", strings.Repeat("ab ", 50)} {
		ids := tok.Encode(text, true)
		for _, id := range ids {
			if _, ok := tok.Token(id); !ok || int(id) >= tok.Size() {
				t.Fatalf("%q gave id %d, which is no token", text, id)
			}
		}
		tok.Decode(append(ids, -5, 1<<30), false)
		plain := tok.EncodeText(text)
		// A BPE's special token can be a letter or a merge of letters, which a file is free to say.
		if _, merges := tok.model.(*bpe); !merges && slices.ContainsFunc(plain, func(id int32) bool { return tok.IsSpecial(id) && id != unknownID(tok) }) {
			t.Fatalf("plain text %q gave special tokens: %v", text, plain)
		}
	}
	if _, err := tok.TokenizerJSON(); err != nil {
		t.Fatal(err)
	}
}

// unknownID is the id of the unknown token, which plain text may well give.
func unknownID(tok *Tokenizer) int32 {
	switch m := tok.model.(type) {
	case *unigram:
		return m.unk
	case *wordPiece:
		return m.unk
	case *wordLevel:
		return m.unk
	}
	return -1
}

func FuzzSentencePiece(f *testing.F) {
	s := letterPieces(spPiece{"▁a", -1, spNormal}, spPiece{"<tag>", 0, spUserDefined})
	s.pieces = append(s.pieces[:3:3], s.pieces[200:]...)
	f.Add(sentencePieceFile(s), "")
	s.kind, s.extraSpaces = 1, true
	s.charsmap = charsmapOf(map[string]string{"a": "b"})[:2048]
	f.Add(sentencePieceFile(s), `{"legacy":false,"tokenizer_class":"ChatGLMTokenizer"}`)
	f.Fuzz(func(t *testing.T, file []byte, raw string) {
		if len(file) > 1<<16 {
			return
		}
		c := config{named: map[string]addedToken{}}
		if strings.Contains(raw, "legacy") {
			c.legacy = new(bool)
		}
		if strings.Contains(raw, "ChatGLM") {
			c.class = "ChatGLMTokenizer"
		}
		if tok, err := readTokenizerModel(file, &c, "tokenizer.model"); err == nil {
			useAll(t, tok)
		}
	})
}

func FuzzRanks(f *testing.F) {
	f.Add([]byte("YQ== 0\nYg== 1\nYWI= 2\n IA== 3\r\n"), 3)
	f.Add([]byte("4pag 7\n"), 0)
	f.Fuzz(func(t *testing.T, file []byte, family int) {
		c := config{class: "QWenTokenizer", named: map[string]addedToken{}}
		path := "tokenizer.model"
		if names := []string{"cl100k_base", "o200k_base", "r50k_base"}; family >= 0 && family < len(names) {
			c.class, path = "", names[family]+".tiktoken"
		}
		if tok, err := readTiktoken(file, &c, path); err == nil {
			useAll(t, tok)
		}
	})
}

// Directories of vocab.json, merges.txt, tokenizer_config.json and added_tokens.json.
func FuzzVocabAndMerges(f *testing.F) {
	f.Add(`{"a":0,"b":1,"ab":2,"Ġ":3}`, "#version: 0.2\na b\n", `{"tokenizer_class":"Qwen2Tokenizer","eos_token":"b","added_tokens_decoder":{"7":{"content":"<x>","special":true}}}`, `{"<y>":9}`)
	f.Add(`{"<s>":0,"</s>":1,"a":2}`, "", `{"tokenizer_class":"RobertaTokenizerFast","add_prefix_space":true,"additional_special_tokens":["a"]}`, `{}`)
	f.Fuzz(func(t *testing.T, vocab, merges, config, added string) {
		tok, err := LoadDir(dirWith(t, map[string]string{"vocab.json": vocab, "merges.txt": merges, "tokenizer_config.json": config, "added_tokens.json": added}))
		if err == nil {
			useAll(t, tok)
		}
	})
}
