package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"hone/core/checkpoint"
	"hone/core/link"
	"hone/core/move"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// survey finds out what it would mean that a run goes on at a server.
func (h *Host) survey(ctx context.Context, r wire.Survey, part parts) (wire.Surveyed, error) {
	part.moving("connecting", "")
	c, err := h.reach(ctx, r.On)
	if err != nil {
		return wire.Surveyed{}, err
	}
	defer c.Close()
	server, err := wire.Ask[wire.Host](ctx, c, wire.Hello{}, nil)
	if err != nil {
		return wire.Surveyed{}, err
	}
	out := wire.Surveyed{URL: r.On.URL, User: c.Welcome().User, Version: server.Version, Workers: server.Workers, Queue: server.Queue, Storage: server.Storage, Parcels: []wire.Parcel{}, Runs: []wire.Run{}, More: server.More}
	for _, x := range server.Runs {
		if _, err := h.runDir(x.ID); err != nil && move.IsID(x.ID) {
			out.Runs = append(out.Runs, x)
		}
	}
	if c.Welcome().Scope == "view" {
		out.Refusal = "This token may only look at runs; sending one takes a token of scope run."
		return out, nil
	}
	if r.Run == "" && len(r.Recipe) == 0 {
		return out, nil
	}
	if err := h.parcels(ctx, r, &out, part); err != nil {
		return wire.Surveyed{}, err
	}
	for _, p := range out.Parcels {
		out.Total += p.Bytes - p.There
	}
	if q := server.Storage.Quota; q > 0 && server.Storage.Used+out.Total > q {
		out.Refusal = fmt.Sprintf("You have %s on this server and may have %s; %s more do not fit. Delete runs or files there.", run.Size(server.Storage.Used), run.Size(q), run.Size(out.Total))
	}
	return out, nil
}

// parcels lists what would leave.
func (h *Host) parcels(ctx context.Context, r wire.Survey, out *wire.Surveyed, part parts) error {
	var rec recipe.Recipe
	var err error
	var dir string
	if r.Run == "" {
		rec, err = h.recipe(r.Recipe)
	} else {
		if dir, err = h.runDir(r.Run); err != nil {
			return err
		}
		var raw []byte
		if raw, err = (checkpoint.Run{Dir: dir}).ReadArgs(); err == nil {
			rec, err = recipe.FromJSON(raw)
		}
	}
	if err == nil {
		err = h.bring(ctx, rec, part)
	}
	if err != nil {
		return err
	}
	part.moving("hashing", "")
	load, err := move.Gather(rec)
	if err != nil {
		return err
	}
	files, sent := h.filesOf(r.On), map[string]bool{}
	if dir != "" {
		state, err := stateOf(dir)
		if err != nil {
			return err
		}
		if len(state) > 0 {
			p, err := parcelOf(ctx, files, h.runID(dir), state, sent)
			if err != nil {
				return err
			}
			p.What, p.Name = "state", h.runID(dir)
			out.Parcels = append(out.Parcels, p)
		}
	}
	for _, place := range load.Places {
		p, err := parcelOf(ctx, files, "", place.Files, sent)
		if err != nil {
			return err
		}
		p.Name = h.name(place.Name)
		switch place.Name {
		case rec.Model:
			p.What = "model"
		case rec.Adapter:
			p.What = "adapter"
		}
		out.Parcels = append(out.Parcels, p)
	}
	for _, name := range load.FromHub() {
		out.Parcels = append(out.Parcels, wire.Parcel{What: "hub", Name: name})
	}
	return nil
}

// stateOf is what a run itself has that would leave. It may go on meanwhile, and replace its last checkpoint while that is read.
func stateOf(dir string) (state []wire.Blob, err error) {
	for range 5 {
		if state, err = move.State(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return state, err
}

// parcelOf counts what leaves of some files, without those that were counted before: each content is sent once.
func parcelOf(ctx context.Context, files link.Files, run string, leave []wire.Blob, sent map[string]bool) (wire.Parcel, error) {
	p := wire.Parcel{What: "data"}
	for _, f := range leave {
		if sent[f.SHA256] {
			continue
		}
		sent[f.SHA256] = true
		p.Files++
		p.Bytes += f.Size
		have, whole, err := move.Of(files, run, f).Have(ctx, f.SHA256)
		if err != nil {
			return p, err
		}
		if whole {
			have = f.Size
		}
		p.There += have
	}
	return p, nil
}

// agree keeps what the user says about a server. Runs that could not reach it try again, as there may be another token.
func (h *Host) agree(r wire.Agree) error {
	if err := h.remember(r.On, &r.Agreed); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.far {
		if f.away.Server == r.On.URL && !f.connected() {
			go f.join()
		}
	}
	return nil
}
