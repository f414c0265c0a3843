package jobs

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/wire"
)

// What who runs a server may do with everybody's runs and files.

// All are the records of all users, slim, the newest first.
func (b *Broker) All(ctx context.Context) ([]*Record, error) {
	workers, err := b.Workers(ctx)
	if err != nil {
		return nil, err
	}
	at := under(workers)
	var all []*Record
	err = b.each(ctx, "*", func(r *Record) error {
		r.hear(at)
		all = append(all, r.slim())
		return nil
	})
	slices.SortFunc(all, func(x, y *Record) int {
		if c := y.Created.Compare(x.Created); c != 0 {
			return c
		}
		return strings.Compare(y.ID, x.ID)
	})
	return all, err
}

// Record is that of one run.
func (b *Broker) Record(ctx context.Context, user, id string) (*Record, error) {
	r, _, err := b.get(ctx, user, id)
	return r, err
}

// Kill takes a run away from whoever works on it, at once: what was done since its last State is lost. It can be resumed.
func (b *Broker) Kill(ctx context.Context, user, id string) error {
	_, err := b.update(ctx, user, id, func(r *Record) error {
		if over(r.Status) {
			return refuse(409, "Run %s is %s.", id, r.Status)
		}
		r.past("killed by who runs the server")
		r.Attempt++ // whoever works on it finds out with the next thing that it writes
		r.end(Stopped, "killed by who runs the server", wire.Finished{Step: r.Step, Stopped: "stopped"})
		return nil
	})
	if err != nil {
		return err
	}
	return b.ended(ctx, user, id)
}

// Users are all that have something here, by name.
func (b *Broker) Users(ctx context.Context) ([]string, error) {
	seen := map[string]bool{}
	for _, of := range []jetstream.KeyValue{b.runs, b.owned} {
		keys, err := of.ListKeysFiltered(ctx, "*.*")
		if err != nil {
			return nil, err
		}
		for k := range keys.Keys() {
			user, _, _ := strings.Cut(k, ".")
			seen[user] = true
		}
	}
	var names []string
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Clear deletes the runs of a user that are over and the files that none of the others needs. It counts what it has deleted.
func (b *Broker) Clear(ctx context.Context, user string) (runs, files int, err error) {
	var ended []string
	err = b.each(ctx, user, func(r *Record) error {
		if over(r.Status) {
			ended = append(ended, r.ID)
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	for _, id := range ended {
		if err := b.Delete(ctx, user, id); err != nil {
			return runs, files, err
		}
		runs++
	}
	keys, err := b.owned.ListKeysFiltered(ctx, user+".*")
	if err != nil {
		return runs, files, err
	}
	var sent []string
	for k := range keys.Keys() {
		sent = append(sent, k[len(user)+1:])
	}
	for _, sha := range sent {
		err := b.forget(ctx, user, sha)
		var needed *Refusal
		if errors.As(err, &needed) {
			continue
		}
		if err != nil {
			return runs, files, err
		}
		files++
	}
	return runs, files, nil
}
