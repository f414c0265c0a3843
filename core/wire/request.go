package wire

import (
	"context"
	"encoding/json"
	"fmt"
)

// Request is something that a host is asked to do. The types below are all there are; each says what its reply is.
// A recipe is the JSON object that package recipe reads; what is not in it has its default.
// Files are named by paths in the host's own space: "models/…", "data/…", "runs/…".
type Request interface{ Name() string }

// Hello asks what the host is and has. Reply: Host; soon, without its device where that has not been opened yet, which takes seconds.
type Hello struct {
	Soon bool `json:"soon,omitempty"`
}

// Inspect asks about a model. Reply: Model.
type Inspect struct {
	Model string `json:"model"` // a directory of the host, or a name on a hub that is in the cache
}

// Fetch brings a model or a data set by its name on a hub, or by its address on this page's server; it goes on where it was
// stopped. Parts: Downloading. Reply: Model or DataFiles.
type Fetch struct {
	What string `json:"what"` // "model" or "dataset"
	Of   string `json:"of"`
	Hub  string `json:"hub,omitempty"` // auto, hf, ms
}

// Offered asks which models the page's server gives out. Reply: Offers.
type Offered struct{}

// Look reads the rows of a recipe as the model would see them. Parts: Loading. Reply: Preview.
type Look struct {
	Recipe json.RawMessage `json:"recipe"`
	Rows   int             `json:"rows"` // to show
	From   int             `json:"from"` // the first of them
	// Questions, if it is not 0, asks for so many questions of the rows and for nothing else, which needs no model and reads only their first rows.
	Questions int `json:"questions,omitempty"`
}

// Forecast compiles a recipe and says what the run will take, without running it. Parts: Loading. Reply: Forecasted.
type Forecast struct {
	Recipe json.RawMessage `json:"recipe"`
}

// Start starts a run. What happens comes as events. Reply: RunName.
type Start struct {
	Recipe json.RawMessage `json:"recipe"`

	// What follows is for a server, which has nothing of the one who asks.
	Places   []Place  `json:"places,omitempty"`   // what the recipe names, sent before
	From     *Carried `json:"from,omitempty"`     // go on with this run instead of beginning one; Files have been sent before
	Priority int      `json:"priority,omitempty"` // First, Usual or Last
	Key      string   `json:"key,omitempty"`      // chosen by who asks: asking again with it starts nothing more
	Paused   bool     `json:"paused,omitempty"`   // it begins paused

	On *Server `json:"on,omitempty"` // for a host that is no server: the run is done there, and shown here
}

// Priorities of a Start. Among runs of the same one, who came first is first.
const (
	First = 0 // before all others: for administrators
	Usual = 1
	Last  = 2 // when nothing else waits
)

// PriorityName is what a Run calls a priority: "first", "last", or nothing where it is as usual.
func PriorityName(p int) string {
	switch p {
	case First:
		return "first"
	case Last:
		return "last"
	}
	return ""
}

// Resume goes on with a run from its last State. Reply: RunName.
type Resume struct {
	Run string `json:"run"`
}

// Steer changes a run that is going on. Reply: nothing; events say what came of it.
type Steer struct {
	Run          string  `json:"run"`
	Do           string  `json:"do"`                      // "pause", "continue", "step", "save", "keep", "stop", "rate"; what "keep" saves makes room for the next that is saved
	LearningRate float64 `json:"learning_rate,omitempty"` // of "rate"
	Key          string  `json:"key,omitempty"`           // of "step" at a server, chosen by who asks: asking again with it does nothing more
}

// Answer lets a model answer: while a run goes on between two of its steps, otherwise from its last checkpoint. Parts: Text.
// Reply: Answers.
type Answer struct {
	Run      string `json:"run,omitempty"`   // "": the model alone
	Model    string `json:"model,omitempty"` // without a run
	Prompt   string `json:"prompt"`
	Raw      bool   `json:"raw,omitempty"` // continue the text as it stands, without a chat template
	Sides    string `json:"sides"`         // "base", "tuned" or "both"
	Tokens   int    `json:"tokens"`        // at most so many
	Sampling Draw   `json:"sampling"`
	TopK     int    `json:"top_k_probs,omitempty"` // how many of the first token's probabilities to tell
}

