package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// kept is a checkpoint that is stored: an entry of its own, so that a save writes what is new, however many checkpoints there are.
// It is written when its files are there, and before the record that names its step as the State. One that lies behind the State is
// of a worker that died in between, and is none.
type kept struct {
	Attempt int         `json:"attempt"` // of whoever has written it; one with a lower number may not
	Files   []wire.Blob `json:"files"`
	Shared  bool        `json:"shared,omitempty"` // its objects are named as those of records of the first form, which checkpoints share

	step     int
	revision uint64
}

func bytesOf(files []wire.Blob) (n int64) {
	for _, f := range files {
		n += f.Size
	}
	return n
}

func keptKey(user, id string, step int) string { return keyOf(user, id) + "." + strconv.Itoa(step) }

// object is the name of a checkpoint's file. Checkpoints share none: one that goes takes nothing from others, and nobody has to count.
func (k *kept) object(user, id, sha string) string {
	if k.Shared {
		return stateObject(user, id, sha)
	}
	return keptKey(user, id, k.step) + "." + sha
}

// checkpointOf is the step of the checkpoint that a path of a run directory leads into.
func checkpointOf(path string) (step int, ok bool) {
	top, _, nested := strings.Cut(path, "/")
	step, ok = checkpoint.StepOf(top)
	return step, ok && nested
}

func readKept(e jetstream.KeyValueEntry) (*kept, error) {
	k := &kept{revision: e.Revision()}
	err := json.Unmarshal(e.Value(), k)
	if err == nil {
		k.step, err = strconv.Atoi(e.Key()[strings.LastIndexByte(e.Key(), '.')+1:])
	}
	if err != nil {
		return nil, fmt.Errorf("jobs: the checkpoint %s: %w", e.Key(), err)
	}
	return k, nil
}

// checkpoint reads an entry; nil is that there is none.
func (b *Broker) checkpoint(ctx context.Context, user, id string, step int) (*kept, error) {
	e, err := b.checkpoints.Get(ctx, keptKey(user, id, step))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("jobs: checkpoint %d of run %s: %w", step, id, err)
	}
	return readKept(e)
}

// eachCheckpoint calls f with all entries of a run, in no order.
func (b *Broker) eachCheckpoint(ctx context.Context, user, id string, f func(*kept) error) error {
	w, err := b.checkpoints.Watch(ctx, keyOf(user, id)+".*", jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("jobs: the checkpoints of run %s: %w", id, err)
	}
	defer w.Stop()
	for {
		select {
		case e := <-w.Updates():
			if e == nil { // that is all that there is now
				return nil
			}
			k, err := readKept(e)
			if err == nil {
				err = f(k)
			}
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// keep writes an entry. It gives the one that stood there before.
func (b *Broker) keep(ctx context.Context, user, id string, k *kept) (before *kept, err error) {
	raw, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	key := keptKey(user, id, k.step)
	for {
		if before, err = b.checkpoint(ctx, user, id, k.step); err != nil {
			return nil, err
		}
		switch {
		case before == nil:
			k.revision, err = b.checkpoints.Create(ctx, key, raw)
		case before.Attempt > k.Attempt:
			return nil, errFenced
		default:
			k.revision, err = b.checkpoints.Update(ctx, key, raw, before.revision)
		}
		if err == nil {
			return before, nil
		}
		if !changedMeanwhile(err) {
			return nil, fmt.Errorf("jobs: writing checkpoint %d of run %s: %w", k.step, id, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// unlist removes an entry, and leaves no mark of it, as Delete would.
func (b *Broker) unlist(ctx context.Context, user, id string, step int) error {
	stream, err := b.js.Stream(ctx, "KV_checkpoints")
	if err == nil {
		err = stream.Purge(ctx, jetstream.WithPurgeSubject("$KV.checkpoints."+keptKey(user, id, step)))
	}
	if err != nil {
		return fmt.Errorf("jobs: removing checkpoint %d of run %s: %w", step, id, err)
	}
	return nil
}

// inEntries gives the checkpoints in a record of the first form, which named their files itself, entries of their own. The record's
// files are then the run's own alone. Who calls it has the run.
func (b *Broker) inEntries(ctx context.Context, r *Record) error {
	if r.State == nil {
		return nil
	}
	own, of := r.State.divide()
	for step, files := range of {
		k := &kept{Attempt: r.Attempt, Files: files, Shared: true, step: step}
		if _, err := b.keep(ctx, r.User, r.ID, k); err != nil {
			return err
		}
	}
	if len(of) == 0 {
		return nil
	}
	now, err := b.update(ctx, r.User, r.ID, func(now *Record) error {
		if now.Attempt != r.Attempt || over(now.Status) {
			return errFenced
		}
		now.State.Kept += bytesOf(now.State.Files) - bytesOf(own)
		now.State.Files = own
		return nil
	})
	if err == nil {
		*r = *now
	}
	return err
}

// divide tells the run's own files from those of checkpoints.
func (s *State) divide() (own []wire.Blob, of map[int][]wire.Blob) {
	of = map[int][]wire.Blob{}
	for _, f := range s.Files {
		if step, ok := checkpointOf(f.Path); ok {
			of[step] = append(of[step], f)
		} else {
			own = append(own, f)
		}
	}
	return own, of
}

// carry tells all files of a run as of its State: those of older checkpoints while they are read, so that nobody holds all of a
// long list, and the newest at the end.
func (b *Broker) carry(ctx context.Context, user, id string, part func(string, json.RawMessage)) (wire.Carried, error) {
	for range 10 {
		r, _, err := b.get(ctx, user, id)
		if err != nil {
			return wire.Carried{}, err
		}
		if r.State == nil {
			return wire.Carried{}, refuse(409, "Run %s has no State yet; wait until its first step is saved.", id)
		}
		c := wire.Carried{Run: r.ID, Step: r.State.Step, Recipe: r.Recipe, Places: r.Places}
		add := func(files []wire.Blob) error {
			c.Files = append(c.Files, files...)
			for ; part != nil && len(c.Files) > blobsInFrame; c.Files = c.Files[blobsInFrame:] {
				raw, err := json.Marshal(wire.Blobs{Files: c.Files[:blobsInFrame]})
				if err != nil {
					return err
				}
				part("blobs", raw)
			}
			return nil
		}
		last, err := b.checkpoint(ctx, user, id, r.State.Step)
		if err != nil {
			return wire.Carried{}, err
		}
		if _, of := r.State.divide(); last == nil && of[r.State.Step] == nil {
			continue // it was the State when the record was read, and a newer one has taken its place
		}
		err = b.eachCheckpoint(ctx, user, id, func(k *kept) error {
			if k.step >= r.State.Step || slices.Contains(r.State.Gone, k.step) {
				return nil
			}
			return add(k.Files)
		})
		if err == nil && last != nil {
			err = add(last.Files)
		}
		if err == nil {
			err = add(r.State.Files)
		}
		return c, err
	}
	return wire.Carried{}, refuse(503, "Run %s saves faster than its files can be listed; pause it, or ask again.", id)
}
