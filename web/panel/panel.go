// Package panel is the page for who runs a server: devices, runs, tokens, disk. It is drawn on the server and has no script;
// forms say what is to be done.
package panel

import (
	"iter"
	"net/url"
	"strconv"
	"time"

	"hone/web/words"
)

//go:generate go tool templ generate

// Frame is what every page of the panel has around it.
type Frame struct {
	Language words.Language
	Assets   string // address of the folder with the assets, with a slash at its end; "" where there is none
	Base     string // address of the panel
	Check    string // hidden in every form, so that no other site can send one
	Login    bool   // somebody can leave
	Follow   bool   // the page looks again by itself
	Trouble  string
}

// T is a text in the language of the page.
func (f Frame) T(t words.Text, args ...any) string {
	if len(args) == 0 {
		return t.In(f.Language)
	}
	return t.With(f.Language, args...)
}

// View is all that the panel shows.
type View struct {
	Frame
	Now     time.Time
	Engine  bool // the job engine is reached
	Workers []Worker
	Runs    []Run
	Tokens  []Token
	Secret  *Secret // of a token that was just made
	Users   []User
	Free    int64 // bytes where the data is; -1 is unknown
	Where   string
}

// Worker is one that is there.
type Worker struct {
	Name, Device string
	Memory       int64
	Run          string // <user>/<id>; "" when it waits
	Since        time.Time
}

// Run is one of any user.
type Run struct {
	User, ID, Status, Reason, Worker string
	Priority                         string // "first" or "last"; "" as usual
	Step, Steps, Attempts            int
	Bytes                            int64
}

func (r Run) over() bool { return r.Status == "stopped" || r.Status == "failed" || r.Status == "done" }

// Token is one without its secret.
type Token struct {
	ID, User, Scope string
	Used            time.Time
	Revoked         bool
}

// Secret is a token as it is shown once.
type Secret struct{ User, Text string }

// User is who keeps something here, or may.
type User struct {
	Name        string
	Used, Quota int64
	Runs        int    // that may be unfinished
	Said        string // the quota as an administrator has said it; "" where it is that of a token, or the server's
	SaidRuns    string
}

// Log is one run with what happened in it lately, and what happens while it is shown.
type Log struct {
	Frame
	Run   Run
	Now   time.Time
	Past  []string
	Lines iter.Seq[Line] // the oldest first
}

// Line is an event. One without a text only says that the log goes on.
type Line struct {
	Text string
	Now  bool // it is to be seen at once
}

func number(n int) string { return strconv.Itoa(n) }

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// query names a run in an address.
func query(r Run) string { return url.Values{"user": {r.User}, "run": {r.ID}}.Encode() }
