package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/data"
	"hone/core/hub"
	"hone/core/recipe"
	"hone/core/wire"
)

// ticket is the message of a job: the rest is in the record.
type ticket struct {
	User string `json:"user"`
	ID   string `json:"id"`
}

// Submit checks what a user wants to be done and puts it into the queue.
func (b *Broker) Submit(ctx context.Context, user string, s wire.Start) (string, error) {
	if s.Key != "" {
		if id, err := b.byKey(ctx, user, s.Key); err != nil || id != "" {
			return id, err
		}
	}
	if s.Priority < 0 || s.Priority >= priorities {
		return "", refuse(400, "A priority of %d; there are 0, 1 and 2.", s.Priority)
	}
	if len(s.Recipe) > maxRecipe {
		return "", refuse(413, "The recipe has %d bytes; up to %d are taken.", len(s.Recipe), maxRecipe)
	}
	r, err := recipe.FromJSON(s.Recipe)
	if err != nil {
		return "", refuse(400, "The recipe: %v", err)
	}
	if err := r.Validate(); err != nil {
		return "", refuse(400, "The recipe: %v", err)
	}
	sent, err := b.checkPlaces(ctx, user, s.Places)
	if err == nil {
		err = checkNames("The recipe", r, sent)
	}
	if err != nil {
		return "", err
	}
	rec := Record{User: user, Recipe: s.Recipe, Places: s.Places, Priority: s.Priority, Key: s.Key, Created: time.Now().UTC().Truncate(time.Second),
		Status: Queued, Model: label(r), Steps: max(r.MaxSteps, 0)}
	if s.From != nil {
		if err := b.checkFrom(ctx, user, s.From, sent); err != nil {
			return "", err
		}
		if !begins(s.From) {
			rec.Step, rec.State = s.From.Step, &State{Step: s.From.Step}
		}
	}
	if err := b.create(ctx, &rec, s.From); err != nil {
		return "", err
	}
	if s.Paused {
		if _, err := b.wanted.PutString(ctx, keyOf(user, rec.ID), "pause"); err != nil {
			return "", fmt.Errorf("jobs: run %s: %w", rec.ID, err)
		}
	}
	return rec.ID, b.enqueueAgain(ctx, &rec)
}

// label is what runs of a recipe are filed under.
func label(r recipe.Recipe) string {
	name := r.ModelType
	if name == "" {
		name = path.Base(strings.ReplaceAll(r.Model, `\`, "/"))
	}
	name = strings.Map(func(c rune) rune {
		if c < ' ' || strings.ContainsRune(`/\:*?"<>|`, c) {
			return '_'
		}
		return c
	}, strings.TrimLeft(name, "."))
	if name == "" {
		return "model"
	}
	for len(name) > 100 { // between two characters: half of one would be another id in the record's JSON than in its key
		_, last := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-last]
	}
	return name
}

// checkPlaces sees to it that the files of places were sent. It gives the names that stand for them.
func (b *Broker) checkPlaces(ctx context.Context, user string, places []wire.Place) (sent map[string]bool, err error) {
	sent = map[string]bool{}
	for _, p := range places {
		if len(p.Files) == 0 || !p.Folder && len(p.Files) != 1 {
			return nil, refuse(400, "%.100q stands for %d files.", p.Name, len(p.Files))
		}
		if err := b.checkBlobs(ctx, user, p.Name, p.Files); err != nil {
			return nil, err
		}
		sent[p.Name] = true
	}
	return sent, nil
}

// checkNames sees to it that a recipe names nothing of this server: what it names was sent, or is on a hub.
func checkNames(what string, r recipe.Recipe, sent map[string]bool) error {
	names := []string{r.Model, r.ModelType, r.Adapter}
	if r.Model != "" {
		names[1] = "" // then it is only a label
	}
	for _, list := range [][]string{r.Dataset, r.ValDataset} {
		for _, entry := range list {
			name, _, err := data.ParseSpec(entry)
			if err != nil {
				return refuse(400, "%s: %v", what, err)
			}
			names = append(names, name)
		}
	}
	for _, name := range names {
		if name != "" && !sent[name] && !hub.IsName(name) {
			return refuse(400, "%s names %.200q, which was not sent and is no id of a hub.", what, name)
		}
	}
	return nil
}

// create gives a run its id and writes its record, and of one that was brought the files and what happened before.
func (b *Broker) create(ctx context.Context, r *Record, from *wire.Carried) error {
	now := r.Created
	for n := 0; ; n++ {
		if r.ID = fmt.Sprintf("%s/v%d-%s", r.Model, n, now.Format("20060102-150405")); from != nil {
			r.ID = from.Run
		}
		if from != nil {
			if err := b.adopt(ctx, r, from); err != nil {
				return err
			}
		}
		raw, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = b.runs.Create(ctx, keyOf(r.User, r.ID), raw)
		if err == nil {
			break
		}
		if !changedMeanwhile(err) {
			return fmt.Errorf("jobs: writing run %s: %w", r.ID, err)
		}
		if from != nil {
			return b.takeBack(ctx, r)
		}
	}
	if from != nil {
		if err := b.tellPast(ctx, r); err != nil {
			return err
		}
	}
	return b.say(ctx, r.User, r.ID, wire.Queued{Step: r.Step})
}

