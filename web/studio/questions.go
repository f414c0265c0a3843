package studio

import (
	"slices"
	"strings"
	"unicode"

	"hone/core/recipe"
	"hone/core/wire"
	"hone/web/parts"
	"hone/web/words"
)

// watch takes the questions that the user wants answered while a run goes on; without any, none is.
func (t *Studio) watch(prompts []string) {
	t.change(func(s *parts.State) {
		s.Prompts, s.Run.Answers = []string{}, nil
		for _, p := range prompts {
			if p = strings.TrimSpace(p); p != "" && len(s.Prompts) < parts.MostPrompts {
				s.Prompts = append(s.Prompts, p)
			}
		}
	})
	go t.compareNow()
}

// watchRows lets the questions be those of the rows again.
func (t *Studio) watchRows() {
	t.change(func(s *parts.State) { s.Prompts, s.Run.Answers = nil, nil })
	go t.compareNow()
}

// learnQuestions finds out what the rows of a run ask, once.
func (t *Studio) learnQuestions(id string) {
	t.mu.Lock()
	s := t.s
	raw, err := recipeJSON(s)
	for _, r := range s.Host.Runs {
		if r.ID == id {
			raw, err = r.Recipe, nil
		}
	}
	var r recipe.Recipe
	if err == nil {
		r, err = recipe.FromJSON(raw)
	}
	list := []string{}
	known := s.Prompts != nil || s.Run.Questions != nil || s.Run.ID != id
	all := slices.Concat(r.Dataset, r.ValDataset)
	for i := range all {
		all[i], _, _ = strings.Cut(all[i], "#")
	}
	world := slices.ContainsFunc(all, func(file string) bool { return strings.HasSuffix(file, "/world.json") })
	foreign := slices.ContainsFunc(all, func(file string) bool { return !bundled(s, file) })
	here := !slices.ContainsFunc(all, func(file string) bool { return !isHere(s, file) })
	language := s.Language
	t.mu.Unlock()
	switch {
	case known:
		return
	case world && !foreign: // which the bundled model knows best, and the other sets that come along are of it
		for _, e := range words.Examples {
			list = append(list, e.In(language))
		}
	case err == nil && here: // rows that are at a server or at a hub would be downloaded for this
		p, err := wire.Ask[wire.Preview](t.ctx, t.o.Link, wire.Look{Recipe: raw, Questions: 4 * parts.MostPrompts}, nil)
		if err == nil {
			list = inLanguage(p.Questions, language)
		}
	}
	t.change(func(s *parts.State) {
		if s.Run.ID == id && s.Language == language {
			s.Run.Questions = list[:min(len(list), parts.MostPrompts)]
		}
	})
}

// isHere reports whether a data set is of the host's files.
func isHere(s *parts.State, name string) bool {
	return slices.ContainsFunc(s.Host.Data, func(d wire.Data) bool { return d.Path == name || strings.HasPrefix(name, d.Path+":") })
}

// inLanguage puts those questions first that its user can read best, and leaves their order else.
func inLanguage(questions []string, l words.Language) []string {
	chinese := func(q string) bool {
		return strings.ContainsFunc(q, func(r rune) bool { return unicode.Is(unicode.Han, r) })
	}
	first := []string{}
	var rest []string
	for _, q := range questions {
		if chinese(q) == (l == words.Chinese) {
			first = append(first, q)
		} else {
			rest = append(rest, q)
		}
	}
	return append(first, rest...)
}
