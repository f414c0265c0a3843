package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"hone/core/checkpoint"
	"hone/core/device/cpu"
	"hone/core/wire"
)

// hand is an attempt at a run whose directory is written by the test.
type hand struct {
	*attempt
	t *testing.T
	w *Worker
}

// begins takes a run as a worker does, and brings what it needs here.
func (s *shop) begins(t *testing.T, id string) *hand {
	t.Helper()
	dev := cpu.New(1)
	t.Cleanup(func() { dev.Close() })
	h := &hand{t: t, w: &Worker{Broker: s.Broker, Device: dev, Dir: t.TempDir(), Tries: 1 << 30, Log: slog.New(slog.DiscardHandler)}}
	h.take(t.Context(), s.Broker, id)
	return h
}

func (h *hand) take(ctx context.Context, b *Broker, id string) {
	h.t.Helper()
	var err error
	if h.attempt, err = h.w.begin(ctx, ticket{"ada", id}); err != nil {
		h.t.Fatal(err)
	}
	os.RemoveAll(h.dir)
	h.events = newEventQueue(ctx, h.journal, func(error) {})
	h.uploader = newUploader(ctx, h.attempt, func(error) {})
	if err := h.fetchState(ctx); err != nil {
		h.t.Fatal(err)
	}
	if h.runDir == "" {
		h.runDir = filepath.Join(h.dir, "output", filepath.FromSlash(id))
		h.file("args.json", "{}")
	}
}

