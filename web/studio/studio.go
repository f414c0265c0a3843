// Package studio is an open page: what it shows, what its user does, and what it asks of a host. It knows recipes, requests and
// events, never devices, and draws with the components of package parts. It runs beside the host, in the worker; the page itself
// only puts in the place what it is sent.
package studio

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hone/core/wire"
	"hone/web/parts"
	"hone/web/words"
)

// Options are a studio's surroundings.
type Options struct {
	Link wire.Link
	Out  func(Update) // called from one goroutine at a time
	// Store keeps rows that the user pasted as a file of the host; nil: it cannot.
	Store func(path string, content []byte) error
	// Deliver hands a file of the host to the user.
	Deliver func(wire.File)
	// Storage tells the space for files, and whether they are kept for good; nil: there is no such thing.
	Storage func() wire.Storage
}

// Opening is what a page says of itself when it opens.
type Opening struct {
	Language string            `json:"language"`
	URL      string            `json:"url"`
	Models   bool              `json:"models"`  // its server gives out models
	Mirrors  map[string]string `json:"mirrors"` // hubs that it asks in the place of the well-known ones, by HF_ENDPOINT and MODELSCOPE_ENDPOINT
}

// Act is something that the user did.
type Act struct {
	Name   string              `json:"name"`
	Values map[string][]string `json:"values"`
}

// value is the first value of a name, empty where there is none.
func (a Act) value(name string) string {
	if v := a.Values[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Update is what changes on the page.
type Update struct {
	Fragments []Fragment `json:"fragments,omitempty"`
	Charts    []Chart    `json:"charts,omitempty"`
	Text      *Text      `json:"text,omitempty"` // to be saved by the user
	Title     string     `json:"title,omitempty"`
	Language  string     `json:"language,omitempty"`
	URL       string     `json:"url,omitempty"`
	Keep      bool       `json:"keep,omitempty"`  // the browser is to be asked to keep the files for good
	Marks     []string   `json:"marks,omitempty"` // moments that are worth measuring
}

// Fragment is a part of the page, drawn anew.
type Fragment struct {
	ID   string `json:"id"`
	HTML string `json:"html"`
}

// Text is a small file that the studio made itself.
type Text struct {
	Name string `json:"name"`
	Mime string `json:"mime"`
	Body string `json:"body"`
}

// Studio is one open page. Its methods are called from any goroutine and return at once.
type Studio struct {
	o   Options
	ctx context.Context

	mu       sync.Mutex
	s        *parts.State
	drawn    map[string]string // what the page has, by the part's ID
	charts   map[string]string // the same of charts, as JSON
	url      string            // of the page, without what it was opened or shared with
	link     string            // the recipe in the address, as long as nothing has begun that a page opened again is to show instead
	due      bool              // a redraw is on its way
	opened   bool              // what is at the top was drawn
	chosen   bool              // there were settings before the host spoke
	attached bool              // it is known which run the page shows
	hurry    bool              // the one button was pressed before that
	starts   bool              // the host was asked to begin a run, and has not answered
	last     time.Time
	marks    []string
	marked   map[string]bool
	text     *Text
	setURL   string
	asks     int                           // greetings that were sent
	heard    int                           // the last of them that was answered
	keep     bool                          // the browser is to be asked
	kept     bool                          // it was asked
	offers   bool                          // the page's server gives out models
	cancel   map[string]context.CancelFunc // of what is going on, by stage
	turn     map[string]int                // counts what was begun, so that an old answer does not overwrite a new one
	rowsOf   string                        // the settings whose rows the preview shows
	asked    int                           // the step after which base and tuned model were last asked
	asking   bool
	token    string // for the server that is looked at; the host keeps it once something goes there
}

// New makes a studio; Open starts it.
func New(o Options) *Studio {
	return &Studio{o: o, ctx: context.Background(), s: parts.New(words.English), drawn: map[string]string{}, charts: map[string]string{}, marked: map[string]bool{},
		cancel: map[string]context.CancelFunc{}, turn: map[string]int{}}
}

// Open greets the page: it asks the host what there is and draws everything, what is at the top first: until then the page is as the
// server has drawn it.
// ctx ends all that the studio asks for.
func (t *Studio) Open(ctx context.Context, o Opening) {
	t.mu.Lock()
	t.ctx = ctx
	t.s.Language, t.offers, t.s.Mirrors = words.Parse(o.Language), o.Models, o.Mirrors
	t.openShared(o.URL)
	t.marked["opened"], t.marks = true, append(t.marks, "opened")
	t.mu.Unlock()
	go t.hello(true)
}

// hello asks the host what it has. first: the page has just been opened.
func (t *Studio) hello(first bool) {
	t.mu.Lock()
	t.asks++
	mine := t.asks
	t.mu.Unlock()
	h, err := wire.Ask[wire.Host](t.ctx, t.o.Link, wire.Hello{Soon: first}, nil)
	for try := 1; first && err != nil && t.ctx.Err() == nil && try < greetings; try++ { // another tab may just be handing over
		time.Sleep(greetAgain)
		h, err = wire.Ask[wire.Host](t.ctx, t.o.Link, wire.Hello{Soon: first}, nil)
	}
	missed := "" // the run that the page takes for one that is being loaded, and that is not any more
	t.mu.Lock()
	switch {
	case err != nil:
		t.s.Errors["run"] = err.Error()
		t.redraw()
	case mine >= t.heard: // otherwise what was asked for later has come before: it is newer
		t.heard = mine
		t.s.Host = h
		t.suggestServer(t.s)
		if first {
			t.chosen = len(t.s.Settings) > 0
			t.choose(t.s)
		} else {
			t.redraw()
		}
		if t.s.Settings["model"] != "" && t.s.Model == nil {
			t.s.Model = modelOf(h, t.s.Settings["model"])
		}
		if r := t.s.Run; r.State == parts.Begins && r.On == "" && !t.starts && !(h.Going == r.ID && h.Begins) {
			missed = r.ID
		}
	}
	t.mu.Unlock()
	if missed != "" { // how it began, or failed, was told before the page listened
		t.display(missed)
	}
	if err == nil && first {
		t.settle()
		t.examples()
		if h.Kind == "" {
			t.hello(false) // with the device, which is opened now
		}
		t.inspectChosen()
		t.plan()
	}
	if err == nil && t.offers {
		t.offered()
	}
}

// A host that does not answer the first greeting is asked again.
const (
	greetings  = 10
	greetAgain = 300 * time.Millisecond
)

// choose makes a recipe of what came with the page's address, or was set before the host spoke, and of that of the one button.
func (t *Studio) choose(s *parts.State) {
	if s.Settings["model"] != "" {
		return
	}
	early := s.Settings
	useTiny(s)
	maps.Copy(s.Settings, early)
}

// settle shows the run that goes on, or the last one, and lets the user begin: not before, since that would be another run.
func (t *Studio) settle() {
	t.attach()
	t.mu.Lock()
	t.attached, t.s.Ready = true, true
	t.marked["ready"], t.marks = true, append(t.marks, "ready")
	t.draw() // now, not beside what follows
	hurry := t.hurry
	t.mu.Unlock()
	if hurry {
		t.trainNow()
	}
}

func modelOf(h wire.Host, path string) *wire.Model {
	for _, m := range h.Models {
		if m.Path == path {
			return &m
		}
	}
	return nil
}

// change changes the state and lets the page be drawn anew.
func (t *Studio) change(f func(*parts.State)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t.s)
	t.redraw()
}

// mark notes a moment for who measures the page.
func (t *Studio) mark(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.marked[name] {
		t.marked[name] = true
		t.marks = append(t.marks, name)
		t.redraw()
	}
}

// often is how often the page is drawn at most.
const often = 100 * time.Millisecond

// redraw draws soon: at once when nothing was drawn lately.
func (t *Studio) redraw() {
	if t.due {
		return
	}
	t.due = true
	wait := max(0, often-time.Since(t.last))
	time.AfterFunc(wait, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.due, t.last = false, time.Now()
		t.draw()
	})
}

