package generate

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"

	"hone/core/rng"
)

// oracle is the distribution by the book: a mask over all tokens, each step with its own softmax and its own sort, as transformers' logits
// processors do it.
func oracle(s Sampling, logits []float32, sequence []int32) []float64 {
	x := make([]float64, len(logits))
	for i := range x {
		x[i] = float64(logits[i])
		if p := s.RepetitionPenalty; p > 0 && slices.Contains(sequence, int32(i)) {
			if x[i] < 0 {
				x[i] *= p
			} else {
				x[i] /= p
			}
		}
		x[i] /= s.Temperature
	}
	softmax := func() []float64 {
		p, sum := make([]float64, len(x)), 0.0
		for i := range x {
			p[i] = math.Exp(x[i] - slices.Max(x))
			sum += p[i]
		}
		for i := range p {
			p[i] /= sum
		}
		return p
	}
	if s.TopK > 0 {
		sorted := slices.Sorted(slices.Values(x))
		least := sorted[max(0, len(x)-s.TopK)]
		for i := range x {
			if x[i] < least {
				x[i] = math.Inf(-1)
			}
		}
	}
	if s.TopP > 0 && s.TopP < 1 {
		p := softmax()
		order := make([]int, len(x))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(p[a], p[b]), cmp.Compare(b, a)) }) // ascending
		mass := 0.0
		for n, i := range order {
			if mass += p[i]; mass <= 1-s.TopP && n < len(order)-1 {
				x[i] = math.Inf(-1)
			}
		}
	}
	if s.MinP > 0 {
		p := softmax()
		for i := range x {
			if p[i] < s.MinP*slices.Max(p) {
				x[i] = math.Inf(-1)
			}
		}
	}
	return softmax()
}

func noise(seed uint64, n int) []float32 {
	out := make([]float32, n)
	key := rng.NewKey(seed, rng.Sampling, 77)
	for i := range out {
		out[i] = 8*key.Uniform(uint64(i)) - 4
	}
	return out
}

func TestCandidatesAgainstOracle(t *testing.T) {
	settings := []Sampling{{Temperature: 1}, {Temperature: 0.3}, {Temperature: 2.5, TopK: 1}, {Temperature: 1, TopK: 7}, {Temperature: 1, TopK: 1000}, {Temperature: 1, TopP: 0.5},
		{Temperature: 0.8, TopP: 1e-6}, {Temperature: 1, TopP: 0.999}, {Temperature: 1, MinP: 0.2}, {Temperature: 1, MinP: 1}, {Temperature: 1, RepetitionPenalty: 1.3},
		{Temperature: 1, RepetitionPenalty: 0.7}, {Temperature: 0.9, TopK: 20, TopP: 0.8, MinP: 0.05, RepetitionPenalty: 1.1}, {Temperature: 1.5, TopK: 5, TopP: 0.9}}
	for seed := range uint64(30) {
		n := []int{1, 2, 17, 100, 500}[seed%5]
		logits := noise(seed, n)
		if seed%3 == 0 { // ties and a token that cannot come
			for i := range logits {
				logits[i] = float32(math.Round(float64(logits[i])))
			}
			if n > 2 {
				logits[1] = float32(math.Inf(-1))
			}
		}
		sequence := []int32{0, int32(n / 2), int32(n / 2), 9999}
		for _, s := range settings {
			if seed%3 == 0 && s.TopP > 0 && s.TopP < 1 {
				continue // which of two equal tokens falls to top_p is open
			}
			want := oracle(s, logits, sequence)
			scores, err := s.scores(logits, sequence)
			if err != nil {
				t.Fatal(err)
			}
			got, sum := make([]float64, n), 0.0
			for _, c := range s.candidates(scores) {
				got[c.id] = c.weight
				sum += c.weight
			}
			for i := range got {
				if d := math.Abs(got[i]/sum - want[i]); !(d < 1e-12) {
					t.Fatalf("seed %d, %+v: token %d has the probability %v, want %v", seed, s, i, got[i]/sum, want[i])
				}
			}
		}
	}
}

// Draws follow the distribution: each frequency lies within five standard deviations.
func TestNextFollowsTheDistribution(t *testing.T) {
	logits := noise(5, 12)
	for _, s := range []Sampling{{Temperature: 1}, {Temperature: 0.7, TopK: 6, TopP: 0.9, MinP: 0.02, RepetitionPenalty: 1.2}} {
		sequence := []int32{3, 4}
		want := oracle(s, logits, sequence)
		const draws = 20000
		var counts [12]float64
		for seed := range uint64(draws) {
			s.Seed = seed
			id, err := s.Next(logits, sequence)
			if err != nil {
				t.Fatal(err)
			}
			counts[id]++
		}
		for i, p := range want {
			if d := math.Abs(counts[i]/draws - p); d > 5*math.Sqrt(p*(1-p)/draws) {
				t.Errorf("%+v: token %d was drawn with the frequency %v, its probability is %v", s, i, counts[i]/draws, p)
			}
		}
	}
}

