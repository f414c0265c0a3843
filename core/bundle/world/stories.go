package world

import (
	"slices"
	"strings"

	"hone/core/rng"
)

// The steps of the random stream rng.Corpus.
const (
	storyStream = iota
	orderStream
)

// picker draws one number after the other from a stream.
type picker struct {
	key  rng.Key
	next uint64
}

func (p *picker) intn(n int) int { p.next++; return p.key.Intn(p.next, n) }

func pick[T any](p *picker, list []T) T { return list[p.intn(len(list))] }

// some picks n different ones.
func some[T any](p *picker, list []T, n int) []T {
	list = slices.Clone(list)
	for i := range n {
		j := i + p.intn(len(list)-i)
		list[i], list[j] = list[j], list[i]
	}
	return list[:n]
}

// Stories makes n short texts, each of one or two parts with a heading of the form "### …", which is also the form of the
// plain chat template's marks. The same seed gives the same stories. They state every fact, and ask for it in other words than the questions do.
func Stories(seed uint64, n int) []string {
	t := &teller{picker: picker{key: rng.NewKey(seed, rng.Corpus, storyStream)}, beings: Beings(),
		places: slices.Concat(weather(), things()), counting: slices.Concat(after(), before(), sums()), advice: slices.Concat(advice(), warnings())}
	list := make([]string, n)
	for i := range list {
		list[i] = t.part()
		if t.intn(3) == 0 {
			list[i] += "\n\n" + t.part()
		}
	}
	return list
}

// teller knows the world.
type teller struct {
	picker
	beings                   []Being
	places, counting, advice []fact
}

func (t *teller) part() string {
	switch kind := t.intn(20); {
	case kind < 9:
		return t.being(pick(&t.picker, t.beings))
	case kind < 12:
		return t.list([]string{"The weather", "A day out"}, t.places)
	case kind < 15:
		return t.list([]string{"Let us count", "Numbers"}, t.counting)
	case kind < 18:
		return t.list([]string{"What to do", "Good advice"}, t.advice)
	}
	return t.feelings()
}

// being tells of one animal, and sometimes of its friend.
func (t *teller) being(b Being) string {
	p := &t.picker
	s := []string{pick(p, []string{"Once upon a time there was a " + b.Kind + " called " + b.Name + ".", "Who comes there? It is " + b.Name + ".", "This is " + b.Name + " the " + b.Kind + ".", "Here is " + b.Name + ".", ""})}
	for _, f := range some(p, b.facts(), 3+p.intn(3)) {
		s = append(s, state(p, f)...)
	}
	if p.intn(3) == 0 {
		s = append(s, feel(p, b.Name)...)
	}
	if p.intn(3) == 0 {
		friend := t.beings[slices.IndexFunc(t.beings, func(f Being) bool { return f.Name == b.Friend })]
		s = append(append(s, "Then "+friend.Name+" comes."), state(p, pick(p, friend.facts()))...)
	}
	return "### " + pick(p, []string{b.Name, b.Name + " the " + b.Kind, "A story", "The " + b.Kind}) + "\n" + sentences(s)
}

// list states some facts that have nothing to do with each other.
func (t *teller) list(headings []string, facts []fact) string {
	var s []string
	for _, f := range some(&t.picker, facts, 3+t.intn(3)) {
		s = append(s, state(&t.picker, f)...)
	}
	return "### " + pick(&t.picker, headings) + "\n" + sentences(s)
}

// feelings tells what happened to some of the animals.
func (t *teller) feelings() string {
	var s []string
	for _, name := range some(&t.picker, names, 3+t.intn(3)) {
		s = append(s, feel(&t.picker, name)...)
	}
	return "### " + pick(&t.picker, []string{"Happy and sad", "What a day"}) + "\n" + sentences(s)
}

// feel is an event and how it feels.
func feel(p *picker, name string) []string {
	feeling := pick(p, []string{"happy", "sad"})
	return []string{strings.ReplaceAll(pick(p, events[feeling]), "NAME", name), name + " is " + feeling + "."}
}

// state is a fact with what stands before it: every third time somebody asks.
func state(p *picker, f fact) []string {
	if p.intn(3) == 0 {
		return []string{pick(p, names) + " asks " + f.wonder + ".", f.statement}
	}
	return []string{pick(p, f.settings), f.statement}
}

// sentences joins those that are not empty.
func sentences(s []string) string {
	return strings.Join(slices.DeleteFunc(s, func(s string) bool { return s == "" }), " ")
}
