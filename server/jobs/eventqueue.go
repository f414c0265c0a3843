package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
)

// eventQueue writes the events of a run beside the training, in their order. Those that only draw a bar are left out while
// others wait; nothing else ever is.
type eventQueue struct {
	ctx  context.Context
	j    *journal
	fail func(error)

	mu     sync.Mutex
	wake   *sync.Cond
	queue  []entry
	closed bool
	ended  chan struct{}
	err    error
}

// entry is something to do, or somebody who waits until all before it is done.
type entry struct {
	do   func(context.Context) error
	done chan<- error
}

// maxQuiet is how many events may wait before progress is left out.
const maxQuiet = 8

func newEventQueue(ctx context.Context, j *journal, fail func(error)) *eventQueue {
	q := &eventQueue{ctx: ctx, j: j, fail: fail, ended: make(chan struct{})}
	q.wake = sync.NewCond(&q.mu)
	go q.run()
	return q
}

func (q *eventQueue) add(name string, data json.RawMessage, quiet bool) {
	q.mu.Lock()
	full := len(q.queue) > maxQuiet
	q.mu.Unlock()
	if quiet && full {
		return
	}
	q.later(func(ctx context.Context) error { return q.j.write(ctx, name, data) })
}

// later does something between two events.
func (q *eventQueue) later(f func(context.Context) error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.queue = append(q.queue, entry{do: f})
		q.wake.Signal()
	}
}

// mark says, once, when everything that has been added so far is written, or that it will not be.
func (q *eventQueue) mark() <-chan error {
	done := make(chan error, 1)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		done <- errFenced
		return done
	}
	q.queue = append(q.queue, entry{done: done})
	q.wake.Signal()
	return done
}

// close writes what waits and gives the first error.
func (q *eventQueue) close() error {
	q.mu.Lock()
	q.closed = true
	q.wake.Signal()
	q.mu.Unlock()
	<-q.ended
	return q.err
}

func (q *eventQueue) run() {
	defer close(q.ended)
	for {
		q.mu.Lock()
		for len(q.queue) == 0 && !q.closed {
			q.wake.Wait()
		}
		if len(q.queue) == 0 {
			q.mu.Unlock()
			return
		}
		next := q.queue[0]
		q.queue = q.queue[1:]
		q.mu.Unlock()
		if next.done != nil {
			next.done <- q.err
			continue
		}
		if q.err != nil {
			continue // nobody's events any more
		}
		if q.err = next.do(q.ctx); errors.Is(q.err, errFenced) {
			q.fail(errFenced)
		} else if q.err != nil && q.ctx.Err() == nil {
			q.err = nil // of the record, not of the journal: the next State brings it up to date
		}
	}
}
