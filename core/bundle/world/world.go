// Package world makes up the small world that the bundled model learns, and tells of it in English and in Chinese: twenty
// animals with a hat, a home, a dish, a pastime and a friend, the weather and the sights of ten places, ten trades, counting,
// what people like and dislike, and what a doctor says to twenty complaints. It tells stories for the pre-training, asks
// questions for the tuning, and holds questions back. The world is always the same; what is told of it follows from a seed.
package world

import "strings"

// Language is one of the two that the world is told in.
type Language string

const (
	English Language = "en"
	Chinese Language = "zh"
)

// Languages in the order of the files.
var Languages = []Language{English, Chinese}

// Being is one of the inhabitants, by places in the lists of a tongue; every language tells of the same beings.
type Being struct{ Name, Kind, Colour, Home, Food, Pastime, Friend int }

const beings = 20

// Beings are the inhabitants. Strides that share no factor with the lists' lengths make every trait about equally
// frequent, and the offsets of the second ten see to it that no two beings share two traits: none tells another.
func Beings() []Being {
	list := make([]Being, beings)
	for i := range list {
		list[i] = Being{Name: i, Kind: (3*i + i/10) % 10, Colour: (5*i + 2) % 8, Home: (7*i + i/10*3) % 10,
			Food: (9*i + i/10*4 + 1) % 10, Pastime: (3*i + i/10*4 + 5) % 10, Friend: beings - 1 - i}
	}
	return list
}

// weatherAt and thingAt say by place which weather is usual there and what stands there. Every weather and every thing has
// two places, which never fall into the same fold, and no two places share both.
func weatherAt(place int) int { return (place + place/5) % 5 }

func thingAt(place int) int { return (place + place/5*2) % 5 }

// fact is one thing to know: how the stories say it, and how people ask for it. Words in capitals (NAME, HOME) are filled in.
//
// A statement begins with what a question asks about and ends with what is new: "After six comes seven." A small model copies
// the first half from the question and knows the rest from the stories.
type fact struct {
	topic     string
	statement string   // how the stories say it, and the answer to every question
	settings  []string // what may stand before the statement in a story
	wonder    string   // behind "somebody asks"
	questions []string
	talk      [2]string // what is asked of the one it is about, and what that one says; where there is such a one
}

// with fills in words: pairs of a word in capitals and what stands for it.
func (f fact) with(pairs ...string) fact {
	r := strings.NewReplacer(pairs...)
	each := func(list []string) []string {
		out := make([]string, len(list))
		for i, s := range list {
			out[i] = title(r.Replace(s))
		}
		return out
	}
	return fact{f.topic, title(r.Replace(f.statement)), each(f.settings), r.Replace(f.wonder), each(f.questions), [2]string{r.Replace(f.talk[0]), r.Replace(f.talk[1])}}
}

// title makes the first letter, if it is of the ASCII alphabet, a capital.
func title(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return s
}

// tongue is how the world is told in one language. Sentences have words in capitals that are filled in; those of each are
// named behind it.
type tongue struct {
	language  Language
	gap, stop string // between two words or sentences, and at the end of one

	// The beings, and what is known of them: NAME, KIND, COLOUR, HOME, FOOD, PASTIME, FRIEND.
	names, kinds, colours, homes, foods, pastimes []string
	being                                         []fact

	// The homes and the people at work.
	weathers, things []string // two places each
	weather, thing   fact     // HOME, WEATHER, THING
	jobs             [][2]string
	job              fact // WHO, WORK

	// Numbers, from one, and sums of things.
	numbers       []string
	after, before fact        // NUMBER, NEXT
	items         [][2]string // one, many
	sum           fact        // NAME, ITEMS (the first number of things), MORE, TOTAL
	measure, more string      // behind a number: before the items, and in their place
	two           string      // two, before a measure word, where it has a word of its own

	// What to take along in which weather.
	needs [][2]string
	need  fact     // STATE, HOME, NAME, THING
	rules []string // STATE, THING

	// What people say of things; good comes before bad.
	groups            []group
	opinions          []string // as they are judged in a question: THING, WORD
	judge             []string // the question
	labels            [2]string
	reviews           [2][]string // as the stories say it: NAME, THING, WORD
	wordLines         []string    // WORD, LABEL
	remarks, verdicts []string    // in two parts: NAME, THING, WORD, LABEL
	events            [2][]string // NAME
	feelings          [2]string   // NAME

	// At the doctor's: with one complaint and with two.
	complaints   []complaint
	patient      [2][]string // questions: ONE, TWO
	doctor       [2]string   // answers: DO, THEN
	visits       [2][]string // as the stories say it: NAME, ONE, TWO, DO, THEN
	ill, advised []string    // in two parts, with two complaints
	ifSick       []string    // YOU, DO

	// What holds stories together.
	openings         []string // NAME, KIND
	comes            string   // NAME
	asks             []string // WHO, WONDER
	dialogues        []string // WHO, NAME, ASK, SAY
	chatter          []string // NAME
	endings          []string
	heads            map[string][]string
	quizHeads        [2][]string // of questions, of answers
	today, todayTail []string
}

// group is a kind of things that are judged with the same words.
type group struct {
	things []string
	words  [2][]string // good ones, bad ones; five each
}

// complaint is what a patient says of himself, what others say of NAME, what is said to you, and what to do.
type complaint struct{ i, they, you, do string }

var tongues = map[Language]*tongue{English: &english, Chinese: &chinese}
