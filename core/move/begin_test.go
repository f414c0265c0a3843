package move

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"hone/core/wire"
)

// answering is a link whose server answers one request after the other with these errors, and then with a run.
type answering struct {
	errs []error
	keys []string
}

func (a *answering) Ask(_ context.Context, _ string, request any, _ func(string, json.RawMessage)) (json.RawMessage, error) {
	a.keys = append(a.keys, request.(wire.Start).Key)
	if n := len(a.keys) - 1; n < len(a.errs) {
		return nil, a.errs[n]
	}
	return json.RawMessage(`{"run":"a/v0"}`), nil
}

// Who is refused asks no more; who hears that the server fails asks again, with the same key, for a while.
func TestBegin(t *testing.T) {
	no := func(status int) error { return &wire.Refused{Status: status, Text: "no"} }
	for _, c := range []struct {
		errs     []error
		patience time.Duration
		status   int // in the end; 200: it begins
		asked    int
	}{
		{nil, time.Minute, 200, 1},
		{[]error{no(503)}, time.Minute, 200, 2},
		{[]error{no(500), no(409)}, time.Minute, 409, 2},
		{[]error{no(507)}, time.Minute, 507, 1},
		{[]error{no(501)}, time.Minute, 501, 1},
		{[]error{no(500), no(502), no(500)}, 500 * time.Millisecond, 502, 2},
		{[]error{context.Canceled}, time.Minute, 0, 1},
	} {
		l := &answering{errs: c.errs}
		name, err := Begin(t.Context(), l, wire.Start{Key: "key"}, c.patience)
		status := wire.StatusOf(err)
		if err == nil {
			status = 200
		}
		if status != c.status || len(l.keys) != c.asked || (name.Run == "a/v0") != (err == nil) {
			t.Errorf("%v: %q, %v after %d questions; want %d after %d", c.errs, name.Run, err, len(l.keys), c.status, c.asked)
		}
		for _, k := range l.keys {
			if k != "key" {
				t.Errorf("asked with the key %q", k)
			}
		}
	}
}
