package data

import (
	"math/rand"
	"slices"
	"testing"

	"hone/core/chat"
)

// setOf makes examples of the given lengths with ids that tell example and position, all supervised but every third.
func setOf(lengths ...int) *Set {
	set := &Set{}
	for i, n := range lengths {
		e := Example{File: "f", Row: i + 1}
		for p := range n {
			id := int32(1000*i + p)
			label := id
			if p%3 == 1 {
				label = chat.Ignored
			}
			e.IDs, e.Labels = append(e.IDs, id), append(e.Labels, label)
		}
		set.Examples = append(set.Examples, e)
	}
	return set
}

func TestBatchByHand(t *testing.T) {
	set := &Set{Examples: []Example{
		{IDs: []int32{5, 6, 7}, Labels: []int32{5, -100, 7}},
		{IDs: []int32{8, 9}, Labels: []int32{8, 9}},
	}}
	l, err := NewLoader(set, LoaderOptions{BatchSize: 3, Pad: 1})
	if err != nil {
		t.Fatal(err)
	}
	b := l.At(0, 0)
	if b.Rows != 3 || b.Length != 8 || b.Tokens != 2 || !slices.Equal(b.Examples, []int{0, 1}) {
		t.Fatalf("%d rows of %d, %d tokens, examples %v", b.Rows, b.Length, b.Tokens, b.Examples)
	}
	x := int32(chat.Ignored)
	for name, c := range map[string]struct{ got, want []int32 }{
		"ids":       {b.IDs, []int32{5, 6, 7, 1, 1, 1, 1, 1, 8, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		"targets":   {b.Targets, []int32{x, 7, x, x, x, x, x, x, 9, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}},
		"positions": {b.Positions, []int32{0, 1, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		"segments":  {b.Segments, []int32{1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s %v, want %v", name, c.got, c.want)
		}
	}
	l, err = NewLoader(set, LoaderOptions{BatchSize: 1, Packing: true, MaxLength: 6})
	if err != nil {
		t.Fatal(err)
	}
	b = l.At(0, 0)
	if b.Length != 6 || !slices.Equal(b.IDs, []int32{5, 6, 7, 8, 9, 0}) || !slices.Equal(b.Targets, []int32{x, 7, x, 9, x, x}) ||
		!slices.Equal(b.Positions, []int32{0, 1, 2, 0, 1, 0}) || !slices.Equal(b.Segments, []int32{1, 1, 1, 2, 2, 0}) || b.Tokens != 2 {
		t.Errorf("packed: %+v", b)
	}
}

// facts are what the loss of an example hangs on: at each position of it the ids up to there, and the target.
type fact struct{ id, position, target int32 }

func epochFacts(t *testing.T, l *Loader, epoch int) (facts []fact, tokens int) {
	t.Helper()
	for i := range l.BatchesPerEpoch(epoch) {
		b := l.At(epoch, i)
		count := 0
		for p, s := range b.Segments {
			if b.Targets[p] != chat.Ignored {
				count++
			}
			if s == 0 {
				if b.Targets[p] != chat.Ignored {
					t.Fatal("padding has a target")
				}
				continue
			}
			facts = append(facts, fact{b.IDs[p], b.Positions[p], b.Targets[p]})
			// A segment is one example from its start: its ids differ by the position only.
			if b.Positions[p] > 0 && (b.Segments[p-1] != s || b.IDs[p-1] != b.IDs[p]-1) {
				t.Fatalf("segment %d is torn at %d", s, p)
			}
		}
		if count != b.Tokens {
			t.Fatalf("%d targets, Tokens is %d", count, b.Tokens)
		}
		tokens += count
		if !slices.Contains(l.Buckets(), b.Length) {
			t.Fatalf("length %d is not one of %v", b.Length, l.Buckets())
		}
	}
	slices.SortFunc(facts, func(a, b fact) int { return int(a.id - b.id) })
	return facts, tokens
}

func TestPackingKeepsEveryTarget(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	var lengths []int
	for range 300 {
		lengths = append(lengths, 1+r.Intn(60))
	}
	set := setOf(lengths...)
	want := 0
	for _, e := range set.Examples {
		want += e.Supervised()
	}
	var plainRows int
	var first []fact
	for _, opt := range []LoaderOptions{{BatchSize: 4}, {BatchSize: 4, Shuffle: true, Seed: 5}, {BatchSize: 4, Packing: true, MaxLength: 100}, {BatchSize: 3, Packing: true, Shuffle: true, MaxLength: 64}} {
		l, err := NewLoader(set, opt)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(l.Buckets()); n < 1 || n > 4 {
			t.Errorf("buckets %v", l.Buckets())
		}
		for epoch := range 2 {
			facts, tokens := epochFacts(t, l, epoch)
			if first == nil {
				first, plainRows = facts, l.BatchesPerEpoch(epoch)
			}
			if tokens != want || !slices.Equal(facts, first) {
				t.Errorf("%+v, epoch %d: %d targets, want %d with the same ids and positions", opt, epoch, tokens, want)
			}
		}
		if opt.Packing && opt.MaxLength == 100 && l.BatchesPerEpoch(0)*2 > plainRows {
			t.Errorf("packing takes %d batches, plain rows %d", l.BatchesPerEpoch(0), plainRows)
		}
	}
}

func TestPackIsFirstFit(t *testing.T) {
	lengths := []int{6, 5, 4, 3, 10, 2, 1}
	order := []int{0, 1, 2, 3, 4, 5, 6}
	if got, want := Pack(order, lengths, 10, 8), [][]int{{0, 2}, {1, 3, 5}, {4}, {6}}; !equalRows(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := Pack(order, lengths, 10, 1), [][]int{{0}, {1, 2}, {3}, {4}, {5, 6}}; !equalRows(got, want) {
		t.Errorf("window of one row: %v, want %v", got, want)
	}
}

func equalRows(a, b [][]int) bool { return slices.EqualFunc(a, b, slices.Equal[[]int]) }

func total(lengths, buckets []int) int {
	sum := 0
	for _, n := range lengths {
		k, _ := slices.BinarySearch(buckets, n)
		if k == len(buckets) {
			return 1 << 60
		}
		sum += buckets[k]
	}
	return sum
}

func TestBucketsAreOptimal(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for range 200 {
		var lengths []int
		for range 1 + r.Intn(30) {
			lengths = append(lengths, 1+r.Intn(100))
		}
		limit := 0
		if r.Intn(2) == 0 {
			limit = slices.Max(lengths)
		}
		got := Buckets(lengths, limit)
		// All choices of up to four from the possible lengths that hold the longest.
		var options []int
		for _, n := range lengths {
			options = append(options, roundLength(n, limit))
		}
		slices.Sort(options)
		options = slices.Compact(options)
		best := 1 << 60
		var choose func(from int, chosen []int)
		choose = func(from int, chosen []int) {
			best = min(best, total(lengths, chosen))
			for i := from; i < len(options) && len(chosen) < 4; i++ {
				choose(i+1, append(slices.Clone(chosen), options[i]))
			}
		}
		choose(0, nil)
		if c := total(lengths, got); c != best || len(got) > 4 || !slices.IsSorted(got) {
			t.Fatalf("lengths %v, limit %d: buckets %v cost %d, the best %d", lengths, limit, got, c, best)
		}
	}
	if got := Buckets([]int{3, 100, 101}, 101); !slices.Equal(got, []int{8, 101}) {
		t.Errorf("buckets %v, want the last to be the limit", got)
	}
}

func TestLoaderGoesOnAnywhere(t *testing.T) {
	set := setOf(5, 9, 3, 12, 7, 1, 8)
	opt := LoaderOptions{BatchSize: 2, Shuffle: true, Seed: 11, Packing: true, MaxLength: 16}
	a, err := NewLoader(set, opt)
	if err != nil {
		t.Fatal(err)
	}
	var cursors []Cursor
	var batches []Batch
	for c := (Cursor{}); c.Epoch < 4; {
		cursors = append(cursors, c)
		var b Batch
		b, c = a.Next(c)
		batches = append(batches, b)
	}
	// Another loader, asked backwards.
	b, err := NewLoader(set, opt)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(cursors) - 1; i >= 0; i-- {
		got, _ := b.Next(cursors[i])
		if got.Length != batches[i].Length || !slices.Equal(got.IDs, batches[i].IDs) || !slices.Equal(got.Targets, batches[i].Targets) || got.Rows != 2 {
			t.Errorf("batch at %+v is another when asked for again", cursors[i])
		}
	}
	if slices.Equal(Order(50, 1, 0, true), Order(50, 1, 1, true)) || !slices.Equal(Order(3, 1, 5, false), []int{0, 1, 2}) {
		t.Error("the order does not follow the epoch, or the file")
	}
}

func TestNewLoaderRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		set *Set
		opt LoaderOptions
	}{
		"empty": {&Set{}, LoaderOptions{BatchSize: 1}},
		"size":  {setOf(3), LoaderOptions{}},
		"long":  {setOf(3, 9), LoaderOptions{BatchSize: 1, MaxLength: 8}},
	} {
		if _, err := NewLoader(c.set, c.opt); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
