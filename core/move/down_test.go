package move

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/checkpoint"
	"hone/core/link"
	"hone/core/wire"
)

func TestIsID(t *testing.T) {
	for id, want := range map[string]bool{
		"tiny/v0-20260131-120000":                      true,
		"tiny/v12-20260131-120000-k3f9ab":              true,
		"模型 1/v0-20260131-120000":                      true,
		"tiny/v-20260131-120000":                       false,
		"tiny/v0-20260131-120000-":                     false,
		"tiny/v0-20260131-120000-../x":                 false,
		"tiny/v0-20260131-120000/..":                   false,
		"../v0-20260131-120000":                        false,
		"a/b/v0-20260131-120000":                       false,
		`a\b/v0-20260131-120000`:                       false,
		"a\x00/v0-20260131-120000":                     false,
		"/v0-20260131-120000":                          false,
		"v0-20260131-120000":                           false,
		strings.Repeat("x", 201) + "/v0-20260131-1200": false,
		"": false,
	} {
		if IsID(id) != want {
			t.Errorf("IsID(%q) = %v", id, !want)
		}
	}
}

// lists is a server that gives one list of files after the other, and has the files of one of them.
type lists struct {
	lists []wire.Carried
	asked int
}

func (l *lists) Ask(context.Context, string, any, func(string, json.RawMessage)) (json.RawMessage, error) {
	c := l.lists[min(l.asked, len(l.lists)-1)]
	l.asked++
	return json.Marshal(c)
}

