package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Seconds is a stretch of time that JSON writes in seconds.
type Seconds time.Duration

// UnmarshalJSON reads it back, to the nanosecond.
func (s *Seconds) UnmarshalJSON(raw []byte) error {
	x, err := strconv.ParseFloat(string(raw), 64)
	if err == nil {
		*s = Seconds(math.Round(x * float64(time.Second)))
	}
	return err
}

// MarshalJSON writes 1.5 for a second and a half.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'g', -1, 64), nil
}

// Event is something that a run tells. The types below are all there are.
type Event interface{ event() }

// Started says what is about to be trained.
type Started struct {
	Model      string `json:"model"`
	Device     string `json:"device"`
	Directory  string `json:"directory"` // of the run
	Plan       Plan   `json:"plan"`
	Rows       Rows   `json:"rows"`
	StartStep  int    `json:"start_step"`     // steps done before, when resumed
	Told       int    `json:"told,omitempty"` // what events have said of steps up to this one stands: a server tells a step once, though its next worker does it again
	TotalSteps int    `json:"total_steps"`
}

// Downloading says how far a model or data set that was named by its id has come; many of them come before Started.
type Downloading struct {
	Name  string `json:"name"`
	Hub   string `json:"hub"`
	File  string `json:"file"`
	Done  int64  `json:"done"`  // bytes, of all its files
	Total int64  `json:"total"` // 0 where the hub does not say
}

// Loading says how far reading the rows has come; many of them come before Started.
type Loading struct {
	File  string `json:"file"`
	Rows  int    `json:"rows"`
	Done  int64  `json:"done"` // bytes
	Total int64  `json:"total"`
}

// Rows counts the data: read = sampled_out + kept + dropped. Rows that are cut into several examples are counted once,
// their further examples are pieces.
type Rows struct {
	Read             int      `json:"read"`
	SampledOut       int      `json:"sampled_out"`
	Kept             int      `json:"kept"`
	Dropped          int      `json:"dropped"`
	Truncated        int      `json:"truncated"`
	Pieces           int      `json:"pieces"`
	Unsupervised     int      `json:"unsupervised"`
	UnsupervisedRows []string `json:"unsupervised_rows"`
	Train            int      `json:"train"`    // examples of an epoch, repeated ones included
	HeldOut          int      `json:"held_out"` // examples
	Tokens           int64    `json:"tokens"`
	Supervised       int64    `json:"supervised"`
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
	Step            int     `json:"step"`
	TotalSteps      int     `json:"total_steps"`
	Loss            float64 `json:"loss"`
	LearningRate    float64 `json:"learning_rate"`
	TokensPerSecond float64 `json:"tokens_per_second"`
	Elapsed         Seconds `json:"elapsed"`
	Remaining       Seconds `json:"remaining"`
	Memory          int64   `json:"memory"`
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
	Step      int    `json:"step"`
	Directory string `json:"directory"`
}

// Warning is something that the user should know; the run goes on.
type Warning struct {
	Text string `json:"text"`
}

// Paused says that the run waits, see Control.
type Paused struct {
	Step     int  `json:"step"`
	Released bool `json:"released,omitempty"` // its State is stored and its device is free for others; what lets it go on queues it again
}

// Resumed says that a paused run goes on.
type Resumed struct {
	Step int `json:"step"`
}

// RateChanged says that the steps behind this one have another learning_rate than the recipe.
type RateChanged struct {
	Step         int     `json:"step"`
	LearningRate float64 `json:"learning_rate"`
}

// Finished ends a run.
type Finished struct {
	Step      int     `json:"step"`
	Directory string  `json:"directory"` // of the last checkpoint
	Stopped   string  `json:"stopped"`   // why it ended before the last step; empty when it did not
	Elapsed   Seconds `json:"elapsed"`
	Peak      int64   `json:"peak"`    // highest resident bytes of the process; 0 where that is unknown
	Before    int64   `json:"before"`  // resident bytes just before the model was opened
	Planned   int64   `json:"planned"` // what the plan said that the run would add
}

// Queued says that a run waits for a device of a server: at first, and when whoever worked on it is gone.
type Queued struct {
	Step   int    `json:"step"`   // of the State from which it will go on
	Reason string `json:"reason"` // why it waits again; empty at first
}

// Failed ends a run that cannot go on.
type Failed struct {
	Step   int    `json:"step"` // of its last State, from which it can be resumed; 0 without one
	Reason string `json:"reason"`
}

// Rewound says that the run has come again from elsewhere with another past: what was told of steps behind this one is void.
type Rewound struct {
	Step int `json:"step"`
}

// Stands is the last step that what was told before stands for: of later ones it is told anew.
func (e Started) Stands() int { return max(e.StartStep, e.Told) }

func (Queued) event()      {}
func (Rewound) event()     {}
func (Failed) event()      {}
func (Downloading) event() {}
func (Loading) event()     {}
func (Started) event()     {}
func (Stepped) event()     {}
func (Progress) event()    {}
func (Evaluated) event()   {}
func (Saved) event()       {}
func (Warning) event()     {}
func (Paused) event()      {}
func (Resumed) event()     {}
func (RateChanged) event() {}
func (Finished) event()    {}

// Name is what an event is called in messages: the name of its type in small letters, with underscores.
func Name(e Event) string {
	switch e.(type) {
	case Downloading:
		return "downloading"
	case Loading:
		return "loading"
	case Started:
		return "started"
	case Stepped:
		return "stepped"
	case Progress:
		return "progress"
	case Evaluated:
		return "evaluated"
	case Saved:
		return "saved"
	case Warning:
		return "warning"
	case Paused:
		return "paused"
	case Resumed:
		return "resumed"
	case RateChanged:
		return "rate_changed"
	case Finished:
		return "finished"
	case Queued:
		return "queued"
	case Failed:
		return "failed"
	case Rewound:
		return "rewound"
	case Moved:
		return "moved"
	case Linked:
		return "linked"
	}
	panic("wire: an event without a name")
}

// ParseEvent reads the data of a frame as the event of that name.
func ParseEvent(name string, data json.RawMessage) (Event, error) {
	switch name {
	case "downloading":
		return parseEvent[Downloading](name, data)
	case "loading":
		return parseEvent[Loading](name, data)
	case "started":
		return parseEvent[Started](name, data)
	case "stepped":
		return parseEvent[Stepped](name, data)
	case "progress":
		return parseEvent[Progress](name, data)
	case "evaluated":
		return parseEvent[Evaluated](name, data)
	case "saved":
		return parseEvent[Saved](name, data)
	case "warning":
		return parseEvent[Warning](name, data)
	case "paused":
		return parseEvent[Paused](name, data)
	case "resumed":
		return parseEvent[Resumed](name, data)
	case "rate_changed":
		return parseEvent[RateChanged](name, data)
	case "finished":
		return parseEvent[Finished](name, data)
	case "queued":
		return parseEvent[Queued](name, data)
	case "failed":
		return parseEvent[Failed](name, data)
	case "rewound":
		return parseEvent[Rewound](name, data)
	case "moved":
		return parseEvent[Moved](name, data)
	case "linked":
		return parseEvent[Linked](name, data)
	}
	return nil, fmt.Errorf("wire: there is no event %.40q; bring both sides to one release", name)
}

func parseEvent[E Event](name string, data json.RawMessage) (Event, error) {
	var e E
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("wire: the event %s: %w", name, err)
	}
	return e, nil
}
