// Package http is the web side of the program: it serves the page and its files, hands on what the page wants from the hubs
// when these do not let a page of another origin in, and gives out models of this machine. Nothing that a page sends is kept.
package http

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"hone/server/auth"
	"hone/web/dist"
)

// Options say what is served.
type Options struct {
	Release *dist.Release // files of the page
	Page    Page
	Connect []string          // origins beside this one and the hubs that the page may speak with
	Hubs    []*url.URL        // hubs of the user's own beside the well-known ones; these may be in a private network
	Mirrors map[string]string // those that the page asks in the place of the well-known ones, see hub.Mirrors
	Models  string            // directory of models to give out, or ""
	Log     *slog.Logger
	API     *API // jobs for users elsewhere; nil: none
}

// Server serves them.
type Server struct {
	log     *slog.Logger
	mux     *http.ServeMux
	policy  string
	header  time.Duration // the longest that a client may take to say what it wants
	body    time.Duration // the longest that it may take to send a body, but for files, which only have to go on coming
	stall   time.Duration // the longest that it may take nothing of what it gets
	closing []io.Closer
	api     *API
}

// Bounds of time, size, and number. A request has no body, but for files and forms.
const (
	headerTime = 10 * time.Second
	bodyTime   = 30 * time.Second
	idleTime   = 2 * time.Minute
	headerSize = 32 << 10
	stallTime  = time.Minute
	graceTime  = 5 * time.Second // for answers under way, when the server ends

	// maxConnections are those that are no links; links have bounds of their own. Files of the engine are to have descriptors left.
	maxConnections = 4096
)

// New prepares a server.
func New(o Options) (*Server, error) {
	s := &Server{api: o.API, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), mux: http.NewServeMux(), header: headerTime, body: bodyTime, stall: stallTime}
	s.policy = o.policy()
	release := ""
	site, err := newSite(o, false)
	switch {
	case err == nil:
		site.mount(s.mux)
		release = o.Release.Hash
		if o.API != nil {
			o.API.Assets = site.assets
		}
	case errors.Is(err, dist.ErrNone) && o.API != nil: // jobs need no page
		s.log.Warn("this program has no page in it; it serves jobs alone")
	default:
		return nil, err
	}
	gate := &auth.Gate{} // a server without jobs lets everybody in; it tells addresses from each other all the same
	if o.API != nil {
		gate = o.API.Gate
	}
	s.mux.Handle("/hub/", fetched(newHubs(o.Hubs, s.log, gate.Address)))
	if o.Models != "" {
		root, err := os.OpenRoot(o.Models)
		if err != nil {
			return nil, fmt.Errorf("--models: %w", err)
		}
		s.closing = append(s.closing, root)
		if _, err := root.Stat("config.json"); err == nil {
			root.Close()
			return nil, fmt.Errorf("--models: %s is a model itself; give the folder that it lies in, whose models are then all given out: --models %s", o.Models, filepath.Join(o.Models, ".."))
		}
		s.mux.Handle("/models/", fetched(models{root}))
	}
	if o.API != nil {
		s.closing = append(s.closing, o.API)
	}
	s.mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(map[string]string{"status": "ok", "release": release})
	})
	return s, nil
}

// ServeHTTP answers a request, after what holds for all of them.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &answer{ResponseWriter: w, stall: s.stall}
	start := time.Now()
	defer func() {
		level := slog.LevelDebug
		if out.status >= 400 {
			level = slog.LevelWarn
		}
		s.log.Log(r.Context(), level, "request", "method", r.Method, "host", r.Host, "path", r.URL.Path, "status", out.status, "bytes", out.bytes, "took", time.Since(start).Round(time.Microsecond))
	}()
	s.protect(w.Header())
	if r.ContentLength != 0 {
		bound(w, r, s.body)
	}
	switch {
	case packed(r):
		http.NewResponseController(w).SetReadDeadline(time.Now()) // nor is it waited for
		refuse(out, http.StatusUnsupportedMediaType, "A body comes as it is here, without Content-Encoding: nothing is unpacked.")
	case s.api != nil && s.api.takes(r) && (r.ContentLength == 0 || r.Method == http.MethodPut || r.Method == http.MethodPost):
		s.api.ServeHTTP(out, r)
	case !loopbackName(r.Host) && (s.api == nil || s.api.Gate.Open):
		refuse(out, http.StatusMisdirectedRequest, "This server answers to localhost and 127.0.0.1 only, not to %.100q: so no other site can pass itself off as this one.", r.Host)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		out.Header().Set("Allow", "GET, HEAD")
		refuse(out, http.StatusMethodNotAllowed, "%s is not understood here.", r.Method)
	case r.ContentLength != 0:
		http.NewResponseController(w).SetReadDeadline(time.Now()) // nor is it waited for
		refuse(out, http.StatusRequestEntityTooLarge, "A request here has no body.")
	default:
		s.mux.ServeHTTP(out, r)
	}
}

// bound gives the client so much time for its body, before anybody reads it or, since an answer is sent only after what is left of a body
// has been thrown away, leaves it unread.
func bound(w http.ResponseWriter, r *http.Request, most time.Duration) {
	c := http.NewResponseController(w)
	c.SetReadDeadline(time.Now().Add(most)) // a test's recorder knows no deadlines
	r.Body = &bounded{r.Body, c}
}

// bounded is a body with a deadline, which is over with the body: it would end the request while that is being answered.
type bounded struct {
	io.ReadCloser
	c *http.ResponseController
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.c.SetReadDeadline(time.Time{})
	}
	return n, err
}

// crowd counts connections, and closes those that are too many.
func crowd(most int64) func(net.Conn, http.ConnState) {
	var open atomic.Int64
	return func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if open.Add(1) > most {
				c.Close()
			}
		case http.StateHijacked, http.StateClosed:
			open.Add(-1)
		}
	}
}

// packed reports whether a body wants to be unpacked. Nothing here does that, so no small body becomes a large one.
func packed(r *http.Request) bool {
	for _, e := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(e, "identity") {
			return true
		}
	}
	return false
}

// Serve answers on a listener until ctx ends; then it lets answers under way come to their end for a short time.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	web := &http.Server{
		Handler: s, ReadHeaderTimeout: s.header, IdleTimeout: idleTime, MaxHeaderBytes: headerSize, ConnState: crowd(maxConnections),
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	if s.api != nil {
		web.RegisterOnShutdown(func() { s.api.Close() }) // links and live logs end when they are told
	}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
		defer cancel()
		err := web.Shutdown(grace)
		if err != nil { // somebody is still taking a large file
			err = web.Close()
		}
		ended <- err
	}()
	if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	err := <-ended
	for _, c := range s.closing {
		err = errors.Join(err, c.Close())
	}
	return err
}

// refuse answers with a sentence.
func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, fmt.Sprintf(format, args...), status)
}

// answer is a ResponseWriter that counts, and gives up on a client that takes nothing for too long.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
	stall  time.Duration
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	a.status = cmp.Or(a.status, http.StatusOK)
	// A connection that knows no deadlines (a test's recorder) has nobody who could stall it.
	http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(a.stall))
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Flush sends what was written so far.
func (a *answer) Flush() { http.NewResponseController(a.ResponseWriter).Flush() }

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
