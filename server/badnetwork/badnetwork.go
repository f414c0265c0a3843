// Package badnetwork is a TCP proxy that behaves as networks do at their worst. Only tests import it.
package badnetwork

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes connections on, and can drop, delay, half close and silence them.
type Proxy struct {
	Addr   string       // where it listens
	Broken atomic.Int64 // how often it did something bad
	delay  atomic.Int64 // nanoseconds that each piece waits

	mu    sync.Mutex
	conns map[*net.TCPConn]*atomic.Bool // whether it has gone silent, which both ends of a way share
}

// To makes a proxy before an address.
func To(t *testing.T, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &Proxy{Addr: l.Addr().String(), conns: map[*net.TCPConn]*atomic.Bool{}}
	t.Cleanup(func() { l.Close(); n.each(func(c *net.TCPConn) { c.Close() }) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			a, b := c.(*net.TCPConn), d.(*net.TCPConn)
			silent := &atomic.Bool{}
			n.mu.Lock()
			n.conns[a], n.conns[b] = silent, silent
			n.mu.Unlock()
			go n.pipe(a, b, silent)
			go n.pipe(b, a, silent)
		}
	}()
	return n
}

func (n *Proxy) pipe(from, to *net.TCPConn, silent *atomic.Bool) {
	defer func() {
		if !silent.Load() {
			to.CloseWrite()
		}
		n.mu.Lock()
		delete(n.conns, from)
		n.mu.Unlock()
	}()
	buf := make([]byte, 16<<10)
	for {
		k, err := from.Read(buf)
		if k > 0 {
			time.Sleep(time.Duration(n.delay.Load()))
			if !silent.Load() {
				_, err2 := to.Write(buf[:k])
				err = errors.Join(err, err2)
			}
		}
		if err != nil {
			return
		}
	}
}

func (n *Proxy) each(f func(*net.TCPConn)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		f(c)
	}
}

// Silence lets all connections that there are carry nothing any more, in either direction, without ending them: as where a router has
// forgotten them. New ones are as before.
func (n *Proxy) Silence() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Broken.Add(1)
	for _, silent := range n.conns {
		silent.Store(true)
	}
}

// Misbehave does something bad every so often, by a seed, until it is told to stop.
func (n *Proxy) Misbehave(seed uint64, every time.Duration) (stop func()) {
	rng := rand.New(rand.NewPCG(seed, 1))
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				n.delay.Store(0)
				return
			case <-time.After(every/2 + time.Duration(rng.Int64N(int64(every)))):
			}
			n.delay.Store(0)
			n.Broken.Add(1)
			switch rng.IntN(3) {
			case 0: // all connections end, in the middle of what they carry
				n.each(func(c *net.TCPConn) { c.SetLinger(0); c.Close() })
			case 1: // one direction ends
				n.each(func(c *net.TCPConn) { c.CloseRead() })
			case 2:
				n.delay.Store(int64(150 * time.Millisecond))
			}
		}
	}()
	return func() { close(done); <-ended }
}

// Break ends all connections every so often, in the middle of what they carry, until it is told to stop.
func (n *Proxy) Break(every time.Duration) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(every):
			}
			n.Broken.Add(1)
			n.each(func(c *net.TCPConn) { c.SetLinger(0); c.Close() })
		}
	}()
	return func() { close(done); <-ended }
}
