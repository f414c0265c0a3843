package world

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"hone/core/chat"
)

const seed = 1

// corpus is as many stories as the bundled model has read.
var corpus = sync.OnceValue(func() []string { return Stories(seed, 40000) })

var told = sync.OnceValue(func() string { return strings.Join(corpus(), "\n\n") })

func TestStoriesFollowFromTheSeed(t *testing.T) {
	if !slices.Equal(Stories(seed, 300), corpus()[:300]) {
		t.Error("the first 300 of many stories are not those of 300")
	}
	if same := Stories(seed+1, 300); slices.Equal(corpus()[:300], same) {
		t.Error("another seed gives the same stories")
	}
	qa, ha := Questions(seed, HeldOut)
	qb, hb := Questions(seed, HeldOut)
	if !slices.Equal(qa, qb) || !slices.Equal(ha, hb) {
		t.Error("the questions differ from one call to the next")
	}
}

func TestBeingsDiffer(t *testing.T) {
	list := Beings()
	seen := map[[4]int]int{}
	for _, b := range list {
		if b.Friend == b.Name || list[b.Friend].Friend != b.Name {
			t.Errorf("the best friend of %d is %d, whose own is %d", b.Name, b.Friend, list[b.Friend].Friend)
		}
		// What is known of one trait must not tell another one.
		traits := []int{b.Kind, b.Colour, b.Home, b.Food, b.Pastime}
		for i, one := range traits {
			for j, two := range traits[i+1:] {
				pair := [4]int{i, one, i + 1 + j, two}
				if other, ok := seen[pair]; ok {
					t.Errorf("%d and %d share %v", b.Name, other, pair)
				}
				seen[pair] = b.Name
			}
		}
	}
}

// What a place has, another one has too, which stands in another fold: no word is only to be found in what is held out.
func TestPlacesComeInPairs(t *testing.T) {
	both := map[[2]int]bool{}
	for i := range 10 {
		for _, at := range []func(int) int{weatherAt, thingAt} {
			twins := 0
			for j := range 10 {
				if j != i && at(i) == at(j) && i%Folds != j%Folds {
					twins++
				}
			}
			if twins != 1 {
				t.Errorf("place %d shares something with %d places of other folds; expected 1", i, twins)
			}
		}
		pair := [2]int{weatherAt(i), thingAt(i)}
		if both[pair] {
			t.Errorf("two places share %v", pair)
		}
		both[pair] = true
	}
}

func TestHeldOutQuestionsAreNew(t *testing.T) {
	for fold := range Folds {
		train, held := Questions(seed, fold)
		if len(train) < 2000 || len(train) > 4000 || len(held) < 600 || len(held) > 900 {
			t.Fatalf("%d questions to train on, %d held out", len(train), len(held))
		}
		prompts, answers := map[string]bool{}, map[string]bool{}
		type cell struct {
			task     string
			language Language
		}
		cells := map[cell][2]int{}
		for _, q := range train {
			if prompts[q.Prompt()] {
				t.Errorf("%q is asked twice", q.Prompt())
			}
			prompts[q.Prompt()], answers[q.Output] = true, true
			n := cells[cell{q.Task, q.Language}]
			cells[cell{q.Task, q.Language}] = [2]int{n[0] + 1, n[1]}
		}
		for _, q := range held {
			n := cells[cell{q.Task, q.Language}]
			cells[cell{q.Task, q.Language}] = [2]int{n[0], n[1] + 1}
			if prompts[q.Prompt()] {
				t.Errorf("the held-out %q stands among the instructions or twice", q.Prompt())
			}
			prompts[q.Prompt()] = true
			if q.Task != "sentiment" && q.Topic != "sums" && answers[q.Output] {
				t.Errorf("the held-out answer %q is also taught", q.Output)
			}
			asked := q.Input
			if asked == "" {
				asked = q.Instruction
			}
			if fold == HeldOut && strings.Contains(told(), asked) {
				t.Errorf("a story says %q", asked)
			}
			if !q.Answered(" "+q.Output+"\n") || q.Answered(q.Output+" And more.") {
				t.Errorf("Answered does not know %q", q.Output)
			}
		}
		if len(cells) != len(Tasks)*len(Languages) {
			t.Errorf("the questions are of %v", cells)
		}
		for c, n := range cells {
			if share := float64(n[1]) / float64(n[0]+n[1]); share < 0.15 || share > 0.25 || n[1] < 80 {
				t.Errorf("of %v, %d are taught and %d held out", c, n[0], n[1])
			}
		}
	}
}

// What is judged in a held-out sentence is judged with a word that no taught sentence has.
func TestHeldOutWordsAreNotTaught(t *testing.T) {
	train, held := Questions(seed, HeldOut)
	var taught strings.Builder
	for _, q := range train {
		taught.WriteString(q.Input + "\n")
	}
	for _, q := range held {
		if q.Task != "sentiment" {
			continue
		}
		if word, _ := judged(q); word == "" || containsWord(taught.String(), word) {
			t.Errorf("%q: the word %q is taught", q.Input, word)
		}
	}
}

// judged is the word by which a sentence judges, and the side that it stands on.
func judged(q Question) (string, int) {
	for _, g := range tongues[q.Language].groups {
		for side, words := range g.words {
			for _, w := range words {
				for _, thing := range g.things {
					if strings.Contains(q.Input, thing) && containsWord(q.Input, w) {
						return w, side
					}
				}
			}
		}
	}
	return "", 0
}

