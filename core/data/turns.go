package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"hone/core/chat"
)

// roles are the words for who speaks, in OpenAI's messages, in ShareGPT's conversations and in ms-swift's.
var roles = map[string]string{
	"system": "system",
	"user":   "user", "human": "user",
	"assistant": "assistant", "gpt": "assistant", "bot": "assistant", "chatgpt": "assistant", "model": "assistant",
	"tool": "tool", "observation": "tool",
}

// furtherFields are those of a message that some models' templates read; the plain template has no place for them.
var furtherFields = []string{"name", "reasoning_content", "tool_calls", "tool_call_id"}

// listOf reads a conversation that stands in one column, with a system message in a column of its own or without.
func listOf(name string) func(c columns) ([]chat.Message, error) {
	return func(c columns) ([]chat.Message, error) {
		raw, _ := c.get(name)
		list, err := turns(name, raw)
		if err != nil {
			return nil, err
		}
		return withSystem(c, list)
	}
}

// withSystem puts the text of the column system in front; an empty one stands for none.
func withSystem(c columns, list []chat.Message) ([]chat.Message, error) {
	system, err := c.text("system")
	if err != nil || system == "" {
		return list, err
	}
	if len(list) > 0 && list[0].Role == "system" {
		return nil, fmt.Errorf("the row has a system message and a column system; which one counts?")
	}
	return slices.Insert(list, 0, chat.Message{Role: "system", Content: system}), nil
}

// turns reads a list of messages: {role, content} or {from, value}, or ms-swift's {human, assistant}, which are two.
func turns(name string, raw []byte) ([]chat.Message, error) {
	if raw[0] != '[' {
		return nil, fmt.Errorf("%s is %s; expected a list of objects {role, content} or {from, value}", name, kindName(raw))
	}
	var out []chat.Message
	err := elements(raw, func(i int, value []byte) error {
		list, err := turn(value)
		if err != nil {
			return fmt.Errorf("message %d %w", i+1, err)
		}
		out = append(out, list...)
		return nil
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%s is empty; a conversation has at least a question and an answer", name)
	}
	return out, err
}

// turn reads one element of the list.
func turn(raw []byte) ([]chat.Message, error) {
	if raw[0] != '{' {
		return nil, fmt.Errorf("is %s; expected an object {role, content} or {from, value}", kindName(raw))
	}
	c, err := members(raw)
	if err != nil {
		return nil, fmt.Errorf("is wrong: %w", err)
	}
	var who, what, human, answer, loss []byte
	m := chat.Message{}
	for i := range c {
		var slot *[]byte
		switch name := c[i].name; {
		case name == "role", name == "from":
			slot = &who
		case name == "content", name == "value":
			slot = &what
		case name == "user", name == "human":
			slot = &human
		case name == "assistant", name == "gpt", name == "bot":
			slot = &answer
		case name == "loss", name == "weight":
			slot = &loss
		case slices.Contains(companions, name):
			continue
		case slices.Contains(furtherFields, name):
			if m.More == nil {
				m.More = map[string]json.RawMessage{}
			}
			m.More[name] = bytes.Clone(c[i].value)
			continue
		default:
			return nil, fmt.Errorf("has the field %q; expected role and content (or from and value) and perhaps loss", short(name))
		}
		if *slot != nil {
			return nil, fmt.Errorf("says the same thing twice, once as %q", short(c[i].name))
		}
		*slot = c[i].value
	}
	switch {
	case human != nil && answer != nil && who == nil && what == nil && loss == nil && m.More == nil:
		q, err := content("human", human)
		if err != nil {
			return nil, err
		}
		a, err := content("assistant", answer)
		return []chat.Message{{Role: "user", Content: q}, {Role: "assistant", Content: a}}, err
	case human != nil || answer != nil || who == nil || what == nil && m.More["tool_calls"] == nil:
		return nil, fmt.Errorf("lacks role or content (or from or value)")
	}
	if what != nil {
		if m.Content, err = content("content", what); err != nil {
			return nil, err
		}
	}
	spoken, err := text("role", who)
	if err != nil {
		return nil, fmt.Errorf("is wrong: %w", err)
	}
	if m.Role = roles[spoken]; m.Role == "" {
		return nil, fmt.Errorf("has the role %q; understood are system, user (human), assistant (gpt, bot, model) and tool (observation)", short(spoken))
	}
	if loss != nil {
		on, err := lossSwitch(loss)
		if err != nil {
			return nil, err
		}
		m.Loss = &on
	}
	return []chat.Message{m}, nil
}

// lossSwitch says whether a message is learnt: ms-swift writes loss true or false, OpenAI weight 1 or 0.
func lossSwitch(raw []byte) (bool, error) {
	switch string(raw) {
	case "true", "1", "1.0":
		return true, nil
	case "false", "0", "0.0":
		return false, nil
	}
	return false, fmt.Errorf("has a loss (or weight) that is neither true nor false, 1 or 0")
}

// content reads a text, or OpenAI's list of parts as long as all of them are text.
func content(name string, raw []byte) (string, error) {
	if raw[0] != '[' {
		s, err := text(name, raw)
		if err != nil {
			return "", fmt.Errorf("is wrong: %w", err)
		}
		return s, nil
	}
	whole := ""
	err := elements(raw, func(i int, value []byte) error {
		if value[0] != '{' {
			return fmt.Errorf("has a part of %s that is %s; expected {type, text}", name, kindName(value))
		}
		part, err := members(value)
		if err != nil {
			return fmt.Errorf("is wrong: %w", err)
		}
		kind, err := part.text("type")
		if err != nil || kind != "text" || len(part) != 2 || !part.has("text") {
			return fmt.Errorf("has a part of %s that is no text; the models here read text only", name)
		}
		s, err := part.text("text")
		if err != nil {
			return fmt.Errorf("is wrong: %w", err)
		}
		whole += s
		return nil
	})
	return whole, err
}
