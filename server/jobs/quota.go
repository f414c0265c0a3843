package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Limits bound what a user may keep on a server.
type Limits struct {
	File  int64 // bytes of one file
	User  int64 // bytes of all files and runs of one user
	Files int   // of one user, whole or in part: small ones take more than their bytes; 0: any number
	Free  int64 // bytes of the disk that stay free: below it nothing is taken and no run begins, while those under way go on storing
}

// DefaultLimits hold a model of 7 billion parameters in 16 bits.
var DefaultLimits = Limits{File: 20 << 30, User: 50 << 30, Files: 100_000, Free: 1 << 30}

// DefaultUnfinished is how many runs of one user may wait, go on or be paused.
const DefaultUnfinished = 100

// A run takes room beside its State, also when it is over: its record, and events, keys and messages, for which there is a lump sum. The
// lists that its user is shown, and what is counted, go through all of them.
const (
	perRun  = 64 << 10
	maxRuns = 10_000 // of one user
)

// weight is how many bytes of its user's quota a run takes.
func (r *Record) weight() int64 { return r.State.Bytes() + r.size + perRun }

// Quota is how many bytes a user may keep.
func (f *Files) Quota(user string) int64 {
	if f.QuotaOf != nil {
		if n := f.QuotaOf(user); n > 0 {
			return n
		}
	}
	return f.limit.User
}

// room refuses so many bytes more where the disk has none for them.
func (f *Files) room(more int64) error {
	if free, _ := f.Free(); free >= 0 && free-more < f.limit.Free {
		return refuse(507, "The disk of this server is nearly full: %d bytes are free, and %d of them stay so. Whoever looks after the server has to make room.", free, f.limit.Free)
	}
	return nil
}

// Used is how many bytes a user has on the server: files, those that have come in part, and runs.
func (b *Broker) Used(ctx context.Context, user string) (int64, error) {
	used, _, err := b.usage(ctx, user)
	return used, err
}

// usage is Used, and the number of files, whole or in part.
func (b *Broker) usage(ctx context.Context, user string) (used int64, files int, err error) {
	w, err := b.owned.Watch(ctx, user+".*", jetstream.IgnoreDeletes())
	if err != nil {
		return 0, 0, fmt.Errorf("jobs: the files of %s: %w", user, err)
	}
	defer w.Stop()
	if b.spool != "" {
		dir := filepath.Join(b.spool, user)
		used = sizeOf(dir)
		parts, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, 0, fmt.Errorf("jobs: the files of %s: %w", user, err)
		}
		files = len(parts)
	}
	for {
		select {
		case e := <-w.Updates():
			if e == nil {
				err := b.each(ctx, user, func(r *Record) error {
					used += r.weight()
					return nil
				})
				return used, files, err
			}
			var o own
			if err := json.Unmarshal(e.Value(), &o); err != nil {
				return 0, 0, err
			}
			used += o.Size
			files++
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
}

// oneMore keeps two requests of a user from being the last that may begin: it holds others back from mayBegin until the record is written that
// they have to count. Another server with the same engine does not see it.
func (b *Broker) oneMore(user string) (begun func()) { return b.starting.lock("user " + user) }

// mayBegin refuses one run more of a user who has too many that are not over, or who has filled what is theirs already.
func (b *Broker) mayBegin(ctx context.Context, user string) error {
	if b.room != nil {
		if err := b.room(0); err != nil {
			return err
		}
	}
	if b.quota != nil {
		used, err := b.Used(ctx, user)
		if err != nil {
			return err
		}
		if most := b.quota(user); used > most {
			return refuse(507, "You have %d bytes on this server and may have %d. Delete runs or files you no longer need.", used, most)
		}
	}
	n, all := 0, 0
	err := b.each(ctx, user, func(r *Record) error {
		if all++; !over(r.Status) {
			n++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if all > maxRuns {
		return refuse(507, "You have %d runs on this server, and may have %d. Delete some that you no longer need.", all, maxRuns)
	}
	if most := b.Unfinished(user); n >= most {
		return refuse(429, "You have %d runs on this server that are not over, and may have %d; wait for some of them, or stop them.", n, most)
	}
	return nil
}

// Unfinished is how many runs of a user may wait, go on or be paused.
func (b *Broker) Unfinished(user string) int {
	if b.unfinishedOf != nil {
		if n := b.unfinishedOf(user); n > 0 {
			return n
		}
	}
	return b.unfinished
}

// unfinishedUpload is how long a file that has come in part is kept after its last piece.
const unfinishedUpload = 3 * 24 * time.Hour

// Sweep removes uploads that nobody has gone on with.
func (f *Files) Sweep() error {
	return filepath.WalkDir(f.spool, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		user, sha := filepath.Base(filepath.Dir(path)), strings.TrimSuffix(e.Name(), ".part")
		release, ok := f.hold(user + "." + sha)
		if !ok {
			return nil
		}
		defer release()
		st, err := e.Info()
		if err == nil && time.Since(st.ModTime()) > unfinishedUpload {
			err = os.Remove(path)
		}
		if errors.Is(err, fs.ErrNotExist) { // it has just become whole
			return nil
		}
		return err
	})
}
