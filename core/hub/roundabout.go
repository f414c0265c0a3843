package hub

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
)

// Roundabout sends requests to other hosts, and through this page's server where the other host does not let pages read its answers.
type Roundabout struct {
	Direct http.RoundTripper
	Server string // its address: below it, <host>/<path> is the path at that host

	mu   sync.Mutex
	only map[string]bool // hosts that have only answered this way
}

// noWay is a host that this page cannot ask, now or later.
type noWay struct{ refused error }

func (n *noWay) Error() string {
	return fmt.Sprintf("%v (it may not let pages read its files, or this page may not speak with it; and this page's server does not pass them on. It does for the well-known hubs, and for one that HF_ENDPOINT or MODELSCOPE_ENDPOINT names when it is started)", n.refused)
}

func (n *noWay) Unwrap() error { return n.refused }

// RoundTrip is the method of http.RoundTripper.
func (r *Roundabout) RoundTrip(q *http.Request) (*http.Response, error) {
	here, err := url.Parse(r.Server)
	if err != nil || q.URL.Host == here.Host || q.Method != http.MethodGet && q.Method != http.MethodHead {
		return r.Direct.RoundTrip(q)
	}
	r.mu.Lock()
	only := r.only[q.URL.Host]
	r.mu.Unlock()
	var refused error
	if !only {
		a, err := r.Direct.RoundTrip(q)
		if err == nil || q.Context().Err() != nil {
			return a, err
		}
		refused = err
	}
	around := q.Clone(q.Context())
	around.URL = here.JoinPath(q.URL.Host, q.URL.EscapedPath())
	around.URL.RawQuery, around.Host = q.URL.RawQuery, ""
	a, err := r.Direct.RoundTrip(around)
	switch {
	case err != nil && refused != nil:
		return nil, refused
	case err != nil:
		return nil, err
	case refused != nil && (a.StatusCode == http.StatusNotFound || a.StatusCode == http.StatusForbidden || a.StatusCode == http.StatusMethodNotAllowed):
		a.Body.Close()
		return nil, &noWay{refused}
	case a.StatusCode < 500:
		r.mu.Lock()
		if r.only == nil {
			r.only = map[string]bool{}
		}
		r.only[q.URL.Host] = true
		r.mu.Unlock()
	}
	return a, nil
}
