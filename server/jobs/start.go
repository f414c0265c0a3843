package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"hone/core/data"
	"hone/core/hub"
	"hone/core/recipe"
	"hone/core/wire"
)

// A run begins with its record, which says that it arrives; what else belongs to a begin is done by whoever finds it so: Submit, who asks
// again after an interruption, or Sweep. Who asks with a key claims the id of the run first, so that asking again finds it.

// claim says which run a user's key stands for.
type claim struct {
	Run   string `json:"run"`
	Begun bool   `json:"begun,omitempty"` // it has a record, or had one before it was deleted

	revision uint64
}

func claimKey(user, key string) string {
	sum := sha256.Sum256([]byte(key))
	return user + "." + hex.EncodeToString(sum[:])
}

// claimOf reads one; nil is that there is none.
func (b *Broker) claimOf(ctx context.Context, user, key string) (*claim, error) {
	e, err := b.starts.Get(ctx, claimKey(user, key))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("jobs: what was asked for before: %w", err)
	}
	c := &claim{revision: e.Revision()}
	return c, json.Unmarshal(e.Value(), c)
}

// claim has a key stand for a run, in the place of what it held, unless somebody else was quicker. It gives what the key stands for now.
func (b *Broker) claim(ctx context.Context, user, key, id string, held *claim) (*claim, error) {
	for {
		c := &claim{Run: id}
		raw, err := json.Marshal(c)
		if err != nil {
			return nil, err
		}
		if held == nil {
			c.revision, err = b.starts.Create(ctx, claimKey(user, key), raw)
		} else {
			c.revision, err = b.starts.Update(ctx, claimKey(user, key), raw, held.revision)
		}
		if err == nil {
			return c, nil
		}
		if !changedMeanwhile(err) {
			return nil, fmt.Errorf("jobs: claiming run %s: %w", id, err)
		}
		if c, err := b.claimOf(ctx, user, key); err != nil || c != nil {
			return c, err
		}
		held = nil
	}
}

// begun finds the run that a request has begun before; "" is none.
func (b *Broker) begun(ctx context.Context, user, key string) (id string, err error) {
	c, err := b.claimOf(ctx, user, key)
	if err != nil || c == nil {
		return "", err
	}
	if !c.Begun {
		r, _, err := b.record(ctx, user, c.Run)
		var none *NotFound
		if errors.As(err, &none) || err == nil && r.Key != key { // it has only its name, or somebody else has
			return "", nil
		}
		if err != nil {
			return "", err
		}
	}
	return c.Run, nil
}

// Submit checks what a user wants to be done and puts it into the queue; with a key only once, and then it gives the same run again.
func (b *Broker) Submit(ctx context.Context, user string, s wire.Start) (string, error) {
	if len(s.Key) > maxKey {
		return "", refuse(413, "The key of a request has %d bytes; up to %d are taken.", len(s.Key), maxKey)
	}
	if s.Key != "" {
		defer b.starting.lock(user + "/" + s.Key)()
		if id, err := b.again(ctx, user, s); err != nil || id != "" {
			return id, err
		}
	}
	id, err := b.begin(ctx, user, s)
	if err == nil {
		b.arriveOrLater(ctx, user, id)
		return id, nil
	}
	if s.Key != "" { // another server may have been quicker, and have taken what it was sent in
		if id, err := b.again(ctx, user, s); err == nil && id != "" {
			return id, nil
		}
	}
	return "", err
}

// again answers a request that has begun its run before; "" is that it has not.
func (b *Broker) again(ctx context.Context, user string, s wire.Start) (id string, err error) {
	if id, err = b.begun(ctx, user, s.Key); err != nil || id == "" {
		return "", err
	}
	b.arriveOrLater(ctx, user, id)
	if s.From != nil { // it may have been sent again
		if err := b.unpack(ctx, user, hashes(s.From.Files)); err != nil {
			b.log.Warn("what a run was sent in stays beside it", "user", user, "run", id, "error", err)
		}
	}
	return id, nil
}

// arriveOrLater is arrive for who asks for the begin. Once a run has its record, it goes on here whatever fails, and nobody may hear that it
// does not: they would go on with it elsewhere.
func (b *Broker) arriveOrLater(ctx context.Context, user, id string) {
	if err := b.arrive(ctx, user, id); err != nil {
		b.log.Warn("a run has not quite arrived yet; the server will see to it", "user", user, "run", id, "error", err)
	}
}

// begin writes the record of a run. Until it names the files that the run needs, these stay.
func (b *Broker) begin(ctx context.Context, user string, s wire.Start) (id string, err error) {
	defer b.blobs.rely(reliedOn(s)...)()
	defer b.oneMore(user)()
	if err := b.mayBegin(ctx, user); err != nil {
		return "", err
	}
	rec, err := b.check(ctx, user, s)
	if err != nil {
		return "", err
	}
	return rec.ID, b.create(ctx, rec, s.From)
}

