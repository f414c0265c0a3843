package data

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// rowsFile writes n rows whose first id is the row's number plus base.
func rowsFile(t *testing.T, dir, name string, n, base int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"input_ids\":[%d,1,2]}\n", base+i+1)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func first(s *Set) (ids []int) {
	if s != nil {
		for _, e := range s.Examples {
			ids = append(ids, int(e.IDs[0]))
		}
	}
	return ids
}

func load(t *testing.T, m Mix, opt Options) *Sets {
	t.Helper()
	sets, err := m.Load(t.Context(), opt)
	if err != nil {
		t.Fatalf("%+v: %v", m, err)
	}
	if s := sets.Stats; s.Rows != s.Skipped+s.Kept+s.Dropped {
		t.Errorf("%d rows, but %d left out by sampling, %d kept and %d dropped", s.Rows, s.Skipped, s.Kept, s.Dropped)
	}
	return sets
}

func disjoint(t *testing.T, sets *Sets) {
	t.Helper()
	for _, id := range first(sets.Held) {
		if slices.Contains(first(sets.Train), id) {
			t.Errorf("row %d trains and is held out", id)
		}
	}
}

func TestSamples(t *testing.T) {
	dir := t.TempDir()
	a, b := rowsFile(t, dir, "a.jsonl", 100, 0), rowsFile(t, dir, "b.jsonl", 10, 1000)
	c1 := rowsFile(t, dir, "c.jsonl", 1, 2000)
	both := []Spec{{a, []string{a}, 0}, {b, []string{b}, 0}}
	for name, c := range map[string]struct {
		mix         Mix
		train, held int
		skipped     int
		note        string
	}{
		"all":              {Mix{Train: both}, 110, 0, 0, ""},
		"train":            {Mix{Train: both, TrainSample: 30}, 30, 0, 80, ""},
		"train and val":    {Mix{Train: both, TrainSample: 30, ValSample: 7}, 30, 7, 73, ""},
		"val alone":        {Mix{Train: both, ValSample: 7}, 103, 7, 0, ""},
		"more than all":    {Mix{Train: both, TrainSample: 200, ValSample: 10}, 100, 10, 0, "only 100"},
		"ratio":            {Mix{Train: both, SplitRatio: 0.1}, 99, 11, 0, ""},
		"ratio and val":    {Mix{Train: both, SplitRatio: 0.1, ValSample: 4}, 99, 4, 7, ""},
		"ratio holds less": {Mix{Train: both, SplitRatio: 0.1, ValSample: 40}, 99, 11, 0, "only 11"},
		"ratio and train":  {Mix{Train: both, SplitRatio: 0.1, TrainSample: 20}, 20, 11, 79, ""},
		"most are held":    {Mix{Train: both[1:], SplitRatio: 0.99, ValSample: 4, TrainSample: 16}, 1, 4, 5, "only 1"},
		"one row":          {Mix{Train: []Spec{{c1, []string{c1}, 0}}, SplitRatio: 0.5, ValSample: 4, TrainSample: 16}, 1, 0, 0, "only 1"},
		"a file's own":     {Mix{Train: []Spec{{a, []string{a}, 25}, {b, []string{b}, 0}}}, 35, 0, 75, ""},
		"a file repeated":  {Mix{Train: []Spec{{b, []string{b}, 25}}}, 25, 0, 0, ""},
		"repeated, held":   {Mix{Train: []Spec{{b, []string{b}, 40}}, ValSample: 3}, 28, 3, 0, ""},
		"of two files":     {Mix{Train: []Spec{{"both", []string{a, b}, 50}}}, 50, 0, 60, ""},
		"val file":         {Mix{Train: []Spec{{a, []string{a}, 0}}, Val: []Spec{{b, []string{b}, 0}}}, 100, 10, 0, ""},
		"val file's own":   {Mix{Train: []Spec{{a, []string{a}, 0}}, Val: []Spec{{b, []string{b}, 0}}, ValSample: 4}, 100, 4, 6, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.mix.Seed = 7
			sets := load(t, c.mix, Options{})
			if len(first(sets.Train)) != c.train || len(first(sets.Held)) != c.held || sets.Stats.Skipped != c.skipped {
				t.Errorf("%d train, %d held out, %d left out; want %d, %d, %d", len(first(sets.Train)), len(first(sets.Held)), sets.Stats.Skipped, c.train, c.held, c.skipped)
			}
			disjoint(t, sets)
			if notes := strings.Join(sets.Notes, "\n"); !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("notes %q, want %q in them", notes, c.note)
			}
			again := load(t, c.mix, Options{})
			if !slices.Equal(first(again.Train), first(sets.Train)) || !slices.Equal(first(again.Held), first(sets.Held)) {
				t.Error("the same seed gives other rows")
			}
			c.mix.Seed = 8
			if other := load(t, c.mix, Options{}); sets.Stats.Skipped > 0 && slices.Equal(first(other.Train), first(sets.Train)) && slices.Equal(first(other.Held), first(sets.Held)) {
				t.Error("another seed gives the same rows")
			}
		})
	}
	// Rows that a sample takes more often come in rounds, each of them in the file's order.
	ids := first(load(t, Mix{Train: []Spec{{b, []string{b}, 25}}, Seed: 1}, Options{}).Train)
	if !slices.Equal(ids[:10], ids[10:20]) || !slices.IsSorted(ids[:10]) || !slices.IsSorted(ids[20:]) {
		t.Errorf("repeated: %v", ids)
	}
	// The rows that train do not hang on which are held out of them.
	for _, m := range []Mix{{Train: both, ValSample: 110}, {Train: both, SplitRatio: 0.99, ValSample: 3, TrainSample: -1}, {Train: both, SplitRatio: 1},
		{Train: []Spec{{"x", []string{filepath.Join(dir, "none")}, 3}}}, {Train: both, InterleaveProb: []float64{1}}, {Train: both, InterleaveProb: []float64{1, 0}}} {
		if _, err := m.Load(t.Context(), Options{}); err == nil {
			t.Errorf("%+v is accepted", m)
		}
	}
	same := load(t, Mix{Train: both, Val: both[:1]}, Options{})
	if notes := strings.Join(same.Notes, ""); !strings.Contains(notes, "trained on and held out") {
		t.Errorf("a file on both sides: %q", notes)
	}
	// A row that no sample takes is not looked at, one that it takes is.
	broken := filepath.Join(dir, "broken.jsonl")
	os.WriteFile(broken, []byte("{\"input_ids\":[1]}\n{\"input_ids\":[x]}\n"), 0o666)
	wrong := 0
	for seed := range uint64(20) {
		if _, err := (Mix{Train: []Spec{{broken, []string{broken}, 1}}, Seed: seed}).Load(t.Context(), Options{}); err != nil {
			wrong++
		}
	}
	if wrong == 0 || wrong == 20 {
		t.Errorf("one row of two, one of which is broken: %d of 20 draws fail", wrong)
	}
}

