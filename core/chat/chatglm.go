package chat

import (
	"errors"
	"fmt"

	"hone/core/tokenizer"
)

// ChatGLM3 is the layout of ChatGLM3, whose tokenizer builds it in code and not in Jinja:
//
//	[gMASK]sop<|system|>\n {system message}<|user|>\n {question}<|assistant|>\n {answer}
//
// Marks and messages are tokenised one by one, as its build_single_message does. An answer ends with the next role's mark, the last one
// with the end token.
var ChatGLM3 Template = chatGLM3{}

type chatGLM3 struct{}

func (chatGLM3) Name() string { return "chatglm3" }

// stops are the marks with which the model ends an answer, to let the user or a tool speak.
func (chatGLM3) stops() []string { return []string{"<|user|>", "<|observation|>"} }

func (chatGLM3) Segments(messages []Message, generation bool) ([]Segment, error) {
	if len(messages) == 0 {
		return nil, errors.New("chat: the conversation has no messages")
	}
	mark := func(text string) Segment { return Segment{Text: text, Special: true, Token: true} }
	out := []Segment{mark("[gMASK]"), mark("sop")}
	role := func(name string) {
		s := mark("<|" + name + "|>")
		s.Ends = name == "user" || name == "observation"
		out = append(out, s, Segment{Text: "\n"})
	}
	for i, m := range messages {
		switch m.Role {
		case "system", "user", "observation":
			role(m.Role)
			out = append(out, Segment{Text: m.Content})
		case "tool":
			role("observation")
			out = append(out, Segment{Text: m.Content})
		case "assistant":
			role(m.Role)
			answer := Segment{Text: m.Content, Special: true, Supervised: true, Message: i, End: i == len(messages)-1}
			if m.Content != "" {
				answer.Letters = []tokenizer.Span{{To: len(m.Content)}}
			}
			out = append(out, answer)
		default:
			return nil, fmt.Errorf("chat: message %d has the role %q; ChatGLM3 knows system, user, assistant and observation", i+1, m.Role)
		}
	}
	if generation {
		role("assistant")
	}
	return out, nil
}
