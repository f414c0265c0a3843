//lint:file-ignore SA1019 nhooyr.io/websocket is the name in the house plan; the same code goes on as github.com/coder/websocket

// Package link is the way to a server: a wire.Link over a websocket that comes back by itself when the network goes away, and
// the files that travel beside it over HTTP. It is the same code in a program and in a browser.
package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"nhooyr.io/websocket"

	"hone/core/wire"
)

// Path is where a server listens for links.
const Path = "/link"

// Close codes of a server that will not have this client.
const (
	CodeDenied    = 4401 // the token
	CodeForbidden = 4403 // the origin
	CodeProtocol  = 4400 // what was sent
)

// State is how a link is.
type State struct {
	Connected bool
	Err       error // why it is not; the next try is under way unless Denied
	Denied    bool  // trying again would not help
}

// Options say where to and whom to tell.
type Options struct {
	URL   string           // of the server: https://host[:port][/path]
	Token string           // "" for a server on loopback without tokens
	Event func(wire.Frame) // hears events, in the order of each run, each once
	Named bool             // only of runs that Follow names, from the event on that it names: nothing is heard of them before
	State func(State)      // hears when the link comes and goes
	HTTP  *http.Client     // for tests and certificates of one's own; nil: the usual one
}

// Client is a wire.Link to a server. What is asked while the network is away waits until it is back.
type Client struct {
	o       Options
	address string
	ctx     context.Context
	close   context.CancelCauseFunc
	ended   chan struct{}
	events  sync.Mutex // one event is told at a time

	mu      sync.Mutex
	send    chan []byte // of the connection that there is; nil without one
	next    uint64
	pending map[uint64]*question
	unsent  []uint64        // of them those that wait until the server has answered others
	busy    map[uint64]bool // requests that went over this connection and that the server has not answered
	runs    map[string]*followed
	welcome wire.Welcome
	greeted chan struct{} // closed with the first welcome

	replays chan struct{} // has a place for each Replay that may be asked for at the same time
}

// question waits for its reply.
type question struct {
	raw   []byte
	part  func(string, json.RawMessage)
	reply chan wire.Frame
}

const (
	firstWait = 200 * time.Millisecond
	longWait  = 10 * time.Second
	dialTime  = 20 * time.Second
	pingEvery = 15 * time.Second
)

// silences is how often a server may fail to say that it is there before the link is given up.
const silences = 3

// maxBusy is how many requests a server has to answer at the same time; it refuses more than 16 of one link.
const maxBusy = 14

// errClosed is why a link ends that its owner closes.
var errClosed = errors.New("link: it was closed")

// Dial makes a link, and waits until the server has let it in or has refused.
func Dial(ctx context.Context, o Options) (*Client, error) {
	address, err := Address(o.URL)
	if err != nil {
		return nil, err
	}
	c := &Client{o: o, address: address, ended: make(chan struct{}), pending: map[uint64]*question{}, busy: map[uint64]bool{}, runs: map[string]*followed{}, greeted: make(chan struct{}), replays: make(chan struct{}, maxReplays)}
	c.ctx, c.close = context.WithCancelCause(context.WithoutCancel(ctx))
	var first error
	c.o.State = func(s State) {
		if s.Err != nil {
			c.mu.Lock()
			first = s.Err
			c.mu.Unlock()
		}
		if o.State != nil {
			o.State(s)
		}
	}
	go c.run()
	select {
	case <-c.greeted:
		return c, nil
	case <-c.ended:
		return nil, context.Cause(c.ctx)
	case <-ctx.Done():
		c.close(errClosed)
		<-c.ended
		c.mu.Lock()
		defer c.mu.Unlock()
		if first != nil {
			return nil, first
		}
		return nil, ctx.Err()
	}
}

// Address is that of the websocket of a server.
func Address(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" {
		return "", fmt.Errorf("link: %q is no address of a server; one is like https://gpu.example:8443", server)
	}
	u.Scheme = map[string]string{"https": "wss", "http": "ws"}[u.Scheme]
	return strings.TrimSuffix(u.String(), "/") + Path, nil
}

