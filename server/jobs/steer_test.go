package jobs

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/bundle"
	"hone/core/checkpoint"
	"hone/core/recipe"
	"hone/core/wire"
)

// until waits for an event of a run that says yes.
func (s *shop) until(t *testing.T, id, what string, yes func(name string, step int) bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		found := false
		err := s.eachEvent(t.Context(), "ada", id, 1, func(f wire.Frame) bool {
			found = yes(f.Name, stepIn(f.Data))
			return !found
		})
		if err != nil {
			t.Fatal(err)
		}
		if found {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("run %s: no %s within a minute", id, what)
}

func stepped(n int) func(string, int) bool {
	return func(name string, step int) bool { return name == "stepped" && step >= n }
}

func (s *shop) ask(t *testing.T, r wire.Request) error {
	t.Helper()
	_, err := s.desk.Ask(t.Context(), r.Name(), r, nil)
	return err
}

// Workers that end give their run back, and the next one goes on; a run that its user stops can be resumed. What comes out is
// what would have come out without all that.
func TestHandedOn(t *testing.T) {
	const steps = 40
	s := openShop(t, time.Hour)
	want := alone(t, tinyRecipe(t, t.TempDir(), steps))
	id := s.start(t, tinyRecipe(t, "output", steps), nil)
	for _, at := range []int{4, 12} {
		dismiss := s.hire(t, 50*time.Millisecond)
		s.until(t, id, "step", stepped(at))
		dismiss()
	}
	r, _, err := s.get(t.Context(), "ada", id)
	if err != nil || r.Status != Queued || r.Step < 12 || len(r.Past) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	// What a worker gives back is free as soon as the engine has read it, within moments: no lease of an hour has to run out.
	var m jetstream.Msg
	for handed := time.Now(); m == nil; time.Sleep(10 * time.Millisecond) {
		if m, err = (&Worker{Broker: s.Broker}).next(t.Context()); err != nil || time.Since(handed) > 30*time.Second {
			t.Fatalf("the run is not in the queue after %v: %v", time.Since(handed), err)
		}
	}
	m.Nak()
	s.hire(t, 50*time.Millisecond)
	s.until(t, id, "step", stepped(20))
	if err := s.ask(t, wire.Steer{Run: id, Do: "stop"}); err != nil {
		t.Fatal(err)
	}
	if r := s.ends(t, id); r.Status != Stopped || r.Step < 20 || r.Step == steps {
		t.Fatalf("%+v", r)
	}
	if err := s.ask(t, wire.Steer{Run: id, Do: "stop"}); err != nil { // links ask again what was not answered
		t.Errorf("stopping what is stopped: %v", err)
	}
	if err := s.ask(t, wire.Steer{Run: id, Do: "pause"}); Status(err) != 409 {
		t.Errorf("pausing what is stopped: %v", err)
	}
	if err := s.ask(t, wire.Resume{Run: id}); err != nil {
		t.Fatal(err)
	}
	if r := s.ends(t, id); r.Status != Done {
		t.Fatalf("%+v", r)
	}
	dir := filepath.Join(t.TempDir(), "run")
	s.bring(t, id, dir)
	sameRun(t, want, dir, steps)
	s.sameEvents(t, id, losses(t, want))
	if got, err := filepath.Glob(filepath.Join(dir, "checkpoint-*")); err != nil || len(got) > steps/5+1 {
		t.Errorf("%d checkpoints, %v: those that nobody asked for are kept", len(got), err)
	}
}

// A paused run stands still, does single steps, is asked, and takes another learning rate.
func TestSteered(t *testing.T) {
	s := openShop(t, time.Second)
	id := s.start(t, tinyRecipe(t, "output", 100000), nil)
	if err := s.ask(t, wire.Steer{Run: id, Do: "step"}); Status(err) != 409 {
		t.Errorf("a step of a run that waits: %v", err)
	}
	s.hire(t, time.Hour)
	s.until(t, id, "step", stepped(3))
	if err := s.ask(t, wire.Steer{Run: id, Do: "pause"}); err != nil {
		t.Fatal(err)
	}
	s.until(t, id, "pause", func(name string, _ int) bool { return name == "paused" })
	last := func() int {
		told, err := s.toldOf(t.Context(), "ada", id)
		if err != nil {
			t.Fatal(err)
		}
		return told.step["stepped"]
	}
	at := last()
	for _, r := range []wire.Request{wire.Steer{Run: id, Do: "step"}, wire.Steer{Run: id, Do: "rate", LearningRate: 1e-3}} {
		if err := s.ask(t, r); err != nil {
			t.Fatal(err)
		}
	}
	s.until(t, id, "single step", stepped(at+1))
	time.Sleep(100 * time.Millisecond)
	if got := last(); got != at+1 {
		t.Errorf("a paused run at step %d is at %d after one step", at, got)
	}
	if err := s.ask(t, wire.Answer{Run: id, Prompt: "hello", Sides: "both", Tokens: 4}); Status(err) != 409 || !strings.Contains(err.Error(), "no tokenizer") {
		t.Errorf("an answer of a model without a tokenizer: %v", err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // its worker says so, whatever was stored
		list, err := wire.Ask[wire.RunList](t.Context(), s.desk, wire.Runs{}, nil)
		if err != nil || len(list.Runs) != 1 {
			t.Fatalf("%d runs, %v", len(list.Runs), err)
		}
		if time.Now().After(end) {
			t.Fatalf("the run is listed at step %d, and is at %d", list.Runs[0].Step, at+1)
		}
		if list.Runs[0].Step == at+1 {
			break
		}
	}
	if err := s.ask(t, wire.Steer{Run: id, Do: "dance"}); err == nil || !strings.Contains(err.Error(), "dance") {
		t.Errorf("%v", err)
	}
	if err := s.ask(t, wire.Steer{Run: id, Do: "save"}); err != nil {
		t.Error(err)
	}
	if err := s.ask(t, wire.Steer{Run: id, Do: "continue"}); err != nil {
		t.Fatal(err)
	}
	s.until(t, id, "later step", stepped(at+5))
	if err := s.ask(t, wire.Delete{Path: "runs/" + id}); Status(err) != 409 {
		t.Errorf("deleting a run that goes on: %v", err)
	}
	if err := s.ask(t, wire.Steer{Run: id, Do: "stop"}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	r := s.ends(t, id)
	s.bring(t, id, dir)
	if _, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("checkpoint-%d", r.Step))); err != nil || r.Step < at+5 {
		t.Errorf("%+v", r)
	}
}

// More urgent runs come first; one that cannot go fails once, with its reason, and keeps nobody from their work.
func TestQueue(t *testing.T) {
	s := openShop(t, time.Second)
	r := tinyRecipe(t, "output", 2)
	places := s.places(t, r)
	raw, err := r.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	submit := func(recipe []byte, priority int, key string) string {
		t.Helper()
		id, err := s.Submit(t.Context(), "ada", wire.Start{Recipe: recipe, Places: places, Priority: priority, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	late := submit(raw, 2, "a")
	if again := submit(raw, 2, "a"); again != late {
		t.Errorf("the same request made %s and %s", late, again)
	}
	usual, urgent := submit(raw, 1, "b"), submit(raw, 0, "c")
	bad, err := recipe.Parse([]string{"--model", r.Model, "--dataset", r.Dataset[0], "--lora_target_modules", "no_such_layer"})
	if err != nil {
		t.Fatal(err)
	}
	badRaw, err := bad.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	failing := submit(badRaw, 0, "d")
	cancelled := submit(raw, 2, "e")
	if err := s.ask(t, wire.Steer{Run: cancelled, Do: "stop"}); err != nil {
		t.Fatal(err)
	}
	s.hire(t, time.Hour)
	var at []uint64
	for _, id := range []string{urgent, usual, late} {
		if rec := s.ends(t, id); rec.Status != Done {
			t.Fatalf("%+v", rec)
		}
		last, err := s.lastEvent(t.Context(), "ada", id)
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, last.at)
	}
	if at[0] > at[1] || at[1] > at[2] {
		t.Errorf("they ended in the order %v", at)
	}
	if rec := s.ends(t, failing); rec.Status != Failed || !strings.Contains(rec.Reason, "no_such_layer") || rec.Attempt != 1 {
		t.Errorf("%+v", rec)
	}
	if rec := s.ends(t, cancelled); rec.Status != Stopped || rec.Step != 0 {
		t.Errorf("%+v", rec)
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) { // the last one goes just behind its run's last event
		i, err := s.jobs.Info(t.Context())
		if err == nil && i.State.Msgs == 0 {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%+v is left in the queue, %v", i, err)
		}
	}
}

// A run that waits for a worker is stopped at once; it can be resumed, and nobody works on it before.
func TestStoppedInTheQueue(t *testing.T) {
	s := openShop(t, time.Second)
	id := s.start(t, tinyRecipe(t, "output", 2), nil)
	stopped := func() {
		t.Helper()
		if err := s.ask(t, wire.Steer{Run: id, Do: "stop"}); err != nil {
			t.Fatal(err)
		}
		r, _, err := s.get(t.Context(), "ada", id)
		last, err2 := s.lastEvent(t.Context(), "ada", id)
		if err != nil || err2 != nil || r.Status != Stopped || last.frame.Name != "finished" {
			t.Fatalf("%+v, the last event is %q; %v, %v", r, last.frame.Name, err, err2)
		}
	}
	stopped()
	if err := s.ask(t, wire.Resume{Run: id}); err != nil {
		t.Fatal(err)
	}
	stopped()
	dismiss := s.hire(t, time.Hour)
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		i, err := s.jobs.Info(t.Context())
		if err == nil && i.State.Msgs == 0 {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%+v is left in the queue, %v", i, err)
		}
	}
	dismiss()
	if r, _, err := s.get(t.Context(), "ada", id); err != nil || r.Status != Stopped || r.Attempt != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := s.ask(t, wire.Resume{Run: id}); err != nil {
		t.Fatal(err)
	}
	s.hire(t, time.Hour)
	if r := s.ends(t, id); r.Status != Done {
		t.Errorf("%+v", r)
	}
}

// What a server would have to read of its own disk, or of other users, is refused.
func TestRefused(t *testing.T) {
	s := openShop(t, time.Second)
	r := tinyRecipe(t, "output", 2)
	places := s.places(t, r)
	raw, err := r.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*wire.Start)) error {
		start := wire.Start{Priority: wire.Usual, Recipe: raw, Places: append([]wire.Place(nil), places...)}
		start.Places[0].Files = append([]wire.Blob(nil), places[0].Files...)
		change(&start)
		_, err := s.desk.Ask(t.Context(), "start", start, nil)
		return err
	}
	// brought is a run with another recipe in its directory than the one that is sent beside it.
	brought := func(args string) *wire.Carried {
		file := filepath.Join(t.TempDir(), checkpoint.ArgsFile)
		if err := os.WriteFile(file, []byte(args), 0o666); err != nil {
			t.Fatal(err)
		}
		blob := s.send(t, file)
		state := blob
		state.Path = "checkpoint-3/" + checkpoint.StateFile
		return &wire.Carried{Run: "m/v0-20260101-000000", Step: 3, Files: []wire.Blob{blob, state}}
	}
	for name, c := range map[string]struct {
		change func(*wire.Start)
		status int
	}{
		"a brought run with a path of the server": {func(w *wire.Start) { w.From = brought(`{"model":"/etc","dataset":["a/b"]}`) }, 400},
		"a brought run with rows of the server":   {func(w *wire.Start) { w.From = brought(`{"model":"a/b","dataset":["/etc/passwd"]}`) }, 400},
		"a brought run whose recipe is none":      {func(w *wire.Start) { w.From = brought(`[]`) }, 400},
		"a brought run with an endless recipe":    {func(w *wire.Start) { w.From = brought(strings.Repeat(" ", maxRecipe) + "{}") }, 413},
		"a path of the server":                    {func(w *wire.Start) { w.Places = w.Places[1:] }, 400},
		"a way out":                               {func(w *wire.Start) { w.Places[0].Files[0].Path = "../../../etc/x" }, 400},
		"an absolute path":                        {func(w *wire.Start) { w.Places[0].Files[0].Path = "/etc/x" }, 400},
		"a backslash":                             {func(w *wire.Start) { w.Places[0].Files[0].Path = `..\x` }, 400},
		"a file twice":                            {func(w *wire.Start) { w.Places[0].Files[1].Path = w.Places[0].Files[0].Path }, 400},
		"a hash that is none":                     {func(w *wire.Start) { w.Places[0].Files[0].SHA256 = "../x" }, 400},
		"a file not sent":                         {func(w *wire.Start) { w.Places[0].Files[0].SHA256 = strings.Repeat("ab", 32) }, 409},
		"a wrong size":                            {func(w *wire.Start) { w.Places[0].Files[0].Size++ }, 409},
		"a bad priority":                          {func(w *wire.Start) { w.Priority = 9 }, 400},
		"a bad recipe":                            {func(w *wire.Start) { w.Recipe = []byte(`{"model":3}`) }, 400},
		"a run with a way out":                    {func(w *wire.Start) { w.From = &wire.Carried{Run: "../v0-20260101-000000", Files: w.Places[0].Files} }, 400},
		"a run without files":                     {func(w *wire.Start) { w.From = &wire.Carried{Run: "m/v0-20260101-000000", Step: 3} }, 400},
	} {
		if err := with(c.change); Status(err) != c.status {
			t.Errorf("%s: %v, want status %d", name, err, c.status)
		}
	}
	bob := &Desk{Broker: s.Broker, Who: s.desk.Who}
	bob.Who.User = "bob"
	if _, err := bob.Ask(t.Context(), "start", wire.Start{Priority: wire.Usual, Recipe: raw, Places: places}, nil); Status(err) != 409 {
		t.Errorf("the files of another user: %v", err)
	}
	viewer := &Desk{Broker: s.Broker, Who: s.desk.Who}
	viewer.Who.Scope = "view"
	if _, err := viewer.Ask(t.Context(), "start", wire.Start{Priority: wire.Usual, Recipe: raw, Places: places}, nil); Status(err) != 403 {
		t.Errorf("a token to look only: %v", err)
	}
	if _, err := s.desk.Ask(t.Context(), "look", wire.Look{}, nil); Status(err) != 501 {
		t.Errorf("%v", err)
	}
	// Files.
	sha := places[1].Files[0].SHA256
	for name, c := range map[string]struct {
		sha           string
		total, offset int64
		status        int
	}{
		"a declared 10 TB":     {strings.Repeat("cd", 32), 10 << 40, 0, 413},
		"a name that is none":  {"../../x", 1, 0, 400},
		"a hole":               {strings.Repeat("cd", 32), 10, 5, 409},
		"what is not the hash": {strings.Repeat("cd", 32), 3, 0, 422},
		"too much":             {strings.Repeat("ce", 32), 2, 0, 400},
		"a negative size":      {strings.Repeat("ce", 32), -2, 0, 413},
	} {
		if _, _, err := s.files.Put(t.Context(), "ada", c.sha, c.total, c.offset, strings.NewReader("abc")); Status(err) != c.status {
			t.Errorf("%s: %v, want status %d", name, err, c.status)
		}
	}
	if _, whole, err := s.files.Have(t.Context(), "bob", sha); whole || err != nil {
		t.Errorf("bob has what ada sent: %v", err)
	}
	s.files.limit.User = 1
	if _, _, err := s.files.Put(t.Context(), "ada", strings.Repeat("cf", 32), 3, 0, strings.NewReader("abc")); Status(err) != 507 {
		t.Errorf("above the quota: %v", err)
	}
	s.files.QuotaOf = func(user string) int64 { return map[string]int64{"ada": 1 << 30}[user] }
	if _, _, err := s.files.Put(t.Context(), "ada", strings.Repeat("cf", 32), 3, 0, strings.NewReader("ab")); err != nil {
		t.Errorf("below a quota of one's own: %v", err)
	}
	if _, _, err := s.files.Put(t.Context(), "bob", strings.Repeat("cf", 32), 3, 0, strings.NewReader("abc")); Status(err) != 507 {
		t.Errorf("above the quota of all: %v", err)
	}
}

