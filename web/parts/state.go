// Package parts has the components of the page: what each stage looks like for a State. The server renders them for the first
// sight of the page and the worker, with the same code, for everything after.
package parts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hone/core/recipe"
	"hone/core/wire"
	"hone/web/words"
)

// State is all that a page shows.
type State struct {
	Language words.Language
	Ready    bool      // the worker has answered
	Host     wire.Host // what it is and has

	Settings map[string]string // of the recipe, by name, written as flags' values; what is not here has its default
	Advanced bool
	Model    *wire.Model       // that Settings names
	Offers   []wire.Model      // of the page's server
	Mirrors  map[string]string // hubs that the page asks by itself in the place of the well-known ones, by HF_ENDPOINT and MODELSCOPE_ENDPOINT
	Preview  *wire.Preview
	Notes    []string // on how the rows were taken out of a table
	Forecast *wire.Forecasted
	ShareURL string
	Lacks    []string // rows that the recipe which was opened names, and that are not here

	Run     Run
	Place   Whereabouts
	Prompts []string // that the user wants answered while it goes on; empty: none; nil: those of the run
	Chart   ChartLook
	Try     Try
	File    *wire.File // that was made to be saved
	Chosen  map[string]bool
	Overlay map[string]*wire.Curve // of runs that are compared
	Tables  map[string]int         // where the window of a table ends that its user has paged, by its name
	NotKept bool                   // the browser was asked to keep the files for good, and does not promise it
	Delete  string                 // the path that is about to be deleted, if the user says so again

	Busy   map[string]string // by stage: what is going on there
	Errors map[string]string // by stage
}

// RunState is where a run stands.
type RunState int

const (
	Idle RunState = iota
	Begins
	Runs
	Paused
	Done
	Stopped
	Failed
)

// Run is the run that the page shows.
type Run struct {
	ID        string
	State     RunState
	Step      int
	Steps     int
	Remaining float64 // seconds
	Speed     float64 // tokens per second
	Memory    int64
	wire.Curve
	Warnings   []string
	Questions  []string // of its rows, which base and tuned model answer while it goes on; nil: not known yet
	Answers    []Comparison
	Saved      int     // the step of the last State that is stored
	Rate       float64 // the learning rate that the user has set on the way; 0: none
	RateStep   int     // the step after which
	Comparable bool    // full fine-tuning has no base to compare with while it runs

	On     string      // the server that has it; "" is this browser
	Left   int         // step with which it left
	Queued bool        // it waits there for a device
	Free   bool        // it is paused there, and has given its device back
	Link   wire.Linked // the way to the server
}

// Alive reports whether the run can be steered.
func (r Run) Alive() bool { return r.State == Begins || r.State == Runs || r.State == Paused }

// Comparison is a prompt with the answers of base and tuned model after a step.
type Comparison struct {
	Step                int
	Prompt, Base, Tuned string
}

// ChartLook is how curves are drawn.
type ChartLook struct {
	Log       bool
	Smoothing float64 // weight of the past in an exponential mean, 0 to below 1
}

// Try is the question that the user asks.
type Try struct {
	Prompt      string
	Raw         bool
	Temperature float64
	Tokens      int
	Seed        int64
	Base, Tuned string // as they grow
	Answers     *wire.Answers
	Examples    []string
}

// New is the state of a page that has just been opened.
func New(l words.Language) *State {
	return &State{Language: l, Settings: map[string]string{}, Chosen: map[string]bool{}, Overlay: map[string]*wire.Curve{}, Tables: map[string]int{}, Busy: map[string]string{}, Errors: map[string]string{},
		Try: Try{Tokens: 48, Seed: 42}, Chart: ChartLook{Smoothing: 0.6}}
}

// T is a text in the language of the page.
func (s *State) T(t words.Text, args ...any) string {
	if len(args) == 0 {
		return t.In(s.Language)
	}
	return t.With(s.Language, args...)
}

// why is a sentence of the program in the language of the page, where it is known there.
func (s *State) why(text string) string {
	detail, _ := words.Detail(s.Language, text)
	return detail
}

// Setting is the value of a recipe's setting as a flag has it: the user's, or the default.
func (s *State) Setting(name string) string {
	if v, ok := s.Settings[name]; ok {
		return v
	}
	r := recipe.Default()
	return r.Text(name)
}

