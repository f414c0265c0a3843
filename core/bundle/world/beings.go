// Package world makes up the small world that the bundled model learns: twenty animals with a hat, a home, a dish, a
// pastime and a friend, the weather of ten places, some counting, feelings and advice. It tells stories for the
// pre-training, asks questions for the tuning, and holds questions back whose answers stand only in the stories. The
// world is always the same; what is told of it follows from a seed.
package world

import "strings"

// Being is one of the inhabitants.
type Being struct{ Name, Kind, Colour, Home, Food, Pastime, Friend string }

var (
	names    = strings.Fields("Tom Mia Ben Lily Max Anna Sam Lucy Leo Nina Bob Ella Jack Rosa Tim Kate Dan Amy Finn Zoe")
	kinds    = strings.Fields("cat dog fox bird rabbit bear duck horse mouse frog")
	colours  = strings.Fields("red blue green black white brown grey yellow")
	foods    = strings.Fields("fish apples bread carrots honey corn cheese berries cake soup")
	pastimes = strings.Fields("swim sing run sleep dance read jump paint climb cook")
	places   = []string{"in the barn", "in the forest", "in the garden", "in the park", "on the hill", "by the river", "on the farm", "in the castle", "at the beach", "by the lake"}
)

// Beings are the inhabitants. Strides that share no factor with the lists' lengths make every trait about equally
// frequent, and the offsets of the second ten see to it that no two beings share two traits: none tells another.
func Beings() []Being {
	list := make([]Being, len(names))
	for i := range names {
		list[i] = Being{Name: names[i], Kind: kinds[(3*i+i/10)%10], Colour: colours[(5*i+2)%8], Home: places[(7*i+i/10*3)%10],
			Food: foods[(9*i+i/10*4+1)%10], Pastime: pastimes[(3*i+i/10*4+5)%10], Friend: names[(i+7)%len(names)]}
	}
	return list
}

// fact is one thing to know: how the stories say it, and how people ask for it.
type fact struct {
	task      string
	statement string   // how the stories say it, and the answer to every question
	settings  []string // what may stand before the statement in a story; "" is always among them
	wonder    string   // behind "somebody asks"
	questions []string
}

var beingFacts = []fact{
	{"animal", "NAME is a KIND.", []string{"There is an animal called NAME.", "What a nice animal!"}, "what animal NAME is",
		[]string{"What animal is NAME?", "Which kind of animal is NAME?", "Tell me what animal NAME is."}},
	{"hat", "NAME has a COLOUR hat.", []string{"Look at NAME!", "NAME puts on a hat."}, "what colour the hat of NAME is",
		[]string{"What colour is the hat of NAME?", "Which hat does NAME have?", "Tell me the colour of the hat of NAME."}},
	{"home", "NAME lives HOME.", []string{"In the evening NAME goes home.", "The day is over."}, "where NAME lives",
		[]string{"Where does NAME live?", "Where is the home of NAME?", "Tell me where NAME lives."}},
	{"food", "NAME eats FOOD.", []string{"It is time for lunch.", "What a good food!"}, "what NAME eats",
		[]string{"What does NAME eat?", "Which food does NAME eat?", "Tell me what NAME eats."}},
	{"pastime", "NAME likes to PASTIME.", []string{"It is a free day.", "What can we do now?"}, "what NAME likes to do",
		[]string{"What does NAME like to do?", "What does NAME do on a free day?", "Tell me what NAME likes to do."}},
	{"friend", "NAME has a friend called FRIEND.", []string{"NAME is not alone.", "Who is with NAME?"}, "who the friend of NAME is",
		[]string{"Who is the friend of NAME?", "Which friend does NAME have?", "Tell me who the friend of NAME is."}},
}

// facts lists what there is to know of a being, in the order of beingFacts.
func (b Being) facts() []fact {
	fill := strings.NewReplacer("NAME", b.Name, "KIND", b.Kind, "COLOUR", b.Colour, "HOME", b.Home, "FOOD", b.Food, "PASTIME", b.Pastime, "FRIEND", b.Friend)
	list := make([]fact, len(beingFacts))
	for i, f := range beingFacts {
		list[i] = fact{f.task, fill.Replace(f.statement), []string{""}, fill.Replace(f.wonder), nil}
		for _, s := range f.settings {
			list[i].settings = append(list[i].settings, fill.Replace(s))
		}
		for _, q := range f.questions {
			list[i].questions = append(list[i].questions, fill.Replace(q))
		}
	}
	return list
}
