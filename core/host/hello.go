package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/core/chat"
	"hone/core/checkpoint"
	"hone/core/hub"
	"hone/core/run"
	"hone/core/tensor"

	"hone/core/wire"
)

// hello says what the host is and has.
func (h *Host) hello(ctx context.Context, soon bool) (wire.Host, error) {
	reply := wire.Host{Version: run.Version, Models: []wire.Model{}, Data: []wire.Data{}}
	caps, err := h.device.known(), error(nil)
	if !soon {
		caps, err = h.device.caps(ctx)
	}
	reply.Device, reply.Kind = caps.Name, caps.Kind
	if err != nil {
		reply.Reason = err.Error()
	}
	if h.options.Reason != nil && reply.Kind != "webgpu" && reply.Kind != "" && err == nil {
		reply.Reason = h.options.Reason()
	}
	reply.Storage = h.storage(ctx)
	h.mu.Lock()
	reply.Going, reply.Begins = h.unfinished, h.unfinished != ""
	if h.going != nil && !h.going.over.Load() { // one that has told its end is asked about then, and only tidies up
		reply.Going, reply.Begins = h.going.known(), false
		select {
		case <-h.going.begun:
		default:
			reply.Begins = reply.Going != ""
		}
	}
	h.mu.Unlock()
	if err := h.bundled(ctx, &reply); err != nil {
		return reply, err
	}
	for _, dir := range modelDirs(filepath.Join(h.dir, modelsDir)) {
		m, err := h.describe(dir)
		if err != nil { // Inspect says why
			m = wire.Model{Name: filepath.Base(dir)}
		}
		m.Path = h.name(dir)
		reply.Models = append(reply.Models, m)
	}
	cached, halves := h.cached()
	begun, adapters := h.begun()
	reply.Models, reply.Halves, reply.Adapters = append(reply.Models, cached...), append(halves, begun...), adapters
	files, err := os.ReadDir(filepath.Join(h.dir, dataDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return reply, err
	}
	for _, e := range files {
		if st, err := e.Info(); err == nil && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			reply.Data = append(reply.Data, wire.Data{Path: dataDir + "/" + e.Name(), Name: e.Name(), Bytes: st.Size()})
		}
	}
	reply.Data = append(reply.Data, hubDatasets()...)
	list, err := h.runs("")
	reply.Runs, reply.Servers = list.Runs, h.knownServers()
	return reply, err
}

// modelDirs are the directories with a config.json, at most two below dir.
func modelDirs(dir string) []string {
	var out []string
	for _, pattern := range []string{"*", "*/*"} {
		for _, f := range checkpoint.Glob(dir, pattern+"/config.json") {
			out = append(out, filepath.Dir(f))
		}
	}
	return out
}

// hubDatasets are the data sets that were brought from hubs. Their paths are their names there: so a recipe means the same elsewhere.
func hubDatasets() (list []wire.Data) {
	copies, err := hub.Datasets()
	if err != nil {
		return nil
	}
	seen := map[string]bool{}
	for _, c := range copies {
		if !seen[c.Name] {
			seen[c.Name] = true
			list = append(list, wire.Data{Path: c.Name, Name: shown(c.ID, c.Revision), Bytes: used(c.Dir), Hub: true})
		}
	}
	return list
}

// cached are the models that were brought from hubs, and those that cannot be used as they are: their download was cut off.
func (h *Host) cached() (out, halves []wire.Model) {
	copies, err := hub.Copies()
	if err != nil {
		return nil, nil
	}
	seen, half := map[string]bool{}, map[string]wire.Model{}
	for _, c := range copies {
		if seen[c.Name] {
			continue
		}
		m, err := h.describe(c.Dir)
		if err != nil {
			half[c.Name] = wire.Model{Path: c.Name, Name: shown(c.ID, c.Revision), Bytes: used(c.Dir)}
			continue
		}
		seen[c.Name] = true
		m.Path, m.Name = c.Name, shown(c.ID, c.Revision)
		out = append(out, m)
	}
	for _, name := range slices.Sorted(maps.Keys(half)) {
		if !seen[name] { // of another commit there is all
			halves = append(halves, half[name])
		}
	}
	return out, halves
}

