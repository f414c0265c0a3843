// Package run is a recipe made to happen: it opens model and data, says what the run will need, trains, evaluates, saves
// and resumes, and tells whoever listens. Command line, page and server start runs the same way.
package run

import "time"

// Event is something that a run tells. The types below are all there are.
type Event interface{ event() }

// Started says what is about to be trained.
type Started struct {
	Model      string
	Device     string
	Directory  string // of the run
	Plan       Plan
	Rows       Rows
	StartStep  int // steps done before, when resumed
	TotalSteps int
}

// Rows counts the data.
type Rows struct {
	Read, Kept, Dropped, Truncated, Unsupervised int
	UnsupervisedRows                             []string
	Train, HeldOut                               int
	Tokens, Supervised                           int64
}

// Stepped is a logged step; its JSON is a line of logging.jsonl. Loss is the mean over the steps since the last line.
type Stepped struct {
	Step            int     `json:"step"`
	Loss            float64 `json:"loss"`
	GradNorm        float64 `json:"grad_norm"`
	LearningRate    float64 `json:"learning_rate"`
	Epoch           float64 `json:"epoch"`
	Tokens          int     `json:"tokens"`            // supervised tokens since the last line
	TokensPerSecond float64 `json:"tokens_per_second"` // all tokens but padding
	Memory          int64   `json:"memory"`            // resident bytes of the process; 0 where that is unknown
	Elapsed         float64 `json:"elapsed"`           // seconds
	Remaining       float64 `json:"remaining"`         // seconds, estimated
}

// Progress is a step that is not logged: for progress bars.
type Progress struct {
	Step, TotalSteps   int
	Loss, LearningRate float64
	TokensPerSecond    float64
	Elapsed, Remaining time.Duration
	Memory             int64
}

// Evaluated is the loss over the held-out rows.
type Evaluated struct {
	Step     int     `json:"step"`
	EvalLoss float64 `json:"eval_loss"`
	Tokens   int     `json:"eval_tokens"`
	Best     bool    `json:"-"` // the lowest so far
}

// Saved is a checkpoint on disk.
type Saved struct {
	Step      int
	Directory string
}

// Warning is something that the user should know; the run goes on.
type Warning struct{ Text string }

// Finished ends a run.
type Finished struct {
	Step      int
	Directory string // of the last checkpoint
	Stopped   string // why it ended before the last step; empty when it did not
	Elapsed   time.Duration
	Peak      int64 // highest resident bytes of the process; 0 where that is unknown
	Before    int64 // resident bytes just before the model was opened
	Planned   int64 // what the plan said that the run would add
}

func (Started) event()   {}
func (Stepped) event()   {}
func (Progress) event()  {}
func (Evaluated) event() {}
func (Saved) event()     {}
func (Warning) event()   {}
func (Finished) event()  {}
