package run

import (
	"context"
	"fmt"

	"hone/core/chat"
	"hone/core/data"
	"hone/core/wire"
)

// openData reads the rows that the recipe names and lays out their batches.
func (j *Job) openData(ctx context.Context) error {
	r, cfg := &j.Recipe, j.Base.Model.Config()
	settle(r, j.Base.Model)
	mix, err := j.mix(ctx)
	if err != nil {
		return err
	}
	if err := j.chooseTemplate(); err != nil {
		return err
	}
	columns, err := r.ColumnNames()
	if err != nil {
		return err
	}
	opt := data.Options{Tokenizer: j.Tokenizer, Template: j.template, TrainOnPrompt: r.TrainOnPrompt, MaskHistory: r.MaskHistory, Ends: cfg.EOS,
		VocabSize: cfg.VocabSize, MaxLength: r.MaxLength, Truncation: r.TruncationStrategy, Columns: columns}
	restore := boundGarbage(0)
	opt.Progress = func(p data.Progress) {
		boundGarbage(p.Tokens) // an id and its label take 8 bytes, so what lies about stays within 8 · ownMemory
		if j.sink != nil {
			j.sink(wire.Loading{File: p.File, Rows: p.Rows, Done: p.Done, Total: p.Total})
		}
	}
	sets, err := j.readRows(ctx, mix, opt)
	restore()
	if err != nil {
		return err
	}
	if err := j.countRows(sets); err != nil {
		return err
	}
	lay := data.LoaderOptions{BatchSize: r.PerDeviceTrainBatchSize, Shuffle: r.DatasetShuffle, Seed: uint64(r.Seed), Packing: r.Packing, Pad: j.pad()}
	if cfg.LearnedPositions { // there are none for padding beyond them either
		lay.MaxLength = r.MaxLength
	}
	if r.Packing {
		lay.MaxLength = r.MaxLength
		if lay.MaxLength == 0 {
			return fmt.Errorf("--packing needs --max_length, since the model names no longest sequence")
		}
	}
	if j.loader, err = data.NewLoader(j.train, lay); err != nil {
		return err
	}
	if j.heldSet != nil {
		lay.Shuffle, lay.Packing, lay.MaxLength = false, false, 0
		if cfg.LearnedPositions {
			lay.MaxLength = r.MaxLength
		}
		j.held, err = data.NewLoader(j.heldSet, lay)
	}
	return err
}

// mix is what the recipe says of the data sets.
func (j *Job) mix(ctx context.Context) (data.Mix, error) {
	r := &j.Recipe
	m := data.Mix{TrainSample: max(r.TrainDatasetSample, 0), ValSample: max(r.ValDatasetSample, 0), SplitRatio: r.SplitDatasetRatio,
		Seed: uint64(r.Seed), Shuffle: r.DatasetShuffle, AllExhausted: r.StoppingStrategy == "all_exhausted"}
	var err error
	if m.InterleaveProb, err = r.Probabilities(); err != nil {
		return m, err
	}
	if m.Train, err = j.specs(ctx, "--dataset", r.Dataset); err != nil {
		return m, err
	}
	if m.Val, err = j.specs(ctx, "--val_dataset", r.ValDataset); err != nil {
		return m, err
	}
	return m, nil
}

// specs are the entries of a list of data sets with the files that they stand for.
func (j *Job) specs(ctx context.Context, flag string, entries []string) ([]data.Spec, error) {
	var out []data.Spec
	for _, e := range entries {
		name, sample, err := data.ParseSpec(e)
		if err != nil {
			return nil, fmt.Errorf("%s %w", flag, err)
		}
		s := data.Spec{Name: name, Sample: sample}
		if s.Files, err = j.names.dataset(ctx, name); err != nil {
			return nil, err
		}
		j.files = append(j.files, s.Files...)
		out = append(out, s)
	}
	return out, nil
}

// chooseTemplate takes the model's own chat template or the plain one. One that cannot be used is an error only for rows that
// need it.
func (j *Job) chooseTemplate() error {
	j.template = chat.Plain
	if j.Recipe.Template != "auto" {
		return nil
	}
	t, err := chat.ForModel(j.Recipe.Model)
	if err != nil {
		t = unusable{err}
	}
	j.template = t
	return nil
}

