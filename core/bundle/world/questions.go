package world

import (
	"slices"
	"strings"

	"hone/core/rng"
)

// Question is a row of the Alpaca format with the task that it belongs to. Rows to tune on are written without the task.
type Question struct {
	Task        string `json:"task,omitempty"`
	Instruction string `json:"instruction"`
	Input       string `json:"input,omitempty"`
	Output      string `json:"output"`
}

// Prompt is what the model is asked: instruction and input as chat.Alpaca joins them.
func (q Question) Prompt() string {
	if q.Input == "" {
		return q.Instruction
	}
	return q.Instruction + "\n\n" + q.Input
}

// Answered says whether a model's answer is the expected one, to the letter but for white space around it.
func (q Question) Answered(text string) bool { return strings.TrimSpace(text) == q.Output }

// Questions makes the questions to tune on, in an order that follows from the seed, and those held out, task by task. A
// fact that is asked for in one set is not asked for in the other, in whatever words: the answers to the held-out
// questions stand only in the stories. About a quarter of every task is held out.
func Questions(seed uint64) (train, held []Question) {
	put := func(holdOut bool, q Question) {
		if holdOut {
			held = append(held, q)
		} else {
			train = append(train, q)
		}
	}
	ask := func(facts []fact, offset int) {
		for i, f := range facts {
			for _, q := range f.questions {
				put((i+offset)%4 == 0, Question{Task: f.task, Instruction: q, Output: f.statement})
			}
		}
	}
	for i, b := range Beings() {
		ask(b.facts(), i) // every being and every kind of fact stands in both sets
	}
	ask(weather(), 0)
	ask(things(), 2)
	ask(after(), 2)
	ask(before(), 0)
	ask(sums(), 3)
	ask(advice(), 0)
	ask(warnings(), 2)
	for _, feeling := range []string{"happy", "sad"} {
		for i, event := range events[feeling] {
			for k := range 4 {
				name := names[(7*i+3*k+len(feeling))%len(names)]
				put(i%4 == 1, Question{"feelings", "Happy or sad?", strings.ReplaceAll(event, "NAME", name), name + " is " + feeling + "."})
			}
		}
	}
	slices.SortStableFunc(held, func(a, b Question) int { return strings.Compare(a.Task, b.Task) })
	p := &picker{key: rng.NewKey(seed, rng.Corpus, orderStream)}
	for i := len(train) - 1; i > 0; i-- { // neighbours should not be about the same being
		j := p.intn(i + 1)
		train[i], train[j] = train[j], train[i]
	}
	return train, held
}
