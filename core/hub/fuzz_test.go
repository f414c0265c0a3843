package hub

import (
	"bytes"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"org/name", "HF::org/name@refs/pr/1:a/b", "../x", "gpt2", "a:b", "org/name@../x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, k := range []kind{models, datasets} {
			r, ok := parse(k, s)
			if !ok {
				continue
			}
			if !filepath.IsLocal(filepath.FromSlash(r.id)) || strings.Count(r.id, "/") > 1 || r.part != "" && !fs.ValidPath(r.part) || strings.Contains(r.revision, "..") {
				t.Errorf("%q gives %+v", s, r)
			}
		}
	})
}

// FuzzListing reads answers of hubs: whatever they hold, what is chosen stays inside its directory.
func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"sha":"x","siblings":[{"rfilename":"config.json","size":3,"lfs":{"sha256":"a"}},{"rfilename":"model.safetensors"}]}`), true)
	f.Add([]byte(`{"Code":200,"Success":true,"Data":{"Files":[{"Path":"config.json","Size":3,"Sha256":"aa","Type":"blob"}],"LatestCommitter":{"Id":""}}}`), false)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, raw []byte, hf bool) {
		e := &environment{Options: Options{getenv: func(string) string { return "" }, stall: time.Minute, sleep: sleep}}
		c := &client{e: e, hub: HuggingFace, http: &http.Client{Transport: canned(raw)}}
		c.base, _ = e.endpoint(HuggingFace)
		ask := c.listHuggingFace
		if !hf {
			c.hub, ask = ModelScope, c.listModelScope
		}
		for _, k := range []kind{models, datasets, adapters} {
			l, err := ask(t.Context(), k, "a/b", "")
			if err != nil || checkPaths(l) != nil {
				continue
			}
			r := &repository{e: e, k: k, dir: dir}
			files, _, err := r.choose(l)
			if err != nil {
				continue
			}
			for _, f := range files {
				if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
					t.Errorf("%q is chosen", f.Path)
				}
			}
		}
	})
}

// canned answers every request with the same bytes.
type canned []byte

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: nopCloser{bytes.NewReader(c)}, Request: r}, nil
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }
