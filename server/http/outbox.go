package http

import (
	"context"
	"sync"
)

// Bounds of what a client has not taken yet. Events cannot wait for it, so there is room for them that replies leave free.
const (
	maxWaiting      = 1024    // frames
	maxWaitingBytes = 8 << 20 // of all
	maxReplyBytes   = 4 << 20 // beyond them a reply waits
)

// outbox is what a client has not taken yet, in its order. Who has reserved room for a frame puts it into frames, which has room then.
type outbox struct {
	frames chan []byte
	mu     sync.Mutex
	count  int
	bytes  int
	freed  *sync.Cond
}

func newOutbox(frames int) *outbox {
	o := &outbox{frames: make(chan []byte, frames)}
	o.freed = sync.NewCond(&o.mu)
	return o
}

// offer puts a frame in unless there is no room.
func (o *outbox) offer(raw []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.count == cap(o.frames) || o.bytes+len(raw) > maxWaitingBytes {
		return false
	}
	o.count++
	o.bytes += len(raw)
	o.frames <- raw
	return true
}

// reserve waits until there is room for a reply. It reports whether there is: not when ctx ends.
func (o *outbox) reserve(ctx context.Context, bytes int) bool {
	stop := context.AfterFunc(ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.freed.Broadcast()
	})
	defer stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for ctx.Err() == nil && (o.count == cap(o.frames) || o.bytes > maxReplyBytes) {
		o.freed.Wait()
	}
	if ctx.Err() != nil {
		return false
	}
	o.count++
	o.bytes += bytes
	return true
}

// taken makes room after a frame was written.
func (o *outbox) taken(raw []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count--
	o.bytes -= len(raw)
	o.freed.Broadcast()
}
