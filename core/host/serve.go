package host

import (
	"context"
	"encoding/json"
	"sync"

	"hone/core/wire"
)

// Session is somebody at the other end of a transport.
type Session struct {
	h    *Host
	send func(wire.Frame)
	stop func()

	mu      sync.Mutex
	pending map[uint64]context.CancelFunc // requests that are being answered, by ID
	closed  bool
}

// Serve begins a session: send is given replies, parts and all events, from several goroutines.
func (h *Host) Serve(send func(wire.Frame)) *Session {
	return &Session{h: h, send: send, stop: h.Watch(send), pending: map[uint64]context.CancelFunc{}}
}

// Take takes a frame of the other side. The answer comes through send.
func (s *Session) Take(f wire.Frame) {
	if f.Kind != wire.KindRequest {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Name == (wire.Cancel{}).Name() {
		if cancel := s.pending[f.ID]; cancel != nil {
			cancel()
		}
		return
	}
	if s.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.pending[f.ID] = cancel
	go s.answer(ctx, f)
}

func (s *Session) answer(ctx context.Context, f wire.Frame) {
	reply := wire.Frame{V: wire.Version, Kind: wire.KindReply, ID: f.ID}
	r, err := wire.ParseRequest(f.Name, f.Data)
	if err == nil {
		reply.Data, err = s.h.Ask(ctx, f.Name, r, func(name string, data json.RawMessage) {
			s.send(wire.Frame{V: wire.Version, Kind: wire.KindPart, ID: f.ID, Name: name, Data: data})
		})
	}
	if err != nil {
		reply.Refuse(err)
	}
	s.mu.Lock()
	cancel := s.pending[f.ID]
	delete(s.pending, f.ID)
	closed := s.closed
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if !closed {
		s.send(reply)
	}
}

// Close ends what the other side has asked for. Runs go on.
func (s *Session) Close() {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, cancel := range s.pending {
		cancel()
	}
}
