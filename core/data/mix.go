package data

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"

	"hone/core/rng"
)

// Mix says which rows of which files train, and which are held out.
type Mix struct {
	Train, Val             []Spec
	TrainSample, ValSample int     // rows at most; 0: all. Without Val, the held-out rows are drawn from Train's and never train
	SplitRatio             float64 // share of Train's rows that is held out
	Seed                   uint64
	Shuffle                bool // what is drawn when not all rows of a data set come up: with it any, without it the first ones
	// InterleaveProb mixes the data sets of Train: each next row comes from set i with that probability (of their sum). Empty: one
	// set follows the other.
	InterleaveProb []float64
	// AllExhausted goes on until every set has come to its end, with rows of the shorter ones again; otherwise the first end is all.
	AllExhausted bool
}

// Sets are the rows of a run.
type Sets struct {
	Train, Held *Set // Held is nil when nothing is held out
	Stats       Stats
	Notes       []string
}

// Load reads the files and divides their rows. The same files, Mix and Options give the same sets.
func (m Mix) Load(ctx context.Context, opt Options) (*Sets, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	var notes []string
	times, more, err := m.choose(ctx, opt)
	if err != nil {
		return nil, err
	}
	notes = append(notes, more...)
	opt.Progress = m.total(opt.Progress)
	all, err := m.read(ctx, m.Train, times, opt)
	if err != nil {
		return nil, err
	}
	out := &Sets{Stats: all.Stats, Notes: append(notes, all.Notes...)}
	if m.drawsHeld() {
		out.Train, out.Held = all.divide(func(e Example) bool { return e.times == held })
	} else if out.Train, out.Held, err = Split(all, m.SplitRatio, m.Seed); err != nil {
		return nil, err
	}
	if len(m.Val) > 0 {
		if out.Held, more, err = m.readVal(ctx, opt); err != nil {
			return nil, err
		}
		out.Stats.add(out.Held.Stats)
		out.Notes = append(append(out.Notes, more...), out.Held.Notes...)
	}
	if len(out.Train.Examples) == 0 {
		return nil, fmt.Errorf("data: all rows are held out or longer than %d tokens; none is left to train on", opt.MaxLength)
	}
	repeat(out.Train)
	if note, err := m.interleave(out.Train); err != nil {
		return nil, err
	} else if note != "" {
		out.Notes = append(out.Notes, note)
	}
	return out, nil
}

func (m Mix) check() error {
	if !(m.SplitRatio >= 0 && m.SplitRatio < 1) {
		return fmt.Errorf("data: split ratio %v; expected at least 0 and less than 1", m.SplitRatio)
	}
	if m.TrainSample < 0 || m.ValSample < 0 {
		return fmt.Errorf("data: samples of %d and %d rows; neither can be negative", m.TrainSample, m.ValSample)
	}
	if n := len(m.InterleaveProb); n > 0 && n != len(m.Train) {
		return fmt.Errorf("data: %d probabilities to interleave %d data sets; give one for each", n, len(m.Train))
	}
	for _, p := range m.InterleaveProb {
		if !(p > 0) || math.IsInf(p, 0) {
			return fmt.Errorf("data: %v is no probability to interleave with; expected numbers above 0", p)
		}
	}
	return nil
}

// drawsHeld reports whether the held-out rows are chosen row by row, before anything is tokenised.
func (m Mix) drawsHeld() bool {
	return len(m.Val) == 0 && (m.ValSample > 0 || m.TrainSample > 0 && m.SplitRatio > 0)
}

// load reads everything in Train.
func (m Mix) load(ctx context.Context, opt Options) (*Set, error) {
	return m.read(ctx, m.Train, nil, opt)
}

// read reads the files of some data sets; times has an element for each file.
func (m Mix) read(ctx context.Context, specs []Spec, times [][]int32, opt Options) (*Set, error) {
	l, err := newLoading(opt)
	if err != nil {
		return nil, err
	}
	at := 0
	for i, s := range specs {
		for _, name := range s.Files {
			in := input{source: int32(i)}
			if times != nil {
				in.times = times[at]
			}
			at++
			if err := l.file(ctx, name, in); err != nil {
				return nil, err
			}
		}
	}
	return l.finish()
}