func (h *hand) file(name, content string) {
	h.t.Helper()
	path := filepath.Join(h.runDir, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(content), 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *hand) checkpoint(step int, weights string) {
	h.t.Helper()
	if _, err := checkpoint.Save(h.runDir, &checkpoint.State{Step: step}, func(to string) error {
		return errors.Join(os.WriteFile(filepath.Join(to, "weights"), []byte(weights), 0o600),
			os.WriteFile(filepath.Join(to, "config"), []byte("the same in every checkpoint"), 0o600))
	}); err != nil {
		h.t.Fatal(err)
	}
}

// saves writes a checkpoint and a line of the log, and stores both.
func (h *hand) saves(step int) error {
	h.t.Helper()
	h.checkpoint(step, fmt.Sprint("weights of step ", step))
	if err := (checkpoint.Run{Dir: h.runDir}).AppendLog(map[string]int{"step": step}, nil); err != nil {
		h.t.Fatal(err)
	}
	s, ok := h.snapshot()
	if !ok {
		h.t.Fatal("there is nothing to store")
	}
	defer s.close()
	return h.uploader.try(s)
}

// whole reads all files that a user is told of, and gives the step of the State.
func (s *shop) whole(t *testing.T, id string) (step int, paths []string) {
	t.Helper()
	c, err := wire.AskCarried(t.Context(), s.desk, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Files {
		blob, in, err := s.files.Open(t.Context(), "ada", id, f.Path)
		if err != nil {
			t.Fatalf("State %d: %v", c.Step, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		stop := context.AfterFunc(ctx, func() { in.Close() })
		path := filepath.Join(t.TempDir(), "file")
		err = receive(in, path)
		stop()
		cancel()
		in.Close()
		sha, size, err2 := hashOf(path)
		if err != nil || err2 != nil || blob != f || sha != f.SHA256 || size != f.Size {
			t.Fatalf("State %d: %s has %d bytes with SHA-256 %.12s, %+v is told (%v, %v)", c.Step, f.Path, size, sha, f, err, err2)
		}
		paths = append(paths, f.Path)
	}
	if !slices.Contains(paths, fmt.Sprintf("checkpoint-%d/%s", c.Step, checkpoint.StateFile)) || !slices.Contains(paths, checkpoint.LogFile) {
		t.Fatalf("State %d has no checkpoint or no log: %q", c.Step, paths)
	}
	slices.Sort(paths)
	return c.Step, paths
}

func (s *shop) objects(t *testing.T) (names []string) {
	t.Helper()
	all, err := s.states.List(t.Context(), jetstream.ListObjectsShowDeleted())
	if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
		t.Fatal(err)
	}
	for _, o := range all {
		names = append(names, o.Name)
	}
	return names
}

// A State costs what is new, however many checkpoints are kept: the record, what goes to the engine and what comes from it, what the
// worker remembers, and what the next worker fetches.
func TestManyCheckpoints(t *testing.T) {
	const many = 2000
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	h := s.begins(t, id)
	const saves = 16 // since now and then pieces of the log are put together
	cost := func(step int) (wire int64, record int) {
		t.Helper()
		before := s.nc.Stats()
		for i := range saves {
			if err := h.saves(step + i); err != nil {
				t.Fatal(err)
			}
		}
		after := s.nc.Stats()
		e, err := s.runs.Get(t.Context(), keyOf("ada", id))
		if err != nil {
			t.Fatal(err)
		}
		return int64(after.OutBytes + after.InBytes - before.OutBytes - before.InBytes), len(e.Value())
	}
	cost(1)
	few, small := cost(1 + saves)
	for step := 1 + 2*saves; step <= many; step++ { // entries and names, as so many saves leave them
		k := &kept{Attempt: h.record.Attempt, step: step, Files: []wire.Blob{{Path: fmt.Sprintf("checkpoint-%d/weights", step), Size: 1, SHA256: strings.Repeat("a", 64)}}}
		if _, err := s.keep(t.Context(), "ada", id, k); err != nil {
			t.Fatal(err)
		}
		h.uploader.has(k)
	}
	lots, large := cost(many + 1)
	t.Logf("a save takes %d bytes to and from the engine with some checkpoints and %d with %d; the record has %d and %d bytes", few/saves, lots/saves, many, small, large)
	if lots > few+few/10 || large > small+100 {
		t.Errorf("with %d checkpoints a save takes %d bytes, %d with some; the record has %d bytes, and %d", many, lots/saves, few/saves, large, small)
	}
	if c, err := wire.AskCarried(t.Context(), s.desk, id); err != nil || len(c.Files) != 3*saves*3+many-2*saves+2 {
		t.Errorf("%d files are carried, %v", len(c.Files), err)
	}
	h.take(t.Context(), s.Broker, id)
	if found, err := filepath.Glob(filepath.Join(h.runDir, "checkpoint-*")); err != nil || len(found) != 1 {
		t.Errorf("the next worker fetches %d checkpoints (%v)", len(found), err)
	}
	if err := h.saves(many + 1 + saves); err != nil {
		t.Fatal(err)
	}
	if k, err := s.checkpoint(t.Context(), "ada", id, 1); err != nil || k == nil {
		t.Errorf("what the next worker did not fetch is gone (%v)", err)
	}
}

// Whenever a worker dies while it stores a State, the State before or the new one is there with all its files, the next worker goes
// on from it, and nothing is left when the run is deleted.
func TestKilledWhileStoring(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	h := s.begins(t, id)
	if err := errors.Join(h.saves(1), h.saves(2), h.saves(3)); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for n, next := 0, 4; n >= 0; n, next = n+1, next+1 {
		// One checkpoint comes, and an old one goes, as with save_total_limit.
		step, before := s.whole(t, id)
		oldest := step
		for k := range h.uploader.kept {
			oldest = min(oldest, k)
		}
		if _, err := h.fetchCheckpoint(t.Context(), oldest); err != nil {
			t.Fatal(err)
		}
		os.RemoveAll(filepath.Join(h.runDir, checkpointName(oldest)))
		d := &death{left: n}
		h.b = s.mortal(d)
		err := h.saves(next)
		if d.left >= 0 {
			n = -2 // it has lived
		} else {
			refused++
		}
		got, after := s.whole(t, id)
		if !(got == step && slices.Equal(after, before)) && got != next {
			t.Fatalf("killed after %d writes, State %d has %q; before, State %d had %q", n, got, after, step, before)
		}
		if err == nil && got != next {
			t.Fatalf("step %d was stored, and the State is %d", next, got)
		}
		if got == next && slices.ContainsFunc(after, func(p string) bool { return strings.HasPrefix(p, checkpointName(oldest)+"/") }) {
			t.Errorf("checkpoint %d, which the run has removed, is there: %q", oldest, after)
		}
		h.take(t.Context(), s.Broker, id)
	}
	t.Logf("it died at %d places", refused)
	if refused < 8 {
		t.Errorf("it died at %d places only", refused)
	}
	if err := s.Kill(t.Context(), "ada", id); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "ada", id); err != nil {
		t.Fatal(err)
	}
	for _, name := range s.objects(t) {
		t.Errorf("%s is left of a deleted run", name)
	}
}

// mortal is the broker of a worker that dies.
func (s *shop) mortal(d *death) *Broker {
	b := s.Broker
	m := &Broker{Address: b.Address, unfinished: b.unfinished, log: b.log, nc: b.nc, jobs: b.jobs, events: b.events, owned: b.owned, workers: b.workers, files: b.files,
		js: &mortalStreams{b.js, d}, runs: &mortalKeys{b.runs, d}, wanted: &mortalKeys{b.wanted, d}, starts: &mortalKeys{b.starts, d}, checkpoints: &mortalKeys{b.checkpoints, d}, states: &mortalObjects{b.states, d}}
	m.lease.Store(b.lease.Load())
	return m
}

// death comes after so many writes; then all is refused, as an engine would that is not reached.
type death struct {
	left int
	then func() // nil: nothing
}

var errDead = errors.New("test: dead")

func (d *death) write() error {
	if d.left--; d.left < 0 {
		if d.then != nil {
			d.then()
		}
		return errDead
	}
	return nil
}

type mortalKeys struct {
	jetstream.KeyValue
	d *death
}

func (m *mortalKeys) Create(ctx context.Context, key string, value []byte, o ...jetstream.KVCreateOpt) (uint64, error) {
	if err := m.d.write(); err != nil {
		return 0, err
	}
	return m.KeyValue.Create(ctx, key, value, o...)
}

func (m *mortalKeys) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if err := m.d.write(); err != nil {
		return 0, err
	}
	return m.KeyValue.Update(ctx, key, value, revision)
}

func (m *mortalKeys) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	if err := m.d.write(); err != nil {
		return 0, err
	}
	return m.KeyValue.Put(ctx, key, value)
}