// byKey finds the run that a request has made before.
func (b *Broker) byKey(ctx context.Context, user, key string) (string, error) {
	all, err := b.list(ctx, user)
	if err != nil {
		return "", err
	}
	for _, r := range all {
		if r.Key == key {
			return r.ID, nil
		}
	}
	return "", nil
}

func jobSubject(r *Record) string { return fmt.Sprintf("jobs.%d.%s", r.Priority, keyOf(r.User, r.ID)) }

// enqueueAgain does it for a run that is over: its worker may be just about to take the old message out of the queue. If that
// one stays, its worker has died in between, and the message will find the next one by itself.
func (b *Broker) enqueueAgain(ctx context.Context, r *Record) error {
	for began := time.Now(); ; {
		err := b.enqueue(ctx, r)
		if !errors.Is(err, errQueued) {
			return err
		}
		if time.Since(began) > 5*time.Second {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// errQueued says that a run has its message in the queue already.
var errQueued = errors.New("it is in the queue")

// enqueue puts a run's message into the queue.
func (b *Broker) enqueue(ctx context.Context, r *Record) error {
	raw, err := json.Marshal(ticket{r.User, r.ID})
	if err != nil {
		return err
	}
	_, err = b.js.Publish(ctx, jobSubject(r), raw)
	var api *jetstream.APIError
	if errors.As(err, &api) && strings.Contains(api.Description, "maximum messages per subject") {
		return errQueued
	}
	if err != nil {
		return fmt.Errorf("jobs: queueing run %s: %w", r.ID, err)
	}
	return nil
}

// Resume lets a run that is over go on from its last State.
func (b *Broker) Resume(ctx context.Context, user, id string) error {
	r, err := b.update(ctx, user, id, func(r *Record) error {
		if r.Status == Done {
			return refuse(409, "Run %s is done.", id)
		}
		if !over(r.Status) {
			return errUnchanged
		}
		r.Status, r.Reason, r.Ending, r.Fruitless, r.Until = Queued, "", nil, 0, 0
		return nil
	})
	if err != nil {
		return err
	}
	if err := b.wanted.Purge(ctx, keyOf(user, id)); err != nil {
		return err
	}
	if r.Status != Queued {
		return nil
	}
	if err := b.say(ctx, user, id, wire.Queued{Step: r.Step, Reason: "resumed"}); err != nil {
		return err
	}
	return b.enqueueAgain(ctx, r)
}

// Want tells whoever works on a run, now or later, what its user wants: pause, continue or stop.
func (b *Broker) Want(ctx context.Context, user, id, what string) error {
	r, _, err := b.get(ctx, user, id)
	if err != nil {
		return err
	}
	if over(r.Status) {
		return refuse(409, "Run %s is %s; nobody works on it.", id, r.Status)
	}
	key := keyOf(user, id)
	switch what {
	case "continue":
		if err := b.wanted.Purge(ctx, key); err != nil {
			return err
		}
		return b.attend(ctx, user, id)
	case "stop":
		if ended, err := b.cancel(ctx, user, id); err != nil || ended {
			return err
		}
	}
	if _, err := b.wanted.PutString(ctx, key, what); err != nil {
		return fmt.Errorf("jobs: run %s: %w", id, err)
	}
	return b.attend(ctx, user, id)
}

// cancel ends a run that nobody works on: it may be long until a worker takes it, and that one finds that it is over.
func (b *Broker) cancel(ctx context.Context, user, id string) (ended bool, err error) {
	r, err := b.update(ctx, user, id, func(r *Record) error {
		if ended = r.Status == Queued || r.Released; !ended {
			return errUnchanged
		}
		r.end(Stopped, "", wire.Finished{Step: r.Step, Stopped: "stopped"})
		return nil
	})
	if err != nil || !ended {
		return false, err
	}
	return true, errors.Join(b.tellEnding(ctx, r), b.wanted.Purge(ctx, keyOf(user, id)))
}

// wants is what the user of a run wants of it; "" is that it goes on.
func (b *Broker) wants(ctx context.Context, user, id string) (string, error) {
	e, err := b.wanted.Get(ctx, keyOf(user, id))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return string(e.Value()), nil
}

// Sweep puts runs back into the queue whose message was lost between two writes when a process died, and goes on with deletions that
// were cut short. A server does it at start and then from time to time.
func (b *Broker) Sweep(ctx context.Context) error {
	all, err := b.records(ctx, "*")
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Going {
			if err := b.deleteRest(ctx, r); err != nil {
				return err
			}
			continue
		}
		if over(r.Status) {
			continue
		}
		if r.Released {
			if err := b.attend(ctx, r.User, r.ID); err != nil {
				return err
			}
			continue
		}
		if _, err := b.jobs.GetLastMsgForSubject(ctx, jobSubject(r)); errors.Is(err, jetstream.ErrMsgNotFound) {
			if err := b.enqueue(ctx, r); err != nil && !errors.Is(err, errQueued) {
				return err
			}
		} else if err != nil {
			return err
		}
	}
	return nil
}
