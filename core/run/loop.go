package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"hone/core/checkpoint"
	"hone/core/data"
	"hone/core/device"
	"hone/core/wire"
)

// loop is a run in progress.
type loop struct {
	j     *Job
	sink  func(wire.Event)
	save  func(step int, passing bool) (dir string, err error)
	drop  func(dir string) error // removes a checkpoint
	prune func() error           // removes old ones beyond save_total_limit
	log   func(line any) error

	between func(context.Context) // what others ask of the run is done here, and pauses are waited for

	step      int // optimiser steps done
	micro     uint64
	best      best
	evaluated bool // the held-out rows have been measured after this step

	began     time.Time
	startStep int
	tokens    int64         // trained on since the start, without padding
	aside     time.Duration // of the time since the start, what went into evaluating, answering and pauses: no part of the speed

	// Since the last log line.
	line         checkpoint.Line
	lineBegan    time.Time
	lineAside    time.Duration // see aside
	lastSaved    int
	lastSavedDir string
	changed      bool // a setting since the last checkpoint, which therefore is not all there is to save

	every   time.Duration // see Control.SaveEvery
	savedAt time.Time
	took    time.Duration // to save, last time
	passing string        // the last checkpoint, where the next one replaces it
}

// interrupted is why a run stopped when its context ended.
const interrupted = "interrupted"

// run trains from the loop's step to the end of the plan, or until the context ends, and saves at the end in both cases.
// Why it stopped early is returned as a sentence.
func (l *loop) run(ctx context.Context) (stopped string, err error) {
	l.began, l.lineBegan, l.startStep = time.Now(), time.Now(), l.step
	l.savedAt = l.began
	j := l.j
	if l.every > 0 && l.lastSavedDir == "" {
		if err := l.saveAs(true); err != nil {
			return "", err
		}
	}
	// What the run starts from, for comparison; and what an interruption left out.
	if j.held != nil && !l.evaluated && (l.step == 0 || l.evaluationDue()) {
		if stopped, err := l.afterStep(ctx, l.step > 0); stopped != "" || err != nil {
			return stopped, err
		}
	}
	if l.stale() { // a run that had stopped early is resumed
		return l.staleness(), l.saveIfNew()
	}
	for _, sp := range j.spans {
		for l.step < sp.first+sp.steps {
			l.setAside(func() { l.between(ctx) })
			if ctx.Err() != nil {
				return interrupted, l.saveIfNew()
			}
			if err := l.oneStep(sp); err != nil {
				return "", l.keepGood(err)
			}
			if stopped, err := l.afterStep(ctx, true); stopped != "" || err != nil {
				return stopped, err
			}
		}
	}
	return "", l.saveIfNew()
}

// afterStep evaluates and saves where the recipe asks for it, and tells why the run ends here if it does. Before the first
// step there is only the evaluation.
func (l *loop) afterStep(ctx context.Context, stepped bool) (stopped string, err error) {
	j := l.j
	improved := false
	if j.held != nil && (!stepped || l.evaluationDue()) {
		l.setAside(func() { improved, err = l.evaluate(ctx) })
		if err != nil {
			if ctx.Err() != nil {
				return interrupted, l.saveIfNew()
			}
			return "", err
		}
	}
	if !stepped {
		return "", nil
	}
	// The best weights can be taken at the end only if they are on disk.
	keep := improved && j.Recipe.LoadBestModelAtEnd
	if last := l.step == j.Plan.Steps; l.step%j.Recipe.SaveSteps == 0 || last || keep {
		if err := l.saveIfNew(); err != nil {
			return "", err
		}
	} else if l.every > 0 && time.Since(l.savedAt) >= max(l.every, savingShare*l.took) {
		if err := l.saveAs(true); err != nil {
			return "", err
		}
	}
	if l.stale() {
		return l.staleness(), l.saveIfNew()
	}
	return "", nil
}