func (m *mortalKeys) PutString(ctx context.Context, key, value string) (uint64, error) {
	return m.Put(ctx, key, []byte(value))
}

func (m *mortalKeys) Purge(ctx context.Context, key string, o ...jetstream.KVDeleteOpt) error {
	if err := m.d.write(); err != nil {
		return err
	}
	return m.KeyValue.Purge(ctx, key, o...)
}

func (m *mortalKeys) Delete(ctx context.Context, key string, o ...jetstream.KVDeleteOpt) error {
	if err := m.d.write(); err != nil {
		return err
	}
	return m.KeyValue.Delete(ctx, key, o...)
}

type mortalObjects struct {
	jetstream.ObjectStore
	d *death
}

func (m *mortalObjects) Put(ctx context.Context, meta jetstream.ObjectMeta, in io.Reader) (*jetstream.ObjectInfo, error) {
	if err := m.d.write(); err != nil {
		return nil, err
	}
	return m.ObjectStore.Put(ctx, meta, in)
}

type mortalStreams struct {
	jetstream.JetStream
	d *death
}

func (m *mortalStreams) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	s, err := m.JetStream.Stream(ctx, name)
	return &mortalStream{s, m.d}, err
}

func (m *mortalStreams) Publish(ctx context.Context, subject string, data []byte, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if err := m.d.write(); err != nil {
		return nil, err
	}
	return m.JetStream.Publish(ctx, subject, data, o...)
}

func (m *mortalStreams) PublishMsg(ctx context.Context, msg *nats.Msg, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if err := m.d.write(); err != nil {
		return nil, err
	}
	return m.JetStream.PublishMsg(ctx, msg, o...)
}

type mortalStream struct {
	jetstream.Stream
	d *death
}

