package link

import (
	"net/http"
	"time"

	"hone/core/wire"
)

// followed is a run whose events are told.
type followed struct {
	from     uint64 // the first Seq that was or will be told
	last     uint64 // Seq that was told
	newest   uint64 // Seq that is known to be there
	catching bool   // what is missing is being asked for
	again    bool   // and is to be asked for once more after that: the connection is another one by now
}

const (
	maxReplays = 8           // at the same time; the rest of what a server answers at once is left to the user's requests
	errorWait  = time.Minute // at most, between two Replays of a run that fail
)

// Follow tells the events of a run from seq on: those of the past and those to come. Without it a run is told from when the link
// first hears of it, and what was told so comes again with Follow, unless Options.Named.
func (c *Client) Follow(run string, seq uint64) {
	c.mu.Lock()
	seq = max(seq, 1)
	if f := c.runs[run]; f == nil || f.from > seq {
		c.runs[run] = &followed{from: seq, last: seq - 1}
	}
	c.mu.Unlock()
	c.catchUp(run)
}

// event tells an event that is the next of its run. One that shows a gap brings what is missing.
func (c *Client) event(f wire.Frame) {
	c.events.Lock()
	c.mu.Lock()
	run := c.runs[f.Run]
	if run == nil && c.o.Named {
		c.mu.Unlock()
		c.events.Unlock()
		return
	}
	if run == nil {
		run = &followed{from: f.Seq, last: f.Seq - 1}
		c.runs[f.Run] = run
	}
	run.newest = max(run.newest, f.Seq)
	tell := !run.catching && f.Seq == run.last+1
	gap := !run.catching && f.Seq > run.last+1
	if tell {
		run.last = f.Seq
	}
	c.mu.Unlock()
	if tell && c.o.Event != nil {
		c.o.Event(f)
	}
	c.events.Unlock()
	if gap {
		c.catchUp(f.Run)
	}
}

// catchUp asks for what is missing of a run, beside whatever else goes on.
func (c *Client) catchUp(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	run := c.runs[name]
	if run == nil || c.send == nil {
		return // the next connection asks
	}
	if run.catching {
		run.again = true
		return
	}
	run.catching = true
	go c.catch(name, run)
}

// catch asks until nothing is missing. A server that cannot answer now is asked later: a run that has ended says nothing more that
// would show what is missing.
func (c *Client) catch(name string, run *followed) {
	for wait := firstWait; ; {
		told, err := c.replay(name, run)
		c.events.Lock()
		more := false
		for _, f := range told.Events {
			c.mu.Lock()
			tell := f.Seq == run.last+1 && c.runs[name] == run
			if tell {
				run.last, more = f.Seq, true
			}
			c.mu.Unlock()
			if tell && c.o.Event != nil {
				c.o.Event(f)
			}
		}
		c.mu.Lock()
		over := c.ctx.Err() != nil || c.runs[name] != run || denied(err)
		if err == nil && len(told.Events) == 0 {
			more, run.again = run.again, false
			over = over || !more && run.last >= run.newest
		}
		if over {
			run.catching = false
		}
		c.mu.Unlock()
		c.events.Unlock()
		if over {
			return
		}
		if more {
			wait = firstWait
			continue
		}
		select { // it failed, or the server cannot tell yet what it has announced
		case <-c.ctx.Done():
		case <-time.After(wait/2 + time.Duration(time.Now().UnixNano())%(wait/2+1)):
		}
		wait = min(2*wait, errorWait)
	}
}

// replay asks for events behind the last one, when it is this run's turn.
func (c *Client) replay(name string, run *followed) (wire.Told, error) {
	select {
	case c.replays <- struct{}{}:
	case <-c.ctx.Done():
		return wire.Told{}, c.ctx.Err()
	}
	defer func() { <-c.replays }()
	c.mu.Lock()
	from := run.last + 1
	c.mu.Unlock()
	return wire.Ask[wire.Told](c.ctx, c, wire.Replay{Run: name, Seq: from}, nil)
}

// denied reports whether a server says that it will never tell of a run: it has none of that name, or this client may not see it.
func denied(err error) bool {
	status := wire.StatusOf(err)
	return status == http.StatusNotFound || status == http.StatusUnauthorized || status == http.StatusForbidden
}
