// Package wire is what a host, which holds the files, the device and the runs, and those who watch it say to each other: the
// page and the worker of its own tab, a page or a command line and a server. Messages are JSON and hold no pointers into
// either side; who carries them (a function call, postMessage, a websocket) is no matter of theirs. Weights and data do
// not travel in messages.
package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Version is that of the protocol. A frame of another one is refused.
const Version = 1

// Kind is what a frame is.
type Kind string

const (
	KindRequest Kind = "request" // ID, Name, Data; from who watches to the host
	KindReply   Kind = "reply"   // ID, and Data or Error; from the host, one for each request
	KindPart    Kind = "part"    // ID, Name, Data; from the host, before the reply: how far it is, what there is so far
	KindEvent   Kind = "event"   // Run, Seq, Name, Data; from the host: something that happened in a run
)

// Frame is one message.
type Frame struct {
	V     int             `json:"v"`
	Kind  Kind            `json:"kind"`
	ID    uint64          `json:"id,omitempty"`   // of a request, chosen by who asks
	Run   string          `json:"run,omitempty"`  // of an event
	Seq   uint64          `json:"seq,omitempty"`  // of an event: 1, 2, … in each run, without a gap
	Name  string          `json:"name,omitempty"` // of a request or an event
	Data  json.RawMessage `json:"data,omitempty"`
	Error string          `json:"error,omitempty"` // of a reply: a sentence for the user

	Status int `json:"status,omitempty"` // of a reply with an Error: what it means for programs, see Refused
}

// Refused is the error of a request that was answered with one. Its status is that of HTTP, where the host has one for it: 401 and 403
// where this client may not, 404 where there is nothing of that name, or nothing of this user's.
type Refused struct {
	Status int // 0: none is said
	Text   string
}

func (r *Refused) Error() string { return r.Text }

// Refusal is the error of a reply, or nil.
func (f Frame) Refusal() error {
	if f.Error == "" {
		return nil
	}
	return &Refused{f.Status, f.Error}
}

// Refuse makes a reply one of an error, with the status that the error has if it was a reply's itself.
func (f *Frame) Refuse(err error) {
	f.Data, f.Error, f.Status = nil, err.Error(), StatusOf(err)
}

// StatusStopped is the status of a run that was asked for and that its user has stopped before it began: nothing is wrong.
const StatusStopped = 499

// StatusOf is the status of a Refused, 0 for other errors.
func StatusOf(err error) int {
	if r := (*Refused)(nil); errors.As(err, &r) {
		return r.Status
	}
	return 0
}

// MaxFrame is the longest frame that is read, in bytes.
const MaxFrame = 1 << 20

// ParseFrame reads a frame that somebody else wrote.
func ParseFrame(raw []byte) (Frame, error) {
	var f Frame
	if len(raw) > MaxFrame {
		return f, fmt.Errorf("wire: a message of %d bytes; at most %d are read", len(raw), MaxFrame)
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return f, fmt.Errorf("wire: a message is not JSON: %w", err)
	}
	if f.V != Version {
		return f, fmt.Errorf("wire: a message of version %d; this program speaks %d: reload the page, or bring both sides to one release", f.V, Version)
	}
	switch f.Kind {
	case KindRequest, KindReply, KindPart, KindEvent:
		return f, nil
	}
	return f, fmt.Errorf("wire: a message of kind %.40q; there are request, reply, part and event", f.Kind)
}

// Link is a way to a host. Its events come to whom the link was made for.
type Link interface {
	// Ask sends a request and waits for its reply. part, if given, hears what comes before the reply. When ctx ends, the
	// host is told to end the request's work.
	Ask(ctx context.Context, name string, request any, part func(name string, data json.RawMessage)) (json.RawMessage, error)
}

// Ask asks a host and reads the reply as an R.
func Ask[R any](ctx context.Context, l Link, r Request, part func(name string, data json.RawMessage)) (R, error) {
	var reply R
	raw, err := l.Ask(ctx, r.Name(), r, part)
	if err == nil && len(raw) > 0 {
		if err = json.Unmarshal(raw, &reply); err != nil {
			err = fmt.Errorf("wire: the reply to %s: %w", r.Name(), err)
		}
	}
	return reply, err
}