func (m Mix) readVal(ctx context.Context, opt Options) (*Set, []string, error) {
	var notes []string
	trained := map[string]bool{}
	for _, s := range m.Train {
		for _, f := range s.Files {
			trained[f] = true
		}
	}
	for _, s := range m.Val {
		for _, f := range s.Files {
			if trained[f] {
				notes = append(notes, fmt.Sprintf("%s is trained on and held out: the held-out loss says nothing about rows that the model has not seen", f))
			}
		}
	}
	only := Mix{Train: m.Val, TrainSample: m.ValSample, Seed: m.Seed}
	times, more, err := only.choose(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	set, err := only.read(ctx, m.Val, times, opt)
	if err != nil {
		return nil, nil, err
	}
	repeat(set)
	return set, append(notes, more...), nil
}

// total completes progress with the size of all files.
func (m Mix) total(tell func(Progress)) func(Progress) {
	if tell == nil {
		return nil
	}
	var bytes int64
	for _, s := range slices.Concat(m.Train, m.Val) {
		for _, name := range s.Files {
			if info, err := os.Stat(name); err == nil {
				bytes += info.Size()
			}
		}
	}
	return func(p Progress) {
		p.Total = bytes
		tell(p)
	}
}

// divide separates the examples for which out holds; the counts of what was left out stay with the first set.
func (s *Set) divide(out func(Example) bool) (rest, taken *Set) {
	rest, taken = &Set{}, &Set{}
	for _, e := range s.Examples {
		to := rest
		if out(e) {
			to = taken
		}
		to.Examples = append(to.Examples, e)
		to.Stats.count(e)
	}
	taken.Stats.Rows, taken.Stats.Kept = len(taken.Examples), len(taken.Examples)
	rest.Stats.Rows, rest.Stats.Kept = len(rest.Examples), len(rest.Examples)
	if len(taken.Examples) == 0 {
		taken = nil
	}
	return rest, taken
}

// repeat puts rows that train several times into the set as often. A file's rows come once in their order, then once more.
func repeat(s *Set) {
	if !slices.ContainsFunc(s.Examples, func(e Example) bool { return e.times > 1 }) {
		return
	}
	var out []Example
	for from := 0; from < len(s.Examples); {
		to, most := from, int32(1)
		for ; to < len(s.Examples) && s.Examples[to].File == s.Examples[from].File; to++ {
			most = max(most, s.Examples[to].times)
		}
		for pass := int32(1); pass <= most; pass++ {
			for _, e := range s.Examples[from:to] {
				if max(e.times, 1) >= pass {
					out = append(out, e)
				}
			}
		}
		from = to
	}
	s.Examples = out
}

// interleave draws the order of a set made of several data sets. The first end of one is the end, or the last with AllExhausted.
func (m Mix) interleave(s *Set) (note string, err error) {
	if len(m.InterleaveProb) == 0 {
		return "", nil
	}
	sets := make([][]Example, len(m.Train))
	for _, e := range s.Examples {
		sets[e.source] = append(sets[e.source], e)
	}
	sum := 0.0
	for i, p := range m.InterleaveProb {
		if len(sets[i]) == 0 {
			return "", fmt.Errorf("data: %s has no row to train on, so nothing can be interleaved with it", m.Train[i].Name)
		}
		if sum += p; m.Shuffle {
			order := rng.NewKey(m.Seed, rng.Mixing, uint64(i)+1).Permutation(len(sets[i]))
			drawn := make([]Example, len(order))
			for k, from := range order {
				drawn[k] = sets[i][from]
			}
			sets[i] = drawn
		}
	}
	tooMany := fmt.Errorf("data: interleaving until every data set has ended takes more than %d rows; raise the smallest probability, or use --stopping_strategy first_exhausted", maxInterleaved)
	for i, p := range m.InterleaveProb {
		if m.AllExhausted && float64(len(sets[i]))*sum/p > maxInterleaved {
			return "", tooMany
		}
	}
	key := rng.NewKey(m.Seed, rng.Mixing, 0)
	taken, ended := make([]int, len(sets)), 0
	var out []Example
	for n := uint64(0); ended < len(sets); n++ {
		// The set in whose share of [0, sum) the draw falls.
		at, i := float64(key.Uniform(n))*sum, 0
		for ; i < len(sets)-1 && at >= m.InterleaveProb[i]; i++ {
			at -= m.InterleaveProb[i]
		}
		out = append(out, sets[i][taken[i]%len(sets[i])])
		if taken[i]++; taken[i] == len(sets[i]) {
			if ended++; !m.AllExhausted {
				break
			}
		}
		if len(out) > 2*maxInterleaved { // the draws are very far from what they are expected to be
			return "", tooMany
		}
	}
	note = fmt.Sprintf("interleaved %d rows:", len(out))
	for i, n := range taken {
		note += fmt.Sprintf(" %d from %s (which has %d)", n, m.Train[i].Name, len(sets[i]))
		if i < len(taken)-1 {
			note += ","
		}
	}
	s.Examples = out
	return note, nil
}

// maxInterleaved bounds how often small probabilities may repeat rows.
const maxInterleaved = 1 << 23
