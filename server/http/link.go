package http

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"hone/core/link"
	"hone/core/run"
	"hone/core/wire"
	"hone/server/auth"
	"hone/server/jobs"
)

// Bounds of a link.
const (
	loginTime   = 10 * time.Second
	pongTime    = 60 * time.Second
	pingTime    = 20 * time.Second
	writeTime   = 20 * time.Second
	maxRequests = 16 // of one client at the same time
)

// socket is one client. Only its write goroutine writes to the connection.
type socket struct {
	api  *API
	conn *websocket.Conn
	who  auth.Identity
	from string // address
	out  *outbox
	ctx  context.Context
	end  context.CancelCauseFunc

	mu      sync.Mutex
	working map[uint64]context.CancelFunc
	all     sync.WaitGroup
	flood   sync.Once // that it asks too much is logged once: who floods the link need not flood the log
}

// farewell is why a link ends, as the client is told.
type farewell struct {
	code int
	text string
}

func (f *farewell) Error() string { return f.text }

// revoked ends a link whose user would not be let in any more.
var revoked = &farewell{link.CodeDenied, "the token was revoked, or the server has got its first one: log in again"}

// link opens a websocket. Who it is for comes in its first frame.
func (a *API) link(w http.ResponseWriter, r *http.Request) {
	if err := a.Gate.Origin(r); err != nil {
		a.deny(w, r, err)
		return
	}
	from := a.Gate.Address(r)
	left, ok := a.letEnter(from)
	if !ok {
		a.deny(w, r, auth.ErrTooMany)
		return
	}
	defer left()
	var hijacker http.ResponseWriter = w
	for {
		inner, ok := hijacker.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		hijacker = inner.Unwrap()
	}
	up := websocket.Upgrader{HandshakeTimeout: loginTime, CheckOrigin: func(*http.Request) bool { return true }} // it was checked
	conn, err := up.Upgrade(hijacker, r, nil)
	if err != nil {
		a.Log.Warn("a link could not be opened", "address", from, "error", err)
		return // Upgrade has answered
	}
	defer conn.Close()
	conn.SetReadLimit(wire.MaxFrame)
	s := &socket{api: a, conn: conn, from: from, out: newOutbox(maxWaiting), working: map[uint64]context.CancelFunc{}}
	s.ctx, s.end = context.WithCancelCause(context.WithoutCancel(r.Context()))
	defer s.end(nil)
	bad := s.login(s.from)
	left()
	if bad == nil && !a.admit(s.who.User, 1) {
		bad = &farewell{websocket.CloseTryAgainLater, "too many links are open"}
	}
	if bad != nil {
		a.Log.Warn("a link is refused", "user", s.who.User, "address", s.from, "reason", bad.text)
		s.bye(bad)
		return
	}
	defer a.admit(s.who.User, -1)
	s.serve()
	s.logEnd()
}

// logEnd tells why a link has ended, unless one of its ends wanted it so. That a network breaks is no news, that somebody is refused is.
func (s *socket) logEnd() {
	why := context.Cause(s.ctx)
	f, told := why.(*farewell)
	if errors.Is(why, context.Canceled) || told && f.code == websocket.CloseServiceRestart ||
		websocket.IsCloseError(why, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived) {
		return
	}
	level := slog.LevelWarn
	if broken := net.Error(nil); errors.As(why, &broken) || websocket.IsCloseError(why, websocket.CloseAbnormalClosure) {
		level = slog.LevelDebug
	}
	s.api.Log.Log(context.WithoutCancel(s.ctx), level, "a link ends", "user", s.who.User, "address", s.from, "reason", why)
}

// letEnter counts links before their login. left, which may be called again, takes one off.
func (a *API) letEnter(from string) (left func(), ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.strange >= maxEntering || a.entering[from] >= maxEnteringFrom {
		return nil, false
	}
	a.strange++
	a.entering[from]++
	return sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.strange--
		if a.entering[from]--; a.entering[from] == 0 {
			delete(a.entering, from)
		}
	}), true
}

// admit counts links.
func (a *API) admit(user string, n int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > 0 && (a.total >= maxLinks || a.links[user] >= maxUserLinks) {
		return false
	}
	a.total += n
	if a.links[user] += n; a.links[user] == 0 {
		delete(a.links, user)
	}
	return true
}

