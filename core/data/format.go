package data

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"hone/core/chat"
)

// A format is one way to write a row, known by its columns.
//
// The rule by which a row gets its format: columns that are null, and those that --columns names as left out, are not there.
// The first format of the list below that has all its required columns is the row's. Every other column must be one of
// its optional ones, or is left out and said once if it is
//
//   - a known companion, which describes the row and holds nothing to learn (id, source, category …), or
//   - part of a further format of the list that is complete without sharing a column with the first: the same row written
//     a second time, as text in tatsu-lab/alpaca.
//
// Anything else could mean something, so the row is refused.
type format struct {
	name               string
	required, optional []string
	beside             []string // companions of this format alone
	// messages reads the conversation; nil for the formats that are none.
	messages func(c columns) ([]chat.Message, error)
}

var formats = []*format{
	{name: "pre-tokenised", required: []string{"input_ids"}, optional: []string{"labels", "attention_mask"}, beside: []string{"length"}},
	{name: "messages", required: []string{"messages"}, optional: []string{"system"}, beside: []string{"prompt"}, messages: listOf("messages")},
	{name: "sharegpt", required: []string{"conversations"}, optional: []string{"system"}, messages: listOf("conversations")},
	{name: "conversation", required: []string{"conversation"}, optional: []string{"system"}, messages: listOf("conversation")},
	{name: "alpaca", required: []string{"instruction", "output"}, optional: []string{"input", "system", "history"}, messages: alpaca("input", "output")},
	{name: "dolly", required: []string{"instruction", "response"}, optional: []string{"context"}, messages: alpaca("context", "response")},
	{name: "query/response", required: []string{"query", "response"}, optional: []string{"system", "history"}, messages: pair("query", "response")},
	{name: "question/answer", required: []string{"question", "answer"}, optional: []string{"system"}, messages: pair("question", "answer")},
	{name: "prompt/completion", required: []string{"prompt", "completion"}, optional: []string{"system"}, messages: promptCompletion},
	{name: "text", required: []string{"text"}},
}

// companions describe a row and hold nothing that a model would learn.
var companions = strings.Fields(`id _id idx index uuid prompt_id conversation_id category source dataset subset split domain topic subject
	language lang url license model tags meta metadata date created created_at timestamp version difficulty level`)

func (f *format) String() string {
	s := f.name + " (" + strings.Join(f.required, ", ")
	for _, c := range f.optional {
		s += ", " + c + "?"
	}
	return s + ")"
}

func (f *format) complete(c columns) bool {
	return !slices.ContainsFunc(f.required, func(name string) bool { return !c.has(name) })
}

func (f *format) owns(name string) bool {
	return slices.Contains(f.required, name) || slices.Contains(f.optional, name)
}

// formatOf finds the format of a row, and the columns that are left out.
func formatOf(c columns) (f *format, ignored []string, err error) {
	var twice []*format // further formats that the row has too
	for _, g := range formats {
		switch {
		case !g.complete(c):
		case f == nil:
			f = g
		case !slices.ContainsFunc(g.required, f.owns):
			twice = append(twice, g)
		}
	}
	var strange []string
	for i := range c {
		name := c[i].name
		switch {
		case f == nil || f.owns(name):
		case slices.Contains(companions, name), slices.Contains(f.beside, name),
			slices.ContainsFunc(twice, func(g *format) bool { return g.owns(name) }):
			ignored = append(ignored, name)
		default:
			strange = append(strange, name)
		}
	}
	if f != nil && len(strange) == 0 {
		return f, ignored, nil
	}
	return nil, nil, notUnderstood(c, f, strange)
}

// meanings explain columns that belong to other tasks than this one.
var meanings = []struct {
	columns []string
	what    string
}{
	{[]string{"chosen", "rejected", "rejected_response", "rejected_messages"}, "these are preference pairs, for DPO and its kin; supervised fine-tuning learns from one answer"},
	{[]string{"label", "kto_tag"}, "label marks good and bad answers, for KTO and its kin; supervised fine-tuning would learn the bad ones too"},
	{[]string{"image", "images", "video", "videos", "audio", "audios"}, "the models here read text only"},
	{[]string{"tools", "tool_calls", "functions"}, "tools are not trained yet"},
	{[]string{"instances"}, "self-instruct's seed tasks hold several answers a row; write one row of instruction, input and output for each"},
}

func notUnderstood(c columns, near *format, strange []string) error {
	found := c.names()
	slices.Sort(strange)
	for _, m := range meanings {
		if !slices.ContainsFunc(m.columns, c.has) {
			continue
		}
		without := ""
		if near != nil {
			without = fmt.Sprintf(". Without %s it is a row of the format %s", quoteAll(strange), near.name)
		}
		return fmt.Errorf("the columns are %s: %s%s", quoteAll(found), m.what, without)
	}
	var known []string
	for _, f := range formats {
		known = append(known, f.String())
	}
	message := fmt.Sprintf("the columns are %s; understood are: %s", quoteAll(found), strings.Join(known, "; "))
	if near != nil {
		return fmt.Errorf(`%s. It would be a row of the format %s without %s; leave out what means nothing: --columns '{%q:""}'`, message, near.name, quoteAll(strange), short(strange[0]))
	}
	return errors.New(message + `. Names of your own are mapped with --columns '{"yours":"query"}'`)
}

// short keeps a name of any length bearable.
func short(name string) string {
	if len(name) > 64 {
		return strings.ToValidUTF8(name[:64], "") + "…"
	}
	return name
}

// quoteAll lists names; a row can have any number of them of any length, a message cannot.
func quoteAll(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	var out []string
	for i, n := range names {
		if i == 16 {
			out = append(out, fmt.Sprintf("… (%d in all)", len(names)))
			break
		}
		out = append(out, fmt.Sprintf("%q", short(n)))
	}
	return strings.Join(out, ", ")
}

// rename gives columns the names that --columns maps them to; those mapped to nothing are taken out. used is told which
// names of the mapping the row had.
func (c columns) rename(mapping map[string]string, used func(string)) (columns, error) {
	if len(mapping) == 0 {
		return c, nil
	}
	out := c[:0]
	for _, col := range c {
		to, ok := mapping[col.name]
		if !ok {
			out = append(out, col)
			continue
		}
		used(col.name)
		if to != "" {
			out = append(out, column{to, col.value})
		}
	}
	for i := range out {
		if out[:i].has(out[i].name) {
			return nil, fmt.Errorf("with --columns, two columns are called %q; leave the other one out: map it to \"\"", short(out[i].name))
		}
	}
	return out, nil
}