func (m *mortalStream) Purge(ctx context.Context, o ...jetstream.StreamPurgeOpt) error {
	if err := m.d.write(); err != nil {
		return err
	}
	return m.Stream.Purge(ctx, o...)
}

// A worker that is taken for dead cannot change a checkpoint that its successor has written, and takes back what it has entered when
// the run was another's already.
func TestZombieStores(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	zombie := s.begins(t, id)
	if err := zombie.saves(1); err != nil {
		t.Fatal(err)
	}
	next := s.begins(t, id)
	if err := next.saves(2); err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{3, 2} { // one that nobody else has, and one that is its successor's
		if err := zombie.saves(step); !errors.Is(err, errFenced) {
			t.Fatalf("a worker that has lost its run stores step %d: %v", step, err)
		}
		zombie.uploader.takeBack()
	}
	for step, want := range map[int]bool{1: true, 2: true, 3: false} {
		k, err := s.checkpoint(t.Context(), "ada", id, step)
		if err != nil || (k != nil) != want || step == 2 && k.Attempt != 2 {
			t.Errorf("checkpoint %d: %+v, %v", step, k, err)
		}
	}
	if step, _ := s.whole(t, id); step != 2 {
		t.Errorf("the State is %d", step)
	}
}

// A run whose record is of the first form, with the files of all checkpoints in it, is read, carried, gone on with and deleted.
func TestFirstForm(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	h := s.begins(t, id)
	for step := 1; step <= 3; step++ {
		if err := h.saves(step); err != nil {
			t.Fatal(err)
		}
	}
	_, want := s.whole(t, id)
	inFirstForm(t, s, id)
	look := func() {
		t.Helper()
		if step, got := s.whole(t, id); step != 3 || !slices.Equal(got, want) {
			t.Fatalf("State %d has %q, want 3 with %q", step, got, want)
		}
	}
	look()
	_, bytes, err := s.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.take(t.Context(), s.Broker, id)
	look()
	if _, now, err := s.Count(t.Context()); err != nil || now != bytes {
		t.Errorf("%d bytes are used, %d before (%v)", now, bytes, err)
	}
	if r, _, err := s.get(t.Context(), "ada", id); err != nil || len(r.State.Files) != 2 {
		t.Errorf("the record names %d files of its own, %v", len(r.State.Files), err)
	}
	// Those that the run removes are removed; what others of the first form share with them stays.
	if _, err := h.fetchCheckpoint(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(filepath.Join(h.runDir, checkpointName(1)))
	if err := h.saves(4); err != nil {
		t.Fatal(err)
	}
	step, got := s.whole(t, id)
	if want := len(want); step != 4 || len(got) != want || strings.HasPrefix(got[0], checkpointName(1)) {
		t.Errorf("State %d has %q", step, got)
	}
	if err := s.Kill(t.Context(), "ada", id); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "ada", id); err != nil {
		t.Fatal(err)
	}
	if left := s.objects(t); len(left) > 0 {
		t.Errorf("%q are left of a deleted run", left)
	}
}