// containsWord finds a word that is not part of a longer one of the Latin alphabet.
func containsWord(text, word string) bool {
	if word[0] >= 0x80 {
		return strings.Contains(text, word)
	}
	return slices.Contains(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) }), word)
}

// The stories say every answer: facts in their own words, and for the rest what it is put together from.
func TestAnswersFollowFromTheStories(t *testing.T) {
	train, held := Questions(seed, HeldOut)
	count := map[string]int{}
	says := func(q Question, text string, enough int) {
		n, ok := count[text]
		if !ok {
			n = strings.Count(told(), text)
			count[text] = n
		}
		if n < enough {
			t.Errorf("%s %q: the stories say %q %d times; expected at least %d, or a model does not learn it", q.Topic, q.Prompt(), text, n, enough)
		}
	}
	for _, q := range append(train, held...) {
		w := tongues[q.Language]
		switch {
		case q.Topic == "sums":
			checkSum(t, q)
		case q.Topic == "needs":
			found := false
			for _, n := range w.needs {
				if strings.Contains(strings.ToLower(q.Instruction), n[0]) && strings.Contains(q.Output, n[1]) {
					found = true
					says(q, strings.NewReplacer("STATE", n[0], "THING", n[1]).Replace(w.rules[0]), 25)
				}
			}
			if !found {
				t.Errorf("%q is answered %q, which nothing in it calls for", q.Instruction, q.Output)
			}
		case q.Task == "world":
			says(q, q.Output, 70)
		case q.Task == "sentiment":
			word, side := judged(q)
			if q.Output != w.labels[side] {
				t.Errorf("%q is answered %q, the word is %q", q.Input, q.Output, word)
			}
			says(q, strings.NewReplacer("WORD", word, "LABEL", w.labels[side]).Replace(w.wordLines[0]), 10)
		case q.Task == "doctor":
			checkAdvice(t, q, says)
		}
	}
}

// checkSum adds the numbers that it finds in a question.
func checkSum(t *testing.T, q Question) {
	t.Helper()
	w, total := tongues[q.Language], 0
	words := strings.FieldsFunc(q.Instruction, func(r rune) bool { return !unicode.IsLetter(r) })
	if q.Language == Chinese {
		before, _, _ := strings.Cut(q.Instruction, "。") // the question itself has a 一 in it
		words = strings.Split(strings.ReplaceAll(before, "两", "二"), "")
	}
	for _, word := range words {
		total += slices.Index(w.numbers, word) + 1
	}
	found := ""
	for n := 2; n <= 2*addends; n++ {
		for _, item := range w.items {
			if strings.Contains(q.Output, w.gap+w.counted(n, item)+string([]rune(w.sum.statement)[len([]rune(w.sum.statement))-1])) || strings.Contains(q.Output, "有"+w.counted(n, item)) {
				found = w.numbers[n-1]
			}
		}
	}
	if total < 2 || total > 2*addends || found != w.numbers[total-1] {
		t.Errorf("%q is answered %q; expected %d", q.Instruction, q.Output, total)
	}
}

// checkAdvice looks for the advice to every complaint in a question, in their order.
func checkAdvice(t *testing.T, q Question, says func(Question, string, int)) {
	t.Helper()
	w, n := tongues[q.Language], 0
	for _, c := range w.complaints {
		at := strings.Index(q.Instruction, strings.TrimPrefix(c.i, "我"))
		if at < 0 {
			continue
		}
		n++
		says(q, strings.NewReplacer("YOU", c.you, "DO", c.do).Replace(w.ifSick[0]), 25)
		if answer := strings.Index(q.Output, c.do); answer < 0 {
			t.Errorf("%q is answered %q; expected %q in it", q.Instruction, q.Output, c.do)
		}
	}
	if want := map[string]int{"one": 1, "two": 2}[q.Topic]; n != want {
		t.Errorf("%q has %d complaints; expected %d", q.Instruction, n, want)
	}
}

// A word that the model has never read is noise to it: everything that is asked or answered stands in the stories.
func TestStoriesHaveEveryWord(t *testing.T) {
	split := func(s string) []string {
		var list []string
		for _, w := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }) {
			if w[0] < 0x80 {
				list = append(list, w)
			} else {
				list = append(list, strings.Split(w, "")...)
			}
		}
		return list
	}
	count := map[string]int{}
	for _, s := range corpus() {
		for _, w := range split(s) {
			count[w]++
		}
	}
	train, held := Questions(seed, HeldOut)
	for _, q := range append(train, held...) {
		for _, w := range split(q.Prompt() + " " + q.Output) {
			if count[w] < 50 {
				t.Errorf("%q has the word %q, which stands %d times in the stories", q.Prompt(), w, count[w])
			}
		}
	}
	if len(count) > 1100 {
		t.Errorf("%d words and characters; a vocabulary of 1,920 tokens has no room for more than 1,100", len(count))
	}
}

func TestPromptIsAlpacas(t *testing.T) {
	train, _ := Questions(seed, HeldOut)
	inputs := 0
	for _, q := range train {
		m := chat.Alpaca(q.Instruction, q.Input, q.Output)
		if q.Prompt() != m[0].Content || q.Output != m[1].Content {
			t.Fatalf("%+v is asked as %q", q, q.Prompt())
		}
		if q.Input != "" {
			inputs++
		}
	}
	if inputs == 0 {
		t.Error("no row uses the input column")
	}
}
