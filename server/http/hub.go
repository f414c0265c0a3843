package http

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"hone/core/hub"
)

// Bounds of what is handed on.
const (
	hubSlots     = 32        // files at a time, of all pages together
	hubSlotsFrom = 24        // of them those of one address, which a class may share; no token is wanted, so others keep a way in
	hubRedirects = 5         // on the way to a file
	hubFile      = 200 << 30 // bytes of one file
	hubUnsized   = 1 << 30   // bytes of an answer whose length the hub does not say
)

// hubs hands on what hubs give: GET and HEAD of /hub/<host>/<path>. It reaches the hosts of package hub and those of its user's own,
// and nothing else, wherever a redirect leads.
type hubs struct {
	log    *slog.Logger
	known  []string            // names, "*." before those that stand for any name below; reached by https, at public addresses
	own    map[string]*url.URL // by host; in whatever network they are
	client *http.Client
	from   func(*http.Request) string // the address that asks
	stall  time.Duration              // the longest that a hub may send nothing

	mu      sync.Mutex
	taken   int            // slots
	takenBy map[string]int // of them by address
}

// errElsewhere is a redirect to a host that is none of the hubs'.
var errElsewhere = errors.New("leads to a host that is none of the hubs'")

func newHubs(own []*url.URL, log *slog.Logger, from func(*http.Request) string) *hubs {
	h := &hubs{log: log, known: hub.Hosts, own: map[string]*url.URL{}, from: from, stall: stallTime, takenBy: map[string]int{}}
	for _, u := range own {
		h.own[u.Host] = u
	}
	h.client = &http.Client{CheckRedirect: h.redirect, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: h.dialer(), ForceAttemptHTTP2: true, DisableCompression: true,
		TLSHandshakeTimeout: headerTime, ResponseHeaderTimeout: stallTime, IdleConnTimeout: idleTime, MaxResponseHeaderBytes: 1 << 20,
	}}
	return h
}

// allowed says whether an address is one of the hubs'.
func (h *hubs) allowed(u *url.URL) bool {
	if own, ok := h.own[u.Host]; ok && own.Scheme == u.Scheme {
		return true
	}
	return u.Scheme == "https" && (u.Port() == "" || u.Port() == "443") && knownHost(h.known, u.Hostname())
}

func knownHost(known []string, name string) bool {
	name = strings.ToLower(name)
	for _, k := range known {
		if below, any := strings.CutPrefix(k, "*"); name == k || any && strings.HasSuffix(name, below) {
			return true
		}
	}
	return false
}

// target reads the address on a hub from that of the request.
func (h *hubs) target(r *http.Request) (*url.URL, error) {
	host, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/hub/"), "/")
	scheme := "https"
	if own, ok := h.own[host]; ok {
		scheme = own.Scheme
	}
	u, err := url.Parse(scheme + "://" + host + "/" + rest)
	if err != nil || u.Host != host || u.User != nil || !h.allowed(u) {
		return nil, fmt.Errorf("%.100q is none of the hubs that this server reaches: Hugging Face, ModelScope, and what HF_ENDPOINT or MODELSCOPE_ENDPOINT named when it was started", host)
	}
	u.RawQuery = r.URL.RawQuery
	return u, nil
}

// carried are the headers that pass.
var (
	carriedOut  = []string{"Accept", "Authorization", "If-Modified-Since", "If-None-Match", "If-Range", "Range"}
	carriedBack = []string{
		"Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Last-Modified", "Link", "Retry-After",
		"X-Error-Code", "X-Error-Message", "X-Linked-Etag", "X-Linked-Size", "X-Repo-Commit",
	}
	// What the hub itself says of a file that it sends the client elsewhere for.
	fromFirst = []string{"X-Linked-Etag", "X-Linked-Size", "X-Repo-Commit"}
)

type firstAnswer struct{}

// redirect lets a request follow to where a hub keeps its files. The token stays with the hub that it was sent for.
func (h *hubs) redirect(r *http.Request, via []*http.Request) error {
	if len(via) > hubRedirects {
		return fmt.Errorf("more than %d redirects", hubRedirects)
	}
	if !h.allowed(r.URL) {
		return fmt.Errorf("%w: %s", errElsewhere, r.URL.Host)
	}
	if r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
		r.Header.Del("Authorization")
	}
	r.Header.Del("Referer")
	if first, ok := r.Context().Value(firstAnswer{}).(http.Header); ok && r.Response != nil {
		for _, name := range fromFirst {
			if v := r.Response.Header.Get(name); v != "" && first.Get(name) == "" {
				first.Set(name, v)
			}
		}
	}
	return nil
}

// enter takes a slot for an address; left gives it back.
func (h *hubs) enter(from string) (left func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken >= hubSlots || h.takenBy[from] >= hubSlotsFrom {
		return nil, false
	}
	h.taken++
	h.takenBy[from]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.taken--
		if h.takenBy[from]--; h.takenBy[from] == 0 {
			delete(h.takenBy, from)
		}
	}, true
}

func (h *hubs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to, err := h.target(r)
	if err != nil {
		refuse(w, http.StatusForbidden, "%v.", err)
		return
	}
	left, ok := h.enter(h.from(r))
	if !ok {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "This server is fetching many files already, %d at most and %d for one address; try again in a moment.", hubSlots, hubSlotsFrom)
		return
	}
	defer left()
	first := http.Header{}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), firstAnswer{}, first))
	defer cancel()
	out, err := http.NewRequestWithContext(ctx, r.Method, to.String(), nil)
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	out.Header.Set("User-Agent", "hone")
	for _, name := range carriedOut {
		if v := r.Header.Get(name); v != "" {
			out.Header.Set(name, v)
		}
	}
	got, err := h.client.Do(out)
	if err != nil {
		status := http.StatusBadGateway
		if errors.Is(err, errElsewhere) || errors.Is(err, errPrivate) {
			status = http.StatusForbidden
		}
		var wrapped *url.Error // which repeats the address, with what its query may hold
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		refuse(w, status, "%s: %v", to.Host, err)
		return
	}
	defer got.Body.Close()
	h.answer(w, got, first, cancel)
}

// answer hands on an answer; stop ends a hub that has stopped sending.
func (h *hubs) answer(w http.ResponseWriter, got *http.Response, first http.Header, stop func()) {
	limit := int64(hubFile)
	if got.ContentLength < 0 {
		limit = hubUnsized
	}
	if got.ContentLength > limit {
		refuse(w, http.StatusBadGateway, "%s: a file of %d bytes; at most %d are handed on", got.Request.URL.Host, got.ContentLength, limit)
		return
	}
	header := w.Header()
	for _, name := range carriedBack {
		if v := cmp.Or(got.Header.Get(name), first.Get(name)); v != "" {
			header.Set(name, v)
		}
	}
	header.Set("Content-Type", "application/octet-stream")
	if kind, _, _ := strings.Cut(got.Header.Get("Content-Type"), ";"); kind == "application/json" {
		header.Set("Content-Type", kind)
	}
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(got.StatusCode)
	watch := time.AfterFunc(h.stall, stop)
	defer watch.Stop()
	n, err := io.Copy(w, &watched{io.LimitReader(got.Body, limit+1), func() { watch.Reset(h.stall) }})
	if err != nil || n > limit {
		h.log.Warn("a file of a hub was cut short", "host", got.Request.URL.Host, "bytes", n, "error", err)
		panic(http.ErrAbortHandler) // the way to tell the client that this is not the whole
	}
}

// watched tells of every piece that was read.
type watched struct {
	io.Reader
	got func()
}

func (r *watched) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.got()
	}
	return n, err
}
