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

// Stories makes n short texts, in one language each. Most have a heading of the form "### …", which is also the form of the
// plain chat template's marks. The same seed gives the same stories. They state every fact, and ask for it in other words
// than the questions do.
func Stories(seed uint64, n int) []string {
	p := picker{key: rng.NewKey(seed, rng.Corpus, storyStream)}
	tellers := make([]*teller, len(Languages))
	for i, l := range Languages {
		t := tongues[l]
		tellers[i] = &teller{tongue: t, picker: &p, places: slices.Concat(t.skies(), t.sights()), counting: t.counts(), work: t.works()}
	}
	list := make([]string, n)
	for i := range list {
		list[i] = pick(&p, tellers).story()
	}
	return list
}

// teller knows the world.
type teller struct {
	*tongue
	*picker
	places, counting, work []fact
}

func (t *teller) story() string {
	var s []string
	head := ""
	switch kind := t.intn(100); {
	case kind < 8:
		return t.consultation()
	case kind < 24:
		return t.quiz()
	case kind < 34:
		return t.verdict()
	case kind < 54:
		b := pick(t.picker, Beings())
		s, head = t.aboutBeing(b), t.named(pick(t.picker, t.heads["being"]), b)
	case kind < 59:
		s, head = t.aboutFacts(t.places, 4), pick(t.picker, t.heads["places"])
	case kind < 69:
		s, head = t.aboutNumbers(), pick(t.picker, t.heads["counting"])
	case kind < 74:
		s, head = t.aboutNeeds(), pick(t.picker, t.heads["needs"])
	case kind < 78:
		s, head = t.aboutFacts(t.work, 4), pick(t.picker, t.heads["work"])
	case kind < 92:
		s, head = t.aboutOpinions(), pick(t.picker, t.heads["opinions"])
	default:
		s, head = t.aboutDoctor(), pick(t.picker, t.heads["doctor"])
	}
	if t.intn(6) == 0 {
		s = append([]string{pick(t.picker, t.today) + t.gap + pick(t.picker, t.todayTail) + t.stop}, s...)
	}
	if t.intn(2) == 0 {
		s = append(s, strings.ReplaceAll(pick(t.picker, t.chatter), "NAME", pick(t.picker, t.names)))
	}
	if t.intn(6) == 0 {
		s = append(s, pick(t.picker, t.endings))
	}
	text := strings.Join(slices.DeleteFunc(s, func(s string) bool { return s == "" }), t.gap)
	if t.intn(3) == 0 {
		return text
	}
	return "### " + head + "\n" + text
}

// named fills in who is told of.
func (t *teller) named(s string, b Being) string {
	return strings.NewReplacer("NAME", t.names[b.Name], "KIND", t.kinds[b.Kind]).Replace(s)
}

// aboutBeing tells of one animal, and sometimes of its friend.
func (t *teller) aboutBeing(b Being) []string {
	var s []string
	if t.intn(4) > 0 {
		s = append(s, t.named(pick(t.picker, t.openings), b))
	}
	for _, f := range some(t.picker, t.facts(b), 3+t.intn(3)) {
		if t.intn(4) == 0 {
			s = append(s, t.dialogue(f, t.names[b.Name]))
		} else {
			s = append(s, t.state(f)...)
		}
	}
	if t.intn(4) == 0 {
		s = append(s, t.event(t.names[b.Name])...)
	}
	if t.intn(4) == 0 {
		friend := Beings()[b.Friend]
		s = append(append(s, t.named(t.comes, friend)), t.state(pick(t.picker, t.facts(friend)))...)
	}
	return s
}

// aboutFacts states some facts that have nothing to do with each other.
func (t *teller) aboutFacts(facts []fact, n int) []string {
	var s []string
	for _, f := range some(t.picker, facts, n+t.intn(3)) {
		s = append(s, t.state(f)...)
	}
	return s
}

// aboutNumbers counts, or tells of things that become more.
func (t *teller) aboutNumbers() []string {
	if t.intn(2) == 0 {
		return t.aboutFacts(t.counting, 4)
	}
	var s []string
	for range 2 + t.intn(2) {
		f := t.someSum()
		s = append(s, pick(t.picker, f.settings), f.statement)
	}
	return s
}

func (t *teller) someSum() fact {
	return t.sumOf(t.intn(len(t.names)), t.intn(len(t.items)), 1+t.intn(addends), 1+t.intn(addends))
}

// aboutNeeds tells what to take along when it rains.
func (t *teller) aboutNeeds() []string {
	var s []string
	for range 3 + t.intn(3) {
		state := t.intn(len(t.needs))
		if t.intn(3) == 0 {
			s = append(s, strings.NewReplacer("STATE", t.needs[state][0], "THING", t.needs[state][1]).Replace(pick(t.picker, t.rules)))
			continue
		}
		s = append(s, t.state(t.needOf(state, t.intn(len(t.homes)), t.intn(len(t.names))))...)
	}
	return s
}

