package world

import (
	"slices"
	"strings"
	"testing"

	"hone/core/chat"
)

const seed = 1

func TestStoriesFollowFromTheSeed(t *testing.T) {
	a, b := Stories(seed, 300), Stories(seed, 600)
	if !slices.Equal(a, b[:300]) {
		t.Error("the first 300 of 600 stories are not those of 300")
	}
	if same := Stories(seed+1, 300); slices.Equal(a, same) {
		t.Error("another seed gives the same stories")
	}
	qa, ha := Questions(seed)
	qb, hb := Questions(seed)
	if !slices.Equal(qa, qb) || !slices.Equal(ha, hb) {
		t.Error("the questions differ from one call to the next")
	}
}

func TestBeingsDiffer(t *testing.T) {
	seen := map[[2]string]string{}
	for _, b := range Beings() {
		if b.Friend == b.Name || !slices.Contains(names, b.Friend) {
			t.Errorf("the friend of %s is %q", b.Name, b.Friend)
		}
		// What is known of one trait must not tell another one.
		traits := []string{b.Kind, b.Colour, b.Home, b.Food, b.Pastime}
		for i, one := range traits {
			for _, two := range traits[i+1:] {
				pair := [2]string{one, two}
				if other, ok := seen[pair]; ok {
					t.Errorf("%s and %s share %v", b.Name, other, pair)
				}
				seen[pair] = b.Name
			}
		}
	}
}

func TestHeldOutQuestionsAreNew(t *testing.T) {
	train, held := Questions(seed)
	if len(train) < 350 || len(held) < 100 || len(held) > len(train)/2 {
		t.Fatalf("%d questions to train on, %d held out", len(train), len(held))
	}
	prompts, answers := map[string]bool{}, map[string]bool{}
	tasks := map[string][2]int{}
	for _, q := range train {
		if prompts[q.Prompt()] {
			t.Errorf("%q is asked twice", q.Prompt())
		}
		prompts[q.Prompt()], answers[q.Output] = true, true
		n := tasks[q.Task]
		tasks[q.Task] = [2]int{n[0] + 1, n[1]}
	}
	stories := strings.Join(Stories(seed, 7000), "\n")
	for _, q := range held {
		n := tasks[q.Task]
		tasks[q.Task] = [2]int{n[0], n[1] + 1}
		if prompts[q.Prompt()] {
			t.Errorf("the held-out %q stands among the instructions or twice", q.Prompt())
		}
		prompts[q.Prompt()] = true
		if q.Task != "feelings" && answers[q.Output] {
			t.Errorf("the held-out answer %q is also taught", q.Output)
		}
		if strings.Contains(stories, q.Instruction) {
			t.Errorf("a story asks %q", q.Instruction)
		}
		if !q.Answered(" "+q.Output+"\n") || q.Answered(q.Output+" And more.") {
			t.Errorf("Answered does not know %q", q.Output)
		}
	}
	for task, n := range tasks {
		if share := float64(n[1]) / float64(n[0]+n[1]); share < 0.15 || share > 0.4 {
			t.Errorf("of the task %s, %d are taught and %d held out", task, n[0], n[1])
		}
	}
}

// The stories say every answer: a fact in its own words, a feeling right behind its event.
func TestAnswersStandInTheStories(t *testing.T) {
	stories := strings.Join(Stories(seed, 7000), "\n")
	train, held := Questions(seed)
	for _, q := range append(train, held...) {
		says, enough := q.Output, 20
		if q.Task == "feelings" { // the same event happens to others too
			says, enough = q.Input+" "+q.Output, 3
		}
		if n := strings.Count(stories, says); n < enough {
			t.Errorf("the stories say %q %d times; expected at least %d, or a model does not learn it", says, n, enough)
		}
	}
}

func TestPromptIsAlpacas(t *testing.T) {
	train, _ := Questions(seed)
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

func TestTheWorldIsSmall(t *testing.T) {
	words := map[string]bool{}
	for _, s := range Stories(seed, 7000) {
		for _, w := range strings.FieldsFunc(s, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') }) {
			words[w] = true
		}
	}
	if len(words) > 300 {
		t.Errorf("%d words; a vocabulary of 640 tokens has no room for more than 300", len(words))
	}
}