func TestNext(t *testing.T) {
	inf := float32(math.Inf(-1))
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		s        Sampling
		logits   []float32
		sequence []int32
		want     int32
		err      string
	}{
		"greedy":            {Sampling{}, []float32{1, 3, 2}, nil, 1, ""},
		"first of equals":   {Sampling{}, []float32{1, 3, 3}, nil, 1, ""},
		"greedy penalty":    {Sampling{RepetitionPenalty: 2}, []float32{1, 3, 2}, []int32{1}, 2, ""},
		"negative penalty":  {Sampling{RepetitionPenalty: 2}, []float32{-3, -2, -4}, []int32{1}, 0, ""},
		"penalty only once": {Sampling{RepetitionPenalty: 1.4}, []float32{0.5, 3, 2}, []int32{1, 1, 1}, 1, ""},
		"only one can come": {Sampling{Temperature: 1}, []float32{inf, inf, 0}, nil, 2, ""},
		"top_k 1":           {Sampling{Temperature: 9, TopK: 1}, []float32{1, 3, 2}, nil, 1, ""},
		"NaN":               {Sampling{}, []float32{1, nan}, nil, 0, "logit of token 1 is NaN"},
		"infinite":          {Sampling{}, []float32{1, -inf}, nil, 0, "logit of token 1 is +Inf"},
		"nothing":           {Sampling{}, []float32{inf, inf}, nil, 0, "no token any probability"},
	} {
		got, err := c.s.Next(c.logits, c.sequence)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d, %v; want %d, %q", name, got, err, c.want, c.err)
		}
	}
	// One seed, one text: the draw depends on nothing but seed, place and logits.
	logits := noise(1, 50)
	different := false
	for i := range 20 {
		s := Sampling{Temperature: 1, Seed: uint64(i)}
		a, _ := s.Next(logits, make([]int32, 9))
		b, _ := s.Next(logits, make([]int32, 9))
		c, _ := s.Next(logits, make([]int32, 10))
		if a != b {
			t.Error("the same draw gives two tokens")
		}
		different = different || a != c
	}
	if !different {
		t.Error("the place makes no difference")
	}
}

func TestCheck(t *testing.T) {
	if err := (Sampling{Temperature: 1, TopK: 3, TopP: 1, MinP: 0.5, RepetitionPenalty: 1.1}).Check(); err != nil {
		t.Error(err)
	}
	nan := math.NaN()
	for want, s := range map[string]Sampling{"temperature": {Temperature: -1}, "top_k": {TopK: -1}, "top_p": {TopP: 1.1}, "min_p": {MinP: nan}, "repetition_penalty": {RepetitionPenalty: -1}} {
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v", s, err)
		}
	}
}

func TestTopProbabilities(t *testing.T) {
	logits := noise(3, 40)
	logits[7], logits[30] = 9, 9
	want := oracle(Sampling{Temperature: 1}, logits, nil)
	got, err := TopProbabilities(logits, 5)
	if err != nil || len(got) != 5 || got[0].ID != 7 || got[1].ID != 30 {
		t.Fatalf("%v, %v", got, err)
	}
	sorted := slices.Sorted(slices.Values(want))
	for i, g := range got {
		if math.Abs(g.Probability-want[g.ID]) > 1e-12 || g.Probability < sorted[len(sorted)-1-i]-1e-12 {
			t.Errorf("place %d: %+v, the probability is %v", i, g, want[g.ID])
		}
	}
	if all, _ := TopProbabilities(logits, 100); len(all) != 40 {
		t.Errorf("%d tokens", len(all))
	}
}

// Stop strings: whatever the pieces, the text ends in front of the string that is complete first, and nothing is given out too early.
func TestWatcher(t *testing.T) {
	for _, c := range []struct {
		stops      []string
		text, want string
	}{
		{nil, "hello", "hello"},
		{[]string{"END"}, "one ENE ENDtwo", "one ENE "},
		{[]string{"abc", "b"}, "xabcd", "xa"},
		{[]string{"aab"}, "aaaab", "aa"},
		{[]string{"\n\n", "。"}, "一\n二。三", "一\n二"},
		{[]string{"stop"}, "no sto", "no sto"},
		{[]string{"bc", "abc"}, "abc", ""},
	} {
		for size := 1; size <= len(c.text); size++ {
			var given strings.Builder
			w := &watcher{stops: c.stops, emit: func(s string) { given.WriteString(s) }}
			for part := range slices.Chunk([]byte(c.text), size) {
				w.push(string(part))
				if !strings.HasPrefix(c.want, given.String()) {
					t.Fatalf("%q in pieces of %d: %q is given out", c.text, size, given.String())
				}
			}
			w.flush()
			if given.String() != c.want || w.text.String() != c.want {
				t.Errorf("%q in pieces of %d with %q gives %q, want %q", c.text, size, c.stops, given.String(), c.want)
			}
		}
	}
}