// aboutOpinions tells what people like and dislike, and what became of them.
func (t *teller) aboutOpinions() []string {
	var s []string
	for range 4 + t.intn(3) {
		side, name := t.intn(2), pick(t.picker, t.names)
		g := pick(t.picker, t.groups)
		thing, word := pick(t.picker, g.things), pick(t.picker, g.words[side])
		switch t.intn(6) {
		case 0:
			s = append(s, t.event(name)...)
		case 1:
			s = append(s, title(strings.NewReplacer("WORD", word, "LABEL", t.labels[side]).Replace(pick(t.picker, t.wordLines))))
		default:
			s = append(s, strings.ReplaceAll(opinion(pick(t.picker, t.reviews[side]), thing, word), "NAME", name))
		}
	}
	return s
}

// aboutDoctor tells of complaints and what helps.
func (t *teller) aboutDoctor() []string {
	var s []string
	for _, a := range some(t.picker, order(len(t.complaints)), 3+t.intn(2)) {
		name := t.intn(len(t.names))
		switch t.intn(5) {
		case 0, 1:
			s = append(s, t.visit(pick(t.picker, t.ifSick), name, a, -1))
		case 2:
			s = append(s, t.visit(pick(t.picker, t.visits[0]), name, a, -1))
		default:
			b := (a + 1 + t.intn(len(t.complaints)-1)) % len(t.complaints)
			s = append(s, t.visit(pick(t.picker, t.visits[1]), name, a, b))
		}
	}
	return s
}

// order is 0, 1, … n-1.
func order(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// event is something that happened, and how it feels.
func (t *teller) event(name string) []string {
	side := t.intn(2)
	return []string{strings.ReplaceAll(pick(t.picker, t.events[side]), "NAME", name), strings.ReplaceAll(t.feelings[side], "NAME", name)}
}

// quiz asks for some facts, and answers under a heading of its own. From quizzes the model learns to look for what it is asked
// about and to begin with it, which tuning then only has to call for: without them it answers what it was taught to answer, not
// what it is asked. There are always several questions: the stories never show that an answer ends where it has answered.
func (t *teller) quiz() string {
	var ask, say []string
	for range 2 + t.intn(2) {
		var f fact
		switch t.intn(9) {
		case 8:
			f = t.someSum()
			ask, say = append(ask, pick(t.picker, f.settings)), append(say, f.statement)
			continue
		case 0, 1:
			f = pick(t.picker, t.places)
		case 2, 3:
			f = pick(t.picker, t.counting)
		case 4:
			f = pick(t.picker, t.work)
		case 5:
			f = t.needOf(t.intn(len(t.needs)), t.intn(len(t.homes)), t.intn(len(t.names)))
		default:
			f = pick(t.picker, t.facts(pick(t.picker, Beings())))
		}
		ask, say = append(ask, t.wondering(f)), append(say, f.statement)
	}
	return t.inTwo(pick(t.picker, t.quizHeads[0]), ask, pick(t.picker, t.quizHeads[1]), say)
}

// consultation is a quiz for the doctor.
func (t *teller) consultation() string {
	var ask, say []string
	for _, name := range some(t.picker, order(len(t.names)), 1+t.intn(2)) {
		a := t.intn(len(t.complaints))
		b := (a + 1 + t.intn(len(t.complaints)-1)) % len(t.complaints)
		ask, say = append(ask, t.visit(pick(t.picker, t.ill), name, a, b)), append(say, t.visit(pick(t.picker, t.advised), name, a, b))
	}
	return t.inTwo(t.heads["doctor"][0], ask, t.heads["doctor"][1], say)
}

// verdict is a quiz for a judge of what people say.
func (t *teller) verdict() string {
	var ask, say []string
	for _, name := range some(t.picker, t.names, 1+t.intn(2)) {
		side := t.intn(2)
		g := pick(t.picker, t.groups)
		ask = append(ask, strings.ReplaceAll(opinion(pick(t.picker, t.remarks), pick(t.picker, g.things), pick(t.picker, g.words[side])), "NAME", name))
		say = append(say, strings.NewReplacer("NAME", name, "LABEL", t.labels[side]).Replace(pick(t.picker, t.verdicts)))
	}
	return t.inTwo(t.heads["opinions"][0], ask, t.heads["opinions"][1], say)
}

// inTwo is a text of two parts.
func (t *teller) inTwo(head string, one []string, next string, two []string) string {
	return "### " + head + "\n" + strings.Join(one, t.gap) + "\n\n### " + next + "\n" + strings.Join(append(two, pick(t.picker, t.endings)), t.gap)
}

// dialogue is a fact as one who is asked tells it.
func (t *teller) dialogue(f fact, name string) string {
	ask, say := f.talk[0], f.talk[1]
	return strings.NewReplacer("WHO", t.other(name), "NAME", name, "ASK", ask, "SAY", say).Replace(pick(t.picker, t.dialogues))
}

// wondering is somebody who asks for a fact.
func (t *teller) wondering(f fact) string {
	return strings.NewReplacer("WHO", t.other(f.wonder), "WONDER", f.wonder).Replace(pick(t.picker, t.asks))
}

// other is one who is not named in a text.
func (t *teller) other(text string) string {
	for {
		if name := pick(t.picker, t.names); !strings.Contains(text, name) {
			return name
		}
	}
}

// state is a fact with what stands before it: every third time somebody asks, every third time nothing.
func (t *teller) state(f fact) []string {
	switch t.intn(3) {
	case 0:
		if f.wonder != "" {
			return []string{t.wondering(f), f.statement}
		}
	case 1:
		return []string{f.statement}
	}
	return []string{pick(t.picker, f.settings), f.statement}
}
