package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"

	"hone/core/chat"
	"hone/core/checkpoint"
	"hone/core/data"
	"hone/core/device"
	"hone/core/hub"
	"hone/core/nn"
	"hone/core/op"
	"hone/core/optim"
	"hone/core/peft"
	"hone/core/recipe"
	"hone/core/tensor"
	"hone/core/tokenizer"
	"hone/core/train"
	"hone/core/wire"
)

// Job is a run that is ready to start: model and data are opened and checked, programs are compiled, nothing is on the
// device yet.
type Job struct {
	Recipe    recipe.Recipe
	Base      *checkpoint.Base
	Tokenizer *tokenizer.Tokenizer // nil where the model directory has none and the rows need none
	Rows      wire.Rows
	Plan      wire.Plan

	dev     device.Device
	setup   *train.Setup
	lora    *peft.LoRA                // nil: full fine-tuning
	adapter map[string]tensor.Host    // what the adapter starts from; nil: fresh
	origin  *checkpoint.AdapterConfig // of the adapter that the run goes on with; nil: its own
	trainer *train.Trainer

	loader, held *data.Loader
	train        *data.Set
	heldSet      *data.Set
	asked        recipe.Recipe // the recipe with its names, where Recipe has paths
	names        *locator
	baseName     string           // the model's id or path, which an adapter names as its base
	files        []string         // of the data sets, in order
	template     chat.Template    // of conversations
	layout       string           // name of the template, if some row is a conversation
	sink         func(wire.Event) // hears how far reading has come; may be nil
	spans        []span           // the epochs, cut where max_steps ends
	schedule     optim.Schedule
	warnings     []string
	from         string // the checkpoint that the run resumes from
}

// Prepare opens and checks everything that a recipe names, and compiles its programs for the device. sink hears of what takes
// long; it may be nil.
func Prepare(ctx context.Context, r recipe.Recipe, dev device.Device, sink func(wire.Event)) (*Job, error) {
	return prepare(ctx, r, dev, resumption{}, sink)
}

// resumption is what a run that goes on knows of its beginning.
type resumption struct {
	dir     string // the checkpoint
	sources []checkpoint.Source
	// See Control; a run that starts has them too.
	places   map[string]string
	hubsOnly bool
}

// prepare is Prepare; a run that resumes takes its adapter from a checkpoint, not from where it once began.
func prepare(ctx context.Context, r recipe.Recipe, dev device.Device, from resumption, sink func(wire.Event)) (*Job, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	j := &Job{Recipe: r, dev: dev, from: from.dir, sink: sink}
	if err := j.locate(ctx, from, sink); err != nil {
		return nil, err
	}
	var err error
	if j.Base, err = checkpoint.OpenBase(j.Recipe.Model); err != nil {
		return nil, err
	}
	for _, step := range []func() error{j.openTokenizer, j.attach, func() error { return j.openData(ctx) }, j.countSteps} {
		if err := step(); err != nil {
			j.Close()
			return nil, err
		}
	}
	if err := j.compile(ctx); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// Close closes the model's files.
func (j *Job) Close() error {
	if j.trainer != nil {
		j.trainer.Close()
	}
	return j.Base.Close()
}

func (j *Job) warn(format string, args ...any) {
	j.warnings = append(j.warnings, fmt.Sprintf(format, args...))
}

// Warnings are what the user should know before the run; Start tells them as events.
func (j *Job) Warnings() []string { return j.warnings }

// openTokenizer loads the model's tokenizer; a directory without one will do for rows that are token ids.
func (j *Job) openTokenizer() error {
	t, err := tokenizer.LoadDir(j.Recipe.Model)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // rows of text will say that they need it
	}
	// Added tokens may lie beyond the vocabulary; a row that uses one is refused.
	if err == nil && t.ModelSize() > j.Base.Model.Config().VocabSize {
		err = fmt.Errorf("model %s: the tokenizer has ids up to %d, but vocab_size in config.json is %d; are they of two models?", j.Recipe.Model, t.ModelSize()-1, j.Base.Model.Config().VocabSize)
	}
	j.Tokenizer = t
	return err
}

