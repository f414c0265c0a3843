package parts

import (
	"slices"

	"hone/core/recipe"
	"hone/core/wire"
	"hone/web/words"
)

// chosenRuns are the runs that are compared, in the order of the list.
func (s *State) chosenRuns() []wire.Run {
	var list []wire.Run
	for _, r := range s.Host.Runs {
		if s.Chosen[r.ID] {
			list = append(list, r)
		}
	}
	return list
}

// difference is a setting that the chosen runs do not share.
type difference struct {
	Name   string
	Label  words.Text
	Values []string
}

func (s *State) differing() []difference {
	runs := s.chosenRuns()
	recipes := make([]recipe.Recipe, 0, len(runs))
	for _, r := range runs {
		x, err := recipe.FromJSON(r.Recipe)
		if err != nil {
			x = recipe.Default() // a run of another release: what can be read is compared
		}
		recipes = append(recipes, x)
	}
	var list []difference
	for _, f := range recipe.Fields() {
		d := difference{Name: f.Name, Label: words.SettingOf(f.Name).Label}
		for i := range recipes {
			d.Values = append(d.Values, recipes[i].Text(f.Name))
		}
		if slices.ContainsFunc(d.Values, func(v string) bool { return v != d.Values[0] }) {
			list = append(list, d)
		}
	}
	return list
}
