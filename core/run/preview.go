package run

import (
	"context"

	"hone/core/checkpoint"
	"hone/core/data"
	"hone/core/recipe"
	"hone/core/wire"
)

// Preview is the rows of a recipe as the model would see them, without anything compiled.
type Preview struct {
	Rows     wire.Rows
	Warnings []string
	Template string // by which conversations are laid out; empty when no row is one
	Lengths  wire.Histogram
	Shown    []PreviewRow
}

// PreviewRow is one example.
type PreviewRow struct {
	File       string
	Row        int
	Tokens     int
	Supervised int
	Bucket     int // tokens of the sequence that it is padded to at least; with packing, that it shares
	Runs       []data.Run
}

// OpenPreview reads the rows that the recipe trains on and shows n of them from number from on, in the order of the files.
func OpenPreview(ctx context.Context, r recipe.Recipe, from, n int, sink func(wire.Event)) (*Preview, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	j := &Job{Recipe: r, sink: sink}
	err := j.locate(ctx, resumption{}, sink)
	if err != nil {
		return nil, err
	}
	if j.Base, err = checkpoint.OpenBase(j.Recipe.Model); err != nil {
		return nil, err
	}
	defer j.Base.Close()
	if err := j.openTokenizer(); err != nil {
		return nil, err
	}
	if err := j.openData(ctx); err != nil {
		return nil, err
	}
	all := j.train.Examples
	p := &Preview{Rows: j.Rows, Warnings: j.warnings, Template: j.layout, Lengths: lengths(all)}
	from = min(max(from, 0), len(all))
	for _, e := range all[from:min(from+n, len(all))] {
		p.Shown = append(p.Shown, PreviewRow{e.File, e.Row, len(e.IDs), e.Supervised(), j.loader.Bucket(len(e.IDs)), e.Runs(j.Tokenizer)})
	}
	return p, nil
}

// Columns are those of the first row of the recipe's first data set, as the file has them: what can be mapped, also where the
// rows are not understood.
func Columns(ctx context.Context, r recipe.Recipe, sink func(wire.Event)) ([]string, error) {
	for _, entry := range r.Dataset {
		name, _, err := data.ParseSpec(entry)
		if err != nil {
			return nil, err
		}
		files, err := newLocator(r, resumption{}, sink).dataset(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			return data.Columns(f)
		}
	}
	return nil, nil
}

// bars is how many bars a histogram of lengths has at most.
const bars = 24

// lengths counts examples by their tokens, in bars of one round width.
func lengths(examples []data.Example) wire.Histogram {
	longest := 0
	for _, e := range examples {
		longest = max(longest, len(e.IDs))
	}
	width := 1
	for tens := 1; longest/width >= bars; tens *= 10 {
		for _, round := range []int{1, 2, 5} {
			if width = round * tens; longest/width < bars {
				break
			}
		}
	}
	h := wire.Histogram{Edges: []int{0}}
	for edge := width; edge <= longest+width; edge += width {
		h.Edges = append(h.Edges, edge)
	}
	h.Counts = make([]int, len(h.Edges)-1)
	for _, e := range examples {
		h.Counts[len(e.IDs)/width]++
	}
	return h
}
