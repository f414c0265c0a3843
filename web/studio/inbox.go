package studio

import "sync"

// Inbox keeps what the page says in its order. Putting something in never waits: it is done in the browser's own event.
type Inbox struct {
	mu   sync.Mutex
	list []string      // not read yet
	more chan struct{} // of one place
}

// NewInbox makes one.
func NewInbox() *Inbox { return &Inbox{more: make(chan struct{}, 1)} }

// Put adds what is read after all that was put before.
func (b *Inbox) Put(text string) {
	b.mu.Lock()
	b.list = append(b.list, text)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// Each gives what comes to f, one after the other, for ever.
func (b *Inbox) Each(f func(text string)) {
	for range b.more {
		for {
			b.mu.Lock()
			if len(b.list) == 0 {
				b.mu.Unlock()
				break
			}
			text := b.list[0]
			b.list = b.list[1:]
			b.mu.Unlock()
			f(text)
		}
	}
}
