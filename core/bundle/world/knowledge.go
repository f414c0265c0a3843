package world

import "strings"

// The statements of this file begin with what a question asks about and end with what is new, as those of the beings do:
// "After six comes seven." A small model copies the first half from the question and knows the rest from the stories. For
// the same reason there are two facts about each place, number and need, which begin differently and of which at most one
// is held out: what never stands in a taught answer, tuning unlearns to write.

// weather lists what the sky does at every place.
func weather() []fact {
	words := strings.Fields("windy sunny rainy foggy snowy cloudy warm")
	var list []fact
	for i, place := range places {
		list = append(list, fact{"weather", "The weather " + place + " is " + words[(3*i+1)%len(words)] + ".", []string{"", "We are " + place + ".", "Let us play " + place + "."}, "how the weather is " + place,
			[]string{"How is the weather " + place + "?", "Tell me how the weather is " + place + ".", "What is the weather like " + place + "?"}})
	}
	return list
}

// things lists what stands at every place.
func things() []fact {
	words := strings.Fields("box tree flower bench tower boat field king shell bridge")
	var list []fact
	for i, place := range places {
		list = append(list, fact{"things", title(place) + " there is a " + words[i] + ".", []string{"", "We are " + place + ".", "Let us play " + place + "."}, "what is there " + place,
			[]string{"What is there " + place + "?", "What can I see " + place + "?", "Tell me what is there " + place + "."}})
	}
	return list
}

var numbers = strings.Fields("one two three four five six seven eight nine ten eleven twelve")

// after lists what follows each number.
func after() []fact {
	var list []fact
	for i, n := range numbers[:len(numbers)-1] {
		list = append(list, fact{"counting", "After " + n + " comes " + numbers[i+1] + ".", []string{"", "Think of " + n + "."}, "what comes after " + n,
			[]string{"What comes after " + n + "?", "Which number comes after " + n + "?", "Tell me what comes after " + n + "."}})
	}
	return list
}

// before lists what each number follows.
func before() []fact {
	var list []fact
	for i, n := range numbers[1:] {
		list = append(list, fact{"counting", "Before " + n + " comes " + numbers[i] + ".", []string{"", "Think of " + n + "."}, "what comes before " + n,
			[]string{"What comes before " + n + "?", "Which number comes before " + n + "?", "Tell me what comes before " + n + "."}})
	}
	return list
}

// sums lists the sums of two numbers up to six.
func sums() []fact {
	var list []fact
	for a := range 6 {
		for b := range 6 {
			sum := numbers[a] + " and " + numbers[b]
			list = append(list, fact{"sums", title(sum) + " make " + numbers[a+b+1] + ".", []string{"", "Take " + sum + "."}, "how much is " + sum,
				[]string{"How much is " + sum + "?", "What do " + sum + " make?"}})
		}
	}
	return list
}

// events are what may happen to NAME; the stories say how it feels.
var events = map[string][]string{
	"happy": {"NAME found a ball.", "NAME got a present.", "NAME won the game.", "NAME saw a friend.", "NAME heard a song.", "NAME had a party.",
		"NAME made a cake.", "NAME had a good dream.", "NAME got a new hat.", "NAME found the way.", "NAME ate some cake.", "NAME heard good news."},
	"sad": {"NAME lost a ball.", "NAME broke a toy.", "NAME lost the game.", "NAME was alone.", "NAME fell down.", "NAME missed a friend.",
		"NAME broke a box.", "NAME had a bad dream.", "NAME lost the hat.", "NAME was sick.", "NAME ate bad fish.", "NAME heard bad news."},
}

// needs are states with what to do then and what not.
var needs = []struct{ is, do, avoid string }{
	{"cold", "put on a warm coat", "swim in the lake"}, {"hungry", "eat some bread", "eat flowers"}, {"thirsty", "drink some water", "eat fish"},
	{"tired", "go to bed", "play a game"}, {"hot", "sit under a tree", "put on a coat"}, {"sick", "stay in bed", "go to school"},
	{"wet", "take a towel", "sit in the cold"}, {"bored", "go out and play", "stay in bed"}, {"sad", "talk to a friend", "be alone"},
	{"lost", "ask for the way", "run into the forest"}, {"late", "run to school", "sit down"}, {"dirty", "take a bath", "jump on the bed"},
}

// advice lists what to do when one feels so.
func advice() []fact {
	var list []fact
	for _, n := range needs {
		list = append(list, fact{"advice", "If you are " + n.is + ", " + n.do + ".", []string{"", "Are you " + n.is + "?", "Somebody is " + n.is + "."}, "what to do if you are " + n.is,
			[]string{"I am " + n.is + ". What can I do?", "What can I do if I am " + n.is + "?", "Tell me what to do if I am " + n.is + "."}})
	}
	return list
}

// warnings lists what not to do when one feels so.
func warnings() []fact {
	var list []fact
	for _, n := range needs {
		list = append(list, fact{"warnings", "When you are " + n.is + ", do not " + n.avoid + ".", []string{"", "Are you " + n.is + "?", "Somebody is " + n.is + "."}, "what not to do when you are " + n.is,
			[]string{"I am " + n.is + ". What is bad for me?", "What is bad for me when I am " + n.is + "?", "Tell me what not to do when I am " + n.is + "."}})
	}
	return list
}

// title makes the first letter, of the ASCII alphabet, a capital.
func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
