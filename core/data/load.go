// Package data turns files into what a training step is fed with: rows of JSON, JSONL or text become examples of ids and labels,
// examples are sampled, split, mixed, ordered and put into batches of a few fixed lengths. Everything follows from files, options
// and seed, and any batch can be asked for at any time, so a run that is resumed elsewhere goes on with the same tokens.
package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"hone/core/chat"
	"hone/core/tokenizer"
)

// Example is one row as a model sees it.
type Example struct {
	IDs    []int32 // token ids
	Labels []int32 // as long: the target at each position, or chat.Ignored; the one at position 0 never counts
	File   string
	Row    int // from 1; in a .txt file the block

	source int32 // the entry of the list of data sets that the file belongs to
	times  int32 // how often the row trains in an epoch; held: it is held out
}

const held = -1

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
	Tokenizer     *tokenizer.Tokenizer // may be nil when all rows are pre-tokenised
	Template      chat.Template        // nil: chat.Plain
	TrainOnPrompt bool                 // conversations: learn all of them, not only the answers
	MaskHistory   bool                 // conversations: learn only the last answer
	Ends          []int32              // ids that end an answer, beside the tokenizer's EOS; only to tell where none does
	VocabSize     int                  // ids lie below it; 0 takes the tokenizer's size, and without one leaves them unchecked
	MaxLength     int                  // tokens of an example at most; 0: no limit
	Truncation    string               // what becomes of longer rows, see Truncations; empty: delete
	Columns       map[string]string    // new names of columns; an empty one leaves the column out
	MaxRow        int                  // bytes of a row at most; 0: 16 MiB
	Progress      func(Progress)       // called now and then while files are read
}

// Progress is how far reading has come.
type Progress struct {
	File        string
	Rows        int
	Tokens      int64 // kept
	Done, Total int64 // bytes of all files; Total 0: unknown
}

// Set is the examples of some files, in file order.
type Set struct {
	Examples []Example
	Stats    Stats
	Notes    []string // what the user should know about the rows, in sentences
}

// Stats counts what loading did: Rows = Skipped + Kept + Dropped, and there are Kept + Pieces examples.
type Stats struct {
	Rows             int      // in the files
	Skipped          int      // left out by sampling
	Kept             int      // rows, cut or whole
	Dropped          int      // longer than the maximum length
	Truncated        int      // kept, but one end was cut off
	Pieces           int      // examples that rows were cut into, beyond the first of each
	Conversations    int      // rows that the template lays out, cut and dropped ones too
	Unsupervised     int      // examples that teach nothing
	UnsupervisedRows []string // the first few of them, as "file row n"
	Tokens           int64    // of the examples
	SupervisedTokens int64
}

// add sums two files' counts.
func (s *Stats) add(o Stats) {
	s.Rows, s.Skipped, s.Kept, s.Dropped = s.Rows+o.Rows, s.Skipped+o.Skipped, s.Kept+o.Kept, s.Dropped+o.Dropped
	s.Truncated, s.Pieces, s.Unsupervised = s.Truncated+o.Truncated, s.Pieces+o.Pieces, s.Unsupervised+o.Unsupervised
	s.Conversations += o.Conversations
	s.Tokens, s.SupervisedTokens = s.Tokens+o.Tokens, s.SupervisedTokens+o.SupervisedTokens
	s.UnsupervisedRows = append(s.UnsupervisedRows, o.UnsupervisedRows...)
	s.UnsupervisedRows = s.UnsupervisedRows[:min(len(s.UnsupervisedRows), firstFew)]
}

const firstFew = 8

// count adds an example to the sums.
func (s *Stats) count(e Example) {
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

// Load reads all rows of files. All errors name file and row; the first one, or the end of ctx, ends the reading.
func Load(ctx context.Context, files []string, opt Options) (*Set, error) {
	return Mix{Train: []Spec{{Files: files}}}.load(ctx, opt)
}

// LoadFrom reads streams, as Load reads files.
func LoadFrom(ctx context.Context, sources []Source, opt Options) (*Set, error) {
	l, err := newLoading(opt)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		if err := l.read(ctx, input{Source: s}); err != nil {
			return nil, err
		}
	}
	return l.finish()
}

// input is a stream with what is done with its rows.
type input struct {
	Source
	source int32
	times  []int32 // for each row: how often it trains, 0 to skip it, or held; nil: all once
}

// loading is files being read.
type loading struct {
	opt      Options
	set      Set
	ends     []int32
	findings [findingKinds]finding
	renamed  map[string]bool // columns that --columns names, once seen
	progress Progress
	told     time.Time
}

func newLoading(opt Options) (*loading, error) {
	if opt.Truncation == "" {
		opt.Truncation = Truncations[0]
	}
	if !slices.Contains(Truncations, opt.Truncation) {
		return nil, fmt.Errorf("data: truncation strategy %q; expected one of %s", opt.Truncation, strings.Join(Truncations, ", "))
	}
	if opt.MaxLength < 0 || opt.VocabSize < 0 {
		return nil, fmt.Errorf("data: maximum length %d, vocabulary %d; neither can be negative", opt.MaxLength, opt.VocabSize)
	}
	if opt.Template == nil {
		opt.Template = chat.Plain
	}
	l := &loading{opt: opt, ends: slices.Clone(opt.Ends), renamed: map[string]bool{}}
	if t := opt.Tokenizer; t != nil {
		if opt.VocabSize == 0 {
			l.opt.VocabSize = t.Size()
		}
		if t.EOS >= 0 {
			l.ends = append(l.ends, t.EOS)
		}
	}
	return l, nil
}

// file reads a file from its beginning.
func (l *loading) file(ctx context.Context, name string, in input) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	defer f.Close()
	in.Source = Source{name, f}
	return l.read(ctx, in)
}

func (l *loading) finish() (*Set, error) {
	s := l.set.Stats
	if len(l.set.Examples) == 0 {
		if s.Dropped > 0 {
			return nil, fmt.Errorf("data: all %d rows are longer than %d tokens and were left out; raise --max_length, or cut them: --truncation_strategy right", s.Dropped, l.opt.MaxLength)
		}
		return nil, errors.New("data: there are no rows; name at least one file with some")
	}
	for name := range l.opt.Columns {
		if !l.renamed[name] {
			return nil, fmt.Errorf("data: --columns names the column %q, which no row has", short(name))
		}
	}
	l.set.Notes = append(l.set.Notes, l.notes()...)
	return &l.set, nil
}

// read adds the examples of a stream.
func (l *loading) read(ctx context.Context, in input) error {
	l.progress.File = in.Name
	if isText(in.Name) {
		return l.text(ctx, in)
	}
	return l.rows(ctx, in)
}

func isText(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".txt") }

// advance tells of progress, but not more than ten times a second.
func (l *loading) advance(bytes int64, rows int) {
	l.progress.Done, l.progress.Rows = l.progress.Done+bytes, l.progress.Rows+rows
	if now := time.Now(); l.opt.Progress != nil && now.Sub(l.told) > 100*time.Millisecond {
		l.told, l.progress.Tokens = now, l.set.Stats.Tokens
		l.opt.Progress(l.progress)
	}
}
