package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hone/core/golden"
	"hone/core/wire"
)

// Models of the page's server are offered until they are here.
func TestServersModels(t *testing.T) {
	at := golden.Own(t, "tiny_llama")
	entries, err := os.ReadDir(at)
	if err != nil {
		t.Fatal(err)
	}
	var files []map[string]any
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, map[string]any{"path": e.Name(), "size": info.Size()})
		total += info.Size()
	}
	mux := http.NewServeMux()
	mux.Handle("/models/class/tiny/", http.StripPrefix("/models/class/tiny/", http.FileServer(http.Dir(at))))
	mux.HandleFunc("/models/{$}", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"models": []any{map[string]any{"name": "class/tiny", "files": files}, map[string]any{"name": "../../etc", "files": files}}})
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	h := open(t, t.TempDir(), func(o *Options) { o.Server.Models = server.URL + "/models/" })
	offers := ask[wire.Offers](h, wire.Offered{}).Models
	if len(offers) != 1 || offers[0].Path != "server:class/tiny" || offers[0].Name != "class/tiny" || offers[0].Bytes != total {
		t.Fatalf("offered are %+v", offers)
	}
	if m := ask[wire.Model](h, wire.Fetch{What: "model", Of: offers[0].Path}); m.Architecture != "llama" || m.Path != "models/class/tiny" {
		t.Errorf("fetched is %+v", m)
	}
	if offers = ask[wire.Offers](h, wire.Offered{}).Models; len(offers) != 0 {
		t.Errorf("offered again are %+v", offers)
	}
	if why := refusal(h, wire.Fetch{What: "model", Of: "server:other"}); !strings.Contains(why, "class/tiny") {
		t.Errorf("a model that is not there: %s", why)
	}
	server.Close()
	if why := refusal(h, wire.Offered{}); !strings.Contains(why, "this page's server") {
		t.Errorf("a server that is gone: %s", why)
	}
}

// lesson is a server with one model, which its teacher changes.
type lesson struct {
	files  map[string][]byte
	asked  []string     // files
	before func(string) // a file is given out
}

func (l *lesson) tag(path string) string {
	return fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(l.files[path])))
}

func (l *lesson) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/models/" {
		var files []map[string]any
		for _, path := range slices.Sorted(maps.Keys(l.files)) {
			files = append(files, map[string]any{"path": path, "size": len(l.files[path]), "tag": l.tag(path)})
		}
		json.NewEncoder(w).Encode(map[string]any{"models": []any{map[string]any{"name": "tiny", "files": files}}})
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/models/tiny/")
	l.asked = append(l.asked, path)
	if l.before != nil {
		l.before(path)
	}
	w.Header().Set("ETag", l.tag(path))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(l.files[path]))
}

// A model of the page's server that is fetched again is the one that the server has now, and what was there stays as it is.
func TestServersModelChanges(t *testing.T) {
	const weights = "model.safetensors"
	begin := func(t *testing.T) (*lesson, *here) {
		l := &lesson{files: map[string][]byte{}}
		at := golden.Own(t, "tiny_llama")
		entries, err := os.ReadDir(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if l.files[e.Name()], err = os.ReadFile(filepath.Join(at, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
		l.files["tokens.txt"] = []byte("a file behind the weights")
		server := httptest.NewServer(l)
		t.Cleanup(server.Close)
		return l, open(t, t.TempDir(), func(o *Options) { o.Server.Models = server.URL + "/models/" })
	}
	tuned := func(l *lesson) { // others of the same size
		raw := bytes.Clone(l.files[weights])
		raw[len(raw)-1] ^= 1
		l.files[weights] = raw
	}
	fetch := func(t *testing.T, h *here, of, want string) {
		t.Helper()
		if m := ask[wire.Model](h, wire.Fetch{What: "model", Of: of}); m.Path != want || m.Architecture != "llama" {
			t.Errorf("fetched is %+v, want %s", m, want)
		}
	}
	same := func(t *testing.T, h *here, dir string, files map[string][]byte) {
		t.Helper()
		for path, want := range files {
			if got, err := os.ReadFile(filepath.Join(h.dir, filepath.FromSlash(dir), path)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s/%s is another file (%v)", dir, path, err)
			}
		}
	}
	t.Run("whole", func(t *testing.T) {
		l, h := begin(t)
		fetch(t, h, "server:tiny", "models/tiny")
		old := maps.Clone(l.files)
		tuned(l)
		if offers := ask[wire.Offers](h, wire.Offered{}).Models; len(offers) != 1 {
			t.Errorf("offered are %+v", offers)
		}
		fetch(t, h, "server:tiny", "models/tiny-2")
		l.asked = nil
		fetch(t, h, "server:tiny", "models/tiny-2")
		if len(l.asked) > 0 {
			t.Errorf("fetched again are %q", l.asked)
		}
		same(t, h, "models/tiny", old)
		same(t, h, "models/tiny-2", l.files)
	})
	t.Run("own", func(t *testing.T) {
		l, h := begin(t)
		own := map[string][]byte{"config.json": []byte("{}"), weights: []byte("mine")}
		for path, content := range own {
			path = filepath.Join(h.dir, "models", "tiny", path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, content, 0o666)); err != nil {
				t.Fatal(err)
			}
		}
		fetch(t, h, "server:tiny", "models/tiny-2")
		same(t, h, "models/tiny", own)
		same(t, h, "models/tiny-2", l.files)
	})
	t.Run("cut off", func(t *testing.T) {
		l, h := begin(t)
		if err := os.MkdirAll(filepath.Join(h.dir, "models", "tiny"), 0o777); err != nil { // some folder of that name
			t.Fatal(err)
		}
		l.before = func(path string) {
			if path == "tokens.txt" {
				panic(http.ErrAbortHandler)
			}
		}
		if why := refusal(h, wire.Fetch{What: "model", Of: "server:tiny"}); !strings.Contains(why, "tokens.txt") {
			t.Errorf("cut off: %s", why)
		}
		l.before = nil
		tuned(l)
		fetch(t, h, "server:tiny-2", "models/tiny-2") // as a page asks for the rest
		same(t, h, "models/tiny-2", l.files)
	})
	t.Run("meanwhile", func(t *testing.T) {
		l, h := begin(t)
		l.before = func(path string) {
			if path == "tokens.txt" {
				tuned(l)
				l.before = nil
			}
		}
		if why := refusal(h, wire.Fetch{What: "model", Of: "server:tiny"}); !strings.Contains(why, weights+" has changed on the server while the model was fetched; ask for it again") {
			t.Errorf("changed meanwhile: %s", why)
		}
		fetch(t, h, "server:tiny", "models/tiny")
		same(t, h, "models/tiny", l.files)
	})
}
