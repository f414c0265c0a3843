package world

import (
	"slices"
	"strings"

	"hone/core/rng"
)

// Question is a row of the Alpaca format with the task, the topic within it and the language that it belongs to. Rows to
// tune on are written without these three.
type Question struct {
	Task        string   `json:"task,omitempty"`
	Topic       string   `json:"topic,omitempty"`
	Language    Language `json:"language,omitempty"`
	Instruction string   `json:"instruction"`
	Input       string   `json:"input,omitempty"`
	Output      string   `json:"output"`
}

// Tasks are the three that the model is tuned for.
var Tasks = []string{"world", "sentiment", "doctor"}

// Prompt is what the model is asked: instruction and input as chat.Alpaca joins them.
func (q Question) Prompt() string {
	if q.Input == "" {
		return q.Instruction
	}
	return q.Instruction + "\n\n" + q.Input
}

// Answered says whether a model's answer is the expected one, to the letter but for white space around it.
func (q Question) Answered(text string) bool { return strings.TrimSpace(text) == q.Output }

// Folds is how many parts the questions are cut into; one of them is held out.
const Folds = 5

// HeldOut is the fold that the bundle holds out. Its recipe was chosen on other ones.
const HeldOut = 0

// Questions makes the questions to tune on, in an order that follows from the seed, and those of the fold that is held out,
// task by task. What is asked for in one is never asked for in the other, in whatever words: the answer to a question about
// the world that is held out stands only in the stories, no word for a thing that is judged stands in both, and no two
// complaints are together in both.
func Questions(seed uint64, fold int) (train, held []Question) {
	for _, l := range Languages {
		a := asker{tongue: tongues[l], fold: fold}
		a.world()
		a.sentiment()
		a.patients()
		train, held = append(train, a.train...), append(held, a.held...)
	}
	slices.SortStableFunc(held, func(a, b Question) int {
		return slices.Index(Tasks, a.Task) - slices.Index(Tasks, b.Task)
	})
	p := &picker{key: rng.NewKey(seed, rng.Corpus, orderStream)}
	return some(p, train, len(train)), held // neighbours should not be about the same being
}

// asker collects the questions in one language.
type asker struct {
	*tongue
	fold        int
	train, held []Question
}

func (a *asker) put(part int, q Question) {
	q.Language = a.language
	if part%Folds == a.fold {
		a.held = append(a.held, q)
	} else {
		a.train = append(a.train, q)
	}
}

// ask puts a fact into a part, in all the words or in one way of asking.
func (a *asker) ask(part int, f fact, ways ...int) {
	for i, q := range f.questions {
		if len(ways) == 0 || slices.Contains(ways, i) {
			a.put(part, Question{Task: "world", Topic: f.topic, Instruction: q, Output: f.statement})
		}
	}
}

func (a *asker) world() {
	for i, b := range Beings() {
		for k, f := range a.facts(b) {
			a.ask(i+k, f) // every being and every kind of fact stands in both sets
		}
	}
	for offset, list := range [][]fact{a.skies(), a.works(), a.sights(), a.counts()} {
		for i, f := range list {
			a.ask(i+offset, f) // what is held out of a place is its weather or what stands there, never both
		}
	}
	for state := range a.needs {
		for home := range a.homes {
			a.ask(state+home, a.needOf(state, home, (3*state+7*home)%len(a.names)), (state+home/5)%2)
		}
	}
	for x := 1; x <= addends; x++ {
		for y := 1; y <= addends; y++ {
			for k := range 4 {
				a.ask(x+2*y, a.sumOf((5*x+3*y+7*k)%len(a.names), (x+3*y+2*k)%len(a.items), x, y), k%2)
			}
		}
	}
}

// sentiment judges every thing with every word of its group. A word is in one part, and so stands on one side only.
func (a *asker) sentiment() {
	for gi, g := range a.groups {
		for side, words := range g.words {
			for w, word := range words {
				for th, thing := range g.things {
					for k := range 2 {
						n := gi + 2*side + w + th + k
						a.put(w+gi+side, Question{Task: "sentiment", Topic: a.labels[side], Instruction: a.judge[(n+th)%len(a.judge)],
							Input: opinion(a.opinions[n%len(a.opinions)], thing, word), Output: a.labels[side]})
					}
				}
			}
		}
	}
}

// patients has every complaint by itself, asked in every way, and with every other one, asked in one.
func (a *asker) patients() {
	n := len(a.complaints)
	for i := range n {
		for _, q := range a.patient[0] {
			a.put(i, Question{Task: "doctor", Topic: "one", Instruction: a.complain(q, i, -1), Output: a.visit(a.doctor[0], 0, i, -1)})
		}
		for d := 1; d < n; d++ {
			j := (i + d) % n
			a.put(i+j, Question{Task: "doctor", Topic: "two", Instruction: a.complain(a.patient[1][(i+d)%3], i, j), Output: a.visit(a.doctor[1], 0, i, j)})
		}
	}
}
