package wire

import "encoding/json"

// Host is what a host is.
type Host struct {
	Version  string  `json:"version"`
	Device   string  `json:"device"` // as shown to the user
	Kind     string  `json:"kind"`   // "webgpu" or "cpu"
	Reason   string  `json:"reason"` // why it is not WebGPU, with what to do; empty where it is
	Storage  Storage `json:"storage"`
	Models   []Model `json:"models"`
	Halves   []Model `json:"halves,omitempty"`   // models of which some files are here: Fetch of their path brings the rest
	Adapters []Model `json:"adapters,omitempty"` // that the user has brought: what a recipe's adapter may be set to
	Data     []Data  `json:"data"`
	Runs     []Run   `json:"runs"`
	More     int     `json:"more,omitempty"`   // how many others there are, which had no room in the frame
	Going    string  `json:"going"`            // the run that is going on
	Begins   bool    `json:"begins,omitempty"` // it is only being loaded

	Servers []Known  `json:"servers,omitempty"` // where runs of this host can go on
	Workers []Worker `json:"workers,omitempty"` // of a server
	Queue   int      `json:"queue,omitempty"`   // of a server: runs that wait, of all users
}

// Storage is the space that the host has for files, in bytes; 0 where that is unknown.
type Storage struct {
	Used       int64 `json:"used"`
	Quota      int64 `json:"quota"`
	Persistent bool  `json:"persistent"` // the browser has promised to keep it
}

// Model describes one that is on the host.
type Model struct {
	Path         string           `json:"path"` // what a recipe's model is set to
	Name         string           `json:"name"`
	Architecture string           `json:"architecture"`
	Parameters   int64            `json:"parameters"`
	ByKind       map[string]int64 `json:"by_kind"` // embedding, attention, feed forward, norms, head
	DTypes       map[string]int64 `json:"dtypes"`  // parameters by element type
	Layers       int              `json:"layers"`
	HiddenSize   int              `json:"hidden_size"`
	Vocabulary   int              `json:"vocab_size"`
	MaxPositions int              `json:"max_position_embeddings"`
	Template     string           `json:"template"`
	Bytes        int64            `json:"bytes"`
	Bundled      bool             `json:"bundled"`
	Elsewhere    bool             `json:"elsewhere,omitempty"` // a hub may have it, here it is not: there is nothing but Path and Name
}

// Offers are models that can be fetched by their paths. Of each there are Path, Name and Bytes.
type Offers struct {
	Models []Model `json:"models"`
}

// Data is a file of rows on the host.
type Data struct {
	Path    string `json:"path"` // what a recipe's dataset names
	Name    string `json:"name"`
	Bytes   int64  `json:"bytes"`
	Bundled bool   `json:"bundled"`
	Hub     bool   `json:"hub,omitempty"` // it is a data set of a hub; to Delete it is "dataset:" and its Path
}

// DataFiles are those of a data set that was fetched.
type DataFiles struct {
	Files []Data `json:"files"`
	Of    string `json:"of,omitempty"` // what a recipe calls them all together, where they are a data set of a hub
}

// Forecasted is what a run will take.
type Forecasted struct {
	Plan    Plan    `json:"plan"`
	Rows    Rows    `json:"rows"`
	Total   int64   `json:"total"`             // bytes
	Budget  int64   `json:"budget"`            // bytes that there are, 0 where that is unknown
	Seconds float64 `json:"seconds"`           // of the whole run, estimated from a measured speed; 0 where nothing was measured
	Refusal string  `json:"refusal,omitempty"` // why it cannot run as it is, and which setting mends it
	Line    string  `json:"line"`              // the same as a command: hone sft …
}

// Preview is the rows of a recipe as the model would see them.
type Preview struct {
	Rows     Rows      `json:"rows"`
	Warnings []string  `json:"warnings"`
	Template string    `json:"template"`
	Columns  []string  `json:"columns"` // of the first row, as the file has them
	Lengths  Histogram `json:"lengths"`
	Shown    []Row     `json:"shown"`
	Refusal  string    `json:"refusal,omitempty"` // why the rows cannot be read as they are; then there are only Columns

	Questions []string `json:"questions,omitempty"` // where these were asked for
}

// Row is one example.
type Row struct {
	File       string    `json:"file"`
	Row        int       `json:"row"`
	Tokens     int       `json:"tokens"`
	Supervised int       `json:"supervised"`
	Bucket     int       `json:"bucket"`
	Stretches  []Stretch `json:"stretches"`
}

// Stretch is a piece of a row whose tokens are all learnt or all not.
type Stretch struct {
	Text   string `json:"text"`
	Tokens int    `json:"tokens"`
	Learnt bool   `json:"learnt"`
}

// Histogram counts rows by their length: Counts[i] of those with Edges[i] <= tokens < Edges[i+1].
type Histogram struct {
	Edges  []int `json:"edges"`
	Counts []int `json:"counts"`
}

// RunName names a run that was started.
type RunName struct {
	Run string `json:"run"`
}

// Text is a piece of an answer as it grows.
type Text struct {
	Side string `json:"side"` // "base" or "tuned"
	Text string `json:"text"`
}

// Answers is what was asked for of base and tuned model.
type Answers struct {
	Base  *Answered `json:"base,omitempty"`
	Tuned *Answered `json:"tuned,omitempty"`
	Step  int       `json:"step"` // that the tuned one has done
}

// Answered is one answer.
type Answered struct {
	Text   string  `json:"text"`
	Ending string  `json:"ending"` // why it ends
	Top    []Token `json:"top,omitempty"`
}

// Token is one of the vocabulary with its probability to come next.
type Token struct {
	Text        string  `json:"text"`
	Probability float64 `json:"probability"`
}

// Run is one of the host.
type Run struct {
	ID       string          `json:"id"` // <model>/v<N>-<date>-<time>
	Model    string          `json:"model"`
	Started  string          `json:"started"` // RFC 3339
	Step     int             `json:"step"`    // of its last State
	Steps    int             `json:"steps"`
	Loss     float64         `json:"loss"`      // of its last logged step
	EvalLoss float64         `json:"eval_loss"` // the lowest; 0 where nothing was held out
	Finished bool            `json:"finished"`
	Status   string          `json:"status,omitempty"` // on a server: queued, running, paused, stopped, failed, done
	Reason   string          `json:"reason,omitempty"` // why it failed, or had to be begun again
	Attempts int             `json:"attempts,omitempty"`
	Priority string          `json:"priority,omitempty"` // on a server, see PriorityName
	On       string          `json:"on,omitempty"`       // the server that has it; "" is this host
	Bytes    int64           `json:"bytes"`
	Note     string          `json:"note"`
	Recipe   json.RawMessage `json:"recipe"` // args.json
}

// RunList is all runs, the newest first, as far as they fit into a frame.
type RunList struct {
	Runs []Run `json:"runs"`
	More int   `json:"more,omitempty"` // how many others there are
}

// Told are past events of a run.
type Told struct {
	Events []Frame `json:"events"`
	Next   uint64  `json:"next"` // the Seq of the event that comes next
}

// File is one to take away.
type File struct {
	Path string `json:"path"`
	Name string `json:"name"` // to save it under
	Type string `json:"type"` // MIME
	Size int64  `json:"size"`
}