// carried lists what lies in a run directory.
func carried(t *testing.T, dir string, step int) wire.Carried {
	t.Helper()
	c := wire.Carried{Run: "x", Step: step}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		h, err := checkpoint.HashFile(path)
		rel, err2 := filepath.Rel(dir, path)
		c.Files = append(c.Files, wire.Blob{Path: filepath.ToSlash(rel), Size: h.Size, SHA256: h.SHA256})
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A run that goes on while it is brought here, so that its log changes and its last checkpoint goes, is brought as of the next State.
func TestPullWhileItGoesOn(t *testing.T) {
	const id = "tiny/v0-20260131-120000"
	there := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(there, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	save := func(step int) {
		t.Helper()
		if _, err := checkpoint.Save(there, &checkpoint.State{Step: step}, func(to string) error {
			return os.WriteFile(filepath.Join(to, "weights"), fmt.Append(nil, "of step ", step), 0o666)
		}); err != nil {
			t.Fatal(err)
		}
	}
	write("args.json", "{}")
	write("logging.jsonl", `{"step":5,"loss":1.5}`+"\n")
	save(5)
	first := carried(t, there, 5)
	if err := (checkpoint.Run{Dir: there}).Remove(filepath.Join(there, "checkpoint-5")); err != nil {
		t.Fatal(err)
	}
	save(7)
	second := carried(t, there, 7) // its checkpoint is there, and its log is not as it was any more
	write("logging.jsonl", `{"step":7,"loss":1.2}`+"\n")
	server := httptest.NewServer(http.StripPrefix("/files/run/"+id, http.FileServer(http.Dir(there))))
	defer server.Close()
	l := &lists{lists: []wire.Carried{first, second, carried(t, there, 7)}}
	out := t.TempDir()
	dir, step, err := Pull(t.Context(), l, link.Files{URL: server.URL}, id, out, nil)
	if err != nil || step != 7 || l.asked != 3 {
		t.Fatalf("step %d after %d lists: %v", step, l.asked, err)
	}
	got, want := carried(t, dir, 7), carried(t, there, 7)
	got.Files = slices.DeleteFunc(got.Files, func(b wire.Blob) bool { return strings.HasSuffix(b.Path, "lock") })
	if !slices.Equal(got.Files, want.Files) {
		t.Errorf("%+v came, want %+v", got.Files, want.Files)
	}
	// What is damaged for good is said.
	l = &lists{lists: []wire.Carried{second}}
	if _, _, err := Pull(t.Context(), l, link.Files{URL: server.URL}, id, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "logging.jsonl came damaged") || l.asked != pulls {
		t.Errorf("after %d lists: %v", l.asked, err)
	}
}

// A run that was brought here and gone on with is not brought over what was done here since.
func TestPullOverFurther(t *testing.T) {
	const id = "tiny/v0-20260131-120000"
	there, out := t.TempDir(), t.TempDir()
	here := filepath.Join(out, filepath.FromSlash(id))
	if err := os.MkdirAll(here, 0o777); err != nil {
		t.Fatal(err)
	}
	for dir, steps := range map[string][]int{there: {20}, here: {20, 40, 50}} {
		if err := os.WriteFile(filepath.Join(dir, "logging.jsonl"), fmt.Appendf(nil, "{\"step\":%d}\n", steps[len(steps)-1]), 0o666); err != nil {
			t.Fatal(err)
		}
		for _, step := range steps {
			if _, err := checkpoint.Save(dir, &checkpoint.State{Step: step}, func(string) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	server := httptest.NewServer(http.StripPrefix("/files/run/"+id, http.FileServer(http.Dir(there))))
	defer server.Close()
	listed := carried(t, there, 20)
	before := carried(t, here, 50)
	_, _, err := Pull(t.Context(), &lists{lists: []wire.Carried{listed}}, link.Files{URL: server.URL}, id, out, nil)
	var f *Further
	if !errors.As(err, &f) || f.Here != 50 || f.There != 20 || !strings.Contains(err.Error(), here) || !strings.Contains(err.Error(), "--output_dir") {
		t.Errorf("%v", err)
	}
	after := carried(t, here, 50)
	after.Files = slices.DeleteFunc(after.Files, func(b wire.Blob) bool { return strings.HasSuffix(b.Path, "lock") })
	if !slices.Equal(after.Files, before.Files) {
		t.Errorf("of %+v there is %+v", before.Files, after.Files)
	}
	// At the same step, it comes as before.
	if err := (checkpoint.Run{Dir: here}).RemoveAfter(20); err != nil {
		t.Fatal(err)
	}
	if _, step, err := Pull(t.Context(), &lists{lists: []wire.Carried{listed}}, link.Files{URL: server.URL}, id, out, nil); err != nil || step != 20 {
		t.Errorf("step %d, %v", step, err)
	}
}

// Wherever bringing a run is cut off, it can go on here from the last checkpoint that is here, and its log has every step up to that.
func TestPullCutOff(t *testing.T) {
	const id = "tiny/v0-20260131-120000"
	there := t.TempDir()
	lines := func(to int) (log []byte) {
		for step := 1; step <= to; step++ {
			log = fmt.Appendf(log, "{\"step\":%d}\n", step)
		}
		return log
	}
	write := func(dir string, logged int, steps ...int) {
		t.Helper()
		for name, data := range map[string][]byte{"args.json": []byte("{}"), "logging.jsonl": lines(logged)} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range steps {
			if _, err := checkpoint.Save(dir, &checkpoint.State{Step: step}, func(to string) error {
				return os.WriteFile(filepath.Join(to, "weights"), fmt.Append(nil, "of step ", step), 0o666)
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(there, 20, 5, 10, 20)
	listed := carried(t, there, 20)
	slices.SortFunc(listed.Files, func(a, b wire.Blob) int { // as a server lists them
		step := func(b wire.Blob) int {
			n, _ := checkpoint.StepOf(strings.Split(b.Path, "/")[0])
			if n == 0 {
				n = 1000
			}
			return n
		}
		return step(a) - step(b)
	})
	files, left := http.FileServer(http.Dir(there)), 0
	server := httptest.NewServer(http.StripPrefix("/files/run/"+id, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if left--; left < 0 {
			http.Error(w, "cut off", http.StatusForbidden)
			return
		}
		files.ServeHTTP(w, r)
	})))
	defer server.Close()
	seen := map[int]bool{}
	for n := 0; ; n++ {
		out := t.TempDir()
		dir := filepath.Join(out, filepath.FromSlash(id))
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		write(dir, 5, 5) // as it left
		left = n
		_, _, err := Pull(t.Context(), &lists{lists: []wire.Carried{listed}}, link.Files{URL: server.URL}, id, out, nil)
		run, last, found := checkpoint.Find(dir)
		if found != nil {
			t.Fatal(found)
		}
		seen[last.Step] = true
		if _, err := run.CutLog(last.Step); err != nil {
			t.Fatal(err)
		}
		if log, err := os.ReadFile(run.LogPath()); err != nil || string(log) != string(lines(last.Step)) {
			t.Errorf("after %d files, at step %d, the log is %q, %v", n, last.Step, log, err)
		}
		if err == nil {
			break
		}
	}
	if len(seen) != 3 {
		t.Errorf("it was cut off at the checkpoints %v", seen)
	}
}