// inFirstForm makes of a run what an older program would have kept of it.
func inFirstForm(t *testing.T, s *shop, id string) {
	t.Helper()
	ctx := t.Context()
	move := func(from []string, sha string) {
		var all []byte
		for _, name := range from {
			raw, err := s.states.GetBytes(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, raw...)
		}
		if _, err := s.states.PutBytes(ctx, stateObject("ada", id, sha), all); err != nil {
			t.Fatal(err)
		}
		for _, name := range from {
			if name == stateObject("ada", id, sha) {
				continue
			}
			if err := s.erase(ctx, s.states, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	var files []wire.Blob
	if err := s.eachCheckpoint(ctx, "ada", id, func(k *kept) error {
		files = append(files, k.Files...)
		for _, f := range k.Files {
			move([]string{k.object("ada", id, f.SHA256)}, f.SHA256)
		}
		return s.unlist(ctx, "ada", id, k.step)
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.update(ctx, "ada", id, func(r *Record) error {
		for _, f := range r.State.Files {
			if f.Path == checkpoint.LogFile {
				var pieces []string
				for _, p := range r.State.Log {
					pieces = append(pieces, stateObject("ada", id, p.SHA256))
				}
				move(pieces, f.SHA256)
			}
		}
		// Only what the first form had.
		raw, err := json.Marshal(map[string]any{"step": r.State.Step, "files": append(files, r.State.Files...), "timed": r.State.Timed})
		r.State = &State{}
		return errors.Join(err, json.Unmarshal(raw, r.State))
	}); err != nil {
		t.Fatal(err)
	}
}

// A deletion that was cut short is not seen by its user, and Sweep finishes it.
func TestDeletedHalfWay(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	h := s.begins(t, id)
	if err := errors.Join(h.saves(1), h.saves(2), s.Kill(t.Context(), "ada", id)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.update(t.Context(), "ada", id, func(r *Record) error { r.Going = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.AskCarried(t.Context(), s.desk, id); Status(err) != 404 {
		t.Errorf("a run that is being deleted is carried: %v", err)
	}
	if list, err := wire.Ask[wire.RunList](t.Context(), s.desk, wire.Runs{}, nil); err != nil || len(list.Runs) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.record(t.Context(), "ada", id); Status(err) != 404 {
		t.Errorf("the record of a deleted run: %v", err)
	}
	if left := s.objects(t); len(left) > 0 {
		t.Errorf("%q are left of a deleted run", left)
	}
}

// A run that comes again with an earlier State than it had here goes on from that one: checkpoints behind it are of another past.
// While it goes on here, nothing of what is brought gets in.
func TestBroughtAgain(t *testing.T) {
	s := openShop(t, time.Minute)
	r := tinyRecipe(t, t.TempDir(), 5)
	id := s.start(t, r, nil)
	h := s.begins(t, id)
	if err := errors.Join(h.saves(1), h.saves(2), h.saves(3)); err != nil {
		t.Fatal(err)
	}
	h.checkpoint(2, "learnt elsewhere")
	from := &wire.Carried{Run: id, Step: 2}
	for _, path := range []string{"args.json", checkpoint.LogFile, "checkpoint-2/state.json", "checkpoint-2/weights", "checkpoint-2/config"} {
		blob := s.send(t, filepath.Join(h.runDir, filepath.FromSlash(path)))
		blob.Path = path
		from.Files = append(from.Files, blob)
	}
	raw, err := r.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	start := wire.Start{Recipe: raw, Places: s.places(t, r), From: from, Priority: 1}
	if _, err := s.Submit(t.Context(), "ada", start); Status(err) != 409 {
		t.Fatalf("a run that goes on here is brought: %v", err)
	}
	if k, err := s.checkpoint(t.Context(), "ada", id, 2); err != nil || slices.ContainsFunc(k.Files, func(f wire.Blob) bool { return slices.Contains(from.Files, f) && f.Path == "checkpoint-2/weights" }) {
		t.Errorf("%+v, %v", k, err)
	}
	if err := s.Kill(t.Context(), "ada", id); err != nil {
		t.Fatal(err)
	}
	from.Instead = true // what has come to step 3 here is given up
	if got, err := s.Submit(t.Context(), "ada", start); err != nil || got != id {
		t.Fatalf("%s, %v", got, err)
	}
	step, paths := s.whole(t, id)
	if step != 2 || len(paths) != 2+2*3 || !slices.Contains(paths, "checkpoint-1/weights") {
		t.Errorf("State %d has %q", step, paths)
	}
	if c, err := wire.AskCarried(t.Context(), s.desk, id); err != nil || !slices.Contains(c.Files, from.Files[3]) {
		t.Errorf("%+v, %v", c.Files, err)
	}
	s.begins(t, id)
	if k, err := s.checkpoint(t.Context(), "ada", id, 3); err != nil || k != nil {
		t.Errorf("a checkpoint of another past: %+v, %v", k, err)
	}
	from.Files[0].Path = "elsewhere/args.json"
	if _, err := s.Submit(t.Context(), "ada", start); Status(err) != 400 || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("a file that is no part of a run: %v", err)
	}
}
