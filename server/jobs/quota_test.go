package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/wire"
)

// What has come in part counts as what is whole, and goes when nobody goes on with it.
func TestUnfinishedUploads(t *testing.T) {
	s := openShop(t, time.Minute)
	s.files.limit.User = 100
	content := strings.Repeat("x", 60)
	sum := sha256.Sum256([]byte(content))
	sha, other := hex.EncodeToString(sum[:]), strings.Repeat("ab", 32)
	put := func(sha string, offset int64, part string) error {
		_, _, err := s.files.Put(t.Context(), "ada", sha, 60, offset, strings.NewReader(part))
		return err
	}
	if err := put(sha, 0, content[:50]); err != nil {
		t.Fatal(err)
	}
	if used, err := s.Used(t.Context(), "ada"); err != nil || used != 50 {
		t.Errorf("%d bytes are used, %v", used, err)
	}
	if err := put(other, 0, "xx"); Status(err) != 507 {
		t.Errorf("beside 50 of 60 bytes, another 60 are taken: %v", err)
	}
	if err := s.files.Sweep(); err != nil {
		t.Fatal(err)
	}
	if have, _, err := s.files.Have(t.Context(), "ada", sha); err != nil || have != 50 {
		t.Errorf("%d bytes of a young upload, %v", have, err)
	}
	old := time.Now().Add(-unfinishedUpload - time.Minute)
	if err := os.Chtimes(s.files.part("ada", sha), old, old); err != nil {
		t.Fatal(err)
	}
	release, _ := s.files.hold("ada." + sha)
	if err := s.files.Sweep(); err != nil {
		t.Fatal(err)
	}
	if release(); put(sha, 50, content[50:]) != nil {
		t.Error("an upload that is under way was removed")
	}
	if used, err := s.Used(t.Context(), "ada"); err != nil || used != 60 {
		t.Errorf("%d bytes are used, %v", used, err)
	}
	s.files.limit.User = 200
	if err := put(other, 0, "xx"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(s.files.part("ada", other), old, old); err != nil {
		t.Fatal(err)
	}
	if err := s.files.Sweep(); err != nil {
		t.Fatal(err)
	}
	if have, _, err := s.files.Have(t.Context(), "ada", other); err != nil || have != 0 {
		t.Errorf("%d bytes of an old upload, %v", have, err)
	}
}

// A user may have so many files, whole or in part, however small they are, and no more; those that are there may become whole.
func TestFilesAreCounted(t *testing.T) {
	s := openShop(t, time.Minute)
	s.files.limit.Files = 2
	put := func(content string, have, upTo int64) error {
		sum := sha256.Sum256([]byte(content))
		_, _, err := s.files.Put(t.Context(), "ada", hex.EncodeToString(sum[:]), int64(len(content)), have, strings.NewReader(content[have:upTo]))
		return err
	}
	if err := errors.Join(put("one", 0, 3), put("two", 0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := put("three", 0, 1); Status(err) != 507 || !strings.Contains(err.Error(), "2 files") {
		t.Errorf("a third file: %v", err)
	}
	if err := put("two", 1, 3); err != nil {
		t.Errorf("the rest of the second: %v", err)
	}
}

// A run that was brought has its files once, and so they are counted. Its user may fill what is theirs, and then begin nothing more.
func TestBroughtCountsOnce(t *testing.T) {
	s := openShop(t, time.Minute)
	start := s.requests(t)["brought"]
	before, err := s.Used(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	start.Key = "one"
	for range 2 {
		if _, err := s.Submit(t.Context(), "ada", start); err != nil {
			t.Fatal(err)
		}
		if used, err := s.Used(t.Context(), "ada"); err != nil || used < before+perRun || used > before+perRun+10_000 {
			t.Errorf("%d bytes are used, %d before (%v)", used, before, err)
		}
	}
	for _, f := range start.From.Files {
		if _, owned, err := s.owns(t.Context(), "ada", f.SHA256); err != nil || owned {
			t.Errorf("%s lies there twice (%v)", f.Path, err)
		}
		if _, in, err := s.files.Open(t.Context(), "ada", start.From.Run, f.Path); err != nil {
			t.Errorf("%s: %v", f.Path, err)
		} else {
			in.Close()
		}
	}
	for _, p := range start.Places {
		if err := s.checkBlobs(t.Context(), "ada", p.Name, p.Files, nil); err != nil {
			t.Error(err)
		}
	}
	s.files.limit.User = before - 1
	if _, err := s.Submit(t.Context(), "ada", s.requestsNew(start)); Status(err) != 507 {
		t.Errorf("a run beyond the quota: %v", err)
	}
}

// What a run keeps beside its State counts as well, also when the run is over: who begins one after the other and stops it has room for so many.
func TestRecordsCount(t *testing.T) {
	s := openShop(t, time.Minute)
	start := s.requests(t)["new"]
	before, err := s.Used(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	s.files.limit.User = before + 3*perRun
	n := 0
	for err == nil && n < 10 {
		var id string
		if id, err = s.Submit(t.Context(), "ada", start); err == nil {
			n++
			s.steer(t, id, "stop")
		}
	}
	if n != 3 || Status(err) != 507 {
		t.Errorf("%d runs are begun with room for 3: %v", n, err)
	}
	list, err := wire.Ask[wire.RunList](t.Context(), s.desk, wire.Runs{}, nil)
	if err != nil || len(list.Runs) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := s.Delete(t.Context(), "ada", list.Runs[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(t.Context(), "ada", start); err != nil {
		t.Errorf("one was deleted: %v", err)
	}
}

// What stands in a record is bounded piece by piece.
func TestPlacesAreBounded(t *testing.T) {
	s := openShop(t, time.Minute)
	start := s.requests(t)["new"]
	many, long, key := start, start, start
	many.Places = slices.Repeat(start.Places[:1], maxPlaces+1)
	long.Places = []wire.Place{{Name: strings.Repeat("x", maxName+1), Files: start.Places[0].Files[:1]}}
	key.Key = strings.Repeat("x", maxKey+1)
	for what, x := range map[string]wire.Start{"places": many, "a name": long, "a key": key} {
		if _, err := s.Submit(t.Context(), "ada", x); Status(err) != 413 {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Of more runs than have room in a frame the newest are listed, in whatever order they are read, and the others are counted.
func TestNewestRuns(t *testing.T) {
	var l newest
	const size, n = 200 << 10, 40
	for i := range n {
		if err := l.add(wire.Run{ID: fmt.Sprintf("%02d", i*7%n), Note: strings.Repeat("x", size)}); err != nil {
			t.Fatal(err)
		}
		if len(l.runs) > 4*bytesOfRuns/size+1 {
			t.Fatalf("%d are held", len(l.runs))
		}
	}
	list := l.fitting()
	if len(list.Runs) != bytesOfRuns/size || list.More != n-len(list.Runs) {
		t.Fatalf("%d are listed, %d more", len(list.Runs), list.More)
	}
	for i, r := range list.Runs {
		if r.ID != fmt.Sprint(n-1-i) {
			t.Errorf("run %d is %s", i, r.ID)
		}
	}
}

func (s *shop) requestsNew(w wire.Start) wire.Start {
	w.From, w.Key = nil, ""
	return w
}

// A user may have so many runs that are not over, and no more.
func TestUnfinishedRuns(t *testing.T) {
	s := openShop(t, time.Minute)
	s.unfinished = 2
	start := s.requests(t)["new"]
	submit := func() (string, error) { return s.Submit(t.Context(), "ada", start) }
	first, err := submit()
	if err != nil {
		t.Fatal(err)
	}
	start.Key = "second"
	if _, err := submit(); err != nil {
		t.Fatal(err)
	}
	if _, err := submit(); err != nil {
		t.Errorf("the second one, asked again: %v", err)
	}
	start.Key = ""
	if _, err := submit(); Status(err) != 429 || !strings.Contains(err.Error(), "2 runs") {
		t.Errorf("a third run: %v", err)
	}
	s.steer(t, first, "stop")
	if _, err := submit(); err != nil {
		t.Errorf("one of two is over: %v", err)
	}
	if err := s.ask(t, wire.Resume{Run: first}); Status(err) != 429 {
		t.Errorf("a third run is resumed: %v", err)
	}
}

// So is it for those that begin or are resumed at the same moment.
func TestUnfinishedAtOnce(t *testing.T) {
	s := openShop(t, time.Minute)
	start := s.requests(t)["new"]
	over := make([]string, 3)
	for i := range over {
		id, err := s.Submit(t.Context(), "ada", start)
		if err != nil {
			t.Fatal(err)
		}
		s.steer(t, id, "stop")
		over[i] = id
	}
	s.unfinished = 2
	for _, what := range []struct {
		name string
		n    int
		do   func(i int) error
	}{
		{"resumed", len(over), func(i int) error { return s.Resume(t.Context(), "ada", over[i]) }},
		{"begun", 8, func(i int) error {
			x := start
			x.Key = fmt.Sprint(i)
			_, err := s.Submit(t.Context(), "ada", x)
			return err
		}},
	} {
		var begun, refused atomic.Int32
		var all sync.WaitGroup
		for i := range what.n {
			all.Go(func() {
				switch err := what.do(i); Status(err) {
				case 200:
					begun.Add(1)
				case 429:
					refused.Add(1)
				default:
					t.Errorf("%s: %v", what.name, err)
				}
			})
		}
		all.Wait()
		if begun.Load() != 2 || int(refused.Load()) != what.n-2 {
			t.Errorf("of %d runs %d are %s, and may be 2; %d are refused", what.n, begun.Load(), what.name, refused.Load())
		}
		list, err := s.list(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if r.Status == Queued {
				s.steer(t, r.ID, "stop")
			}
		}
	}
}

// lookedAt is an object store that does something whenever somebody has looked whether a file is there.
type lookedAt struct {
	jetstream.ObjectStore
	then func(name string)
}

func (l *lookedAt) GetInfo(ctx context.Context, name string, o ...jetstream.GetObjectInfoOpt) (*jetstream.ObjectInfo, error) {
	info, err := l.ObjectStore.GetInfo(ctx, name, o...)
	l.then(name)
	return info, err
}

// readKeys is a bucket that does something whenever somebody has read from it.
type readKeys struct {
	jetstream.KeyValue
	then func(key string)
}

func (r *readKeys) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	e, err := r.KeyValue.Get(ctx, key)
	r.then(key)
	return e, err
}

// A file that is deleted just when it comes again, or when a run begins that names it, stays; or whoever relies on it hears that it is
// not there.
func TestForgetMeanwhile(t *testing.T) {
	s := openShop(t, time.Minute)
	content := []byte("the rows of two users")
	sum := sha256.Sum256(content)
	sha := hex.EncodeToString(sum[:])
	put := func(user string) {
		t.Helper()
		if _, whole, err := s.files.Put(t.Context(), user, sha, int64(len(content)), 0, bytes.NewReader(content)); err != nil || !whole {
			t.Fatal(whole, err)
		}
	}
	put("bob")
	bob := &Desk{Broker: s.Broker, Who: s.desk.Who}
	bob.Who.User = "bob"
	store, asked := s.Broker.files, 0
	s.Broker.files = &lookedAt{store, func(string) { // bob deletes while ada's upload finds his
		if asked++; asked == 1 {
			if _, err := bob.Ask(t.Context(), "delete", wire.Delete{Path: "files/" + sha}, nil); Status(err) != 409 {
				t.Errorf("a file that is just being sent is deleted: %v", err)
			}
		}
	}}
	put("ada")
	s.Broker.files = store
	if raw, err := store.GetBytes(t.Context(), sha); err != nil || !bytes.Equal(raw, content) || asked == 0 {
		t.Errorf("ada has sent it, and it is not there: %q, %v", raw, err)
	}
	if _, err := bob.Ask(t.Context(), "delete", wire.Delete{Path: "files/" + sha}, nil); err != nil {
		t.Errorf("nobody relies on it any more: %v", err)
	}

	start := s.requests(t)["new"]
	last := start.Places[1].Files[0].SHA256
	owned := s.owned
	s.owned = &readKeys{owned, func(key string) { // the same user deletes what their request was just found to name
		if strings.HasSuffix(key, last) {
			if err := s.ask(t, wire.Delete{Path: "files/" + last}); Status(err) != 409 {
				t.Errorf("a file that a run begins with is deleted: %v", err)
			}
		}
	}}
	id, err := s.Submit(t.Context(), "ada", start)
	s.owned = owned
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ask(t, wire.Delete{Path: "files/" + last}); Status(err) != 409 || !strings.Contains(err.Error(), id) {
		t.Errorf("a file that a run needs is deleted: %v", err)
	}
	s.gone(t, id)
	if err := s.ask(t, wire.Delete{Path: "files/" + last}); err != nil {
		t.Error(err)
	}
	if _, err := s.Submit(t.Context(), "ada", start); Status(err) != 409 {
		t.Errorf("a run begins with a file that was deleted: %v", err)
	}
}