// Welcome says who one is there.
func (c *Client) Welcome() wire.Welcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.welcome
}

// Close ends the link.
func (c *Client) Close() error {
	c.close(errClosed)
	<-c.ended
	return nil
}

// Ask sends a request and waits for its reply. After an interruption it is sent again; a Start and a single step have a Key for that.
func (c *Client) Ask(ctx context.Context, name string, request any, part func(string, json.RawMessage)) (json.RawMessage, error) {
	data, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.next++
	id := c.next
	q := &question{part: part, reply: make(chan wire.Frame, 1)}
	q.raw, err = json.Marshal(wire.Frame{V: wire.Version, Kind: wire.KindRequest, ID: id, Name: name, Data: data})
	if err == nil && len(q.raw) > wire.MaxFrame {
		err = fmt.Errorf("link: the request %s has %d bytes; at most %d can be sent", name, len(q.raw), wire.MaxFrame)
	}
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	c.pending[id] = q
	if c.send != nil {
		c.unsent = append(c.unsent, id)
	}
	c.sendNext()
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pending, id)
		c.mu.Unlock()
	}()
	select {
	case f := <-q.reply:
		return f.Data, f.Refusal()
	case <-ctx.Done():
		c.cancel(id)
		return nil, ctx.Err()
	case <-c.ended:
		return nil, context.Cause(c.ctx)
	}
}

// sendNext hands requests to the goroutine that writes, as many as the server takes now. The caller holds the lock.
func (c *Client) sendNext() {
	for c.send != nil && len(c.unsent) > 0 && len(c.busy) < maxBusy {
		id := c.unsent[0]
		if q := c.pending[id]; q != nil {
			select {
			case c.send <- q.raw:
				c.busy[id] = true
			default:
				return // the writer calls again when there is room
			}
		}
		c.unsent = c.unsent[1:]
	}
}

func (c *Client) cancel(id uint64) {
	raw, err := json.Marshal(wire.Frame{V: wire.Version, Kind: wire.KindRequest, ID: id, Name: wire.Cancel{}.Name()})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || c.send == nil || !c.busy[id] {
		return
	}
	select {
	case c.send <- raw:
	default: // then it is answered in vain
	}
}

// run connects again and again.
func (c *Client) run() {
	defer close(c.ended)
	wait := firstWait
	for c.ctx.Err() == nil {
		began := time.Now()
		err := c.connect()
		if c.ctx.Err() != nil {
			return
		}
		if denied := refused(err); denied != nil {
			c.o.State(State{Err: denied, Denied: true})
			c.close(denied)
			return
		}
		c.o.State(State{Err: err})
		if time.Since(began) > 2*longWait {
			wait = firstWait
		}
		select {
		case <-c.ctx.Done():
		case <-time.After(wait/2 + time.Duration(time.Now().UnixNano())%(wait/2+1)): // so that not all come back at once
		}
		wait = min(2*wait, longWait)
	}
}

// refused is what a server says that will not have this client, or nil.
func refused(err error) error {
	var closed websocket.CloseError
	if errors.As(err, &closed) && (closed.Code == CodeDenied || closed.Code == CodeForbidden || closed.Code == CodeProtocol) {
		return fmt.Errorf("the server says: %s", closed.Reason)
	}
	return nil
}

// farewell is why a server is about to end the link, or nil.
func farewell(f wire.Frame) error {
	if f.Kind != wire.KindReply || f.ID != 0 || f.Error == "" {
		return nil
	}
	var why wire.Farewell
	if err := json.Unmarshal(f.Data, &why); err != nil {
		return err
	}
	closed := websocket.CloseError{Code: websocket.StatusCode(why.Code), Reason: f.Error}
	if refused(closed) == nil { // it may be better in a moment
		return fmt.Errorf("the server says: %s", f.Error)
	}
	return closed
}