// login reads the first frame.
func (s *socket) login(address string) *farewell {
	s.conn.SetReadDeadline(time.Now().Add(loginTime))
	_, raw, err := s.conn.ReadMessage()
	if err != nil {
		return &farewell{link.CodeProtocol, "no login came"}
	}
	f, err := wire.ParseFrame(raw)
	var l wire.Login
	if err == nil && (f.Kind != wire.KindRequest || f.Name != l.Name()) {
		return &farewell{link.CodeProtocol, "the first frame is a login"}
	}
	if err == nil && len(f.Data) > 0 {
		err = json.Unmarshal(f.Data, &l)
	}
	if err != nil {
		return &farewell{link.CodeProtocol, err.Error()}
	}
	if s.who, err = s.api.Gate.Enter(l.Token, address); err == nil {
		err = s.who.Need(auth.View)
	}
	switch status := auth.Status(err); {
	case err == nil:
		return nil
	case status == http.StatusTooManyRequests:
		return &farewell{websocket.CloseTryAgainLater, err.Error()}
	case status == http.StatusInternalServerError:
		s.api.Log.Error("a login failed", "error", err)
		return &farewell{websocket.CloseInternalServerErr, "the server could not check the token; its log says why"}
	}
	return &farewell{link.CodeDenied, err.Error()}
}

// bye tells the client why the link ends. The write goroutine is not running, or calls it itself.
func (s *socket) bye(f *farewell) {
	if data, err := json.Marshal(wire.Farewell{Code: f.code}); err == nil {
		if raw, err := json.Marshal(wire.Frame{V: wire.Version, Kind: wire.KindReply, Data: data, Error: f.text}); err == nil {
			s.conn.SetWriteDeadline(time.Now().Add(writeTime))
			s.conn.WriteMessage(websocket.TextMessage, raw)
		}
	}
	text := f.text
	for len(text) > 120 { // a control frame holds 125 bytes
		text = text[:len(text)-1]
	}
	s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(f.code, toValid(text)), time.Now().Add(writeTime))
}

// toValid drops what is left of a character that was cut.
func toValid(s string) string {
	r := []rune(s)
	if n := len(r); n > 0 && r[n-1] == '�' {
		r = r[:n-1]
	}
	return string(r)
}

func (s *socket) serve() {
	desk := &jobs.Desk{Broker: s.api.Broker, Who: s.who}
	written := make(chan struct{})
	go func() { defer close(written); s.write() }()
	listening := make(chan struct{})
	s.all.Go(func() {
		if err := desk.Events(s.ctx, func() { close(listening) }, s.put); err != nil && s.ctx.Err() == nil {
			s.api.Log.Error("a link hears no events", "error", err)
			s.end(&farewell{websocket.CloseTryAgainLater, "events cannot be heard now"})
		}
	})
	select { // no event may fall between the replies of this link and its events
	case <-listening:
		if welcome, err := json.Marshal(wire.Welcome{User: s.who.User, Scope: string(s.who.Scope), Version: run.Version, Alive: s.api.ping.Milliseconds()}); err == nil {
			s.frame(wire.Frame{Kind: wire.KindReply, Data: welcome})
		}
		s.read()
	case <-s.ctx.Done():
	}
	s.end(nil)
	s.all.Wait()
	<-written
}

// put hands bytes to the write goroutine. A client that does not take what it gets is let go: it comes back and asks for what it
// has missed.
func (s *socket) put(raw []byte) {
	if !s.out.offer(raw) {
		s.end(&farewell{websocket.ClosePolicyViolation, "too slow: frames were waiting to be taken; connect again and replay"})
	}
}

func (s *socket) frame(f wire.Frame) {
	f.V = wire.Version
	if raw, err := json.Marshal(f); err == nil {
		s.put(raw)
	}
}

// answer is frame for what somebody works on beside the reader: it waits until the client has taken most of what it got before. ready
// is called when it need not wait any more, before the client has it.
func (s *socket) answer(f wire.Frame, ready func()) {
	f.V = wire.Version
	raw, err := json.Marshal(f)
	sent := err == nil && s.out.reserve(s.ctx, len(raw))
	ready()
	if sent {
		s.out.frames <- raw
	}
}