// setAside does what is no training, and takes its time out of the speed.
func (l *loop) setAside(f func()) {
	began := time.Now()
	f()
	took := time.Since(began)
	l.aside, l.lineAside = l.aside+took, l.lineAside+took
}

// stale reports whether early_stop_interval ends the run here.
func (l *loop) stale() bool {
	n := l.j.Recipe.EarlyStopInterval
	return n > 0 && l.best.Worse >= n
}

func (l *loop) staleness() string {
	return fmt.Sprintf("%d evaluations without a lower held-out loss", l.best.Worse)
}

// savingShare bounds what passing checkpoints cost: one of so many parts of the time.
const savingShare = 20

func (l *loop) saveIfNew() error { return l.saveAs(false) }

// keep saves in passing; a checkpoint that was asked for at this step stays one that was.
func (l *loop) keep() error {
	asked := l.lastSavedDir != "" && l.lastSaved == l.step && l.passing == ""
	return l.saveAs(!asked)
}

// saveAs saves what has changed since the last checkpoint. A passing one goes when the next is there.
func (l *loop) saveAs(passing bool) error {
	if l.lastSaved == l.step && l.lastSavedDir != "" && !l.changed && (passing || l.passing == "") {
		return nil
	}
	began := time.Now()
	dir, err := l.save(l.step, passing)
	if err != nil {
		return err
	}
	l.savedAt = time.Now()
	old := l.passing
	l.lastSaved, l.lastSavedDir, l.changed, l.took, l.passing = l.step, dir, false, l.savedAt.Sub(began), ""
	if passing {
		l.passing = dir
	}
	l.sink(wire.Saved{Step: l.step, Directory: dir})
	if old != "" && old != dir && !(l.best.Step > 0 && old == l.bestDir()) {
		if err := l.drop(old); err != nil {
			return err
		}
	}
	if passing { // which is beside those that were asked for, and takes the place of none
		return nil
	}
	return l.prune()
}

// bestDir is where the checkpoint of the lowest held-out loss lies, if it was saved.
func (l *loop) bestDir() string {
	return filepath.Join(filepath.Dir(l.lastSavedDir), fmt.Sprintf("checkpoint-%d", l.best.Step))
}

// oneStep is one optimiser step: its micro-batches, the update, the line. It is never left half-way: a signal that
// comes meanwhile waits for its end.
func (l *loop) oneStep(sp span) error {
	ctx := context.Background()
	j := l.j
	first := (l.step - sp.first) * j.Recipe.GradientAccumulationSteps
	var batches []data.Batch
	supervised, all := 0, 0
	for i := first; i < min(first+j.Recipe.GradientAccumulationSteps, sp.batches); i++ {
		b := j.loader.At(sp.epoch, i)
		batches = append(batches, b)
		supervised += b.Tokens
		for _, e := range b.Examples {
			all += len(j.train.Examples[e].IDs)
		}
	}
	if supervised == 0 {
		return fmt.Errorf("step %d has no token to learn: %s; leave these rows out, or raise gradient_accumulation_steps", l.step+1, rowNames(j.train, batches))
	}
	var sum float64
	for _, b := range batches {
		loss, err := j.trainer.Accumulate(ctx, b, uint64(j.Recipe.Seed), l.micro)
		if err != nil {
			return err
		}
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return diverged{fmt.Errorf("step %d: the loss of %s is %v", l.step+1, rowNames(j.train, []data.Batch{b}), loss)}
		}
		sum += loss
		l.micro++
	}
	rate, err := j.schedule.At(l.step)
	if err != nil {
		return err
	}
	norm, err := j.trainer.Apply(ctx, supervised, rate, l.step)
	if err != nil {
		return err
	}
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return diverged{fmt.Errorf("step %d: the gradient's norm is %v, with %s", l.step+1, norm, rowNames(j.train, batches))}
	}
	l.step++
	l.line.LossSum, l.line.Losses = l.line.LossSum+sum/float64(supervised), l.line.Losses+1
	l.line.Supervised, l.line.Tokens, l.tokens = l.line.Supervised+supervised, l.line.Tokens+int64(all), l.tokens+int64(all)
	l.evaluated = false
	return l.report(sp, norm, rate)
}