// connect opens one connection and serves it to its end.
func (c *Client) connect() error {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	dialing, stop := context.WithTimeout(ctx, dialTime)
	conn, err := c.dial(dialing)
	stop()
	if err != nil {
		return fmt.Errorf("%s cannot be reached: %w", c.o.URL, err)
	}
	defer hangUp(conn)
	conn.SetReadLimit(wire.MaxFrame + 1<<16)
	login, err := json.Marshal(wire.Login{Token: c.o.Token})
	if err != nil {
		return err
	}
	raw, err := json.Marshal(wire.Frame{V: wire.Version, Kind: wire.KindRequest, Name: wire.Login{}.Name(), Data: login})
	if err != nil {
		return err
	}
	greeting, stop := context.WithTimeout(ctx, dialTime)
	err = conn.Write(greeting, websocket.MessageText, raw)
	if err == nil {
		err = c.readWelcome(greeting, conn)
	}
	stop()
	if err != nil {
		return err
	}
	send := make(chan []byte, 256)
	c.mu.Lock()
	c.send = send
	c.unsent = slices.Sorted(maps.Keys(c.pending)) // what was not answered is asked again
	clear(c.busy)
	c.sendNext()
	var runs []string
	for run := range c.runs {
		runs = append(runs, run)
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.send = nil
		c.mu.Unlock()
	}()
	c.o.State(State{Connected: true})
	c.mu.Lock()
	select {
	case <-c.greeted:
	default:
		close(c.greeted)
	}
	c.mu.Unlock()
	for _, run := range runs {
		c.catchUp(run)
	}
	go func() {
		if err := c.write(ctx, conn, send); err != nil {
			hangUp(conn) // the reader hears of it
		}
	}()
	return c.read(ctx, conn)
}

func (c *Client) readWelcome(ctx context.Context, conn *websocket.Conn) error {
	for {
		_, raw, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		f, err := wire.ParseFrame(raw)
		if err != nil {
			return err
		}
		if f.Kind != wire.KindReply || f.ID != 0 {
			continue
		}
		if err := farewell(f); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return json.Unmarshal(f.Data, &c.welcome)
	}
}

// write is the only one that writes to a connection.
func (c *Client) write(ctx context.Context, conn *websocket.Conn, send chan []byte) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		var err error
		one, stop := context.WithTimeout(ctx, dialTime)
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case raw := <-send:
			if err = conn.Write(one, websocket.MessageText, raw); err == nil {
				c.mu.Lock()
				c.sendNext()
				c.mu.Unlock()
			}
		case <-tick.C:
			err = ping(one, conn)
		}
		stop()
		if err != nil {
			return err
		}
	}
}

// read takes what comes until the connection ends, or nothing comes from a server that says it would: a way may go silent without an end.
func (c *Client) read(ctx context.Context, conn *websocket.Conn) error {
	longest := silences * time.Duration(c.Welcome().Alive) * time.Millisecond
	for {
		one, stop := ctx, context.CancelFunc(func() {})
		if longest > 0 {
			one, stop = context.WithTimeout(ctx, longest)
		}
		_, raw, err := conn.Read(one)
		silent := one.Err() != nil && ctx.Err() == nil
		stop()
		if err != nil && silent {
			return fmt.Errorf("the link to %s is gone: nothing has come from there for %v", c.o.URL, longest)
		}
		if err != nil {
			return fmt.Errorf("the link to %s is gone: %w", c.o.URL, err)
		}
		f, err := wire.ParseFrame(raw)
		if err != nil {
			return err
		}
		if err := farewell(f); err != nil {
			return err
		}
		switch f.Kind {
		case wire.KindEvent:
			c.event(f)
		case wire.KindPart, wire.KindReply:
			c.mu.Lock()
			q := c.pending[f.ID]
			if f.Kind == wire.KindReply {
				delete(c.busy, f.ID)
				c.sendNext()
			}
			c.mu.Unlock()
			switch {
			case q == nil: // nobody waits for it any more
			case f.Kind == wire.KindPart:
				if q.part != nil {
					q.part(f.Name, f.Data)
				}
			default:
				select {
				case q.reply <- f:
				default: // it was asked twice, and the first reply is there
				}
			}
		}
	}
}