func TestSplitKeepsPiecesTogether(t *testing.T) {
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, "{\"input_ids\":[%d,%d,%d,%d,%d]}\n", i, i, i, i, i)
	}
	set, err := read("f", b.String(), Options{MaxLength: 2, Truncation: "split"})
	if err != nil {
		t.Fatal(err)
	}
	train, held, err := Split(set, 0.2, 3)
	if err != nil || len(held.Examples) != 30 || len(train.Examples) != 120 {
		t.Fatalf("%d held, %d train, %v; want 10 and 40 rows of three pieces", len(held.Examples), len(train.Examples), err)
	}
	disjoint(t, &Sets{Train: train, Held: held})
}

func TestInterleave(t *testing.T) {
	dir := t.TempDir()
	a, b := rowsFile(t, dir, "a.jsonl", 1000, 0), rowsFile(t, dir, "b.jsonl", 100, 10000)
	mix := Mix{Train: []Spec{{a, []string{a}, 0}, {b, []string{b}, 0}}, InterleaveProb: []float64{3, 1}, Seed: 5}
	count := func(ids []int) (fromA, fromB int) {
		for _, id := range ids {
			if id > 10000 {
				fromB++
			} else {
				fromA++
			}
		}
		return fromA, fromB
	}
	sets := load(t, mix, Options{})
	ids := first(sets.Train)
	fromA, fromB := count(ids)
	// b ends after 100 rows, by when a has given about 300; 5 standard deviations of sqrt(100·0.75)/0.25.
	if fromB != 100 || fromA < 130 || fromA > 470 || ids[len(ids)-1] <= 10000 {
		t.Errorf("%d of a, %d of b, the last %d", fromA, fromB, ids[len(ids)-1])
	}
	var onlyA []int
	for _, id := range ids {
		if id < 10000 {
			onlyA = append(onlyA, id)
		}
	}
	if !slices.IsSorted(onlyA) || onlyA[0] != 1 {
		t.Error("without shuffling the rows of a do not come in their order")
	}
	if notes := strings.Join(sets.Notes, ""); !strings.Contains(notes, fmt.Sprintf("%d from %s (which has 1000), 100 from", fromA, a)) {
		t.Errorf("notes %q", notes)
	}
	if again := first(load(t, mix, Options{}).Train); !slices.Equal(again, ids) {
		t.Error("the same seed gives another order")
	}
	mix.Shuffle = true
	shuffled := first(load(t, mix, Options{}).Train)
	if a2, b2 := count(shuffled); a2 != fromA || b2 != fromB || slices.Max(shuffled[:50]) == 0 || slices.Equal(shuffled, ids) {
		t.Errorf("shuffled: %d of a, %d of b", a2, b2)
	}
	mix.Shuffle, mix.AllExhausted = false, true
	all := first(load(t, mix, Options{}).Train)
	if fromA, fromB := count(all); fromA != 1000 || fromB < 200 {
		t.Errorf("until all have ended: %d of a, %d of b", fromA, fromB)
	}
	mix.InterleaveProb = []float64{1, 1e-12}
	if _, err := mix.Load(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "first_exhausted") {
		t.Errorf("a hopeless probability: %v", err)
	}
}

