package chat

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"hone/core/chat/jinja"
	"hone/core/tokenizer"
)

// Jinja is a model's own template.
type Jinja struct {
	source string
	where  string // for messages
	parsed *jinja.Template
	tokens map[string]string // bos_token and others, as the template names them

	// Now is what the template takes for the time. It is fixed, so that a run and its repetition, training and inference, see one text.
	Now time.Time
}

// FixedNow is the default of Jinja.Now: the day that Llama 3's template shows when it cannot ask for the time.
var FixedNow = time.Date(2024, time.July, 26, 0, 0, 0, 0, time.UTC)

// NewJinja reads a template. tokens are the special tokens that it may name: bos_token, eos_token and others. where says in messages
// where the template comes from.
func NewJinja(where, source string, tokens map[string]string) (*Jinja, error) {
	t, err := jinja.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("chat template of %s: %w", where, err)
	}
	return &Jinja{source: source, where: where, parsed: t, tokens: tokens, Now: FixedNow}, nil
}

// Name has the beginning of the source's SHA-256, which tells templates apart.
func (t *Jinja) Name() string { return fmt.Sprintf("jinja %x", sha256.Sum256([]byte(t.source)))[:6+12] }

// Source is the Jinja of a template, to be written beside a model; "" for one that cannot be written so.
func Source(t Template) string {
	switch t := t.(type) {
	case *Jinja:
		return t.source
	case plain:
		return plainSource
	}
	return ""
}

// maxTurns bounds conversations: a template is rendered for each answer.
const maxTurns = 512

// roles that templates may build special tokens of, as in '<|' + role + '|>'. Others count as words of the message.
var roles = []string{"system", "user", "assistant", "tool", "developer", "function", "observation", "ipython", "model", "context", "critic"}

// values are the messages as the template sees them. The words of message i have the source i+1.
func values(messages []Message) (*jinja.List, int, error) {
	list, size := &jinja.List{}, 0
	for i, m := range messages {
		source := int32(i + 1)
		d := jinja.NewDict()
		role := source
		if slices.Contains(roles, m.Role) {
			role = 0
		}
		d.Set("role", jinja.Written(m.Role, role))
		if _, ok := m.More["content"]; !ok {
			// Bytes that are no UTF-8 would change their length on the way.
			d.Set("content", jinja.Written(strings.ToValidUTF8(m.Content, string(utf8.RuneError)), source))
		}
		for _, name := range slices.Sorted(maps.Keys(m.More)) {
			v, err := jinja.FromJSON(m.More[name], source)
			if err != nil {
				return nil, 0, fmt.Errorf("chat: message %d: %s: %w", i+1, name, err)
			}
			d.Set(name, v)
			size += len(m.More[name])
		}
		size += len(m.Content) + len(m.Role)
		list.Items = append(list.Items, d)
	}
	return list, size, nil
}

// renderer renders the beginnings of one conversation.
type renderer struct {
	t        *Jinja
	messages *jinja.List
	limits   jinja.Limits
}

func (r *renderer) render(n int, generation bool) (jinja.Text, error) {
	vars := jinja.NewDict()
	for _, name := range slices.Sorted(maps.Keys(r.t.tokens)) {
		vars.Set(name, jinja.Written(r.t.tokens[name], 0))
	}
	vars.Set("messages", &jinja.List{Items: slices.Clone(r.messages.Items[:n])})
	vars.Set("tools", nil)
	vars.Set("documents", nil)
	vars.Set("add_generation_prompt", generation)
	return r.t.parsed.Render(vars, jinja.Options{Now: r.t.Now, Limits: r.limits})
}

// stretch is a part of the rendered text that is an answer.
type stretch struct {
	from, to int
	message  int
	header   int // where, before from, a {% generation %} block began; from if it did not
	whole    bool
}

// Segments renders the conversation once as a whole and, for each answer, as it stood when that answer was asked for and when it was the
// last: what the latter has more than the former is the answer. {% generation %} blocks, where the template has them, say which part of
// the text is learnt. An answer that the whole shows otherwise is not laid out as one; Encode counts it.
func (t *Jinja) Segments(messages []Message, generation bool) ([]Segment, error) {
	switch last := len(messages) - 1; {
	case last < 0:
		return nil, errors.New("chat: the conversation has no messages")
	case last >= maxTurns:
		return nil, fmt.Errorf("chat: the conversation has %d messages; at most %d can be laid out by a model's template", last+1, maxTurns)
	case generation && messages[last].Role == "assistant":
		return nil, errors.New("chat: an answer was asked for, but the last message is of the role assistant; expected user")
	}
	list, size, err := values(messages)
	if err != nil {
		return nil, err
	}
	r := &renderer{t, list, jinja.DefaultLimits(len(t.source) + size)}
	text, err := r.render(len(messages), generation)
	if err != nil {
		return nil, fmt.Errorf("chat template of %s: %w", t.where, err)
	}
	var answers []stretch
	var refused error
	for i, m := range messages {
		if m.Role != "assistant" {
			continue
		}
		alone := text
		if i < len(messages)-1 || generation {
			if alone, err = r.render(i+1, false); err != nil {
				refused = fmt.Errorf("message %d is an answer that cannot stand last: %w", i+1, err)
				continue
			}
		}
		prompt, err := r.render(i, true)
		if err != nil {
			refused = fmt.Errorf("message %d is an answer that cannot be asked for: %w", i+1, err)
			continue
		}
		a, ok := locate(text, alone, prompt.S, i)
		if !ok {
			refused = fmt.Errorf("what asks for message %d, …%.60q, does not begin the text that has the answer, …%.60q",
				i+1, suffix(prompt.S, 30), fromDifference(alone.S, prompt.S))
			continue
		}
		answers = append(answers, a)
	}
	if len(answers) == 0 && refused != nil && !generation {
		return nil, fmt.Errorf("chat template of %s: it cannot be trained with: %w", t.where, refused)
	}
	return segments(text, blocks(text, answers)), nil
}