// A run answers between two steps, base and tuned model beside each other.
func TestAnswers(t *testing.T) {
	model := filepath.Join(t.TempDir(), "bundled")
	files, err := fs.Sub(bundle.FS(), "model")
	if err == nil {
		err = os.CopyFS(model, files)
	}
	if err != nil {
		t.Fatal(err)
	}
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(rows, []byte(`{"instruction":"say hello","output":"hello"}`+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse([]string{"--model", model, "--dataset", rows, "--max_steps", "1000", "--logging_steps", "1", "--gradient_accumulation_steps", "1"})
	if err != nil {
		t.Fatal(err)
	}
	s := openShop(t, time.Second)
	id := s.start(t, r, nil)
	if err := s.ask(t, wire.Steer{Run: id, Do: "pause"}); err != nil { // before anybody works on it
		t.Fatal(err)
	}
	s.hire(t, time.Hour)
	s.until(t, id, "pause", func(name string, _ int) bool { return name == "paused" })
	var heard strings.Builder
	a, err := wire.Ask[wire.Answers](t.Context(), s.desk, wire.Answer{Run: id, Prompt: "say hello", Sides: "both", Tokens: 4}, func(_ string, data json.RawMessage) {
		var x wire.Text
		if json.Unmarshal(data, &x) == nil && x.Side == "tuned" {
			heard.WriteString(x.Text)
		}
	})
	if err != nil || a.Base == nil || a.Tuned == nil || a.Tuned.Text != heard.String() || a.Base.Text != a.Tuned.Text {
		t.Errorf("%+v, %v; heard %q", a, err, heard.String()) // before the first step, both are one
	}
	if err := s.ask(t, wire.Steer{Run: id, Do: "stop"}); err != nil {
		t.Fatal(err)
	}
	s.ends(t, id)
}