func TestTruncation(t *testing.T) {
	content := `{"input_ids":[1,2,3,4,5]}
{"input_ids":[1,2],"labels":[1,-100]}
{"input_ids":[1,2,3],"labels":[-100,-100,3]}`
	for strategy, c := range map[string]struct {
		rows  string
		stats Stats
	}{
		"delete": {"[1 2]", Stats{Rows: 3, Kept: 1, Dropped: 2, Unsupervised: 1, Tokens: 2}},
		"right":  {"[1 2] [1 2] [1 2]", Stats{Rows: 3, Kept: 3, Truncated: 2, Unsupervised: 2, Tokens: 6, SupervisedTokens: 1}},
		"left":   {"[4 5] [1 2] [2 3]", Stats{Rows: 3, Kept: 3, Truncated: 2, Unsupervised: 1, Tokens: 6, SupervisedTokens: 2}},
		"split":  {"[1 2] [3 4] [5] [1 2] [1 2] [3]", Stats{Rows: 3, Kept: 3, Pieces: 3, Unsupervised: 4, Tokens: 10, SupervisedTokens: 2}},
	} {
		set, err := read("f", content, Options{MaxLength: 2, Truncation: strategy})
		if err != nil {
			t.Fatal(err)
		}
		var rows []string
		for _, e := range set.Examples {
			rows = append(rows, fmt.Sprint(e.IDs))
			if len(e.IDs) != len(e.Labels) {
				t.Errorf("%s: %v has the labels %v", strategy, e.IDs, e.Labels)
			}
		}
		s := set.Stats
		if s.UnsupervisedRows = nil; strings.Join(rows, " ") != c.rows || fmt.Sprint(s) != fmt.Sprint(c.stats) {
			t.Errorf("%s: %v, %+v; want %s, %+v", strategy, rows, s, c.rows, c.stats)
		}
	}
}

// What is read does not hang on the number of processors, and comes in order.
func TestInOrder(t *testing.T) {
	tok := testTokenizer(t)
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "{\"text\":\"story %d %s\"}\n", i, strings.Repeat("x", i%97))
	}
	var want []Example
	for _, n := range []int{1, 4} {
		before := runtime.GOMAXPROCS(n)
		set, err := read("f", b.String(), Options{Tokenizer: tok})
		_, broken := read("f", b.String()+"{\"text\":7}\n{\"text\":x}\n", Options{Tokenizer: tok})
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		if broken == nil || !strings.Contains(broken.Error(), "row 3001") {
			t.Errorf("%d processors: error %v, want the first one, of row 3001", n, broken)
		}
		if want == nil {
			want = set.Examples
		}
		for i, e := range set.Examples {
			if e.Row != i+1 || !slices.Equal(e.IDs, want[i].IDs) {
				t.Fatalf("%d processors: example %d is row %d", n, i, e.Row)
			}
		}
	}
}

// endless gives rows for ever, and ends the context after some.
type endless struct {
	row    string
	n      int
	cancel context.CancelFunc
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n++; e.n == 100 {
		e.cancel()
	}
	k := 0
	for k+len(e.row) <= len(p) {
		k += copy(p[k:], e.row)
	}
	return k, nil
}

func TestCancel(t *testing.T) {
	for _, name := range []string{"f.jsonl", "f.txt"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := LoadFrom(ctx, []Source{{name, &endless{"{\"text\":\"a story\"}\n", 0, cancel}}}, Options{Tokenizer: testTokenizer(t), MaxLength: 64})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want that of the context", name, err)
		}
	}
}