// Draw is how tokens are drawn; temperature 0 takes the most probable.
type Draw struct {
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k"`
	TopP        float64 `json:"top_p"`
	Seed        int64   `json:"seed"`
}

// Runs asks for all runs of the host, or for one, wherever it would stand in a list that has no room for all. Reply: RunList.
type Runs struct {
	Run string `json:"run,omitempty"` // the only one that is wanted; without it the reply is an error
}

// AskRun asks for one run.
func AskRun(ctx context.Context, l Link, id string) (Run, error) {
	list, err := Ask[RunList](ctx, l, Runs{Run: id}, nil)
	if err != nil {
		return Run{}, err
	}
	for _, r := range list.Runs { // an earlier release lists all
		if r.ID == id {
			return r, nil
		}
	}
	return Run{}, &Refused{404, fmt.Sprintf("there is no run %.100q of yours", id)}
}

// Replay asks for the events of a run from Seq on: those already told that matter for its curves. Reply: Told.
type Replay struct {
	Run string `json:"run"`
	Seq uint64 `json:"seq"` // the first that is wanted
}

// Note keeps what the user wants to remember of a run. Reply: nothing.
type Note struct {
	Run  string `json:"run"`
	Text string `json:"text"`
}

// Export makes files to take away. Parts: Progress in bytes as Downloading. Reply: File.
type Export struct {
	Run  string `json:"run"`
	What string `json:"what"` // "adapter" (a zip in PEFT's layout), "merged" (a zip of a whole model), "recipe", "card"
}

// Delete removes a run, a model, or a data file and frees its space. Reply: Storage.
type Delete struct {
	Path string `json:"path"`
}

func (Hello) Name() string    { return "hello" }
func (Inspect) Name() string  { return "inspect" }
func (Fetch) Name() string    { return "fetch" }
func (Offered) Name() string  { return "offered" }
func (Look) Name() string     { return "look" }
func (Forecast) Name() string { return "forecast" }
func (Start) Name() string    { return "start" }
func (Resume) Name() string   { return "resume" }
func (Steer) Name() string    { return "steer" }
func (Answer) Name() string   { return "answer" }
func (Runs) Name() string     { return "runs" }
func (Replay) Name() string   { return "replay" }
func (Note) Name() string     { return "note" }
func (Export) Name() string   { return "export" }
func (Delete) Name() string   { return "delete" }

// ParseRequest reads the data of a frame as the request of that name.
func ParseRequest(name string, data json.RawMessage) (Request, error) {
	switch name {
	case Hello{}.Name():
		return parse[Hello](name, data)
	case Inspect{}.Name():
		return parse[Inspect](name, data)
	case Fetch{}.Name():
		return parse[Fetch](name, data)
	case Offered{}.Name():
		return parse[Offered](name, data)
	case Look{}.Name():
		return parse[Look](name, data)
	case Forecast{}.Name():
		return parse[Forecast](name, data)
	case Start{}.Name():
		return parse[Start](name, data)
	case Resume{}.Name():
		return parse[Resume](name, data)
	case Steer{}.Name():
		return parse[Steer](name, data)
	case Answer{}.Name():
		return parse[Answer](name, data)
	case Runs{}.Name():
		return parse[Runs](name, data)
	case Replay{}.Name():
		return parse[Replay](name, data)
	case Note{}.Name():
		return parse[Note](name, data)
	case Export{}.Name():
		return parse[Export](name, data)
	case Delete{}.Name():
		return parse[Delete](name, data)
	case Carry{}.Name():
		return parse[Carry](name, data)
	case Survey{}.Name():
		return parse[Survey](name, data)
	case Move{}.Name():
		return parse[Move](name, data)
	case Attach{}.Name():
		return parse[Attach](name, data)
	case Agree{}.Name():
		return parse[Agree](name, data)
	}
	return nil, fmt.Errorf("wire: there is no request %.40q; reload the page, or bring both sides to one release", name)
}

func parse[R Request](name string, data json.RawMessage) (Request, error) {
	var r R
	if len(data) > 0 {
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("wire: the request %s: %w", name, err)
		}
	}
	return r, nil
}