// DataFiles are the paths that the recipe's dataset names.
func (s *State) DataFiles() []string {
	if s.Settings["dataset"] == "" {
		return nil
	}
	return strings.Split(s.Settings["dataset"], ",")
}

// offers are the models of the page's server of which nothing is here.
func (s *State) offers() (list []wire.Model) {
	for _, m := range s.Offers {
		if !slices.ContainsFunc(s.Host.Halves, func(half wire.Model) bool { return half.Path == m.Path }) {
			list = append(list, m)
		}
	}
	return list
}

// MostPrompts is how many questions are asked while a run goes on.
const MostPrompts = 3

// Watched are the questions that base and tuned model answer while the run goes on.
func (s *State) Watched() []string {
	if s.Prompts != nil {
		return s.Prompts
	}
	return s.Run.Questions
}

// examples are questions to try: those of the run's rows, where they are known.
func (s *State) examples() []string {
	if len(s.Run.Questions) > 0 {
		return s.Run.Questions
	}
	return s.Try.Examples
}

func (s *State) watched(i int) string {
	if all := s.Watched(); i < len(all) {
		return all[i]
	}
	return ""
}

// ofDisk says that the rest of a model which is not whole is on its user's disk: nothing can be asked for it.
func ofDisk(half wire.Model) bool { return strings.HasPrefix(half.Path, "models/") }

// elsewhere is the model of the recipe where it is on a hub, and nothing of it is here.
func (s *State) elsewhere() *wire.Model {
	m := s.Model
	if m == nil || !m.Elsewhere || slices.ContainsFunc(s.Host.Halves, func(half wire.Model) bool { return half.Path == m.Path }) {
		return nil
	}
	return m
}

// AsksBase says that the base model can answer: full fine-tuning changes it while it goes on, and leaves it where it was.
func (s *State) AsksBase() bool { return !s.HasTuned() || s.Run.Comparable || !s.Run.Alive() }

// UsesData reports whether the recipe names a file, or a data set of a hub or a part of it.
func (s *State) UsesData(path string) bool {
	for _, f := range s.DataFiles() {
		if Names(f, path) {
			return true
		}
	}
	return false
}

// Names reports whether an entry of a dataset is a file or data set, a part of it, or so many rows of it.
func Names(entry, path string) bool {
	rest, ok := strings.CutPrefix(entry, path)
	return ok && (rest == "" || rest[0] == ':' || rest[0] == '#')
}

// HasTuned reports whether there is something tuned to ask and to save.
func (s *State) HasTuned() bool { return s.Run.ID != "" && (s.Run.Step > 0 || s.Run.State == Done) }

// Bytes is a number of bytes for people.
func Bytes(n int64) string {
	switch f := float64(n); {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1e6:
		return fmt.Sprintf("%.0f kB", f/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", f/1e6)
	default:
		return fmt.Sprintf("%.2f GB", f/1e9)
	}
}

// Count is a large number for people: thousands, millions and billions in English, 万 and 亿 in Chinese.
func (s *State) Count(n int64) string {
	f, chinese := float64(n), s.Language == words.Chinese
	three := func(x float64) string { // digits
		decimals := 2
		for y := x; y >= 10 && decimals > 0; y /= 10 {
			decimals--
		}
		return strconv.FormatFloat(x, 'f', decimals, 64)
	}
	switch {
	case n < 10_000:
		return strconv.FormatInt(n, 10)
	case chinese && n < 99_950_000:
		return s.T(words.Millions, three(f/1e4))
	case chinese:
		return s.T(words.Billions, three(f/1e8))
	case n < 999_500:
		return s.T(words.TenThousands, three(f/1e3))
	case n < 999_500_000:
		return s.T(words.Millions, three(f/1e6))
	default:
		return s.T(words.Billions, three(f/1e9))
	}
}

// Duration is a number of seconds for people.
func (s *State) Duration(seconds float64) string {
	switch {
	case seconds < 90:
		return s.T(words.Seconds, int(seconds+0.5))
	case seconds < 5400:
		return s.T(words.Minutes, int(seconds/60+0.5))
	default:
		return s.T(words.Hours, seconds/3600)
	}
}

// Figure writes a measured value with four digits.
func Figure(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

func percent(x float64) string { return fmt.Sprintf("%.1f%%", 100*x) }

func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