// attach decides what trains.
func (j *Job) attach() error {
	r, m := &j.Recipe, j.Base.Model
	if c := m.Config(); c.LearnedPositions && r.MaxLength > c.MaxPositions {
		j.warn("max_length is %d, not %d: the model has learned as many positions, and none beyond", c.MaxPositions, r.MaxLength)
	}
	s := &train.Setup{Model: m, Recompute: r.GradientCheckpointing, NEFTuneAlpha: r.NEFTuneNoiseAlpha, Optim: optim.Settings{Optim: r.Optim, MaxGradNorm: r.MaxGradNorm,
		AdamW: op.AdamWSettings{Beta1: r.AdamBeta1, Beta2: r.AdamBeta2, Epsilon: r.AdamEpsilon, WeightDecay: r.WeightDecay}}}
	j.setup = s
	stored := map[string]tensor.DType{}
	for _, p := range m.Params() {
		stored[p.Name] = j.Base.Stored(p, r.TrainType == "qlora", j.dev.Caps().Halves)
	}
	s.Storage = func(name string, shape tensor.Shape) tensor.Type {
		return tensor.Type{DType: stored[name], Shape: shape}
	}
	if r.TrainType == "full" {
		return j.attachNothing(stored)
	}
	if len(r.FreezeParameters) > 0 {
		return fmt.Errorf("--freeze_parameters goes with --train_type full; with %s the whole base is frozen", r.TrainType)
	}
	settle(r, m)
	switch {
	case j.from != "":
		c, err := checkpoint.ReadAdapterConfig(j.from)
		if err != nil {
			return err
		}
		j.origin = &c
	case r.Adapter != "":
		if err := j.adopt(); err != nil {
			return err
		}
	}
	lora, err := loraFor(m, r.LoRARank, r.LoRAAlpha, r.LoRATargetModules, j.origin)
	if err != nil {
		if j.adapter != nil {
			err = fmt.Errorf("adapter %s: %w; was it made for another model?", r.Adapter, err)
		}
		return err
	}
	lora.RSLoRA, lora.Dropout, lora.Seed = r.UseRSLoRA, r.LoRADropout, uint64(r.Seed)
	j.lora, s.Tuner, s.Dropout = lora, lora, r.LoRADropout > 0
	for _, p := range lora.Params() {
		s.Trained = append(s.Trained, optim.Param{Name: p.Name, Shape: p.Shape, Decay: true})
	}
	if j.adapter != nil {
		return MatchAdapter(r.Adapter, lora, j.adapter)
	}
	return nil
}

// settle replaces the values that stand for something of the model by what they stand for.
func settle(r *recipe.Recipe, m nn.Model) {
	if r.TrainType != "full" {
		r.LoRATargetModules = peft.Targets(m, r.LoRATargetModules)
	}
	if most := m.Config().MaxPositions; r.MaxLength == 0 || m.Config().LearnedPositions && r.MaxLength > most {
		r.MaxLength = most
	}
}

// attachNothing is full fine-tuning: all weights train, in F32, but those that are frozen by name.
func (j *Job) attachNothing(stored map[string]tensor.DType) error {
	r := &j.Recipe
	if r.Adapter != "" {
		return fmt.Errorf("--adapter goes with --train_type lora or qlora, not full")
	}
	if j.Base.Model.Config().Quantization != "" {
		return fmt.Errorf("model %s is quantised (%s); its weights cannot be trained in full: take --train_type qlora", r.Model, j.Base.Model.Config().Quantization)
	}
	used := make([]bool, len(r.FreezeParameters))
	for _, p := range j.Base.Model.Params() {
		frozen := false
		for i, prefix := range r.FreezeParameters {
			if strings.HasPrefix(p.Name, prefix) {
				frozen, used[i] = true, true
			}
		}
		if !frozen {
			stored[p.Name] = tensor.F32
			j.setup.Trained = append(j.setup.Trained, optim.Param{Name: p.Name, Shape: p.Shape, Decay: p.Decays()})
		}
	}
	for i, prefix := range r.FreezeParameters {
		if !used[i] {
			return fmt.Errorf("--freeze_parameters: no weight of the model begins with %q; names are like %s, and `hone inspect` of a safetensors file lists them", prefix, j.Base.Model.Params()[1].Name)
		}
	}
	if len(j.setup.Trained) == 0 {
		return fmt.Errorf("--freeze_parameters leaves nothing to train")
	}
	return nil
}