// locate finds the answer that is message i in the text of the conversation. alone is the text that ends with it, prompt the text that asks
// for it.
func locate(text, alone jinja.Text, prompt string, i int) (stretch, bool) {
	if !strings.HasPrefix(text.S, prompt) || !strings.HasPrefix(alone.S, prompt) {
		return stretch{}, false
	}
	a := stretch{from: len(prompt), to: len(alone.S), message: i, header: len(prompt)}
	if strings.HasPrefix(text.S, alone.S) {
		return a, true
	}
	// The template shows past answers otherwise. If only its own words differ, the answer can be learnt as it stands, with as much of the end
	// as both have.
	said, end := words(text, i)
	saidAlone, endAlone := words(alone, i)
	if said == "" || said != saidAlone || end < a.from {
		return stretch{}, false
	}
	a.to = end + commonEnd(text.S[end:], alone.S[endAlone:])
	return a, true
}

// commonEnd is how many bytes two texts begin with in common. Where they part within a mark such as <…> or […], that does not count.
func commonEnd(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if open := strings.LastIndexAny(a[:n], "<["); open > strings.LastIndexAny(a[:n], ">]") {
		n = open
	}
	for n > 0 && n < len(a) && !utf8.RuneStart(a[n]) {
		n--
	}
	return n
}

// words is what a text has of message i, and where the last of it ends.
func words(t jinja.Text, i int) (said string, end int) {
	var b strings.Builder
	for _, m := range t.Marks {
		if m.Source == int32(i+1) {
			b.WriteString(t.S[m.From:m.To])
			end = m.To
		}
	}
	return b.String(), end
}

func suffix(s string, n int) string { return strings.ToValidUTF8(s[max(0, len(s)-n):], "") }

// fromDifference is a little of s around the place where it stops to begin like prefix.
func fromDifference(s, prefix string) string {
	n := 0
	for n < len(s) && n < len(prefix) && s[n] == prefix[n] {
		n++
	}
	return strings.ToValidUTF8(s[max(0, n-30):min(len(s), n+30)], "")
}

// blocks narrows answers to the template's {% generation %} blocks, if it has any.
func blocks(text jinja.Text, answers []stretch) []stretch {
	var regions [][2]int
	for _, m := range text.Marks {
		if !m.Generated {
			continue
		}
		if n := len(regions) - 1; n >= 0 && regions[n][1] == m.From {
			regions[n][1] = m.To
		} else {
			regions = append(regions, [2]int{m.From, m.To})
		}
	}
	if regions == nil {
		return answers
	}
	var out []stretch
	for _, a := range answers {
		for _, r := range regions {
			// What a block has of the prompt is learnt too, where its border is one of tokens; the answer begins where the prompt ends.
			if r[1] <= a.from || r[0] >= a.to {
				continue
			}
			b := stretch{from: max(r[0], a.from), to: r[1], message: a.message, whole: true}
			b.header = min(r[0], b.from)
			out = append(out, b)
		}
	}
	return out
}

// segments cuts a text at its answers.
func segments(text jinja.Text, answers []stretch) []Segment {
	var out []Segment
	at := 0
	part := func(from, to int) Segment {
		s := Segment{Text: text.S[from:to], Special: true, Joined: from > 0}
		for _, m := range text.Marks {
			if m.Source != 0 && m.To > from && m.From < to {
				s.Letters = append(s.Letters, tokenizer.Span{From: max(m.From, from) - from, To: min(m.To, to) - from})
			}
		}
		return s
	}
	for _, a := range answers {
		if a.from < at { // two answers never share text
			continue
		}
		if at < a.from {
			s := part(at, a.from)
			if a.header < a.from {
				s.Header = max(a.header-at, 0)
			}
			out = append(out, s)
		}
		if a.from < a.to {
			s := part(a.from, a.to)
			s.Supervised, s.Message, s.Whole = true, a.message, a.whole
			out = append(out, s)
		}
		at = a.to
	}
	if at < len(text.S) {
		out = append(out, part(at, len(text.S)))
	}
	return out
}

// specialTokens reads the tokens that a template may name from tokenizer_config.json and special_tokens_map.json: every entry that ends in
// _token and is a string or an added token.
func specialTokens(files ...[]byte) map[string]string {
	tokens := map[string]string{}
	for _, raw := range files {
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil {
			continue // whoever needs the file says what is wrong with it
		}
		for name, v := range fields {
			if _, ok := tokens[name]; ok || !strings.HasSuffix(name, "_token") {
				continue
			}
			var token string
			if bytes.HasPrefix(v, []byte("{")) {
				var added struct{ Content string }
				if json.Unmarshal(v, &added) != nil {
					continue
				}
				token = added.Content
			} else if json.Unmarshal(v, &token) != nil || v[0] != '"' {
				continue
			}
			tokens[name] = token
		}
	}
	return tokens
}
