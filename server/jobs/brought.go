package jobs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/checkpoint"
	"hone/core/move"
	"hone/core/recipe"
	"hone/core/wire"
)

// maxRecipe is the largest recipe that is taken, in bytes: lists of runs have them too.
const maxRecipe = 256 << 10

// What a run that is brought may have of its own beside its recipe, in bytes. Servers and workers read these files, and the events that are
// made of a log are stored beside it.
const (
	maxLog      = 64 << 20 // a quarter of a million steps
	maxManifest = 1 << 20
	maxLine     = 64 << 10 // of a log; a longer one tells nothing
)

// checkFrom looks at a run that is brought from elsewhere, with the names of what was sent for it.
func (b *Broker) checkFrom(ctx context.Context, user string, c *wire.Carried, sent map[string]bool) error {
	if !move.IsID(c.Run) || c.Step < 0 {
		return refuse(400, "%.100q at step %d is no run; ids are like my-model/v0-20260131-120000.", c.Run, c.Step)
	}
	if begins(c) {
		return nil
	}
	var args wire.Blob
	need := map[string]bool{checkpoint.ArgsFile: false, fmt.Sprintf("checkpoint-%d/%s", c.Step, checkpoint.StateFile): false}
	for _, f := range c.Files {
		if step, of := checkpointOf(f.Path); !of && strings.Contains(f.Path, "/") || step > c.Step {
			return refuse(400, "Run %s at step %d: the file %.100q is no part of it.", c.Run, c.Step, f.Path)
		}
		most := f.Size
		switch {
		case f.Path == checkpoint.ArgsFile:
			args, most = f, maxRecipe
		case f.Path == checkpoint.LogFile:
			most = maxLog
		case !strings.Contains(f.Path, "/"):
			most = maxManifest
		}
		if f.Size > most {
			return refuse(413, "Run %s: its %.100q has %d bytes; up to %d are taken.", c.Run, f.Path, f.Size, most)
		}
		if _, ok := need[f.Path]; ok {
			need[f.Path] = true
		}
	}
	for name, ok := range need {
		if !ok {
			return refuse(400, "Run %s at step %d has no %s; it cannot go on without.", c.Run, c.Step, name)
		}
	}
	held, err := b.held(ctx, user, c.Run)
	if err != nil {
		return err
	}
	if err := b.checkBlobs(ctx, user, "run "+c.Run, c.Files, held); err != nil {
		return err
	}
	return b.checkArgs(ctx, c.Run, args, sent)
}

// checkArgs looks at the recipe that a run brings in its directory: it is what the run goes on with, whatever the recipe says that is
// sent beside it.
func (b *Broker) checkArgs(ctx context.Context, id string, args wire.Blob, sent map[string]bool) error {
	ctx, cancel := context.WithTimeout(ctx, transferTime(args.Size))
	defer cancel()
	raw, err := b.files.GetBytes(ctx, args.SHA256)
	if err != nil {
		return fmt.Errorf("jobs: %s of run %s: %w", args.Path, id, err)
	}
	what := fmt.Sprintf("Run %s: its %s", id, args.Path)
	r, err := recipe.FromJSON(raw)
	if err != nil {
		return refuse(400, "%s: %v", what, err)
	}
	return checkNames(what, r, sent)
}

// heldFile is a file that a run has here in a checkpoint.
type heldFile struct {
	wire.Blob
	object string
}

// held are the files that a run has here in its checkpoints, by hash: what went home from here is not sent again.
func (b *Broker) held(ctx context.Context, user, id string) (map[string]heldFile, error) {
	if !move.IsID(id) {
		return nil, nil
	}
	all := map[string]heldFile{}
	err := b.eachCheckpoint(ctx, user, id, func(k *kept) error {
		for _, f := range k.Files {
			all[f.SHA256] = heldFile{f, k.object(user, id, f.SHA256)}
		}
		return nil
	})
	return all, err
}

// begins reports whether a run ended elsewhere before it had a State: it has only its name, and begins here.
func begins(c *wire.Carried) bool { return c.Step == 0 && len(c.Files) == 0 }