// pad is the id in the padding. Nothing ever reads it: padding is masked by position.
func (j *Job) pad() int32 {
	if eos := j.Base.Model.Config().EOS; len(eos) > 0 && eos[0] >= 0 && int(eos[0]) < j.Base.Model.Config().VocabSize {
		return eos[0]
	}
	return 0
}

// span is an epoch and how many optimiser steps of it the run takes.
type span struct{ epoch, batches, steps, first int }

// countSteps lays the epochs out. A step never reaches over the end of an epoch: the last one of an epoch may hold fewer
// micro-batches, as in transformers' Trainer.
func (j *Job) countSteps() error {
	r := &j.Recipe
	accum := r.GradientAccumulationSteps
	total := 0
	for epoch := 0; ; epoch++ {
		if r.MaxSteps <= 0 && float64(epoch) >= r.NumTrainEpochs {
			break
		}
		batches := j.loader.BatchesPerEpoch(epoch)
		steps := (batches + accum - 1) / accum
		if r.MaxSteps > 0 {
			steps = min(steps, r.MaxSteps-total)
		} else if part := r.NumTrainEpochs - float64(epoch); part < 1 {
			steps = int(math.Ceil(part * float64(steps)))
		}
		j.spans = append(j.spans, span{epoch, batches, steps, total})
		if total += steps; r.MaxSteps > 0 && total >= r.MaxSteps {
			break
		}
	}
	j.Plan.Steps = total
	j.warnOfIdle()
	j.schedule = optim.Schedule{Type: r.LRSchedulerType, LearningRate: r.LearningRate, Warmup: r.Warmup(total), Steps: total}
	return nil
}

// compile makes the programs and completes the plan.
func (j *Job) compile(ctx context.Context) error {
	shapes := func(l *data.Loader) (list []train.Shape) {
		if l != nil {
			for _, n := range l.Buckets() {
				list = append(list, train.Shape{Rows: j.Recipe.PerDeviceTrainBatchSize, Length: n})
			}
		}
		return list
	}
	var err error
	p := &j.Plan
	p.Shapes = shapes(j.loader)
	if j.trainer, err = train.Compile(ctx, j.setup, j.dev, p.Shapes, shapes(j.held)); err != nil {
		return fmt.Errorf("model %s: %w", j.Recipe.Model, err)
	}
	p.Data = j.dataBytes()
	planMemory(p, j.dev, j.Base, j.setup, j.trainer.Costs())
	if j.short() {
		if err := j.trainer.Page(ctx); err != nil {
			return fmt.Errorf("model %s: %w", j.Recipe.Model, err)
		}
		planPaged(p, j.setup, j.trainer.Costs())
	}
	for _, s := range j.spans {
		last := min(s.batches, s.steps*j.Recipe.GradientAccumulationSteps)
		p.MicroBatches += last
		if s.epoch == 0 { // later epochs are much the same
			for i := range last {
				p.FLOPs += float64(j.trainer.FLOPs(train.Shape{Rows: j.Recipe.PerDeviceTrainBatchSize, Length: j.loader.LengthAt(0, i)}))
			}
		}
	}
	p.FLOPs *= float64(p.MicroBatches) / float64(min(j.spans[0].batches, j.spans[0].steps*j.Recipe.GradientAccumulationSteps))
	p.MicroBatchFLOPs = j.trainer.FLOPs(p.Shapes[len(p.Shapes)-1])
	return j.checkBudget()
}

// modelName is the model_type, or the last part of the model's path or id: runs are filed under it.
func (j *Job) modelName() string {
	if j.asked.ModelType != "" {
		return j.asked.ModelType
	}
	if j.asked.Model != j.Recipe.Model {
		return hub.Label(j.asked.Model)
	}
	abs, err := filepath.Abs(j.Recipe.Model)
	if err != nil {
		abs = j.Recipe.Model
	}
	return filepath.Base(abs)
}
