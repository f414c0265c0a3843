// Package optim has what happens between a gradient and the next step: the schedule of the learning rate and the
// program that updates the weights.
package optim

import (
	"fmt"
	"math"
)

// Schedule gives the learning rate of every update, as transformers' get_scheduler.
type Schedule struct {
	Type         string // constant, constant_with_warmup, linear, cosine
	LearningRate float64
	Warmup       int // updates
	Steps        int // updates in all
}

// Schedules are the known types.
func Schedules() []string {
	return []string{"constant", "constant_with_warmup", "linear", "cosine"}
}

// At is the rate of update k = 0, 1, …: learning_rate · f(k). But for constant, f rises from 0 at k = 0 to 1 at
// k = warmup, and falls from there on for linear and cosine, to 0 at k = steps.
func (s Schedule) At(k int) (float64, error) {
	f := 1.0
	switch {
	case s.Type == "constant":
	case k < s.Warmup && (s.Type == "constant_with_warmup" || s.Type == "linear" || s.Type == "cosine"):
		f = float64(k) / math.Max(1, float64(s.Warmup))
	case s.Type == "constant_with_warmup":
	case s.Type == "linear":
		f = math.Max(0, float64(s.Steps-k)/math.Max(1, float64(s.Steps-s.Warmup)))
	case s.Type == "cosine":
		f = math.Max(0, 0.5*(1+math.Cos(math.Pi*float64(k-s.Warmup)/math.Max(1, float64(s.Steps-s.Warmup)))))
	default:
		return 0, fmt.Errorf("lr_scheduler_type %q is not known; known are %v", s.Type, Schedules())
	}
	return s.LearningRate * f, nil
}