// unusable stands for a template that could not be read.
type unusable struct{ err error }

func (unusable) Name() string { return "unusable" }

func (u unusable) Segments([]chat.Message, bool) ([]chat.Segment, error) {
	return nil, fmt.Errorf("%w; --template plain does without", u.err)
}

// countRows takes over the rows and says what was found out about them.
func (j *Job) countRows(sets *data.Sets) error {
	r, s := &j.Recipe, sets.Stats
	j.train, j.heldSet = sets.Train, sets.Held
	if sets.Train.Stats.SupervisedTokens == 0 {
		return fmt.Errorf("data: none of the %d rows has a token to learn: every label is -100, or rows are one token long", sets.Train.Stats.Kept)
	}
	j.Rows = wire.Rows{Read: s.Rows, SampledOut: s.Skipped, Kept: s.Kept, Dropped: s.Dropped, Truncated: s.Truncated, Pieces: s.Pieces, Unsupervised: s.Unsupervised,
		UnsupervisedRows: s.UnsupervisedRows, Train: len(sets.Train.Examples), Tokens: s.Tokens, Supervised: s.SupervisedTokens}
	if s.Conversations > 0 {
		j.layout = j.template.Name()
		for _, n := range chat.Notes(j.Tokenizer, j.template) {
			j.warn("%s", n)
		}
	} else {
		for _, name := range []string{"template", "train_on_prompt", "mask_history"} {
			if r.Given(name) {
				j.warn("%s does nothing: no row is a conversation", name)
			}
		}
	}
	if sets.Held != nil {
		j.Rows.HeldOut = len(sets.Held.Examples)
	}
	for _, n := range sets.Notes {
		j.warn("%s", n)
	}
	if s.Unsupervised > 0 {
		j.warn("%d rows have nothing to learn from and only cost time: %s", s.Unsupervised, data.Few(s.UnsupervisedRows, s.Unsupervised))
	}
	if s.Dropped > 0 {
		j.warn("%d of %d rows are longer than max_length %d and are left out; --truncation_strategy right or left cuts them instead", s.Dropped, s.Rows-s.Skipped, r.MaxLength)
	}
	if s.Truncated > 0 {
		j.warn("%d of %d rows are longer than max_length %d and lose their %s", s.Truncated, s.Rows-s.Skipped, r.MaxLength, map[string]string{"left": "beginning", "right": "end"}[r.TruncationStrategy])
	}
	if s.Pieces > 0 {
		j.warn("rows longer than max_length %d are cut into pieces, %d more than there are rows; only the first of a row has its beginning", r.MaxLength, s.Pieces)
	}
	return nil
}

// warnOfIdle says which settings do nothing beside the others, or hardly what was meant.
func (j *Job) warnOfIdle() {
	r, steps := &j.Recipe, j.Plan.Steps
	if j.held == nil && r.Given("eval_steps") {
		j.warn("eval_steps does nothing: no rows are held out, which --split_dataset_ratio or --val_dataset does")
	}
	warmup := r.Warmup(steps)
	switch {
	case warmup > 0 && r.LRSchedulerType == "constant":
		j.warn("the warmup does nothing: lr_scheduler_type constant has none; constant_with_warmup does")
	case warmup > 0 && warmup >= steps:
		j.warn("the warmup of %d steps does not end before the run of %d: the learning rate never gets to %g", warmup, steps, r.LearningRate)
	}
	if limit := j.Base.Model.Config().MaxPositions; limit > 0 && r.MaxLength > limit {
		j.warn("max_length %d is more than the %d positions that the model was made for; it has not learnt to look so far", r.MaxLength, limit)
	}
	if len(r.InterleaveProb) == 0 && r.Given("stopping_strategy") {
		j.warn("stopping_strategy does nothing without interleave_prob")
	}
	if len(r.InterleaveProb) == 1 {
		j.warn("interleave_prob does nothing: there is only one data set")
	}
}