// takeBack is for a run that was here before, went away and comes again: its record goes on with the State that it brings.
func (b *Broker) takeBack(ctx context.Context, r *Record, from *wire.Carried) error {
	made, err := b.update(ctx, r.User, r.ID, func(old *Record) error {
		if err := mayComeBack(old, from); err != nil {
			return err
		}
		if r.State == nil && old.State != nil {
			return refuse(409, "Run %s has a State on this server, of step %d, and comes without one; resume it there, or delete it there first.", r.ID, old.State.Step)
		}
		attempt, past, note := old.Attempt, old.Past, old.Note
		*old = *r
		old.Attempt, old.Past, old.Note = attempt, past, note
		return nil
	})
	if err != nil {
		return err
	}
	*r = *made
	return nil
}

// mayComeBack refuses a run whose record is in use, or would lose what was done here: who moves a run again from where they moved it before
// has not fetched that.
func mayComeBack(here *Record, from *wire.Carried) error {
	if !over(here.Status) {
		return refuse(409, "Run %s is %s on this server; stop it there before it goes on from elsewhere.", here.ID, here.Status)
	}
	if here.State != nil && here.State.Step > from.Step && !begins(from) && !from.Instead {
		return refuse(409, "Run %s has come to step %d on this server, and what is brought is its step %d; pull it from there first, or delete it there.", here.ID, here.State.Step, from.Step)
	}
	return nil
}

// adopt takes the files of a run that was brought over to where those of runs are: checkpoints into entries, the rest into its record.
func (b *Broker) adopt(ctx context.Context, r *Record, from *wire.Carried) error {
	here, _, err := b.record(ctx, r.User, r.ID)
	var none *NotFound
	switch {
	case errors.As(err, &none):
	case err != nil:
		return err
	case here.Going:
		return refuse(409, "Run %s is just being deleted on this server; ask again in a minute.", r.ID)
	default:
		if err := mayComeBack(here, from); err != nil {
			return err
		}
		r.Attempt = here.Attempt
	}
	if begins(from) {
		return nil
	}
	held, err := b.held(ctx, r.User, r.ID)
	if err != nil {
		return err
	}
	take := func(f wire.Blob, object string) error {
		if err := b.put(ctx, b.states, object, f.Size, func(ctx context.Context) (io.ReadCloser, error) {
			in, err := b.files.Get(ctx, f.SHA256)
			if h, ok := held[f.SHA256]; ok && errors.Is(err, jetstream.ErrObjectNotFound) { // it was here before
				return b.states.Get(ctx, h.object)
			}
			return in, err
		}); err != nil {
			return fmt.Errorf("jobs: taking over %s of run %s: %w", f.Path, r.ID, err)
		}
		return nil
	}
	own, of := (&State{Files: from.Files}).divide()
	r.State.Files, r.State.Kept, r.State.With = own, 0, slices.Sorted(maps.Keys(of))
	for _, f := range own {
		if err := take(f, stateObject(r.User, r.ID, f.SHA256)); err != nil {
			return err
		}
	}
	for step, files := range of {
		k := &kept{Attempt: r.Attempt, Files: files, step: step}
		for _, f := range files {
			if err := take(f, k.object(r.User, r.ID, f.SHA256)); err != nil {
				return err
			}
		}
		if _, err := b.keep(ctx, r.User, r.ID, k); errors.Is(err, errFenced) {
			return refuse(409, "Run %s goes on at this server since a moment ago; stop it there before it goes on from elsewhere.", r.ID)
		} else if err != nil {
			return err
		}
	}
	return b.eachCheckpoint(ctx, r.User, r.ID, func(k *kept) error {
		if k.step <= r.State.Step {
			r.State.Kept += bytesOf(k.Files)
		}
		return nil
	})
}

// tellPast makes events of the log of a run that was brought, as far as nobody has told them: its curves begin at its beginning.
func (b *Broker) tellPast(ctx context.Context, r *Record, j *journal) error {
	if r.State == nil {
		return nil
	}
	told, err := b.toldOf(ctx, r.User, r.ID)
	if err != nil {
		return err
	}
	if told.curve() > 0 { // it was here before
		stands, err := b.agreed(ctx, r)
		if err != nil {
			return err
		}
		if told.curve() > stands {
			if err := b.forgetPast(ctx, r, stands); err != nil {
				return err
			}
			if err := j.event(ctx, wire.Rewound{Step: stands}); err != nil {
				return err
			}
			told.rewind(stands)
		}
	}
	return b.eachPast(ctx, r, func(name string, e wire.Event, step int) error {
		if !told.fresh(name, step) {
			return nil
		}
		return j.event(ctx, e)
	})
}

