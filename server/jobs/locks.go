package jobs

import "sync"

// locks are mutexes by name; the zero value has all.
type locks struct {
	mu sync.Mutex
	of map[string]*named
}

type named struct {
	sync.Mutex
	n int // who holds it or waits for it
}

func (l *locks) lock(name string) (unlock func()) {
	l.mu.Lock()
	if l.of == nil {
		l.of = map[string]*named{}
	}
	m := l.of[name]
	if m == nil {
		m = &named{}
		l.of[name] = m
	}
	m.n++
	l.mu.Unlock()
	m.Lock()
	return func() {
		m.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if m.n--; m.n == 0 {
			delete(l.of, name)
		}
	}
}