// write owns the connection's writes until the link ends.
func (s *socket) write() {
	defer s.conn.Close() // and with it the reads
	alive, err := json.Marshal(wire.Frame{V: wire.Version, Kind: wire.KindPart, Name: wire.Alive{}.Name()})
	if err != nil {
		s.end(err)
		return
	}
	tick := time.NewTicker(s.api.ping)
	defer tick.Stop()
	for {
		s.conn.SetWriteDeadline(time.Now().Add(writeTime))
		var err error
		select {
		case <-s.ctx.Done():
			if f, ok := context.Cause(s.ctx).(*farewell); ok {
				s.bye(f)
			}
			return
		case <-s.api.ended():
			s.last(&farewell{websocket.CloseServiceRestart, "the server ends"})
			return
		case raw := <-s.out.frames:
			err = s.conn.WriteMessage(websocket.TextMessage, raw)
			s.out.taken(raw)
		case <-tick.C:
			if !s.api.Gate.StillValid(s.who) { // who asks nothing is not to hear anything either
				s.last(revoked)
				return
			}
			if err = s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime)); err == nil {
				err = s.conn.WriteMessage(websocket.TextMessage, alive)
			}
		}
		if errors.Is(err, websocket.ErrCloseSent) { // by the reader, who is about to say why
			return
		}
		if err != nil {
			s.end(err)
			return
		}
	}
}

// last ends the link. Only the write goroutine calls it.
func (s *socket) last(f *farewell) {
	s.end(f) // before the client closes in its turn, which would be the reason then
	s.bye(f)
}

// read takes requests until the connection ends.
func (s *socket) read() {
	alive := func(string) error { return s.conn.SetReadDeadline(time.Now().Add(pongTime)) }
	alive("")
	s.conn.SetPongHandler(alive)
	ping := s.conn.PingHandler()
	s.conn.SetPingHandler(func(data string) error { alive(""); return ping(data) }) // WriteControl may be called beside the writer
	for {
		_, raw, err := s.conn.ReadMessage()
		if err != nil {
			s.end(err)
			return
		}
		alive("")
		f, err := wire.ParseFrame(raw)
		if err == nil && f.Kind != wire.KindRequest {
			err = &farewell{link.CodeProtocol, "a client sends requests alone"}
		}
		if err != nil {
			s.end(&farewell{link.CodeProtocol, err.Error()})
			return
		}
		if f.Name == (wire.Cancel{}).Name() {
			s.cancel(f.ID)
			continue
		}
		s.request(f)
	}
}

func (s *socket) cancel(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.working[id]; cancel != nil {
		cancel()
	}
}

// request answers one, beside others.
func (s *socket) request(f wire.Frame) {
	if !s.api.Gate.StillValid(s.who) {
		s.end(revoked)
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	busy := len(s.working) >= maxRequests || s.working[f.ID] != nil
	if !busy {
		s.working[f.ID] = cancel
	}
	s.mu.Unlock()
	if busy || !s.api.Gate.Allow(s.who) {
		cancel()
		s.flood.Do(func() {
			s.api.Log.Warn("a link asks too much", "user", s.who.User, "address", s.from, "request", f.Name)
		})
		s.frame(wire.Frame{Kind: wire.KindReply, ID: f.ID, Error: auth.ErrTooMany.Error(), Status: auth.Status(auth.ErrTooMany)})
		return
	}
	s.all.Go(func() {
		defer cancel()
		out := wire.Frame{Kind: wire.KindReply, ID: f.ID}
		desk := &jobs.Desk{Broker: s.api.Broker, Who: s.who, Quota: s.api.Files.Quota(s.who.User)} // which may have changed since the last one
		data, err := desk.Ask(ctx, f.Name, f.Data, func(name string, data json.RawMessage) {
			s.answer(wire.Frame{Kind: wire.KindPart, ID: f.ID, Name: name, Data: data}, func() {})
		})
		if out.Data = data; err != nil {
			out.Data, out.Error, out.Status = nil, s.sentence(f.Name, err), jobs.Status(err)
		}
		s.answer(out, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.working, f.ID)
		})
	})
}

// sentence is an error as far as it is for the client.
func (s *socket) sentence(name string, err error) string {
	status := jobs.Status(err)
	if status != http.StatusInternalServerError {
		s.api.Log.Warn("a request is refused", "user", s.who.User, "address", s.from, "request", name, "status", status, "reason", err)
	}
	if status != http.StatusInternalServerError || s.ctx.Err() != nil {
		return err.Error()
	}
	s.api.Log.Error("a request failed", "user", s.who.User, "request", name, "error", err)
	return "The server could not do this; its log says why."
}
