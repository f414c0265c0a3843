package hub

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"hone/core/hub/hubtest"
)

// Who only looks asks no hub: what is here is found, and of what is not it is said that it has to be downloaded.
func TestHere(t *testing.T) {
	w := newWorld(t)
	w.Add("models", "org/tiny", tinyModel())
	looks := func() (Place, error) { return Model(Here(t.Context()), "org/tiny", w.options("")) }
	if _, err := looks(); !errors.Is(err, ErrOffline) || err.Error() != "the model org/tiny is not here; download it first" || len(w.Requests("")) > 0 {
		t.Errorf("%v after %v", err, w.Requests(""))
	}
	first, err := Model(t.Context(), "org/tiny", w.options(""))
	if err != nil {
		t.Fatal(err)
	}
	moved := tinyModel()
	moved["README.md"] = []byte("moved")
	w.Add("models", "org/tiny", moved)
	asked := len(w.Requests(""))
	if p, err := looks(); err != nil || p.Dir != first.Dir || len(w.Requests("")) > asked {
		t.Errorf("%+v, %v after %v", p, err, w.Requests("")[asked:])
	}
	// A hub in trouble is not waited for.
	w.Status = func(hubtest.Request) (int, string) { return http.StatusBadGateway, "" }
	if p, err := Model(t.Context(), "org/tiny", w.options("")); err != nil || p.Dir != first.Dir || len(w.waits) > 0 {
		t.Errorf("%+v, %v after waits of %v", p, err, w.waits)
	}
	// Without a network the copy is there at once.
	o := w.options("")
	dead := &shutAll{}
	o.http = &http.Client{Transport: dead}
	if p, err := Model(t.Context(), "org/tiny", o); err != nil || p.Dir != first.Dir || dead.tried != 1 || len(w.waits) > 0 {
		t.Errorf("%+v, %v after %d requests and waits of %v", p, err, dead.tried, w.waits)
	}
}

// shutAll is a browser without a network.
type shutAll struct{ tried int }

func (s *shutAll) RoundTrip(*http.Request) (*http.Response, error) {
	s.tried++
	return nil, errors.New("fetch() failed")
}

// Where files cannot have a second name, what another commit has is copied: no byte of it comes over the network again.
func TestCommitWithoutLinks(t *testing.T) {
	w := newWorld(t)
	files := tinyModel()
	w.Add("models", "org/tiny", files)
	if _, err := Model(t.Context(), "org/tiny", w.options(HuggingFace)); err != nil {
		t.Fatal(err)
	}
	moved := maps.Clone(files)
	moved["README.md"] = []byte("moved")
	w.Add("models", "org/tiny", moved)
	asked := len(w.Requests("/resolve/"))
	o := w.options(HuggingFace)
	o.link = func(string, string) error { return syscall.ENOSYS }
	p, err := Model(t.Context(), "org/tiny", o)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, p.Dir, moved, modelNames...)
	for _, r := range w.Requests("/resolve/")[asked:] {
		if !strings.HasSuffix(r.Path, "README.md") {
			t.Errorf("%s was downloaded again", r.Path)
		}
	}
}
