//go:build js

package main

import "sync"

// inbox keeps what the page says in its order. Putting something in never waits: it is done in the browser's own event.
type inbox struct {
	mu   sync.Mutex
	list []string
	more chan struct{} // of one place
}

func newInbox() *inbox { return &inbox{more: make(chan struct{}, 1)} }

func (b *inbox) put(text string) {
	b.mu.Lock()
	b.list = append(b.list, text)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// each gives what comes to f, one after the other, for ever.
func (b *inbox) each(f func(text string)) {
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
