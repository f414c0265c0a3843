// Package chat turns a conversation into the text and the token ids that a model sees, with a mark on what it learns to
// write. Training and inference go through one template, so that the ids of a prompt begin the ids of the trained text.
package chat

import (
	"fmt"

	"hone/core/tokenizer"
)

// Message is one turn. Role is system, user or assistant.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Segment is a stretch of text that is tokenised by itself.
type Segment struct {
	Text       string
	Supervised bool // the model learns to write it
	End        bool // the end token follows, supervised when the segment is
}

// A Template lays out a conversation. Segments must be stable: with generation, the segments of the messages before an answer,
// are those of the whole conversation up to that answer.
type Template interface {
	// Name is what run and adapter record.
	Name() string
	// Segments lays out the messages; with generation it ends where the assistant's next answer begins.
	Segments(messages []Message, generation bool) ([]Segment, error)
}

// Ignored is the label of a position that is not learnt, as in PyTorch's cross entropy.
const Ignored = -100

// Encode gives the ids of a conversation and their labels, equally long: labels[i] is ids[i] where the model learns token
// i, else Ignored. The begin token, where the tokenizer has one, stands in front; every segment is plain text, so a special
// token that somebody writes in a message stays letters; after each answer stands the end token.
func Encode(tok *tokenizer.Tokenizer, template Template, messages []Message, generation bool) (ids, labels []int32, err error) {
	segments, err := template.Segments(messages, generation)
	if err != nil {
		return nil, nil, err
	}
	add := func(supervised bool, more ...int32) {
		for _, id := range more {
			label := int32(Ignored)
			if supervised {
				label = id
			}
			ids, labels = append(ids, id), append(labels, label)
		}
	}
	if tok.BOS >= 0 {
		add(false, tok.BOS)
	}
	for _, s := range segments {
		add(s.Supervised, tok.EncodeText(s.Text)...)
		if !s.End {
			continue
		}
		if tok.EOS < 0 {
			return nil, nil, fmt.Errorf("chat: the tokenizer names no end token, so an answer could never end; set eos_token in tokenizer_config.json")
		}
		add(s.Supervised, tok.EOS)
	}
	return ids, labels, nil
}

// Alpaca is a row of the Stanford Alpaca format as a conversation. An input is material for the instruction and follows it after
// an empty line.
func Alpaca(instruction, input, output string) []Message {
	if input != "" {
		instruction += "\n\n" + input
	}
	return []Message{{"user", instruction}, {"assistant", output}}
}
