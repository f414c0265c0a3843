package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// spModel is a tokenizer.model of SentencePiece (sentencepiece_model.proto), as far as it says how text is encoded.
type spModel struct {
	pieces []spPiece
	kind   int // 1 unigram, 2 BPE, 3 words, 4 characters

	unk, bos, eos, pad string // the pieces by that name, empty where there is none

	charsmap        []byte
	dummyPrefix     bool // a space in front of a text
	extraSpaces     bool // remove_extra_whitespaces: none at the ends, one between words
	escapeSpaces    bool // spaces are written ▁
	whitespaceAfter bool // treat_whitespace_as_suffix
	denormalizer    bool // decoding would exchange characters
}

type spPiece struct {
	text  string
	score float64
	kind  spKind
}

type spKind int

const (
	spNormal      spKind = 1
	spUnknown     spKind = 2
	spControl     spKind = 3 // stands for no text
	spUserDefined spKind = 4 // always one token where it is written
	spUnused      spKind = 5
	spByte        spKind = 6
)

// parseSentencePiece reads the message.
func parseSentencePiece(file []byte) (*spModel, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("%d bytes; at most %d are accepted", len(file), maxFile)
	}
	s := &spModel{kind: 1, dummyPrefix: true, extraSpaces: true, escapeSpaces: true, unk: "<unk>", bos: "<s>", eos: "</s>", pad: "<pad>"}
	unk, bos, eos, pad := 0, 1, 2, -1
	m := message{rest: file}
	for {
		ok, err := m.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		switch m.number {
		case 1:
			p, err := parsePiece(m.bytes)
			if err != nil {
				return nil, fmt.Errorf("piece %d: %w", len(s.pieces), err)
			}
			if len(s.pieces) == maxID {
				return nil, fmt.Errorf("more than %d pieces", maxID)
			}
			s.pieces = append(s.pieces, p)
		case 2: // trainer_spec
			err = each(m.bytes, map[int]func(m *message){
				3:  func(m *message) { s.kind = m.int() },
				24: func(m *message) { s.whitespaceAfter = m.bool() },
				40: func(m *message) { unk = m.int() },
				41: func(m *message) { bos = m.int() },
				42: func(m *message) { eos = m.int() },
				43: func(m *message) { pad = m.int() },
			})
		case 3: // normalizer_spec
			err = each(m.bytes, map[int]func(m *message){
				2: func(m *message) { s.charsmap = m.bytes },
				3: func(m *message) { s.dummyPrefix = m.bool() },
				4: func(m *message) { s.extraSpaces = m.bool() },
				5: func(m *message) { s.escapeSpaces = m.bool() },
			})
		case 5: // denormalizer_spec
			err = each(m.bytes, map[int]func(m *message){2: func(m *message) { s.denormalizer = len(m.bytes) > 0 }})
		}
		if err != nil {
			return nil, err
		}
	}
	if len(s.pieces) == 0 {
		return nil, errors.New("not a SentencePiece model: it has no pieces")
	}
	// The ids say which pieces have the roles, whatever they are called.
	for into, id := range map[*string]int{&s.unk: unk, &s.bos: bos, &s.eos: eos, &s.pad: pad} {
		*into = ""
		if id >= 0 && id < len(s.pieces) && (s.pieces[id].kind == spControl || into == &s.unk && s.pieces[id].kind == spUnknown) {
			*into = s.pieces[id].text
		}
	}
	return s, nil
}

// each calls the function of each field that has one.
func each(raw []byte, fields map[int]func(m *message)) error {
	m := message{rest: raw}
	for {
		ok, err := m.next()
		if !ok || err != nil {
			return err
		}
		if f := fields[m.number]; f != nil {
			f(&m)
		}
	}
}

func parsePiece(raw []byte) (spPiece, error) {
	p := spPiece{kind: spNormal}
	m := message{rest: raw}
	for {
		ok, err := m.next()
		if err != nil {
			return p, err
		}
		if !ok {
			break
		}
		switch m.number {
		case 1:
			p.text = string(m.bytes)
		case 2:
			p.score = m.float()
		case 3:
			p.kind = spKind(m.int())
		}
	}
	switch {
	case p.text == "":
		return p, errors.New("it is empty")
	case len(p.text) > maxPiece:
		return p, fmt.Errorf("it has %d bytes; at most %d are accepted", len(p.text), maxPiece)
	case !utf8.ValidString(p.text):
		return p, fmt.Errorf("%q is not valid UTF-8", p.text)
	case p.kind < spNormal || p.kind > spByte:
		return p, fmt.Errorf("%q is of the unknown type %d", p.text, p.kind)
	}
	return p, nil
}
