package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/recipe"
	"hone/core/safetensors"
	"hone/core/wire"
)

// Version is that of the program; it is written to manifests.
const Version = "0.1.0"

// Result is how a run ended.
type Result struct {
	Directory   string // of the checkpoint to use: the best one with load_best_model_at_end, otherwise the last
	Run         string // the run's directory
	Interrupted bool   // the context ended first; the run can be resumed from Run
}

// Start does what a recipe says, from the beginning or, with resume_from_checkpoint, from where a checkpoint left off.
// It tells what happens through sink. When ctx ends, the step under way is completed and saved.
func Start(ctx context.Context, r recipe.Recipe, dev device.Device, sink func(wire.Event)) (Result, error) {
	return new(Control).Start(ctx, r, dev, sink)
}

func (c *Control) resumption(dir string, sources []checkpoint.Source) resumption {
	return resumption{dir, sources, c.Places, c.HubsOnly}
}

// start is Start on one device.
func start(ctx context.Context, c *Control, r recipe.Recipe, dev device.Device, sink func(wire.Event)) (Result, error) {
	if r.ResumeFromCheckpoint != "" {
		return resume(ctx, c, r, dev, sink)
	}
	before, _ := Resident()
	j, err := prepare(ctx, r, dev, c.resumption("", nil), sink)
	if err != nil {
		return Result{}, err
	}
	defer j.Close()
	s := &session{j: j, dev: dev, sink: sink, control: c, before: before}
	if err := s.hash(); err != nil {
		return Result{}, err
	}
	if s.run, err = checkpoint.Create(j.Recipe.OutputDir, j.modelName(), c.Tag, time.Now()); err != nil {
		return Result{}, err
	}
	release, err := s.run.Lock()
	if err != nil {
		return Result{}, err
	}
	defer release()
	if err := s.record(); err != nil {
		return Result{}, err
	}
	return s.train(ctx, nil, checkpoint.Checkpoint{})
}

// resume goes on from a checkpoint, in its own run directory.
func resume(ctx context.Context, c *Control, r recipe.Recipe, dev device.Device, sink func(wire.Event)) (Result, error) {
	run, err := checkpoint.RunOf(r.ResumeFromCheckpoint)
	if err != nil {
		return Result{}, err
	}
	// Finding the checkpoint tidies the directory up, which must not happen below the hands of another process.
	release, err := run.Lock()
	if err == nil {
		defer release()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Result{}, fmt.Errorf("resuming %s: %w", r.ResumeFromCheckpoint, err)
	}
	run, from, err := checkpoint.Find(r.ResumeFromCheckpoint)
	if err != nil {
		return Result{}, err
	}
	raw, err := run.ReadArgs()
	if err != nil {
		return Result{}, err
	}
	old, err := recipe.FromJSON(raw)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", filepath.Join(run.Dir, checkpoint.ArgsFile), err)
	}
	state, err := checkpoint.Load(from.Dir)
	if err != nil {
		return Result{}, err
	}
	was, err := run.ReadManifest()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // without it, names mean what they mean today
		return Result{}, fmt.Errorf("resuming %s: %w", from.Dir, err)
	}
	// The run recorded the names that all-linear stands for, and the length that 0 stands for.
	then := &Job{Recipe: old, from: from.Dir}
	if err := then.locate(ctx, c.resumption("", was.Sources), sink); err != nil {
		return Result{}, fmt.Errorf("resuming %s: %w", from.Dir, err)
	}
	if base, err := checkpoint.OpenBase(then.Recipe.Model); err == nil {
		settle(&r, base.Model)
		base.Close()
	}
	merged, err := r.Resume(old)
	if err != nil {
		return Result{}, fmt.Errorf("resuming %s: %w", from.Dir, err)
	}
	if c, ok := dev.(device.Chooser); ok && !r.Given("kernel_variant") {
		_ = c.Choose(state.KernelVariant) // kernels of another device are told of below
	}
	before, _ := Resident()
	j, err := prepare(ctx, merged, dev, c.resumption(from.Dir, was.Sources), sink)
	if err != nil {
		return Result{}, err
	}
	defer j.Close()
	s := &session{j: j, dev: dev, sink: sink, control: c, before: before, run: run}
	if err := s.hash(); err != nil {
		return Result{}, err
	}
	if err := state.Matches(s.recipeHash, s.model.Digest, s.data.Digest); err != nil {
		return Result{}, fmt.Errorf("resuming %s: %w", from.Dir, err)
	}
	if state.Step > j.Plan.Steps {
		return Result{}, fmt.Errorf("resuming %s: step %d lies behind the %d steps that max_steps and num_train_epochs ask for; raise them", from.Dir, state.Step, j.Plan.Steps)
	}
	if merged.MaxSteps != old.MaxSteps || merged.NumTrainEpochs != old.NumTrainEpochs {
		// The run has another end from now on, also for who goes on with it next, here or at a server, and gives nothing anew.
		old.MaxSteps, old.NumTrainEpochs = merged.MaxSteps, merged.NumTrainEpochs
		args, err := old.ToJSON()
		if err == nil {
			err = run.WriteArgs(args)
		}
		if err != nil {
			return Result{}, fmt.Errorf("resuming %s: %w", from.Dir, err)
		}
	}
	if _, err := run.CutLog(state.Step); err != nil {
		return Result{}, err
	}
	if err := run.RemoveAfter(state.Step); err != nil {
		return Result{}, err
	}
	return s.train(ctx, state, from)
}

