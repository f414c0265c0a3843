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

// OpenPreview reads the rows that the recipe trains on and shows the first n of them, in the order of the files.
func OpenPreview(ctx context.Context, r recipe.Recipe, n int, sink func(wire.Event)) (*Preview, error) {
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
	p := &Preview{Rows: j.Rows, Warnings: j.warnings, Template: j.layout}
	for _, e := range j.train.Examples[:min(n, len(j.train.Examples))] {
		p.Shown = append(p.Shown, PreviewRow{e.File, e.Row, len(e.IDs), e.Supervised(), j.loader.Bucket(len(e.IDs)), e.Runs(j.Tokenizer)})
	}
	return p, nil
}