// draw sends what has changed since the last time.
func (t *Studio) draw() {
	if t.asks == 0 { // the page has not said yet in which language
		return
	}
	doubt(t.s)
	var u Update
	due := parts.Parts
	if !t.opened {
		t.opened, due = true, due[:parts.Top]
		defer t.redraw()
	} else if !t.marked["drawn"] {
		t.marked["drawn"], t.marks = true, append(t.marks, "drawn")
	}
	for _, p := range due {
		var b bytes.Buffer
		if err := p.Draw(t.s).Render(t.ctx, &b); err != nil {
			continue // the context has ended: nobody looks any more
		}
		if html := b.String(); t.drawn[p.ID] != html {
			t.drawn[p.ID] = html
			u.Fragments = append(u.Fragments, Fragment{p.ID, html})
		}
	}
	curves := t.curves()
	for id := range t.charts { // one that is left out is not on the page; when it comes again, it has to be drawn anew
		if !slices.ContainsFunc(curves, func(c Chart) bool { return c.ID == id }) {
			delete(t.charts, id)
		}
	}
	for _, c := range curves {
		raw, err := json.Marshal(c)
		if err == nil && t.charts[c.ID] != string(raw) {
			t.charts[c.ID] = string(raw)
			u.Charts = append(u.Charts, c)
		}
	}
	u.Text, t.text = t.text, nil
	u.URL, t.setURL = t.setURL, ""
	u.Keep, t.keep = t.keep, false
	u.Marks, t.marks = t.marks, nil
	if len(t.drawn) == len(u.Fragments) {
		u.Language, u.Title = string(t.s.Language), words.Title.In(t.s.Language)
	}
	t.o.Out(u)
}

// begin starts something that takes time in a stage: what was going on there ends, and text says what it is. It gives the
// context and a function that ends it, which reports whether nothing newer has begun.
func (t *Studio) begin(stage string, text words.Text) (context.Context, func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if end := t.cancel[stage]; end != nil {
		end()
	}
	ctx, cancel := context.WithCancel(t.ctx)
	t.turn[stage]++
	mine := t.turn[stage]
	t.cancel[stage] = cancel
	t.s.Busy[stage] = t.s.T(text)
	delete(t.s.Errors, stage)
	t.redraw()
	return ctx, func() bool {
		cancel()
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.turn[stage] != mine {
			return false
		}
		delete(t.s.Busy, stage)
		t.redraw()
		return true
	}
}

// trouble shows an error in a stage.
func (t *Studio) trouble(stage string, err error) {
	if err == nil || t.ctx.Err() != nil || strings.Contains(err.Error(), context.Canceled.Error()) {
		return
	}
	t.change(func(s *parts.State) { s.Errors[stage] = err.Error() })
}
