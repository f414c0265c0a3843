// Package chat turns a conversation into the text and the token ids that a model sees, with a mark on what it learns to
// write. Training and inference go through one template, so that the ids of a prompt begin the ids of the trained text.
package chat

import (
	"fmt"

	"hone/core/tokenizer"
)

// Segment is a stretch of text that is tokenised by itself.
type Segment struct {
	Text       string
	Supervised bool // an answer, which the model learns to write
	Message    int  // of an answer: its index among the messages
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

// EncodeOptions say what a conversation is encoded for.
type EncodeOptions struct {
	Generation    bool // end where the assistant's next answer begins
	TrainOnPrompt bool // learn all of the text, not only the answers
	MaskHistory   bool // learn only the last answer
}

// Encode gives the ids of a conversation and their labels, equally long: labels[i] is ids[i] where the model learns token
// i, else Ignored. The begin token, where the tokenizer has one, stands in front; every segment is plain text, so a special
// token that somebody writes in a message stays letters; after each answer stands the end token.
func Encode(tok *tokenizer.Tokenizer, template Template, messages []Message, o EncodeOptions) (ids, labels []int32, err error) {
	segments, err := template.Segments(messages, o.Generation)
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
	last := -1
	for _, s := range segments {
		if s.Supervised {
			last = max(last, s.Message)
		}
	}
	learnt := func(s Segment) bool {
		if s.Supervised && messages[s.Message].Loss != nil {
			return *messages[s.Message].Loss
		}
		return o.TrainOnPrompt || s.Supervised && (!o.MaskHistory || s.Message == last)
	}
	for _, s := range segments {
		add(learnt(s), tok.EncodeText(s.Text)...)
		if !s.End {
			continue
		}
		if tok.EOS < 0 {
			return nil, nil, fmt.Errorf("chat: the tokenizer names no end token, so an answer could never end; set eos_token in tokenizer_config.json")
		}
		add(learnt(s), tok.EOS)
	}
	return ids, labels, nil
}

// Alpaca is a row of the Stanford Alpaca format as a conversation. An input is material for the instruction and follows it after
// an empty line.
func Alpaca(instruction, input, output string) []Message {
	if input != "" {
		instruction += "\n\n" + input
	}
	return []Message{{Role: "user", Content: instruction}, {Role: "assistant", Content: output}}
}
