package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hone/core/hub/hubtest"
)

// world is a hub with a cache and an environment of its own.
type world struct {
	*hubtest.Server
	t       *testing.T
	env     map[string]string
	waits   []time.Duration
	notices []string
}

func newWorld(t *testing.T) *world {
	w := &world{Server: hubtest.New(t), t: t, env: map[string]string{}}
	w.env["HF_ENDPOINT"], w.env["MODELSCOPE_ENDPOINT"] = w.URL, w.URL
	w.env["HONE_HOME"] = t.TempDir()
	return w
}

// options are those of a user who says --hub.
func (w *world) options(hub string) Options {
	return Options{Hub: hub, getenv: func(name string) string { return w.env[name] }, stall: 5 * time.Second,
		Notice: func(s string) { w.notices = append(w.notices, s) },
		sleep: func(ctx context.Context, d time.Duration) error {
			w.waits = append(w.waits, d)
			return ctx.Err()
		}}
}

// bytesOf makes content that no other file has.
func bytesOf(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

func tinyModel() map[string][]byte {
	return map[string][]byte{
		"config.json":                      []byte(`{"model_type":"llama"}`),
		"generation_config.json":           []byte(`{}`),
		"tokenizer.json":                   bytesOf(3000, 1),
		"model-00001-of-00002.safetensors": bytesOf(40000, 2),
		"model-00002-of-00002.safetensors": bytesOf(50000, 3),
		"model.safetensors.index.json":     []byte(`{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors","c":"model-00002-of-00002.safetensors"}}`),
		"pytorch_model-00001-of-00001.bin": bytesOf(60000, 4),
		"consolidated.00.pth":              bytesOf(60000, 5),
		"original/config.json":             []byte("no"),
		"modeling_tiny.py":                 []byte("import os"),
		"README.md":                        []byte("---\nlicense: mit\n---\n"),
	}
}

// filesIn lists what a directory holds, hidden files and locks left out.
func filesIn(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		raw, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		out[filepath.ToSlash(rel)] = raw
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

func wantFiles(t *testing.T, dir string, from map[string][]byte, names ...string) {
	t.Helper()
	got := filesIn(t, dir)
	slices.Sort(names)
	if have := slices.Sorted(maps.Keys(got)); !slices.Equal(have, names) {
		t.Fatalf("%s holds %v, want %v", dir, have, names)
	}
	for _, n := range names {
		if !bytes.Equal(got[n], from[n]) {
			t.Errorf("%s differs", n)
		}
	}
}

var modelNames = []string{"config.json", "generation_config.json", "tokenizer.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "README.md"}

func TestModelFromBothHubs(t *testing.T) {
	for _, hub := range []string{HuggingFace, ModelScope} {
		for _, bare := range []bool{false, true} {
			t.Run(fmt.Sprint(hub, bare), func(t *testing.T) {
				w := newWorld(t)
				w.Bare = bare
				repo := w.Add("models", "org/tiny", tinyModel())
				var last Progress
				o := w.options(hub)
				o.Progress = func(p Progress) { last = p }
				p, err := Model(t.Context(), "org/tiny", o)
				if err != nil {
					t.Fatal(err)
				}
				if p.Hub != hub || p.ID != "org/tiny" || p.Revision != repo.Commit || p.Name != "org/tiny" {
					t.Errorf("place %+v", p)
				}
				if want := filepath.Join(w.env["HONE_HOME"], "hub", hub, "models", "org--tiny", repo.Commit); p.Dir != want {
					t.Errorf("directory %s, want %s", p.Dir, want)
				}
				wantFiles(t, p.Dir, repo.Files, modelNames...)
				if !bare && (last.Total == 0 || last.Done != last.Total || last.Name != "org/tiny" || last.Hub != hub) {
					t.Errorf("last progress %+v", last)
				}
				// Whole and pinned: neither the name at its commit nor the place's own name asks anybody.
				before := len(w.Requests(""))
				for _, name := range []string{"org/tiny@" + repo.Commit, p.Pinned()} {
					again, err := Model(t.Context(), name, w.options(hub))
					if err != nil || again.Dir != p.Dir {
						t.Errorf("%s: %+v, %v", name, again, err)
					}
				}
				if n := len(w.Requests("")); n != before {
					t.Errorf("%d requests for what is there", n-before)
				}
				// The branch is asked for, no file is.
				if again, err := Model(t.Context(), "org/tiny", w.options(hub)); err != nil || again.Dir != p.Dir {
					t.Errorf("%+v, %v", again, err)
				}
				if n := len(w.Requests("")); n != before+1 {
					t.Errorf("%d requests for a branch that did not move", n-before)
				}
				// Offline it is there, too.
				w.env["HF_HUB_OFFLINE"] = "1"
				if again, err := Model(t.Context(), "org/tiny", w.options(hub)); err != nil || again.Dir != p.Dir {
					t.Errorf("offline: %+v, %v", again, err)
				}
			})
		}
	}
}

func TestPathsStay(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	for _, name := range []string{dir, "hub.go"} {
		p, err := Model(t.Context(), name, w.options(""))
		if err != nil || p.Dir != name || p.Hub != "" || p.Pinned() != name {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if p, err := Dataset(t.Context(), "hub.go", w.options("")); err != nil || !slices.Equal(p.Files, []string{"hub.go"}) {
			t.Errorf("%+v, %v", p, err)
		}
	}
	os.WriteFile(filepath.Join(dir, "test.jsonl"), nil, 0o666)
	os.WriteFile(filepath.Join(dir, "rows.jsonl"), nil, 0o666)
	if p, err := Dataset(t.Context(), dir, w.options("")); err != nil || !slices.Equal(p.Files, []string{filepath.Join(dir, "rows.jsonl")}) {
		t.Errorf("folder: %+v, %v", p, err)
	}
	if n := len(w.Requests("")); n != 0 {
		t.Errorf("%d requests for paths", n)
	}
}

func TestTokenStaysWithTheHub(t *testing.T) {
	for _, hub := range []string{HuggingFace, ModelScope} {
		t.Run(hub, func(t *testing.T) {
			w := newWorld(t)
			w.Token = "secret"
			repo := w.Add("models", "org/tiny", tinyModel())
			repo.Gated = true
			w.env["HF_HOME"] = t.TempDir()
			_, err := Model(t.Context(), "org/tiny", w.options(hub))
			if err == nil || !strings.Contains(err.Error(), "gated") || !strings.Contains(err.Error(), map[string]string{HuggingFace: "HF_TOKEN", ModelScope: "MODELSCOPE_API_TOKEN"}[hub]) {
				t.Fatalf("without a token: %v", err)
			}
			if hub == HuggingFace { // from the file this time
				os.WriteFile(filepath.Join(w.env["HF_HOME"], "token"), []byte("secret\n"), 0o600)
			} else {
				w.env["MODELSCOPE_API_TOKEN"] = "secret"
			}
			if _, err := Model(t.Context(), "org/tiny", w.options(hub)); err != nil {
				t.Fatal(err)
			}
			hubSaw, others := 0, 0
			for _, r := range w.Requests("") {
				switch {
				case r.CDN && (r.Authorization != "" || r.Cookie != ""):
					t.Errorf("the other host got %q %q for %s", r.Authorization, r.Cookie, r.Path)
				case r.CDN:
					others++
				case r.Authorization == "Bearer secret":
					hubSaw++
				}
			}
			if hubSaw == 0 || others == 0 {
				t.Errorf("%d requests with the token, %d to the other host", hubSaw, others)
			}
			w.env["HF_TOKEN"], w.env["MODELSCOPE_API_TOKEN"] = "wrong", "wrong"
			w.env["HONE_HOME"] = t.TempDir()
			if _, err := Model(t.Context(), "org/tiny", w.options(hub)); err == nil || !strings.Contains(err.Error(), "token") {
				t.Errorf("with a wrong token: %v", err)
			}
		})
	}
}

func TestResume(t *testing.T) {
	for _, hub := range []string{HuggingFace, ModelScope} {
		for _, ranges := range []bool{true, false} {
			t.Run(fmt.Sprint(hub, ranges), func(t *testing.T) {
				w := newWorld(t)
				w.NoRange = !ranges
				files := map[string][]byte{"config.json": []byte("{}"), "model.safetensors": bytesOf(300000, 9)}
				w.Add("models", "org/tiny", files)
				// The first program dies with the connection at 100,000 bytes, every time.
				ctx, cancel := context.WithCancel(t.Context())
				w.Cut = func(r hubtest.Request) int {
					if r.CDN {
						return 100000
					}
					return -1
				}
				o := w.options(hub)
				o.sleep = func(ctx context.Context, _ time.Duration) error {
					cancel()
					return ctx.Err()
				}
				if _, err := Model(ctx, "org/tiny", o); !errors.Is(err, context.Canceled) {
					t.Fatalf("a download that was cut gives %v", err)
				}
				left := filesIn(t, w.env["HONE_HOME"])
				for name := range left {
					if strings.HasSuffix(name, "model.safetensors") {
						t.Fatalf("the cache has %s", name)
					}
				}
				w.Cut = nil
				before := len(w.Requests(""))
				p, err := Model(t.Context(), "org/tiny", w.options(hub))
				if err != nil {
					t.Fatal(err)
				}
				wantFiles(t, p.Dir, files, "config.json", "model.safetensors")
				asked := ""
				for _, r := range w.Requests("")[before:] {
					if r.CDN {
						asked += r.Range
					}
				}
				if !strings.HasPrefix(asked, "bytes=") || asked == "bytes=0-" {
					t.Errorf("the second attempt asks for %q", asked)
				}
			})
		}
	}
}

// unread is what a page may not read of the answer of another host: which part of a file it is.
type unread struct{}

func (unread) RoundTrip(q *http.Request) (*http.Response, error) {
	a, err := http.DefaultTransport.RoundTrip(q)
	if err == nil {
		a.Header.Del("Content-Range")
	}
	return a, err
}

// Where nothing says which part comes, its length and the hash of the whole have to do; a part of something else is found out.
func TestResumeUnread(t *testing.T) {
	for _, changed := range []bool{false, true} {
		w := newWorld(t)
		files := map[string][]byte{"config.json": []byte("{}"), "model.safetensors": bytesOf(300000, 9)}
		w.Add("models", "org/tiny", files)
		w.Cut = func(r hubtest.Request) int {
			if r.CDN && r.Range == "" && len(w.Requests("model.safetensors")) == 2 {
				return 100000
			}
			return -1
		}
		w.Content = func(path string, data []byte) []byte {
			if changed && path == "model.safetensors" && len(w.Requests(path)) == 2 {
				return bytesOf(len(data), 10)
			}
			return data
		}
		o := w.options(HuggingFace)
		o.http = &http.Client{Transport: unread{}}
		p, err := Model(t.Context(), "org/tiny", o)
		if err != nil {
			t.Fatal(err)
		}
		wantFiles(t, p.Dir, files, "config.json", "model.safetensors")
		var asked []string
		for _, r := range w.Requests("model.safetensors") {
			if r.CDN {
				asked = append(asked, r.Range)
			}
		}
		want := []string{"", "bytes=100000-"}
		if changed {
			want = append(want, "")
		}
		if !slices.Equal(asked, want) {
			t.Errorf("changed %v: asked for the ranges %q, want %q", changed, asked, want)
		}
	}
}

func TestBrokenConnections(t *testing.T) {
	w := newWorld(t)
	files := map[string][]byte{"config.json": []byte("{}"), "model.safetensors": bytesOf(1<<20, 9)}
	w.Add("models", "org/tiny", files)
	n := 0
	w.Cut = func(r hubtest.Request) int {
		if n++; r.CDN && n < 20 {
			return 40000
		}
		return -1
	}
	p, err := Model(t.Context(), "org/tiny", w.options(HuggingFace))
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, p.Dir, files, "config.json", "model.safetensors")

	// One that never brings a byte is given up, and says what to do.
	w.env["HONE_HOME"] = t.TempDir()
	w.Cut = func(r hubtest.Request) int {
		if r.CDN {
			return 0
		}
		return -1
	}
	before := len(w.Requests("model.safetensors"))
	_, err = Model(t.Context(), "org/tiny", w.options(HuggingFace))
	if err == nil || !strings.Contains(err.Error(), "model.safetensors") || !strings.Contains(err.Error(), "running it again") {
		t.Errorf("%v", err)
	}
	if n := len(w.Requests("model.safetensors")) - before; n > 2*attempts {
		t.Errorf("%d requests", n)
	}
}

func TestSlowServer(t *testing.T) {
	w := newWorld(t)
	files := map[string][]byte{"config.json": []byte("{}"), "model.safetensors": bytesOf(100000, 9)}
	w.Add("models", "org/tiny", files)
	slow := 2
	w.Pause = func(r hubtest.Request) time.Duration {
		if r.CDN && slow > 0 {
			slow--
			return time.Minute
		}
		return 0
	}
	o := w.options(HuggingFace)
	o.stall = 100 * time.Millisecond
	p, err := Model(t.Context(), "org/tiny", o)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, p.Dir, files, "config.json", "model.safetensors")
	if slow != 0 {
		t.Errorf("the server was slow %d times less than asked for", slow)
	}
}

func TestRetries(t *testing.T) {
	for _, c := range []struct {
		code   int
		after  string
		times  int
		ok     bool
		waited time.Duration
		words  string
	}{
		{429, "7", 2, true, 7 * time.Second, ""},
		{503, "", 3, true, 0, ""},
		{500, "", 100, false, 0, "500"},
		{429, "3600", 100, false, 0, "wait 1h"},
		{429, time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat), 1, true, 20 * time.Second, ""},
		{418, "", 100, false, 0, "418"},
	} {
		t.Run(fmt.Sprint(c.code, c.times), func(t *testing.T) {
			w := newWorld(t)
			w.Add("models", "org/tiny", tinyModel())
			left := c.times
			w.Status = func(hubtest.Request) (int, string) {
				if left--; left >= 0 {
					return c.code, c.after
				}
				return 200, ""
			}
			_, err := Model(t.Context(), "org/tiny", w.options(HuggingFace))
			if c.ok != (err == nil) || err != nil && !strings.Contains(err.Error(), c.words) {
				t.Errorf("%v", err)
			}
			if c.ok && (len(w.waits) != c.times || w.waits[0] < c.waited) {
				t.Errorf("waits %v", w.waits)
			}
		})
	}
}

// TestLies serves content or sizes that are not what the listing says: no such file ever gets its name.
func TestLies(t *testing.T) {
	damage := func(path string, data []byte) []byte {
		if strings.HasSuffix(path, ".safetensors") {
			data = bytes.Clone(data)
			data[len(data)/2] ^= 1
		}
		return data
	}
	more := func(path string, data []byte) []byte {
		if strings.HasSuffix(path, ".safetensors") {
			return append(bytes.Clone(data), 1, 2, 3)
		}
		return data
	}
	for name, c := range map[string]struct {
		set   func(*world)
		words string
	}{
		"damaged":       {func(w *world) { w.Content = damage }, "hash"},
		"damaged, bare": {func(w *world) { w.Content, w.Bare = damage, true }, "hash"},
		"longer":        {func(w *world) { w.Content = more }, "bytes"},
		"shorter": {func(w *world) {
			w.Content = func(p string, d []byte) []byte { return d[:len(d)-1] }
		}, "bytes"},
		"small file damaged": {func(w *world) {
			w.Content = func(p string, d []byte) []byte { return bytes.ToUpper(d) }
		}, "hash"},
		"size": {func(w *world) {
			w.List = func(p string, n int64) (string, int64) { return p, n + 1 }
		}, "bytes"},
	} {
		for _, hub := range []string{HuggingFace, ModelScope} {
			t.Run(name+hub, func(t *testing.T) {
				if hub == ModelScope && name == "damaged, bare" {
					t.Skip("ModelScope says a hash in the listing only")
				}
				w := newWorld(t)
				files := map[string][]byte{"config.json": []byte(`{"model_type":"llama"}`), "model.safetensors": bytesOf(5000, 3)}
				w.Add("models", "org/tiny", files)
				c.set(w)
				_, err := Model(t.Context(), "org/tiny", w.options(hub))
				if err == nil || !strings.Contains(err.Error(), c.words) {
					t.Fatalf("%v", err)
				}
				for name, data := range filesIn(t, w.env["HONE_HOME"]) {
					base := filepath.Base(name)
					if want, ok := files[base]; ok && !bytes.Equal(data, want) {
						t.Errorf("the cache has a wrong %s", name)
					}
				}
				// An honest hub heals it.
				w.Content, w.List, w.Bare = nil, nil, false
				p, err := Model(t.Context(), "org/tiny", w.options(hub))
				if err != nil {
					t.Fatal(err)
				}
				wantFiles(t, p.Dir, files, "config.json", "model.safetensors")
			})
		}
	}
}

func TestHostileNames(t *testing.T) {
	for _, bad := range []string{"../../evil.safetensors", "/etc/evil", `a\..\evil`, "a/../evil", "", "a//b", "a\nb"} {
		for _, hub := range []string{HuggingFace, ModelScope} {
			w := newWorld(t)
			w.Add("models", "org/tiny", tinyModel())
			w.List = func(p string, n int64) (string, int64) {
				if p == "tokenizer.json" {
					return bad, n
				}
				return p, n
			}
			_, err := Model(t.Context(), "org/tiny", w.options(hub))
			if err == nil || !strings.Contains(err.Error(), "out of its directory") {
				t.Errorf("%s %q: %v", hub, bad, err)
			}
			if left := filesIn(t, w.env["HONE_HOME"]); len(left) > 0 {
				t.Errorf("%s %q leaves %v", hub, bad, slices.Collect(maps.Keys(left)))
			}
		}
	}
}

func TestDiskFull(t *testing.T) {
	w := newWorld(t)
	w.Add("models", "org/tiny", tinyModel())
	o := w.options(HuggingFace)
	o.free = func(string) (int64, bool) { return 1000, true }
	_, err := Model(t.Context(), "org/tiny", o)
	if err == nil || !strings.Contains(err.Error(), "1000 bytes") || !strings.Contains(err.Error(), "HONE_HOME") {
		t.Errorf("%v", err)
	}
	if n := len(w.Requests("/resolve/")); n != 0 {
		t.Errorf("%d files were asked for before", n)
	}
}

// TestManyAtOnce lets several programs ask for the same model in the same moment.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	repo := w.Add("models", "org/tiny", tinyModel())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			o := w.options(HuggingFace)
			o.Notice, o.sleep = nil, nil
			p, err := Model(t.Context(), "org/tiny", o)
			if err != nil {
				t.Error(err)
				return
			}
			wantFiles(t, p.Dir, repo.Files, modelNames...)
		})
	}
	wg.Wait()
	if n := len(w.Requests("model-00001-of-00002.safetensors?signature")); n != 1 {
		t.Errorf("the first shard was downloaded %d times", n)
	}
}