// forgetPast removes the checkpoints that the run had here behind the last step that stands, but those that it brings. Their files are only in
// the way.
func (b *Broker) forgetPast(ctx context.Context, r *Record, stands int) error {
	return b.eachCheckpoint(ctx, r.User, r.ID, func(k *kept) error {
		if k.step <= stands || slices.Contains(r.State.With, k.step) {
			return nil
		}
		if err := b.unlist(ctx, r.User, r.ID, k.step); err != nil || k.Shared {
			return err
		}
		for _, f := range k.Files {
			if err := b.erase(ctx, b.states, k.object(r.User, r.ID, f.SHA256)); err != nil {
				b.log.Debug("an old file of a checkpoint stays", "error", err)
			}
		}
		return nil
	})
}

// agreed is the step up to which the log of a run that comes again says what was told of it here. It may have gone on elsewhere from an
// earlier step than it had come to here, and on another device even the same steps have other losses.
func (b *Broker) agreed(ctx context.Context, r *Record) (step int, err error) {
	losses := map[string]map[int]float64{"stepped": {}, "evaluated": {}}
	err = b.eachEvent(ctx, r.User, r.ID, 1, func(f wire.Frame) bool {
		switch e, _ := wire.ParseEvent(f.Name, f.Data); e := e.(type) { // those of another release agree with nothing
		case wire.Stepped:
			losses[f.Name][e.Step] = e.Loss
		case wire.Evaluated:
			losses[f.Name][e.Step] = e.EvalLoss
		case wire.Rewound:
			for _, of := range losses {
				maps.DeleteFunc(of, func(step int, _ float64) bool { return step > e.Step })
			}
		}
		return true
	})
	step = r.State.Step
	if err == nil {
		err = b.eachPast(ctx, r, func(name string, e wire.Event, at int) error {
			var loss float64
			switch e := e.(type) {
			case wire.Stepped:
				loss = e.Loss
			case wire.Evaluated:
				loss = e.EvalLoss
			}
			if was, ok := losses[name][at]; ok && was != loss {
				step = min(step, at-1)
			}
			return nil
		})
	}
	return step, err
}

// eachPast calls f with what the log that a run brought tells, up to the step that it comes with.
func (b *Broker) eachPast(ctx context.Context, r *Record, f func(name string, e wire.Event, step int) error) error {
	for _, file := range r.State.Files {
		if file.Path != checkpoint.LogFile {
			continue
		}
		in, err := b.openOwn(ctx, r, file)
		if err != nil {
			return err
		}
		err = eachLine(in, func(line []byte) error {
			name, e, step := pastEvent(line)
			if name == "" || step > r.State.Step {
				return nil
			}
			return f(name, e, step)
		})
		if in.Close(); err != nil {
			return err
		}
	}
	return nil
}

// eachLine calls f with the lines of a log, one after the other: whoever sent it may have made it as large as they liked.
func eachLine(log io.Reader, f func([]byte) error) error {
	r := bufio.NewReaderSize(log, maxLine)
	for long := false; ; {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = true
			continue
		}
		if err != nil && err != io.EOF {
			return err
		}
		if !long {
			if err := f(line); err != nil {
				return err
			}
		}
		if long = false; err == io.EOF {
			return nil
		}
	}
}

// pastEvent is what a line of logging.jsonl tells.
func pastEvent(line []byte) (string, wire.Event, int) {
	var head struct {
		Loss *float64 `json:"loss"`
		Eval *float64 `json:"eval_loss"`
	}
	if json.Unmarshal(line, &head) != nil {
		return "", nil, 0
	}
	if head.Loss != nil {
		var s wire.Stepped
		if json.Unmarshal(line, &s) == nil {
			return wire.Name(s), s, s.Step
		}
	}
	if head.Eval != nil {
		var e wire.Evaluated
		if json.Unmarshal(line, &e) == nil {
			return wire.Name(e), e, e.Step
		}
	}
	return "", nil, 0
}