// session is a job with its run directory.
type session struct {
	j          *Job
	dev        device.Device
	run        checkpoint.Run
	sink       func(wire.Event)
	before     int64 // resident bytes when the model had not been opened
	states     map[string]device.Buffer
	recipeHash string
	model      checkpoint.Input
	data       checkpoint.Input
	seconds    float64 // spent before this session
	tokens     int64
	loop       *loop
	history    *checkpoint.History // of the log
	control    *Control
	rate       float64         // learning_rate as it was changed on the way; 0: as in the recipe
	voices     map[bool]*Voice // that have been asked, by whether they are the base
}

// hash identifies model, data and recipe.
func (s *session) hash() error {
	r := s.j.Recipe
	s.recipeHash = r.Hash()
	files, err := checkpoint.ModelFiles(r.Model)
	if err != nil {
		return err
	}
	where := r.Model
	if _, placed := s.j.names.places[s.j.asked.Model]; placed {
		where = s.j.asked.Model
	}
	if s.model, err = checkpoint.NewInput([]string{where}, files); err != nil {
		return err
	}
	s.data, err = checkpoint.NewInput(append(append([]string(nil), r.Dataset...), r.ValDataset...), s.j.files)
	return err
}

// record writes what the run is made of.
func (s *session) record() error {
	r := s.j.Recipe // as it was settled, but with the names that were asked for
	r.Model, r.Adapter = s.j.asked.Model, s.j.asked.Adapter
	args, err := r.ToJSON()
	if err != nil {
		return err
	}
	if err := s.run.WriteArgs(args); err != nil {
		return err
	}
	m := checkpoint.NewManifest(Version, time.Now())
	m.Device, m.KernelVariant, m.RecipeHash, m.Model, m.Data = s.dev.Caps().Name, s.dev.Caps().Variant, s.recipeHash, s.model, s.data
	if m.Rows, err = json.Marshal(s.j.Rows); err != nil {
		return err
	}
	m.Template = s.j.layout
	m.Sources = s.j.names.sources
	return s.run.WriteManifest(m)
}

