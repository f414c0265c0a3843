package host

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/golden"
	"hone/core/hub/hubtest"
	"hone/core/wire"
)

// A download of another revision than the usual one that is cut off goes on with that revision, though the branch has moved on.
func TestRestOfARevision(t *testing.T) {
	at := golden.Own(t, "tiny_llama")
	files := map[string][]byte{}
	entries, err := os.ReadDir(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(at, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	s := hubtest.New(t)
	for _, v := range s.Environ(t) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	old := s.Add("models", "org/tiny", files)
	newer := map[string][]byte{"README.md": []byte("newer")}
	for name, data := range files {
		newer[name] = data
	}
	now := s.Add("models", "org/tiny", newer)
	h := open(t, t.TempDir())
	s.Status = func(r hubtest.Request) (int, string) {
		if strings.Contains(r.Path, "model.safetensors") {
			return http.StatusForbidden, ""
		}
		return 0, ""
	}
	asked := "org/tiny@" + old.Commit
	refusal(h, wire.Fetch{What: "model", Of: asked})
	halves := ask[wire.Host](h, wire.Hello{}).Halves
	if len(halves) != 1 || halves[0].Path != asked || halves[0].Name != asked[:len("org/tiny@")+12] {
		t.Fatalf("cut off are %+v, want %s", halves, asked)
	}
	s.Status = nil
	if m := ask[wire.Model](h, wire.Fetch{What: "model", Of: halves[0].Path}); m.Path != asked || m.Architecture != "llama" {
		t.Errorf("the rest makes it %+v", m)
	}
	for _, r := range s.Requests("/resolve/") {
		if !strings.Contains(r.Path, old.Commit) {
			t.Errorf("%s is of another revision", r.Path)
		}
	}
	hello := ask[wire.Host](h, wire.Hello{})
	if len(hello.Halves) != 0 {
		t.Errorf("cut off are still %+v", hello.Halves)
	}
	if i := slices.IndexFunc(hello.Models, func(m wire.Model) bool { return m.Path == asked }); i < 0 {
		t.Errorf("to be chosen are %+v", hello.Models)
	}
	ask[wire.Model](h, wire.Fetch{What: "model", Of: "org/tiny"}) // the newer one lies beside it
	left := func(want ...string) {
		t.Helper()
		var got []string
		for _, m := range ask[wire.Host](h, wire.Hello{}).Models {
			if !m.Bundled {
				got = append(got, m.Path)
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("there are %q, want %q", got, want)
		}
	}
	latest := "org/tiny@" + now.Commit // the same commit under another name
	ask[wire.Model](h, wire.Fetch{What: "model", Of: latest})
	names := []string{"org/tiny", asked, latest}
	slices.Sort(names)
	left(names...)
	asks := len(s.Requests(""))
	if m := ask[wire.Model](h, wire.Inspect{Model: asked}); m.Elsewhere || m.Architecture != "llama" {
		t.Errorf("what is here is described as %+v", m)
	}
	ask[wire.Storage](h, wire.Delete{Path: asked})
	// What is not here is not downloaded because somebody looks at a recipe that names it.
	if m := ask[wire.Model](h, wire.Inspect{Model: asked}); !m.Elsewhere || m.Path != asked || m.Architecture != "" {
		t.Errorf("what is not here is described as %+v", m)
	}
	for _, r := range []wire.Request{wire.Look{Recipe: settings(map[string]any{"model": asked}), Rows: 1}, wire.Forecast{Recipe: settings(map[string]any{"model": asked})},
		wire.Answer{Model: asked, Prompt: "x", Sides: "base", Tokens: 1}} {
		if why := refusal(h, r); why != "the model "+asked+" is not here; download it first" {
			t.Errorf("%s: %s", r.Name(), why)
		}
	}
	if n := len(s.Requests("")); n != asks {
		t.Errorf("%d requests to the hub were made to look at models", n-asks)
	}
	left("org/tiny", latest)
	ask[wire.Storage](h, wire.Delete{Path: "org/tiny"})
	left(latest)
	ask[wire.Model](h, wire.Inspect{Model: latest})
	ask[wire.Storage](h, wire.Delete{Path: latest})
	left()
	if why := refusal(h, wire.Delete{}); !strings.Contains(why, "no path of this workspace") {
		t.Errorf("to delete nothing: %s", why)
	}
}