func TestMovingBranch(t *testing.T) {
	w := newWorld(t)
	files := tinyModel()
	old := w.Add("models", "org/tiny", files)
	first, err := Model(t.Context(), "org/tiny", w.options(HuggingFace))
	if err != nil {
		t.Fatal(err)
	}
	// The branch moves on; the pinned name does not.
	moved := maps.Clone(files)
	moved["model-00001-of-00002.safetensors"] = bytesOf(40000, 77)
	old.ID = "org/gone"
	repo := w.Add("models", "org/tiny", moved)
	second, err := Model(t.Context(), "org/tiny", w.options(HuggingFace))
	if err != nil || second.Dir == first.Dir || second.Revision != repo.Commit {
		t.Fatalf("%+v, %v", second, err)
	}
	wantFiles(t, second.Dir, moved, modelNames...)
	for name, times := range map[string]int{"model-00001-of-00002.safetensors": 2, "model-00002-of-00002.safetensors": 1, "tokenizer.json": 1} {
		if n := len(w.Requests(name + "?signature")); n != times {
			t.Errorf("%s was downloaded %d times, want %d: what did not change is there", name, n, times)
		}
	}
	// A file of the cache that somebody changed is not taken over.
	third := maps.Clone(moved)
	third["README.md"] = []byte("again")
	w.Add("models", "org/tiny", third)
	for _, dir := range []string{first.Dir, second.Dir} {
		for _, name := range []string{"tokenizer.json", "generation_config.json"} {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte("x"), len(files[name])), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	last, err := Model(t.Context(), "org/tiny", w.options(HuggingFace))
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, last.Dir, third, modelNames...)
	pinned, err := Model(t.Context(), first.Pinned(), w.options(HuggingFace))
	if err != nil || pinned.Dir != first.Dir {
		t.Fatalf("%+v, %v", pinned, err)
	}
	// A hub that does not answer leaves the last copy of the branch.
	w.env["HF_ENDPOINT"] = "http://127.0.0.1:1"
	copied, err := Model(t.Context(), "org/tiny", w.options(HuggingFace))
	if err != nil || copied.Dir != last.Dir || len(w.notices) == 0 {
		t.Errorf("%+v, %v, notices %v", copied, err, w.notices)
	}
}