// train brings the states to the device and runs the loop to its end.
func (s *session) train(ctx context.Context, state *checkpoint.State, from checkpoint.Checkpoint) (Result, error) {
	j := s.j
	var saved source
	if state != nil {
		open, closeAll, err := openSaved(from.Dir, j.lora != nil, state)
		if err != nil {
			return Result{}, err
		}
		defer closeAll()
		saved = open
	}
	defer boundGarbage(j.Plan.Total())()
	var err error
	if s.states, err = j.upload(ctx, saved); err != nil {
		return Result{}, err
	}
	defer func() {
		for _, v := range s.voices {
			v.Close()
		}
		for _, b := range s.states {
			b.Release()
		}
	}()
	if err := j.trainer.Bind(s.states); err != nil {
		return Result{}, err
	}
	if s.history, err = s.run.ReadHistory(); err != nil {
		return Result{}, err
	}
	l := &loop{j: j, sink: s.sink, log: func(line any) error { return s.run.AppendLog(line, s.history) }, save: s.save, drop: s.run.Remove, prune: s.prune, every: s.control.SaveEvery, between: func(ctx context.Context) { s.control.between(ctx, s) }}
	s.loop = l
	if state != nil {
		l.step, l.micro, l.lastSaved, l.lastSavedDir = state.Step, state.MicroBatches, state.Step, from.Dir
		l.line, s.seconds, s.tokens = state.Line, state.Seconds, state.Tokens
		if state.Passing {
			l.passing = from.Dir
		}
		if state.LearningRate > 0 {
			s.setRate(state.LearningRate)
			j.warn("learning_rate is %g: it was changed while the run went on, before this checkpoint", state.LearningRate)
		}
		if state.BestMetric != nil {
			l.best = best{Loss: *state.BestMetric, Step: state.BestStep, Worse: state.BadEvals}
		}
		log, err := s.run.ReadLog()
		if err != nil {
			return Result{}, err
		}
		b, done := pastEvaluations(log, state.Step)
		if l.evaluated = done; b.Step > 0 {
			l.best = b
		}
	}
	s.sink(wire.Started{Model: j.baseName, Device: s.dev.Caps().Name, Directory: s.run.Dir, Plan: j.Plan, Rows: j.Rows, StartStep: l.step, TotalSteps: j.Plan.Steps})
	if v := s.dev.Caps().Variant; state != nil && state.KernelVariant != v {
		j.warn("the checkpoint was computed with the %s kernels, this device has %s: what follows equals the uninterrupted run but for the last bits", state.KernelVariant, v)
	}
	for _, w := range j.warnings {
		s.sink(wire.Warning{Text: w})
	}
	if rate := s.control.rate; rate > 0 && rate != s.rate {
		s.changeRate(rate)
	}
	stopped, err := l.run(ctx)
	if errors.Is(err, device.ErrLost) {
		err = &Lost{Err: err, Run: s.run.Dir, Directory: l.lastSavedDir, Step: l.lastSaved, Done: l.step}
	}
	if err != nil {
		return Result{}, err
	}
	result := Result{Directory: l.lastSavedDir, Run: s.run.Dir, Interrupted: stopped == interrupted}
	if !result.Interrupted {
		s.checkResult(ctx)
	}
	if j.Recipe.LoadBestModelAtEnd && l.best.Step > 0 && !result.Interrupted {
		result.Directory = filepath.Join(s.run.Dir, fmt.Sprintf("checkpoint-%d", l.best.Step))
	}
	_, peak := Resident()
	s.recordMemory(peak)
	s.sink(wire.Finished{Step: l.step, Directory: result.Directory, Stopped: stopped, Elapsed: wire.Seconds(time.Since(l.began)), Peak: peak, Before: s.before, Planned: j.Plan.Total()})
	return result, nil
}

// recordMemory completes the manifest with what the run took beside what was planned. It is no reason to fail.
func (s *session) recordMemory(peak int64) {
	m, err := s.run.ReadManifest()
	if err == nil {
		m.Memory = &checkpoint.Memory{Before: s.before, Peak: peak, Planned: s.j.Plan.Total()}
		err = s.run.WriteManifest(m)
	}
	if err != nil {
		s.sink(wire.Warning{Text: fmt.Sprintf("the manifest lacks the memory figures: %v", err)})
	}
}

// openSaved opens the tensors of a checkpoint: the trained ones and the moments.
func openSaved(dir string, adapter bool, state *checkpoint.State) (source, func(), error) {
	name := checkpoint.ModelTensors
	if adapter {
		name = checkpoint.AdapterTensors
	}
	trained, err := safetensors.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, nil, err
	}
	files := []*safetensors.File{trained}
	closeAll := func() {
		for _, f := range files {
			f.Close()
		}
	}
	if state.Has(checkpoint.StateTensors) {
		moments, err := safetensors.Open(filepath.Join(dir, checkpoint.StateTensors))
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		files = append(files, moments)
	}
	return func(name string) (*io.SectionReader, error) {
		for _, f := range files {
			if info, ok := f.Lookup(name); ok {
				if info.DType != "F32" {
					return nil, fmt.Errorf("%s: tensor %s has type %s, a State is written in F32", dir, name, info.DType)
				}
				return f.Reader(name)
			}
		}
		return nil, fmt.Errorf("%s has no tensor %s; resume from another checkpoint", dir, name)
	}, closeAll, nil
}
