package run

import (
	"context"
	"errors"
	"slices"

	"hone/core/chat"
	"hone/core/data"
	"hone/core/recipe"
	"hone/core/wire"
)

// longestQuestion is of how many bytes a question is at most that is asked again and again while a run goes on.
const longestQuestion = 1000

// errEnough ends a walk.
var errEnough = errors.New("there are enough questions")

// Questions are what the first rows of a recipe ask, at most n, as many of each data set: of those that are only held out, or else of those
// that are learnt. Texts ask nothing.
func Questions(ctx context.Context, r recipe.Recipe, n int, sink func(wire.Event)) ([]string, error) {
	names, err := r.ColumnNames()
	if err != nil {
		return nil, err
	}
	entries := r.ValDataset
	if len(entries) == 0 {
		entries = r.Dataset
	}
	var all []string
	for i, e := range entries {
		name, _, err := data.ParseSpec(e)
		if err != nil {
			return nil, err
		}
		files, err := newLocator(r, resumption{}, sink).dataset(ctx, name)
		if err != nil {
			return nil, err
		}
		most := len(all) + (n-len(all))/(len(entries)-i)
		for _, f := range files {
			if len(all) == most {
				break
			}
			_ = data.Questions(f, names, func(q data.Question) error { // who reads the rows to learn them says what is wrong with them
				at := slices.IndexFunc(q.Messages, func(m chat.Message) bool { return m.Role == "user" })
				if at < 0 || q.Messages[at].Content == "" || len(q.Messages[at].Content) > longestQuestion {
					return ctx.Err()
				}
				if all = append(all, q.Messages[at].Content); len(all) == most {
					return errEnough
				}
				return ctx.Err()
			})
		}
	}
	return all, ctx.Err()
}
