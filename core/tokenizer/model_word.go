package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// wordLevel has a token for each word it knows, and no other.
type wordLevel struct {
	file    wordLevelFile
	unk     int32 // -1: other words are dropped
	special map[int32]bool
}

type wordLevelFile struct {
	Type     string     `json:"type"`
	Vocab    vocabulary `json:"vocab"`
	UnkToken string     `json:"unk_token"`
}

func readWordLevel(raw json.RawMessage) (model, error) {
	m := &wordLevel{unk: -1}
	if err := fields(raw, "model", "WordLevel", &m.file); err != nil {
		return nil, err
	}
	if len(m.file.Vocab) == 0 {
		return nil, errors.New("model WordLevel: the vocabulary is empty")
	}
	if id, ok := m.file.Vocab[m.file.UnkToken]; ok {
		m.unk = id
	}
	return m, nil
}

func (m *wordLevel) vocab() vocabulary             { return m.file.Vocab }
func (m *wordLevel) write() any                    { return m.file }
func (m *wordLevel) forbid(special map[int32]bool) { m.special = special }

func (m *wordLevel) encode(word string, out []int32) []int32 {
	if id, ok := m.file.Vocab[word]; ok && !m.special[id] {
		return append(out, id)
	}
	if m.unk >= 0 {
		return append(out, m.unk)
	}
	return out
}

// wordPiece cuts a word into the longest tokens from left to right; those behind the first carry a prefix (Wu et al., "Google's Neural
// Machine Translation System", 2016; BERT). A word that cannot be cut wholly is one unknown token.
type wordPiece struct {
	file        wordPieceFile
	unk         int32
	front, back *trie // tokens that begin a word; tokens that go on, without their prefix
}

type wordPieceFile struct {
	Type                    string     `json:"type"`
	UnkToken                string     `json:"unk_token"`
	ContinuingSubwordPrefix string     `json:"continuing_subword_prefix"`
	MaxInputCharsPerWord    int        `json:"max_input_chars_per_word"`
	Vocab                   vocabulary `json:"vocab"`
}

func readWordPiece(raw json.RawMessage) (model, error) {
	m := &wordPiece{file: wordPieceFile{UnkToken: "[UNK]", ContinuingSubwordPrefix: "##", MaxInputCharsPerWord: 100}}
	if err := fields(raw, "model", "WordPiece", &m.file); err != nil {
		return nil, err
	}
	m.file.Type = "WordPiece"
	if len(m.file.Vocab) == 0 {
		return nil, errors.New("model WordPiece: the vocabulary is empty")
	}
	id, ok := m.file.Vocab[m.file.UnkToken]
	if !ok {
		return nil, fmt.Errorf("model WordPiece: unk_token %q is not in the vocabulary", m.file.UnkToken)
	}
	m.unk = id
	for token, id := range m.file.Vocab {
		if len(token) > maxPiece || id < 0 {
			return nil, fmt.Errorf("model WordPiece: token %.40q has %d bytes and id %d; at most %d bytes and no negative id are accepted", token, len(token), id, maxPiece)
		}
	}
	m.forbid(nil)
	return m, nil
}

func (m *wordPiece) vocab() vocabulary { return m.file.Vocab }
func (m *wordPiece) write() any        { return m.file }

func (m *wordPiece) forbid(special map[int32]bool) {
	front, back := map[string]int32{}, map[string]int32{}
	for token, id := range m.file.Vocab {
		if special[id] {
			continue
		}
		front[token] = id
		if rest, ok := strings.CutPrefix(token, m.file.ContinuingSubwordPrefix); ok {
			back[rest] = id
		}
	}
	m.front, m.back = newTrie(front), newTrie(back)
}

func (m *wordPiece) encode(word string, out []int32) []int32 {
	from := len(out)
	if utf8.RuneCountInString(word) > m.file.MaxInputCharsPerWord {
		return append(out, m.unk)
	}
	for rest, tokens := word, m.front; rest != ""; tokens = m.back {
		id, n := tokens.longest(rest)
		if n == 0 {
			return append(out[:from], m.unk)
		}
		out = append(out, id)
		rest = rest[n:]
	}
	return out
}
