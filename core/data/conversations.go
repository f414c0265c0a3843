package data

import (
	"fmt"
	"os"
	"slices"

	"hone/core/chat"
)

// Question is a row as a model is asked it: the conversation up to the last answer.
type Question struct {
	Row       int // from 1
	Messages  []chat.Message
	Reference string // the row's own last answer; "" where it has none
}

// answers are the columns that hold a row's answer.
var answers = []string{"output", "response", "answer", "completion"}

// Questions walks the rows of a JSON or JSONL file. A row may leave its answer out. names renames columns, as --columns.
// yield ends the walk with an error.
func Questions(file string, names map[string]string, yield func(Question) error) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	defer f.Close()
	return newScanner(f, file, 0).rows(func(row int, at position, raw []byte) error {
		if err := check(file, row, at, raw); err != nil {
			return err
		}
		q, err := question(raw[skipSpace(raw, 0):], names)
		if err != nil {
			return &Error{File: file, Row: row, Line: at.line, Shape: true, What: err.Error()}
		}
		q.Row = row
		return yield(q)
	})
}

func question(raw []byte, names map[string]string) (Question, error) {
	c, err := members(raw)
	if err == nil {
		c, err = c.rename(names, func(string) {})
	}
	if err != nil {
		return Question{}, err
	}
	f, _, err := formatOf(c)
	for _, name := range answers {
		if err == nil || c.has(name) {
			break
		}
		if g, _, missing := formatOf(append(slices.Clone(c), column{name, []byte(`""`)})); missing == nil {
			f, err, c = g, nil, append(c, column{name, []byte(`""`)})
		}
	}
	switch {
	case err != nil:
		return Question{}, err
	case f.messages == nil:
		return Question{}, fmt.Errorf("a row of the format %s asks nothing; give conversations, or rows with a question", f.name)
	}
	messages, err := f.messages(c)
	if err != nil {
		return Question{}, err
	}
	q := Question{Messages: messages}
	if n := len(messages); n > 0 && messages[n-1].Role == "assistant" {
		q.Messages, q.Reference = messages[:n-1], messages[n-1].Content
	}
	if len(q.Messages) == 0 {
		return q, fmt.Errorf("the row has no question")
	}
	return q, nil
}
