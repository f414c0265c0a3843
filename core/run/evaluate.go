package run

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"hone/core/data"
	"hone/core/wire"
)

// best is the lowest held-out loss so far. It is part of the State.
type best struct {
	Loss  float64 `json:"loss"`
	Step  int     `json:"step"` // 0: none
	Worse int     `json:"worse"`
}

// take counts a held-out loss and reports whether it is the lowest so far.
func (b *best) take(step int, loss float64) (improved bool) {
	if b.Step == 0 || loss < b.Loss {
		*b = best{Loss: loss, Step: step}
		return true
	}
	b.Worse++
	return false
}

// pastEvaluations reads the held-out losses from a run's log: the lowest of those after a step, and whether the rows were
// measured after step last. The log knows better than the State what was measured: a run that is interrupted in an
// evaluation saves its State first and measures when it goes on.
func pastEvaluations(log []json.RawMessage, last int) (b best, done bool) {
	for _, raw := range log {
		var line struct {
			Step int      `json:"step"`
			Loss *float64 `json:"eval_loss"`
		}
		if json.Unmarshal(raw, &line) != nil || line.Loss == nil {
			continue
		}
		if line.Step > 0 {
			b.take(line.Step, *line.Loss)
		}
		done = line.Step == last
	}
	return b, done
}

// evaluationDue reports whether the held-out rows are measured after this step.
func (l *loop) evaluationDue() bool {
	return l.step > 0 && (l.step%l.j.Recipe.EvalSteps == 0 || l.step == l.j.Plan.Steps)
}

// evaluate measures the held-out rows and reports whether the loss is the lowest so far.
func (l *loop) evaluate(ctx context.Context) (improved bool, err error) {
	loss, tokens, err := l.j.trainer.Evaluate(ctx, l.j.heldOut())
	if err != nil {
		return false, err
	}
	if tokens > 0 && (math.IsNaN(loss) || math.IsInf(loss, 0)) {
		return false, l.badEvaluation(ctx, loss)
	}
	if l.step > 0 {
		improved = l.best.take(l.step, loss)
	}
	e := wire.Evaluated{Step: l.step, EvalLoss: loss, Tokens: tokens, Best: improved}
	l.evaluated = true
	l.sink(e)
	return improved, l.log(e)
}

// badEvaluation says which held-out rows have a loss that is no number. The state as it is gives nonsense, so it is not
// saved.
func (l *loop) badEvaluation(ctx context.Context, loss float64) error {
	j := l.j
	rows := ""
	for b := range j.heldOut() {
		one, tokens, err := j.trainer.Evaluate(ctx, slices.Values([]data.Batch{b}))
		if err == nil && tokens > 0 && (math.IsNaN(one) || math.IsInf(one, 0)) {
			rows = " of " + rowNames(j.heldSet, []data.Batch{b})
			break
		}
	}
	if l.step == 0 {
		return j.atFault(fmt.Errorf("before the first step: the held-out loss%s is %v", rows, loss))
	}
	kept := "no checkpoint had been written before"
	if l.lastSavedDir != "" {
		kept = fmt.Sprintf("the state of step %d is kept in %s", l.lastSaved, l.lastSavedDir)
	}
	return fmt.Errorf("step %d: the held-out loss%s is %v; %s. A lower --learning_rate usually helps", l.step, rows, loss, kept)
}

// heldOut walks the held-out batches.
func (j *Job) heldOut() func(yield func(data.Batch) bool) {
	return func(yield func(data.Batch) bool) {
		for i := range j.held.BatchesPerEpoch(0) {
			if !yield(j.held.At(0, i)) {
				return
			}
		}
	}
}

// atFault completes the error of a run that fails before it has changed anything: often a weight is no number.
func (j *Job) atFault(err error) error {
	chunk := make([]float32, 1<<16)
	for _, p := range j.Base.Model.Params() {
		if j.Base.Quantised(p.Name) {
			continue
		}
		n := p.Shape.Elements()
		for at := 0; at < n; at += len(chunk) {
			part := chunk[:min(len(chunk), n-at)]
			if j.Base.Weights.ReadF32At(j.Base.StoredName(p.Name), part, at) != nil {
				break
			}
			for i, v := range part {
				if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
					return fmt.Errorf("%w; element %d of the weight %s of %s is %v: the model is damaged, download or convert it again", err, at+i, p.Name, j.Recipe.Model, v)
				}
			}
		}
	}
	return fmt.Errorf("%w; no step had been done yet. A lower --learning_rate or another model usually helps", err)
}