func TestProgress(t *testing.T) {
	dir := t.TempDir()
	a := rowsFile(t, dir, "a.jsonl", 5000, 0)
	info, _ := os.Stat(a)
	var seen []Progress
	load(t, Mix{Train: []Spec{{a, []string{a}, 0}}}, Options{Progress: func(p Progress) { seen = append(seen, p) }})
	for i, p := range seen {
		if p.File != a || p.Total != info.Size() || p.Done <= 0 || p.Done > p.Total || p.Rows <= 0 || i > 0 && p.Done <= seen[i-1].Done {
			t.Errorf("progress %+v of %d bytes", p, info.Size())
		}
	}
	if len(seen) == 0 {
		t.Error("no progress is told of")
	}
}

func TestFindings(t *testing.T) {
	tok := testTokenizer(t)
	begin, end := tok.BOS, tok.EOS
	rows := fmt.Sprintf(`{"input_ids":[%[1]d,%[1]d,5,6,%[2]d]}
{"input_ids":[%[1]d,5,6,7],"labels":[-100,-100,6,7]}
{"input_ids":[%[1]d,5,6,%[2]d,7],"labels":[-100,5,-100,%[2]d,-100]}
{"input_ids":[%[1]d,5,%[2]d,6,7],"labels":[-100,5,%[2]d,6,-100]}`, begin, end)
	set, err := read("f", rows, Options{Tokenizer: tok})
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(set.Notes, "\n")
	for _, want := range []string{"1 rows begin with the begin token twice; the model will see both: f row 1", "2 rows have an answer without an end token behind it, so the model does not learn there when to stop: f row 2, 3"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes %q lack %q", notes, want)
		}
	}
	set, err = read("f", `{"query":"Tell","response":"Once"}`, Options{Tokenizer: tok})
	if err != nil || len(set.Notes) > 0 {
		t.Errorf("an ordinary row: notes %q, %v", set.Notes, err)
	}
	set, err = read("f", "{\"query\":\"Tell\",\"response\":\"Once\"}\n{\"query\":\"Tell\",\"response\":\" \"}", Options{Tokenizer: tok})
	if err != nil || len(set.Notes) != 1 || set.Notes[0] != "1 rows have an empty answer, which teaches to say nothing: f row 2" {
		t.Errorf("an empty answer: notes %q, %v", set.Notes, err)
	}
	if got := Few([]string{"a row 1", "a row 2", "b c row 3", "b c row 9"}, 6); got != "a row 1, 2; b c row 3, 9 and 2 more" {
		t.Errorf("few: %q", got)
	}
	set, err = read("f", "{\"text\":\"x\"}\n{\"text\":\"y\",\"id\":3,\"source\":\"z\"}\n{\"text\":\"y\",\"id\":4}", Options{Tokenizer: tok})
	if err != nil || len(set.Notes) != 1 || !strings.Contains(set.Notes[0], `f: rows are read as text; left out: "id", "source"`) {
		t.Errorf("companions: notes %q, %v", set.Notes, err)
	}
}

func TestParseSpec(t *testing.T) {
	dir := t.TempDir()
	odd := rowsFile(t, dir, "odd#3", 1, 0)
	for in, want := range map[string]string{"a.json": "a.json 0", "a.json#500": "a.json 500", odd: odd + " 0", odd + "#2": odd + " 2", "org/name#7": "org/name 7"} {
		name, n, err := ParseSpec(in)
		if got := fmt.Sprint(name, " ", n); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"a.json#", "a.json#0", "a.json#-1", "a.json#x", "#5", "a#99999999999"} {
		if name, n, err := ParseSpec(in); err == nil {
			t.Errorf("%s is read as %s, %d", in, name, n)
		}
	}
}

func TestRuns(t *testing.T) {
	tok := testTokenizer(t)
	set, err := read("f", `{"messages":[{"role":"user","content":"讲"},{"role":"assistant","content":"从前"}]}`, Options{Tokenizer: tok})
	if err != nil {
		t.Fatal(err)
	}
	runs := set.Examples[0].Runs(tok)
	if len(runs) != 2 || runs[0].Learnt || !runs[1].Learnt || !strings.Contains(runs[0].Text, "讲") || runs[1].Text != " 从前</s>" {
		t.Errorf("runs %+v", runs)
	}
	// A row that is cut inside a character shows all before it.
	long := tok.EncodeText("story 鬱")
	e := Example{IDs: long[:len(long)-1], Labels: long[:len(long)-1]}
	text := ""
	for _, r := range e.Runs(tok) {
		text += r.Text
	}
	if !strings.HasSuffix(text, "story \uFFFD\uFFFD") {
		t.Errorf("cut inside a character: %q", text)
	}
	if runs := e.Runs(nil); !runs[0].Unknown || runs[0].Tokens+runs[1].Tokens != len(e.IDs) {
		t.Errorf("without a tokenizer: %+v", runs)
	}
}
