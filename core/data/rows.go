package data

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hone/core/chat"
)

// Rows go to the tokenizer in parcels of about this size.
const (
	parcelBytes = 64 << 10
	parcelRows  = 256
)

// parcel is some rows of a file, and what they become.
type parcel struct {
	raw     []byte
	rows    []rawRow
	out     []encoded
	skipped int
}

type rawRow struct {
	row   int
	at    position
	end   int // in raw; the row begins where the one before ends
	times int32
}

// encoded is a row as ids, or why it cannot be.
type encoded struct {
	rawRow
	format      *format
	ignored     []string
	renamed     []string
	ids, labels []int32
	report      chat.Report // of a conversation
	silent      int         // its answers that are empty
	err         error
}

// rows reads JSON or JSONL: one goroutine cuts the file into rows, all processors tokenise them, and they are kept in order.
func (l *loading) rows(ctx context.Context, in input) error {
	var first *format
	ignored := map[string]bool{}
	return inOrder(ctx, func(send func(*parcel) error) error {
		p := &parcel{}
		err := newScanner(in.Reader, in.Name, l.opt.MaxRow).rows(func(row int, at position, raw []byte) error {
			times := int32(1)
			if in.times != nil {
				if row > len(in.times) {
					return fmt.Errorf("%s: the file has grown while it was read; try again", in.Name)
				}
				times = in.times[row-1]
			}
			if times == 0 {
				p.skipped++
			} else {
				p.raw = append(p.raw, raw...)
				p.rows = append(p.rows, rawRow{row, at, len(p.raw), times})
			}
			if len(p.raw) < parcelBytes && len(p.rows) < parcelRows {
				return nil
			}
			full := p
			p = &parcel{}
			return send(full)
		})
		// What stands before a fault comes first, and so do its own faults.
		if sent := send(p); sent != nil {
			return sent
		}
		return err
	}, func(p *parcel) *parcel {
		from := 0
		for _, r := range p.rows {
			p.out = append(p.out, l.encode(in.Name, r, p.raw[from:r.end]))
			from = r.end
		}
		return p
	}, func(p *parcel) error {
		l.set.Stats.Rows += p.skipped
		l.set.Stats.Skipped += p.skipped
		for i := range p.out {
			e := &p.out[i]
			if e.err == nil && first != nil && e.format != first {
				e.err = l.at(in.Name, e.rawRow, fmt.Errorf("the row is of the format %s, those before it are %s; a file has one format", e.format, first))
			}
			if e.err != nil {
				return e.err
			}
			first = e.format
			for _, name := range e.renamed {
				l.renamed[name] = true
			}
			if note := e.left(ignored); note != "" {
				l.set.Notes = append(l.set.Notes, in.Name+": "+note)
			}
			example := Example{e.ids, e.labels, in.Name, e.row, in.source, e.times}
			if first.messages != nil {
				l.set.Stats.Conversations++
				l.heard(e.report, e.silent, in.Name, e.row)
			} else {
				l.look(example)
			}
			l.add(example)
		}
		l.advance(int64(len(p.raw)), len(p.out)+p.skipped)
		return nil
	})
}

// left says of columns that are left out for the first time.
func (e *encoded) left(before map[string]bool) string {
	var now []string
	for _, name := range e.ignored {
		if !before[name] && len(before) < maxColumns {
			before[name] = true
			now = append(now, name)
		}
	}
	if now == nil {
		return ""
	}
	slices.Sort(now)
	return fmt.Sprintf("rows are read as %s; left out: %s", e.format.name, quoteAll(now))
}

func (l *loading) at(file string, r rawRow, err error) error {
	return &Error{File: file, Row: r.row, Line: r.at.line, Shape: true, What: err.Error()}
}

// encode makes ids and labels of a row.
func (l *loading) encode(file string, r rawRow, raw []byte) (e encoded) {
	e.rawRow = r
	if e.err = check(file, r.row, r.at, raw); e.err != nil {
		return e
	}
	raw = raw[skipSpace(raw, 0):]
	c, err := members(raw)
	if err == nil {
		c, err = c.rename(l.opt.Columns, func(name string) { e.renamed = append(e.renamed, name) })
	}
	if err == nil {
		e.format, e.ignored, err = formatOf(c)
	}
	if err == nil {
		e.ids, e.labels, err = l.example(c, &e)
	}
	if err == nil {
		err = l.checkIDs(e.ids, e.labels)
	}
	if err != nil {
		e.err = l.at(file, r, err)
	}
	return e
}

// example makes ids and labels of a row.
func (l *loading) example(c columns, e *encoded) (ids, labels []int32, err error) {
	f := e.format
	if f.name == "pre-tokenised" {
		return preTokenised(c)
	}
	tok := l.opt.Tokenizer
	if tok == nil {
		return nil, nil, fmt.Errorf("rows of the format %s need a tokenizer, and there is none; only pre-tokenised rows (input_ids, labels) do without", f.name)
	}
	if f.messages == nil {
		text, err := c.text("text")
		if err != nil {
			return nil, nil, err
		}
		ids := l.frame(tok.EncodeText(text))
		return ids, ids, nil
	}
	messages, err := f.messages(c)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range messages {
		if m.Role == "assistant" && strings.TrimSpace(m.Content) == "" && m.More == nil {
			e.silent++
		}
	}
	if l.opt.Template == chat.Plain {
		for i, m := range messages {
			for name := range m.More {
				return nil, nil, fmt.Errorf("message %d has the field %q, for which the plain template has no place; take it out, or use a model with a template of its own", i+1, short(name))
			}
		}
	}
	ids, labels, err = chat.Encode(tok, l.opt.Template, messages, chat.EncodeOptions{TrainOnPrompt: l.opt.TrainOnPrompt, MaskHistory: l.opt.MaskHistory, Report: &e.report})
	if err != nil {
		err = fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "chat: "))
	}
	return ids, labels, err
}

// frame puts the begin token in front of a text and the end token behind it, as far as the tokenizer has them.
func (l *loading) frame(ids []int32) []int32 {
	var out []int32
	if t := l.opt.Tokenizer; t.BOS >= 0 {
		out = append(out, t.BOS)
	}
	out = append(out, ids...)
	if t := l.opt.Tokenizer; t.EOS >= 0 {
		out = append(out, t.EOS)
	}
	return out
}

// checkIDs makes sure that every id and label has its row in the embedding.
func (l *loading) checkIDs(ids, labels []int32) error {
	if len(ids) == 0 {
		return fmt.Errorf("the row is empty: it has no token at all")
	}
	size := l.opt.VocabSize
	bad := func(id int32) bool { return id < 0 || size > 0 && int(id) >= size }
	rule := "ids are not negative"
	if size > 0 {
		rule = fmt.Sprintf("the model's vocabulary has ids 0…%d", size-1)
	}
	for i, id := range ids {
		if bad(id) {
			return fmt.Errorf("position %d has id %d; %s", i, id, rule)
		}
	}
	for i, id := range labels {
		if id != chat.Ignored && bad(id) {
			return fmt.Errorf("position %d has label %d; %s, and %d means nothing is learnt", i, id, rule, chat.Ignored)
		}
	}
	return nil
}
