// Package data turns files into what a training step is fed with: rows of JSON, JSONL or text become examples of ids and labels,
// examples are split, ordered and put into batches of a few fixed lengths. Everything follows from files, options and seed,
// and any batch can be asked for at any time, so a run that is resumed elsewhere goes on with the same tokens.
package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"hone/core/chat"
	"hone/core/tokenizer"
)

// Example is one row as a model sees it.
type Example struct {
	IDs    []int32 // token ids
	Labels []int32 // as long: the target at each position, or chat.Ignored; the one at position 0 never counts
	File   string
	Row    int // from 1; in a .txt file the block
}

// Supervised is the number of tokens that the example teaches: labels from position 1 on that are not ignored.
func (e Example) Supervised() int {
	n := 0
	for i := 1; i < len(e.Labels); i++ {
		if e.Labels[i] != chat.Ignored {
			n++
		}
	}
	return n
}

// Options says how rows become examples.
type Options struct {
	Tokenizer  *tokenizer.Tokenizer // may be nil when all rows are pre-tokenised
	Template   chat.Template        // nil: chat.Plain
	VocabSize  int                  // ids lie below it; 0 takes the tokenizer's size, and without one leaves them unchecked
	MaxLength  int                  // tokens of an example at most; 0: no limit
	Truncation string               // for longer rows: "delete" leaves them out (also when empty), "right" cuts their end off
	MaxRow     int                  // bytes of a row at most; 0: 16 MiB
}

// Set is the examples of some files, in file order.
type Set struct {
	Examples []Example
	Stats    Stats
}

// Stats counts what loading did.
type Stats struct {
	Rows, Kept, Dropped, Truncated int
	Unsupervised                   int      // kept rows that teach nothing
	UnsupervisedRows               []string // the first few of them, as "file row n"
	Tokens, SupervisedTokens       int64    // of kept rows
}

const firstFew = 8

func (s *Stats) keep(e Example) {
	s.Kept++
	s.Tokens += int64(len(e.IDs))
	n := e.Supervised()
	s.SupervisedTokens += int64(n)
	if n == 0 {
		s.Unsupervised++
		if len(s.UnsupervisedRows) < firstFew {
			s.UnsupervisedRows = append(s.UnsupervisedRows, fmt.Sprintf("%s row %d", e.File, e.Row))
		}
	}
}

// Source is a named stream of rows. A name that ends in .txt means plain text; everything else is JSON or JSONL, which its
// first byte tells.
type Source struct {
	Name   string
	Reader io.Reader
}

// Load reads files. All errors name file and row; the first one ends the reading.
func Load(files []string, opt Options) (*Set, error) {
	l, err := newRowLoader(opt)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		err = l.read(Source{name, f})
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return l.finish()
}

// LoadFrom reads streams, as Load reads files.
func LoadFrom(sources []Source, opt Options) (*Set, error) {
	l, err := newRowLoader(opt)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		if err := l.read(s); err != nil {
			return nil, err
		}
	}
	return l.finish()
}

type rowLoader struct {
	opt Options
	set Set
}

func newRowLoader(opt Options) (*rowLoader, error) {
	if opt.Truncation == "" {
		opt.Truncation = "delete"
	}
	if opt.Truncation != "delete" && opt.Truncation != "right" {
		return nil, fmt.Errorf("data: truncation strategy %q; expected delete or right", opt.Truncation)
	}
	if opt.MaxLength < 0 || opt.VocabSize < 0 {
		return nil, fmt.Errorf("data: maximum length %d, vocabulary %d; neither can be negative", opt.MaxLength, opt.VocabSize)
	}
	if opt.Template == nil {
		opt.Template = chat.Plain
	}
	if opt.VocabSize == 0 && opt.Tokenizer != nil {
		opt.VocabSize = opt.Tokenizer.Size()
	}
	return &rowLoader{opt: opt}, nil
}

func (l *rowLoader) finish() (*Set, error) {
	if len(l.set.Examples) == 0 {
		if l.set.Stats.Dropped > 0 {
			return nil, fmt.Errorf("data: all %d rows are longer than %d tokens and were left out; raise --max_length", l.set.Stats.Dropped, l.opt.MaxLength)
		}
		return nil, errors.New("data: there are no rows; name at least one file with some")
	}
	return &l.set, nil
}

func (l *rowLoader) read(src Source) error {
	if strings.HasSuffix(strings.ToLower(src.Name), ".txt") {
		return l.text(src)
	}
	s := newScanner(src.Reader, src.Name, l.opt.MaxRow)
	var format *format // of the file, set by its first row
	return s.rows(func(row int, at position, raw []byte) error {
		fail := func(err error) error {
			return &Error{File: src.Name, Row: row, Line: at.line, Shape: true, What: err.Error()}
		}
		var columns map[string]json.RawMessage
		if err := json.Unmarshal(raw, &columns); err != nil {
			return fail(err)
		}
		f, err := formatOf(columns)
		if err != nil {
			return fail(err)
		}
		if format == nil {
			format = f
		}
		if f != format {
			return fail(fmt.Errorf("the row is of the format %s, those before it are %s; a file has one format", f, format))
		}
		if l.opt.Tokenizer == nil && f.name != "pre-tokenised" {
			return fail(fmt.Errorf("rows of the format %s need a tokenizer, and there is none; only pre-tokenised rows (input_ids, labels) do without", f.name))
		}
		ids, labels, err := l.example(f, columns)
		if err != nil {
			return fail(err)
		}
		if err := l.checkIDs(ids, labels); err != nil {
			return fail(err)
		}
		l.add(Example{ids, labels, src.Name, row})
		return nil
	})
}

// checkIDs makes sure that every id and label has its row in the embedding.
func (l *rowLoader) checkIDs(ids, labels []int32) error {
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

// add keeps an example, after cutting or dropping one that is too long.
func (l *rowLoader) add(e Example) {
	st := &l.set.Stats
	st.Rows++
	if limit := l.opt.MaxLength; limit > 0 && len(e.IDs) > limit {
		if l.opt.Truncation == "delete" {
			st.Dropped++
			return
		}
		st.Truncated++
		e.IDs, e.Labels = e.IDs[:limit:limit], e.Labels[:limit:limit]
	}
	st.keep(e)
	l.set.Examples = append(l.set.Examples, e)
}
