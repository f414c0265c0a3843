package generate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hone/core/tokenizer"
)

// Ending says why a text ended.
type Ending string

const (
	EndToken  Ending = "end"      // the model ended it
	EndString Ending = "stop"     // a stop string came
	EndLength Ending = "length"   // max_new_tokens was reached
	EndFull   Ending = "capacity" // prompt and answer fill the model's context
)

// Answer is a generated text.
type Answer struct {
	Text   string
	IDs    []int32 // without what ended it
	Reused int     // tokens of the prompt that were not read again
	Ending Ending  // empty after an error
}

// TextOptions add strings to what ends a text; the text ends in front of the one that is complete first.
type TextOptions struct {
	Options
	StopStrings []string
}

// Text continues prompt and gives the text. emit, if given, sees it grow: pieces of whole characters that together are the text, none of
// which a stop string can still take back. When the context ends, what there is comes with its error.
func (g *Generator) Text(ctx context.Context, tok *tokenizer.Tokenizer, prompt []int32, o TextOptions, emit func(string)) (Answer, error) {
	if slices.Contains(o.StopStrings, "") {
		return Answer{}, fmt.Errorf("generate: a stop string is empty, and would end every text at once")
	}
	a := Answer{Ending: EndToken}
	if o.Reuse {
		a.Reused = g.common(prompt)
	}
	w := &watcher{stops: o.StopStrings, emit: emit}
	stream := tok.NewStream(true)
	var err error
	a.IDs, err = g.Generate(ctx, prompt, o.Options, func(id int32) bool { return !w.push(stream.Push(id)) })
	if !w.stopped {
		w.push(stream.Flush())
	}
	switch {
	case err != nil:
		a.Ending = ""
	case w.stopped:
		a.Ending = EndString
	case len(a.IDs) >= o.MaxNewTokens:
		a.Ending = EndLength
	case len(prompt)+len(a.IDs) > g.capacity:
		a.Ending = EndFull
	}
	w.flush()
	a.Text = w.text.String()
	return a, err
}

// watcher looks for stop strings in a text that comes in pieces, and holds back what may be the beginning of one.
type watcher struct {
	stops   []string
	emit    func(string)
	text    strings.Builder
	held    string
	stopped bool
}

// push takes the next piece and tells whether the text has ended.
func (w *watcher) push(piece string) (stopped bool) {
	if w.stopped {
		return true
	}
	w.held += piece
	// The string that is complete first counts, so that the pieces in which the text comes make no difference.
	from, to := -1, 0
	for _, s := range w.stops {
		if i := strings.Index(w.held, s); i >= 0 && (from < 0 || i+len(s) < to || i+len(s) == to && i < from) {
			from, to = i, i+len(s)
		}
	}
	if from >= 0 {
		w.stopped = true
		w.held = w.held[:from]
		w.flush()
		return true
	}
	safe := len(w.held)
	for _, s := range w.stops {
		for n := min(len(s)-1, len(w.held)); n > 0; n-- {
			if strings.HasSuffix(w.held, s[:n]) {
				safe = min(safe, len(w.held)-n)
				break
			}
		}
	}
	w.give(safe)
	return false
}

func (w *watcher) give(n int) {
	if n > 0 {
		w.text.WriteString(w.held[:n])
		if w.emit != nil {
			w.emit(w.held[:n])
		}
		w.held = w.held[n:]
	}
}

func (w *watcher) flush() { w.give(len(w.held)) }