// check makes the record of a run, which has no id yet.
func (b *Broker) check(ctx context.Context, user string, s wire.Start) (*Record, error) {
	if s.Priority < 0 || s.Priority >= priorities {
		return nil, refuse(400, "A priority of %d; there are 0, 1 and 2.", s.Priority)
	}
	if len(s.Recipe) > maxRecipe {
		return nil, refuse(413, "The recipe has %d bytes; up to %d are taken.", len(s.Recipe), maxRecipe)
	}
	r, err := recipe.FromJSON(s.Recipe)
	if err != nil {
		return nil, refuse(400, "The recipe: %v", err)
	}
	if err := r.Validate(); err != nil {
		return nil, refuse(400, "The recipe: %v", err)
	}
	sent, err := b.checkPlaces(ctx, user, s.Places)
	if err == nil {
		err = checkNames("The recipe", r, sent)
	}
	if err != nil {
		return nil, err
	}
	rec := &Record{User: user, Recipe: s.Recipe, Places: s.Places, Priority: s.Priority, Key: s.Key, Created: time.Now().UTC().Truncate(time.Second),
		Arrives: true, Pause: s.Paused, Quota: b.allowed(user), Status: Queued, Model: label(r), Steps: max(r.MaxSteps, 0)}
	if s.From != nil {
		if err := b.checkFrom(ctx, user, s.From, sent); err != nil {
			return nil, err
		}
		if !begins(s.From) {
			rec.Step, rec.State = s.From.Step, &State{Step: s.From.Step}
		}
	}
	return rec, nil
}

// create gives a run its id and writes its record, and of one that was brought the files before.
func (b *Broker) create(ctx context.Context, r *Record, from *wire.Carried) error {
	var held *claim
	for n := 0; ; n++ {
		if r.ID = fmt.Sprintf("%s/v%d-%s", r.Model, n, r.Created.Format("20060102-150405")); from != nil {
			r.ID = from.Run
		}
		if r.Key != "" {
			var err error
			if held, err = b.claim(ctx, r.User, r.Key, r.ID, held); err != nil {
				return err
			}
			r.ID = held.Run // of a request that was cut short, or is being answered elsewhere
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
		there, _, err := b.record(ctx, r.User, r.ID)
		if err == nil && r.Key != "" && there.Key == r.Key {
			break
		}
		if from != nil {
			if err := b.takeBack(ctx, r, from); err != nil {
				return err
			}
			break
		}
	}
	if held == nil {
		return nil
	}
	raw, err := json.Marshal(claim{Run: r.ID, Begun: true})
	if err == nil {
		_, err = b.starts.Put(ctx, claimKey(r.User, r.Key), raw)
	}
	if err != nil { // the record has the key too, as long as the run is there
		b.log.Warn("the key of a run does not say that it has begun", "user", r.User, "run", r.ID, "error", err)
	}
	return nil
}

// arrive does what belongs to the begin of a run beside its record: what its user wants of it, the events, the message in the queue. What
// a run was sent in is not needed any more.
func (b *Broker) arrive(ctx context.Context, user, id string) error {
	defer b.starting.lock("run " + user + "/" + id)()
	r, _, err := b.get(ctx, user, id)
	var gone *NotFound
	if errors.As(err, &gone) { // it may be deleted
		return nil
	}
	if err != nil {
		return err
	}
	if !r.Arrives {
		if r.Status == Queued { // the message alone may be missing
			err = b.enqueue(ctx, r)
		}
		if errors.Is(err, errQueued) {
			err = nil
		}
		return err
	}
	switch {
	case over(r.Status): // its user was quicker
	case r.Pause:
		_, err = b.wanted.PutString(ctx, keyOf(user, id), "pause")
	default:
		err = b.wanted.Purge(ctx, keyOf(user, id))
	}
	if err == nil && !over(r.Status) {
		err = b.announce(ctx, r)
	}
	if err != nil {
		return err
	}
	if r.State != nil {
		sent := hashes(r.State.Files)
		err = b.eachCheckpoint(ctx, user, id, func(k *kept) error {
			sent = append(sent, hashes(k.Files)...)
			return nil
		})
		if err == nil {
			err = b.unpack(ctx, user, sent)
		}
		if err != nil {
			return err
		}
	}
	mine := false
	r, err = b.update(ctx, user, id, func(r *Record) error {
		if mine = r.Arrives; !mine {
			return errUnchanged
		}
		r.Arrives, r.Sweeps = false, 0
		return nil
	})
	if err != nil || !mine {
		return err
	}
	return b.enqueueAgain(ctx, r)
}

// announce tells what has happened in a run that was brought, and that it waits.
func (b *Broker) announce(ctx context.Context, r *Record) error {
	for {
		last, err := b.lastEvent(ctx, r.User, r.ID)
		if err != nil || last.frame.Name == "queued" {
			return err
		}
		j := &journal{b: b, user: r.User, run: r.ID, by: nuid.Next(), seq: last.frame.Seq, last: last.at}
		err = b.tellPast(ctx, r, j)
		if err == nil {
			err = j.event(ctx, wire.Queued{Step: r.Step})
		}
		if !errors.Is(err, errFenced) { // otherwise somebody else does the same
			return err
		}
	}
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

// What of a request stands in the record of a run is bounded, as its recipe is.
const (
	maxPlaces = 1000
	maxName   = 4096 // bytes of a place's name, which is a path where it comes from
	maxKey    = 256  // bytes
)

// checkPlaces sees to it that the files of places were sent. It gives the names that stand for them.
func (b *Broker) checkPlaces(ctx context.Context, user string, places []wire.Place) (sent map[string]bool, err error) {
	if len(places) > maxPlaces {
		return nil, refuse(413, "The run was sent %d files and folders under names of their own; up to %d are taken.", len(places), maxPlaces)
	}
	sent = map[string]bool{}
	for _, p := range places {
		if len(p.Name) > maxName {
			return nil, refuse(413, "%.100q… is a name of %d bytes; up to %d are taken.", p.Name, len(p.Name), maxName)
		}
		if len(p.Files) == 0 || !p.Folder && len(p.Files) != 1 {
			return nil, refuse(400, "%.100q stands for %d files.", p.Name, len(p.Files))
		}
		if err := b.checkBlobs(ctx, user, p.Name, p.Files, nil); err != nil {
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