// shown is what a model of a hub is called: its id, and the revision where one was asked for.
func shown(id, revision string) string {
	if revision == "" {
		return id
	}
	return id + "@" + revision[:min(len(revision), 12)]
}

// begun are the folders of models/ that are none: those of which not all is here, of the page's server or whose files were not all
// stored, and adapters.
func (h *Host) begun() (halves, adapters []wire.Model) {
	seen := map[string]bool{}
	for _, pattern := range []string{"*/*", "*/*/*"} {
		for _, f := range checkpoint.Glob(filepath.Join(h.dir, modelsDir), pattern) {
			at := filepath.Dir(f)
			above := filepath.Dir(at)
			if st, err := os.Stat(f); err != nil || st.IsDir() || seen[at] || seen[above] || !isMissing(filepath.Join(at, "config.json")) || !isMissing(filepath.Join(above, "config.json")) {
				continue
			}
			seen[at] = true
			m := wire.Model{Path: h.name(at), Name: strings.TrimPrefix(h.name(at), modelsDir+"/"), Bytes: used(at)}
			if !isMissing(filepath.Join(at, checkpoint.AdapterFile)) {
				adapters = append(adapters, m)
				continue
			}
			if len(checkpoint.Glob(at, ".*"+partSuffix)) > 0 { // which can be asked for the rest
				m.Path = fromServer + m.Name
			}
			halves = append(halves, m)
		}
	}
	return halves, adapters
}

// inspect describes one model.
func (h *Host) inspect(ctx context.Context, r wire.Inspect, part parts) (wire.Model, error) {
	at, err := h.placed(r.Model)
	if err != nil {
		return wire.Model{}, err
	}
	if err := h.bringPath(ctx, at, part); err != nil {
		return wire.Model{}, err
	}
	if filepath.IsAbs(at) && isMissing(at) {
		return wire.Model{}, fmt.Errorf("model %s: there is no such directory here", r.Model)
	}
	if at, err = modelHere(ctx, at, hub.Options{}); errors.Is(err, hub.ErrOffline) {
		return wire.Model{Path: r.Model, Name: r.Model, Elsewhere: true}, nil
	} else if err != nil {
		return wire.Model{}, err
	}
	m, err := h.describe(at)
	m.Path = r.Model
	if id := hub.IDOf(at); id != "" {
		_, revision, _ := strings.Cut(r.Model, "@")
		m.Name = shown(id, revision)
	}
	m.Bundled = h.isBundled(at)
	return m, err
}

// describe opens a model directory and reads all of it but the weights.
func (h *Host) describe(dir string) (wire.Model, error) {
	base, err := checkpoint.OpenBase(dir)
	if err != nil {
		return wire.Model{}, h.adapterInstead(dir, err)
	}
	defer base.Close()
	c := base.Model.Config()
	m := wire.Model{Name: strings.TrimPrefix(h.name(dir), modelsDir+"/"), Architecture: c.Architecture, Layers: c.Layers, HiddenSize: c.HiddenSize, Vocabulary: c.VocabSize,
		MaxPositions: c.MaxPositions, ByKind: map[string]int64{}, DTypes: map[string]int64{}, Bytes: used(dir)}
	for _, p := range base.Model.Params() {
		n := int64(p.Shape.Elements())
		m.Parameters += n
		m.ByKind[string(p.Kind)] += n
		dtype := base.DType(p)
		if base.Quantised(p.Name) {
			dtype = tensor.NF4
		}
		m.DTypes[dtype.String()] += n
	}
	t, err := chat.ForModel(dir)
	if err != nil {
		return m, err
	}
	m.Template = t.Name()
	return m, nil
}

// adapterInstead says so where somebody takes an adapter for a model.
func (h *Host) adapterInstead(dir string, err error) error {
	if isMissing(filepath.Join(dir, "config.json")) && !isMissing(filepath.Join(dir, checkpoint.AdapterFile)) {
		return fmt.Errorf("%s is a PEFT adapter, not a model; take its base as the model, and go on from this adapter", h.name(dir))
	}
	return err
}
