package http

import (
	"cmp"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"hone/core/link"
	"hone/server/auth"
	"hone/server/jobs"
)

// API is what a server does for users elsewhere: links and files. Whoever it lets in owns what is theirs and sees nothing else.
type API struct {
	Gate   *auth.Gate
	Broker *jobs.Broker
	Files  *jobs.Files
	Log    *slog.Logger
	Assets string // address of the page's files below the root, with a slash at its end; "" without a page

	once     sync.Once
	mux      *http.ServeMux
	mu       sync.Mutex
	links    map[string]int // open ones, by user
	total    int
	entering map[string]int // links whose login has not come yet, by address
	strange  int            // all of them
	sessions sessions
	ping     time.Duration // how often a link is looked after; 0: pingTime
	live     time.Duration // how long the log of a run goes on; 0: liveTime
	ends     chan struct{} // closed when the server ends: links do not end by themselves
}

// Bounds of links. Those before their login are nobody's: a class behind one address may come all at once, but who opens links and
// says nothing holds only a few, and not those that others need.
const (
	maxLinks        = 2000
	maxUserLinks    = 300
	maxEntering     = 512
	maxEnteringFrom = 64 // one address
)

// takes reports whether a request is for the API.
func (a *API) takes(r *http.Request) bool {
	return r.URL.Path == link.Path || r.URL.Path == "/ready" || r.URL.Path == "/metrics" || panelPath(r.URL.Path) || strings.HasPrefix(r.URL.Path, "/files/")
}

// ServeHTTP answers the requests that the API takes. Each checks for itself who asks.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.once.Do(a.mount)
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if a.Gate.Open && !loopbackName(host) {
		refuse(w, http.StatusMisdirectedRequest, "This server answers to localhost and 127.0.0.1 only.")
		return
	}
	a.mux.ServeHTTP(w, r)
}

func (a *API) mount() {
	a.ping, a.live = cmp.Or(a.ping, pingTime), cmp.Or(a.live, liveTime)
	a.links, a.entering, a.mux = map[string]int{}, map[string]int{}, http.NewServeMux()
	if a.Log == nil {
		a.Log = slog.New(slog.DiscardHandler)
	}
	a.mux.HandleFunc("GET "+link.Path, a.link)
	a.mux.HandleFunc("HEAD /files/{sha}", a.headFile)
	a.mux.HandleFunc("PUT /files/{sha}", a.putFile)
	a.mux.HandleFunc("GET /files/run/{model}/{version}/{path...}", a.getFile)
	a.mux.HandleFunc("OPTIONS /files/", a.preflight)
	a.mux.HandleFunc("GET /metrics", a.metrics())
	a.mountPanel(a.mux)
	a.mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if !a.Broker.Ready() {
			refuse(w, http.StatusServiceUnavailable, "The job engine is not reached.")
			return
		}
		w.Write([]byte("ready\n"))
	})
}

// Close ends all links.
func (a *API) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ends == nil {
		a.ends = make(chan struct{})
	}
	select {
	case <-a.ends:
	default:
		close(a.ends)
	}
	return nil
}

func (a *API) ended() chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ends == nil {
		a.ends = make(chan struct{})
	}
	return a.ends
}

// enter lets a request in that has its token in its header.
func (a *API) enter(w http.ResponseWriter, r *http.Request, need auth.Scope) (auth.Identity, bool) {
	who, err := a.Gate.Request(r)
	if err == nil {
		err = who.Need(need)
	}
	if err != nil {
		a.deny(w, r, err)
		return who, false
	}
	a.allowOrigin(w, r)
	return who, true
}

// allowOrigin lets a page of another site that may speak with this server read the answer.
func (a *API) allowOrigin(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", link.HeaderHave+", "+link.HeaderWhole)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Add("Vary", "Origin")
	}
}

// preflight answers a browser that asks before it sends.
func (a *API) preflight(w http.ResponseWriter, r *http.Request) {
	if err := a.Gate.Origin(r); err != nil {
		a.deny(w, r, err)
		return
	}
	a.allowOrigin(w, r)
	w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD, PUT")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Range")
	w.Header().Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// deny answers with what an error says, as far as it is for the one who asks.
func (a *API) deny(w http.ResponseWriter, r *http.Request, err error) {
	status := jobs.Status(err)
	text := err.Error()
	if status == http.StatusInternalServerError && !errors.Is(err, r.Context().Err()) {
		a.Log.Error("a request failed", "path", r.URL.Path, "error", err)
		text = "The server could not do this; its log says why."
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	refuse(w, status, "%s", text)
}
