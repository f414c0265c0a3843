package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/core/data"
	"hone/core/hub"
	"hone/core/recipe"
	"hone/core/wire"
)

// storage is the space for files.
func (h *Host) storage(ctx context.Context) wire.Storage {
	if h.options.Storage != nil {
		return h.options.Storage(ctx)
	}
	return wire.Storage{Used: used(h.dir)}
}

// hubRows begins what Delete calls a data set of a hub: a model there may have the same name.
const hubRows = "dataset:"

// delete removes a run, a model or a data file.
func (h *Host) delete(ctx context.Context, r wire.Delete) (wire.Storage, error) {
	at, err := h.deletable(r.Path)
	remove := func() error { return os.RemoveAll(at) }
	copies, unknown := hub.Copies()
	if i := slices.IndexFunc(copies, func(c hub.Copy) bool { return c.Name == r.Path }); unknown == nil && i >= 0 {
		at, err, remove = copies[i].Dir, nil, func() error { return hub.Remove(r.Path) }
	}
	if name, rows := strings.CutPrefix(r.Path, hubRows); rows {
		copies, unknown := hub.Datasets()
		if i := slices.IndexFunc(copies, func(c hub.Copy) bool { return c.Name == name }); unknown == nil && i >= 0 {
			at, err, remove = copies[i].Dir, nil, func() error { return hub.RemoveDataset(name) }
		}
	}
	if err != nil {
		return wire.Storage{}, err
	}
	h.mu.Lock()
	g := h.going
	h.mu.Unlock()
	if g != nil && g.over.Load() { // it only tidies up
		<-g.done
		g = nil
	}
	if g != nil && at == filepath.Join(h.dir, runsDir, filepath.FromSlash(g.name())) {
		return wire.Storage{}, fmt.Errorf("the run %s is going on; stop it before it is deleted", g.name())
	}
	if g != nil && uses(ctx, g.recipe, at, strings.TrimPrefix(r.Path, hubRows)) {
		return wire.Storage{}, fmt.Errorf("the run %s, which is going on, needs it; stop the run first", g.name())
	}
	if f := h.awayRun(h.runID(at)); f != nil { // it goes on there, and can be attached to again
		h.leave(f)
	}
	if isMissing(at) {
		return wire.Storage{}, fmt.Errorf("%s: there is nothing of this name here", r.Path)
	}
	if g == nil { // it may be loaded, with its files open
		h.device.busy.Lock()
		h.device.silence()
		h.device.busy.Unlock()
	}
	if err := remove(); err != nil {
		return wire.Storage{}, fmt.Errorf("%s could not be deleted: %w", r.Path, err)
	}
	if parent := filepath.Dir(at); filepath.Dir(parent) != h.dir && strings.HasPrefix(h.name(parent), modelsDir) {
		_ = os.Remove(parent) // the organisation's folder, when nothing else is in it
	}
	return h.storage(ctx), nil
}

// uses reports whether a run of a recipe reads something of what lies at a path, or has a name on a hub.
func uses(ctx context.Context, r recipe.Recipe, at, onHub string) bool {
	model, err := modelHere(ctx, r.Model, hub.Options{Hub: r.Hub, Revision: r.ModelRevision})
	if err != nil {
		model = r.Model
	}
	for _, entry := range slices.Concat([]string{model, r.Adapter}, r.Dataset, r.ValDataset) {
		name, _, err := data.ParseSpec(entry)
		if err != nil {
			name = entry
		}
		if name == at || strings.HasPrefix(name+":", onHub+":") || strings.HasPrefix(name, at+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

// deletable is where something lies that may be deleted: what the user brought or made.
func (h *Host) deletable(name string) (string, error) {
	if half, ok := strings.CutPrefix(name, fromServer); ok {
		name = modelsDir + "/" + half
	}
	at, err := h.path(name)
	if err != nil {
		return "", err
	}
	top, rest, _ := strings.Cut(h.name(at), "/")
	switch {
	case rest == "" || top != modelsDir && top != dataDir && top != runsDir && top != exportsDir && top != bundleDir:
		return "", fmt.Errorf("%s is not to be deleted; runs, models and data are", name)
	case top == runsDir:
		if _, err := h.runDir(rest); err != nil {
			return "", err
		}
	}
	return at, nil
}
