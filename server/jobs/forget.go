package jobs

import (
	"context"
	"errors"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/wire"
)

// reliance is who needs files that no record names yet: uploads that are being finished, and runs that are just beginning. The zero
// value has none.
type reliance struct {
	mu    sync.Mutex
	on    map[string]int           // by hash
	going map[string]chan struct{} // are being removed; closed when that is done
}

// rely keeps files from being removed until it is released. It waits for removals under way, which take moments.
func (r *reliance) rely(shas ...string) (release func()) {
	for _, sha := range shas {
		r.mu.Lock()
		for going := r.going[sha]; going != nil; going = r.going[sha] {
			r.mu.Unlock()
			<-going
			r.mu.Lock()
		}
		if r.on == nil {
			r.on = map[string]int{}
		}
		r.on[sha]++
		r.mu.Unlock()
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, sha := range shas {
			if r.on[sha]--; r.on[sha] == 0 {
				delete(r.on, sha)
			}
		}
	}
}

// remove calls f while nobody can rely on a file; somebody may do so now, then it is refused.
func (r *reliance) remove(sha string, f func() error) error {
	r.mu.Lock()
	if r.on[sha] > 0 || r.going[sha] != nil {
		r.mu.Unlock()
		return refuse(409, "This file is just being sent, or a run begins with it; ask again in a moment.")
	}
	if r.going == nil {
		r.going = map[string]chan struct{}{}
	}
	done := make(chan struct{})
	r.going[sha] = done
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.going, sha)
		r.mu.Unlock()
		close(done)
	}()
	return f()
}

// hashes are the contents of files.
func hashes(files ...[]wire.Blob) (all []string) {
	for _, list := range files {
		for _, f := range list {
			all = append(all, f.SHA256)
		}
	}
	return all
}

// reliedOn are the files that a request needs until its run has a record.
func reliedOn(s wire.Start) []string {
	var all []string
	for _, p := range s.Places {
		all = append(all, hashes(p.Files)...)
	}
	if s.From != nil {
		all = append(all, hashes(s.From.Files)...)
	}
	return all
}

// forget takes a file away from a user, and away altogether where nobody else has it.
func (b *Broker) forget(ctx context.Context, user, sha string) error {
	return b.blobs.remove(sha, func() error {
		if err := b.each(ctx, user, func(r *Record) error { return r.needs(sha) }); err != nil {
			return err
		}
		return b.disown(ctx, user, sha)
	})
}

// needs refuses to forget a file that the run needs.
func (r *Record) needs(sha string) error {
	for _, p := range r.Places {
		for _, f := range p.Files {
			if f.SHA256 == sha && r.Status != Done {
				return refuse(409, "Run %s, which is %s, needs this file (%s).", r.ID, r.Status, f.Path)
			}
		}
	}
	return nil
}

// disown is what is left of forget when the file may go.
func (b *Broker) disown(ctx context.Context, user, sha string) error {
	if err := b.owned.Purge(ctx, user+"."+sha); err != nil {
		return err
	}
	others, err := b.owned.ListKeysFiltered(ctx, "*."+sha)
	if err != nil {
		return err
	}
	left := 0
	for range others.Keys() {
		left++
	}
	if left > 0 {
		return nil
	}
	if err := b.files.Delete(ctx, sha); err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
		return err
	}
	return nil
}

// unpack forgets the files in which a run has come, which now lie where those of runs are: nobody has them twice.
func (b *Broker) unpack(ctx context.Context, user string, shas []string) error {
	keys, err := b.owned.ListKeysFiltered(ctx, user+".*")
	if err != nil {
		return err
	}
	owned := map[string]bool{}
	for k := range keys.Keys() {
		owned[k[len(user)+1:]] = true
	}
	for _, sha := range shas {
		if !owned[sha] {
			continue
		}
		owned[sha] = false
		var relied *Refusal // another run names it
		if err := b.forget(ctx, user, sha); err != nil && !errors.As(err, &relied) {
			return err
		}
	}
	return nil
}
