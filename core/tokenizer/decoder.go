package tokenizer

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A decoder rewrites a list of tokens towards text; it may change the list it is given. What the last leaves is joined.
type decoder interface {
	decode(tokens []string) []string
	growth() growth
}

var decoderKinds = []string{"Sequence", "Replace", "ByteFallback", "Fuse", "Strip", "ByteLevel", "Metaspace", "WordPiece", "BPEDecoder", "CTC"}

func readDecoder(raw json.RawMessage, depth int) (decoder, error) {
	const role = "decoder"
	kind, err := kindOf(raw, role, depth, decoderKinds)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		var f struct {
			Decoders []json.RawMessage `json:"decoders"`
		}
		if err := fields(raw, role, kind, &f); err != nil {
			return nil, err
		}
		var seq decoders
		for _, r := range f.Decoders {
			d, err := readDecoder(r, depth+1)
			if err != nil {
				return nil, err
			}
			seq = append(seq, d)
		}
		return seq, nil
	case "Replace":
		return readReplacement(raw, role)
	case "ByteFallback":
		return byteFallback{}, nil
	case "Fuse":
		return fuse{}, nil
	case "ByteLevel":
		return byteLevelDecoder{}, nil
	case "Metaspace":
		m, err := readMetaspace(raw, role)
		return metaspaceDecoder{m}, err
	case "WordPiece":
		return readWordPieceDecoder(raw, role)
	case "BPEDecoder":
		return readSuffixDecoder(raw, role)
	case "CTC":
		return readCTC(raw, role)
	case "Strip":
		var f struct {
			Content     string `json:"content"`
			Start, Stop int
		}
		if err := fields(raw, role, kind, &f); err != nil {
			return nil, err
		}
		if utf8.RuneCountInString(f.Content) != 1 || f.Start < 0 || f.Stop < 0 {
			return nil, fmt.Errorf("%s Strip: content %q, start %d, stop %d: expected one character and no negative number", role, f.Content, f.Start, f.Stop)
		}
		return strip{f.Content, f.Start, f.Stop}, nil
	}
	panic("tokenizer: decoder kind " + kind + " is listed but not built")
}

type decoders []decoder

func (s decoders) decode(tokens []string) []string {
	for _, d := range s {
		tokens = d.decode(tokens)
	}
	return tokens
}

func (s decoders) growth() growth {
	g := sameLength
	for _, d := range s {
		g = g.then(d.growth())
	}
	return g
}

// byteFallback joins neighbouring tokens <0xHH> to text; when their bytes are no UTF-8, each becomes U+FFFD.
type byteFallback struct{}

func (byteFallback) growth() growth { return sameLength } // six characters become at most three bytes

func (byteFallback) decode(tokens []string) []string {
	out := tokens[:0]
	var bytes []byte
	flush := func() {
		if len(bytes) == 0 {
			return
		}
		if utf8.Valid(bytes) {
			out = append(out, string(bytes))
		} else {
			out = append(out, strings.Repeat("\uFFFD", len(bytes)))
		}
		bytes = bytes[:0]
	}
	for _, token := range tokens {
		if b, ok := byteToken(token); ok {
			bytes = append(bytes, b)
			continue
		}
		flush()
		out = append(out, token)
	}
	flush()
	return out
}

// byteToken reads a token <0xHH>.
func byteToken(token string) (byte, bool) {
	if len(token) != 6 || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(token[3:5], 16, 8)
	return byte(b), err == nil
}

// fuse joins all tokens to one, so that what follows sees the whole text.
type fuse struct{}

func (fuse) growth() growth                  { return sameLength }
func (fuse) decode(tokens []string) []string { return []string{strings.Join(tokens, "")} }

// strip takes up to start characters equal to content off the front of each token, and up to stop off its back.
type strip struct {
	content     string
	start, stop int
}

func (s strip) growth() growth { return sameLength }

func (s strip) decode(tokens []string) []string {
	for i, t := range tokens {
		for n := 0; n < s.start && strings.HasPrefix(t, s.content); n++ {
			t = t[len(s.content):]
		}
		for n := 0; n < s.stop && strings.HasSuffix(t, s.content); n++ {
			t = t[:len(t)-len(s.content)]
		}
		tokens[i] = t
	}
	return tokens
}
