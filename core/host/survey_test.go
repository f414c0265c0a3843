package host

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"

	"hone/core/link"
	"hone/core/wire"
)

// taking is a server that takes files, and counts what comes.
type taking struct {
	*failing
	mu    sync.Mutex
	has   map[string]bool
	bytes int64
	files int
}

func openTaking(t *testing.T, answer func(f wire.Frame) (any, *wire.Refused)) (*taking, string) {
	s := &taking{failing: &failing{answer: answer}, has: map[string]bool{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == link.Path {
			s.serve(w, r)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		sha := path.Base(r.URL.Path)
		if r.Method == http.MethodHead {
			w.Header().Set(link.HeaderHave, "0")
			w.Header().Set(link.HeaderWhole, fmt.Sprint(s.has[sha]))
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Error(err)
		}
		var at, size int64
		if _, err := fmt.Sscan(r.URL.Query().Get("offset")+" "+r.URL.Query().Get("size"), &at, &size); err != nil {
			t.Error(err)
		}
		s.bytes += n
		if s.has[sha] = at+n == size; s.has[sha] {
			s.files++
		}
		fmt.Fprintf(w, `{"have":%d,"whole":%v}`, at+n, s.has[sha])
	}))
	t.Cleanup(server.Close)
	return s, server.URL
}

// What a survey says would leave is what leaves, to the byte; with one byte less of room the run would not be let go.
func TestSurveyed(t *testing.T) {
	var mu sync.Mutex
	var quota int64
	var id string
	starts := 0
	s, address := openTaking(t, func(f wire.Frame) (any, *wire.Refused) {
		mu.Lock()
		defer mu.Unlock()
		switch f.Name {
		case "hello":
			return wire.Host{Storage: wire.Storage{Quota: quota}}, nil
		case "start":
			if starts++; starts == 1 {
				return nil, &wire.Refused{Status: http.StatusConflict, Text: "files are missing"}
			}
			return wire.RunName{Run: id}, nil
		}
		return wire.Told{}, nil
	})
	h := open(t, t.TempDir())
	begun := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 3, "save_steps": 1})}).Run
	h.until("finished")
	to := wire.Server{URL: address}
	survey := func(room int64) wire.Surveyed {
		mu.Lock()
		id, quota = begun, room
		mu.Unlock()
		return ask[wire.Surveyed](h, wire.Survey{On: to, Run: begun})
	}
	said := survey(0)
	files, bytes := 0, int64(0)
	for _, p := range said.Parcels {
		files, bytes = files+p.Files, bytes+p.Bytes
	}
	if said.Parcels[0].What != "state" || said.Parcels[0].Name != begun || said.Total != bytes {
		t.Errorf("%+v", said)
	}
	if r := survey(said.Total).Refusal; r != "" {
		t.Error(r)
	}
	if r := survey(said.Total - 1).Refusal; !strings.Contains(r, "do not fit") {
		t.Errorf("%q", r)
	}
	ask[wire.RunName](h, wire.Move{Run: begun, On: to})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files != files || s.bytes != said.Total {
		t.Errorf("%d files of %d bytes have left; it was said %d of %d: %+v", s.files, s.bytes, files, said.Total, said.Parcels)
	}
}