// report tells of the step, and writes a line every logging_steps and for the first and the last step.
func (l *loop) report(sp span, norm, rate float64) error {
	j := l.j
	now := time.Now()
	elapsed := now.Sub(l.began)
	remaining := time.Duration(float64(elapsed) / float64(l.step-l.startStep) * float64(j.Plan.Steps-l.step))
	memory, _ := Resident()
	if l.step%j.Recipe.LoggingSteps != 0 && l.step != 1 && l.step != j.Plan.Steps {
		l.sink(wire.Progress{Step: l.step, TotalSteps: j.Plan.Steps, Loss: l.line.LossSum / float64(l.line.Losses), LearningRate: rate,
			TokensPerSecond: perSecond(l.tokens, elapsed-l.aside), Elapsed: wire.Seconds(elapsed), Remaining: wire.Seconds(remaining), Memory: memory})
		return nil
	}
	done := math.Min(float64((l.step-sp.first)*j.Recipe.GradientAccumulationSteps)/float64(sp.batches), 1)
	line := wire.Stepped{Step: l.step, Loss: l.line.LossSum / float64(l.line.Losses), GradNorm: norm, LearningRate: rate, Epoch: float64(sp.epoch) + done,
		Tokens: l.line.Supervised, TokensPerSecond: perSecond(l.line.Tokens, now.Sub(l.lineBegan)-l.lineAside), Memory: memory,
		Elapsed: elapsed.Seconds(), Remaining: remaining.Seconds()}
	l.line, l.lineBegan, l.lineAside = checkpoint.Line{}, now, 0
	l.sink(line)
	return l.log(line)
}

// perSecond is a speed. It is finite, also where a step takes less time than a browser's clock tells apart.
func perSecond(tokens int64, took time.Duration) float64 {
	return float64(tokens) / max(took, time.Microsecond).Seconds()
}

// diverged is the error of a loss or a gradient that is no number.
type diverged struct{ error }

// keepGood saves the state of the last step that went well, which a failed step leaves as it was, and completes the error.
func (l *loop) keepGood(err error) error {
	if errors.Is(err, device.ErrLost) {
		return err // what lay on the device is gone
	}
	var d diverged
	notANumber := errors.As(err, &d)
	if l.step == 0 {
		if notANumber {
			err = l.j.atFault(err)
		}
		return err
	}
	if saveErr := l.saveIfNew(); saveErr != nil {
		return fmt.Errorf("%w; and saving the state of step %d failed: %w", err, l.step, saveErr)
	}
	advice := ""
	if notANumber {
		advice = ". A lower --learning_rate usually helps"
	}
	return fmt.Errorf("%w; the state of step %d is kept in %s%s", err, l.lastSaved, l.lastSavedDir, advice)
}

// rowNames names the rows of batches as "file rows 3, 4".
func rowNames(set *data.Set, batches []data.Batch) string {
	const most = 8
	var b strings.Builder
	file, named, all := "", 0, 0
	for _, batch := range batches {
		for _, i := range batch.Examples {
			e := set.Examples[i]
			if all++; all > most {
				continue
			}
			switch {
			case e.File != file && named > 0:
				fmt.Fprintf(&b, "; %s row %d", e.File, e.Row)
			case e.File != file:
				fmt.Fprintf(&b, "%s row %d", e.File, e.Row)
			default:
				fmt.Fprintf(&b, ", %d", e.Row)
			}
			file = e.File
			named++
		}
	}
	if all > most {
		fmt.Fprintf(&b, " and %d more", all-most)
	}
	return b.String()
}
