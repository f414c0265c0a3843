package world

import "strings"

// facts lists what there is to know of a being, in the order of tongue.being.
func (t *tongue) facts(b Being) []fact {
	list := make([]fact, len(t.being))
	for i, f := range t.being {
		list[i] = f.with("NAME", t.names[b.Name], "KIND", t.kinds[b.Kind], "COLOUR", t.colours[b.Colour], "HOME", t.homes[b.Home],
			"FOOD", t.foods[b.Food], "PASTIME", t.pastimes[b.Pastime], "FRIEND", t.names[b.Friend])
	}
	return list
}

// skies and sights list what the sky does at every place, and what stands there.
func (t *tongue) skies() []fact {
	var list []fact
	for i, home := range t.homes {
		list = append(list, t.weather.with("HOME", home, "WEATHER", t.weathers[weatherAt(i)]))
	}
	return list
}

func (t *tongue) sights() []fact {
	var list []fact
	for i, home := range t.homes {
		list = append(list, t.thing.with("HOME", home, "THING", t.things[thingAt(i)]))
	}
	return list
}

// works lists what people do all day.
func (t *tongue) works() []fact {
	var list []fact
	for _, j := range t.jobs {
		list = append(list, t.job.with("WHO", j[0], "WORK", j[1]))
	}
	return list
}

// counts lists what follows and what precedes each number.
func (t *tongue) counts() []fact {
	var list []fact
	for i, n := range t.numbers[:len(t.numbers)-1] {
		next := t.numbers[i+1]
		list = append(list, t.after.with("NUMBER", n, "NEXT", next), t.before.with("NUMBER", next, "NEXT", n))
	}
	return list
}

// addends of a sum go up to five, so that sums end at ten.
const addends = 5

// sumOf is a small story problem: someone has a things and gets b more. Numbers, names and items count from nought but the
// addends, which are what they say.
func (t *tongue) sumOf(name, item, a, b int) fact {
	it := t.items[item]
	return t.sum.with("NAME", t.names[name], "ITEMS", t.counted(a, it), "MORE", t.amount(b)+t.more, "TOTAL", t.counted(a+b, it))
}

// counted is so many items: one apple, two apples.
func (t *tongue) counted(n int, item [2]string) string {
	return t.amount(n) + t.measure + item[min(n-1, 1)]
}

// amount is a number as it stands before things.
func (t *tongue) amount(n int) string {
	if n == 2 && t.two != "" {
		return t.two
	}
	return t.numbers[n-1]
}

// needOf is what somebody should take along in a state of the weather.
func (t *tongue) needOf(state, home, name int) fact {
	n := t.needs[state]
	return t.need.with("STATE", n[0], "HOME", t.homes[home], "NAME", t.names[name], "THING", n[1])
}

// opinion fills a thing of a group and a word for it into a sentence.
func opinion(sentence, thing, word string) string {
	article := "a "
	if strings.ContainsAny(word[:1], "aeiou") {
		article = "an "
	}
	return strings.NewReplacer("a WORD", article+word, "WORD", word, "THING", thing).Replace(sentence)
}

// visit is a conversation with the doctor, or a story about one; with b < 0 there is one complaint.
func (t *tongue) visit(sentence string, name, a, b int) string {
	c := t.complaints[a]
	r := []string{"NAME", t.names[name], "YOU", c.you, "ONE", c.they, "DO", c.do}
	if b >= 0 {
		r = append(r, "TWO", t.complaints[b].they, "THEN", t.complaints[b].do)
	}
	return title(strings.NewReplacer(r...).Replace(sentence))
}

// complain is what a patient says.
func (t *tongue) complain(sentence string, a, b int) string {
	r := []string{"ONE", t.complaints[a].i}
	if b >= 0 { // who says "I" once in Chinese need not repeat it
		r = append(r, "TWO", strings.TrimPrefix(t.complaints[b].i, "我"))
	}
	return strings.NewReplacer(r...).Replace(sentence)
}
