package chat

import (
	"errors"
	"fmt"
)

// Plain is the template of models that bring none. Its marks are few, short and the same in every language:
//
//	### System
//	{system message, if there is one}
//
//	### User
//	{question}
//
//	### Assistant
//	{answer}<end token>
//
// and, for a further turn, an empty line and the next "### User". Answers are supervised, nothing else is.
// Runs and adapters record the name "plain": its output must never change; another layout gets another name.
var Plain Template = plain{}

// plainSource writes the same in Jinja, for those who load a model that was trained with it.
const plainSource = `{%- if bos_token %}{{ bos_token }}{% endif %}
{%- for message in messages %}
{%- if message.role == 'system' %}{{ '### System\n' + message.content + '\n\n' }}
{%- elif message.role == 'user' %}{{ ('\n\n' if loop.previtem is defined and loop.previtem.role == 'assistant' else '') + '### User\n' + message.content + '\n\n' }}
{%- elif message.role == 'assistant' %}{{ '### Assistant\n' }}{% generation %}{{ message.content + eos_token }}{% endgeneration %}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '### Assistant\n' }}{% endif %}`

type plain struct{}

func (plain) Name() string { return "plain" }

func (plain) Segments(messages []Message, generation bool) ([]Segment, error) {
	if len(messages) == 0 {
		return nil, errors.New("chat: the conversation has no messages")
	}
	var out []Segment
	prompt := ""
	for i, m := range messages {
		switch m.Role {
		case "system":
			if i > 0 {
				return nil, fmt.Errorf("chat: message %d has the role system, which only the first may have", i+1)
			}
			prompt = "### System\n" + m.Content + "\n\n"
		case "user":
			if i > 0 && messages[i-1].Role == "assistant" {
				prompt = "\n\n"
			}
			prompt += "### User\n" + m.Content + "\n\n"
		case "assistant":
			if i == 0 || messages[i-1].Role != "user" {
				return nil, fmt.Errorf("chat: message %d has the role assistant but does not follow a user's", i+1)
			}
			out = append(out, Segment{Text: prompt + "### Assistant\n"}, Segment{Text: m.Content, Supervised: true, Message: i, End: true})
			prompt = ""
		default:
			return nil, fmt.Errorf("chat: message %d has the role %q; expected system, user or assistant", i+1, m.Role)
		}
	}
	last := messages[len(messages)-1].Role
	switch {
	case generation && last != "user":
		return nil, fmt.Errorf("chat: an answer was asked for, but the last message is of the role %s; expected user", last)
	case generation:
		prompt += "### Assistant\n"
	}
	if prompt != "" {
		out = append(out, Segment{Text: prompt})
	}
	out[0].Begin = true
	return out, nil
}
