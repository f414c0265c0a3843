package data

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// LoaderOptions says how a set becomes batches.
type LoaderOptions struct {
	BatchSize int    // rows of a micro-batch
	Shuffle   bool   // by seed and epoch; without it rows come in file order
	Seed      uint64 // for Shuffle
	Packing   bool   // several examples in a row
	MaxLength int    // tokens of a row at most; 0: the longest example
	Pad       int32  // id in the padding; masked by Segments, never by its value
}

// packWindow is how many rows are open while packing.
const packWindow = 64

// Loader cuts a set into micro-batches. Batch k of an epoch follows from set, options, epoch and k alone, so a run can go on
// at any Cursor. It may be used by several goroutines.
type Loader struct {
	set     *Set
	opt     LoaderOptions
	lengths []int
	buckets []int

	mu    sync.Mutex
	epoch int     // of the plan
	plan  [][]int // rows of that epoch; kept only to save making it again
}

// Cursor is the place of the next batch: what a checkpoint stores.
type Cursor struct {
	Epoch int `json:"epoch"`
	Index int `json:"index"`
}

// NewLoader makes the loader and chooses the lengths of its batches: at most four, from the batches of epoch 0.
func NewLoader(set *Set, opt LoaderOptions) (*Loader, error) {
	if set == nil || len(set.Examples) == 0 {
		return nil, errors.New("data: the set has no examples")
	}
	if opt.BatchSize < 1 {
		return nil, fmt.Errorf("data: batch size %d; expected at least 1", opt.BatchSize)
	}
	l := &Loader{set: set, opt: opt, epoch: -1}
	longest := 0
	for _, e := range set.Examples {
		if opt.MaxLength > 0 && len(e.IDs) > opt.MaxLength {
			return nil, fmt.Errorf("data: %s row %d has %d tokens, and a batch row holds %d", e.File, e.Row, len(e.IDs), opt.MaxLength)
		}
		l.lengths = append(l.lengths, len(e.IDs))
		longest = max(longest, len(e.IDs))
	}
	if opt.MaxLength == 0 {
		l.opt.MaxLength = longest
	}
	var tops []int
	for _, batch := range slices.Collect(slices.Chunk(l.rows(0), opt.BatchSize)) {
		tops = append(tops, l.longest(batch))
	}
	// A batch of another epoch can be longer than all of this one only when rows are packed.
	if opt.Packing {
		tops = append(tops, l.opt.MaxLength)
	}
	l.buckets = Buckets(tops, opt.MaxLength)
	return l, nil
}

// rows is the plan of an epoch: which examples stand in which row.
func (l *Loader) rows(epoch int) [][]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch == epoch {
		return l.plan
	}
	order := Order(len(l.set.Examples), l.opt.Seed, epoch, l.opt.Shuffle)
	if l.opt.Packing {
		l.plan = Pack(order, l.lengths, l.opt.MaxLength, packWindow)
	} else {
		l.plan = make([][]int, len(order))
		for r := range order {
			l.plan[r] = order[r : r+1 : r+1]
		}
	}
	l.epoch = epoch
	return l.plan
}

// longest is the number of tokens in the fullest of some rows.
func (l *Loader) longest(rows [][]int) int {
	top := 0
	for _, members := range rows {
		n := 0
		for _, i := range members {
			n += l.lengths[i]
		}
		top = max(top, n)
	}
	return top
}

// Buckets are the lengths that batches can have, ascending.
func (l *Loader) Buckets() []int { return slices.Clone(l.buckets) }

// BatchesPerEpoch is the number of micro-batches of an epoch. Only with Packing and Shuffle can epochs differ.
func (l *Loader) BatchesPerEpoch(epoch int) int {
	return (len(l.rows(epoch)) + l.opt.BatchSize - 1) / l.opt.BatchSize
}

// At gives micro-batch i of an epoch; i must be less than BatchesPerEpoch(epoch). Rows is always BatchSize, so that one
// compiled program serves: the last batch of an epoch may end in rows that are all padding.
func (l *Loader) At(epoch, i int) Batch {
	rows := l.batch(epoch, i)
	return newBatch(l.set, rows, l.opt.BatchSize, l.bucket(rows), l.opt.Pad)
}

// LengthAt is the Length of micro-batch i of an epoch, without making it.
func (l *Loader) LengthAt(epoch, i int) int { return l.bucket(l.batch(epoch, i)) }

// batch is the plan of one micro-batch.
func (l *Loader) batch(epoch, i int) [][]int {
	rows := l.rows(epoch)
	from := i * l.opt.BatchSize
	if epoch < 0 || i < 0 || from >= len(rows) {
		panic(fmt.Sprintf("data: batch %d of epoch %d, which has %d rows in batches of %d", i, epoch, len(rows), l.opt.BatchSize))
	}
	return rows[from:min(from+l.opt.BatchSize, len(rows))]
}

// bucket is the smallest length that holds all rows.
func (l *Loader) bucket(rows [][]int) int { return l.Bucket(l.longest(rows)) }

// Bucket is the smallest length of a batch that holds n tokens; n must not be more than the longest row has.
func (l *Loader) Bucket(n int) int {
	k, _ := slices.BinarySearch(l.buckets, n)
	return l.buckets[k]
}

// Next gives the batch at a cursor and the cursor behind it, which may lie in the next epoch.
func (l *Loader) Next(c Cursor) (Batch, Cursor) {
	b := l.At(c.Epoch, c.Index)
	c.Index++
	if c.Index >= l.BatchesPerEpoch(c.Epoch) {
		c = Cursor{c.Epoch + 1, 0}
	}
	return b, c
}
