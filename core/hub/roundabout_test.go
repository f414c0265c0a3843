package hub

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// shut is what a page meets at a host that does not let it read.
type shut struct{ tried int }

func (s *shut) RoundTrip(q *http.Request) (*http.Response, error) {
	if strings.HasSuffix(q.URL.Host, ".example") {
		s.tried++
		return nil, errors.New("fetch() failed")
	}
	return http.DefaultTransport.RoundTrip(q)
}

func TestRoundabout(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/hub/other.example/") {
			http.Error(w, "not passed on", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, "%s?%s %s", r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Authorization"))
	}))
	defer server.Close()
	direct := &shut{}
	c := http.Client{Transport: &Roundabout{Direct: direct, Server: server.URL + "/hub/"}}
	get := func(address string) (string, error) {
		q, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer t")
		a, err := c.Do(q)
		if err != nil {
			return "", err
		}
		defer a.Body.Close()
		raw, err := io.ReadAll(a.Body)
		return string(raw), err
	}
	for range 2 {
		if got, err := get("https://hub.example/a%20b/c?d=e"); err != nil || got != "/hub/hub.example/a%20b/c?d=e Bearer t" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if direct.tried != 1 {
		t.Errorf("the host was tried %d times, want once", direct.tried)
	}
	if got, err := get(server.URL + "/x"); err != nil || got != "/x? Bearer t" {
		t.Errorf("this page's own server: %q, %v", got, err)
	}
	if _, err := get("https://other.example/x"); err == nil || !strings.Contains(err.Error(), "does not pass them on") {
		t.Errorf("a host that nobody passes on: %v", err)
	}
}
