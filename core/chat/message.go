package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string // system, user, assistant; templates of models may know more, such as tool
	Content string

	// Loss says of an answer whether it is learnt, whatever the options say; nil leaves it to them. It is ms-swift's per-message switch.
	Loss *bool

	// More has the further fields of the message as they were given, for templates that read them: name, tool_calls, tool_call_id,
	// reasoning_content and others. A "content" here (null, or a list of parts) is seen by the template in place of Content.
	More map[string]json.RawMessage
}

// UnmarshalJSON reads {"role": …, "content": …} with any further fields. Content is a string, null or a list of parts.
func (m *Message) UnmarshalJSON(raw []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		return fmt.Errorf("a message is %s; expected an object {role, content}", kind(raw))
	}
	*m = Message{}
	role, ok := fields["role"]
	if !ok || json.Unmarshal(role, &m.Role) != nil || role[0] != '"' {
		return fmt.Errorf("role is %s; expected a string", kind(role))
	}
	delete(fields, "role")
	switch content := fields["content"]; {
	case len(content) == 0 && m.Role != "assistant":
		return fmt.Errorf("a message of the role %s has no content", m.Role)
	case len(content) == 0: // an answer may consist of tool calls
	case content[0] == '"':
		if err := json.Unmarshal(content, &m.Content); err != nil {
			return err
		}
		delete(fields, "content")
	case content[0] != '[' && content[0] != 'n':
		return fmt.Errorf("content is %s; expected a string, a list of parts or null", kind(content))
	}
	if loss, ok := fields["loss"]; ok {
		if err := json.Unmarshal(loss, &m.Loss); err != nil {
			return fmt.Errorf("loss is %s; expected true or false", kind(loss))
		}
		delete(fields, "loss")
	}
	if len(fields) > 0 {
		m.More = fields
	}
	return nil
}

// kind names what a JSON value is.
func kind(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "missing"
	}
	switch c := raw[0]; {
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == 'n':
		return "null"
	case strings.IndexByte("tf", c) >= 0:
		return "true or false"
	}
	return "a number"
}
