package host

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"hone/core/hub"
	"hone/core/wire"
)

// Server is the one that the page comes from, and may have models for it.
type Server struct {
	// Models is the address below which they lie: itself it lists them, {"models":[{"name","files":[{"path","size"}]}]}, and
	// <name>/<path> is a file. "" is none.
	Models string
}

// fromServer begins the name of a model that this page's server has.
const fromServer = "server:"

// fetch brings a model or a data set.
func (h *Host) fetch(ctx context.Context, r wire.Fetch, part parts) (any, error) {
	if r.What != "model" && r.What != "dataset" {
		return nil, fmt.Errorf("%q cannot be fetched; a model or a dataset can", r.What)
	}
	name, ours := strings.CutPrefix(r.Of, fromServer)
	address, err := url.Parse(r.Of)
	isAddress := err == nil && (address.Scheme == "http" || address.Scheme == "https")
	switch {
	case ours && r.What == "model":
		dir, err := h.fetchModel(ctx, name, part)
		if err != nil {
			return nil, err
		}
		return h.inspect(ctx, wire.Inspect{Model: h.name(dir)}, part)
	case isAddress && r.What == "dataset":
		at, err := h.fetchRows(ctx, address, part)
		if err != nil {
			return nil, err
		}
		return h.dataFiles([]string{at})
	case isAddress:
		return nil, fmt.Errorf("a model is a folder of files, which an address does not give; name it on a hub (org/name), or drop its folder here")
	case r.What == "dataset":
		p, err := hub.Dataset(ctx, r.Of, h.hubOptions(r.Hub, part))
		if err != nil {
			return nil, err
		}
		reply, err := h.dataFiles(p.Files)
		reply.Of = p.DatasetName()
		return reply, err
	}
	p, err := hub.Model(ctx, r.Of, h.hubOptions(r.Hub, part))
	if err != nil {
		return nil, err
	}
	m, err := h.describe(p.Dir)
	m.Path = r.Of
	if p.Hub != "" {
		_, revision, pinned := strings.Cut(r.Of, "@")
		m.Name, m.Path = shown(p.ID, revision), hub.NameOf(p.Dir) // so that it is this hub's from now on, too
		if pinned {
			m.Path += "@" + revision
		}
	}
	return m, err
}

// modelHere is the directory of a model by its path or name, if it is here.
func modelHere(ctx context.Context, name string, o hub.Options) (dir string, err error) {
	if filepath.IsAbs(name) || name == "" { // a recipe without a model has a model_type, which is a name, too
		return name, nil
	}
	p, err := hub.Model(hub.Here(ctx), name, o)
	return p.Dir, err
}

func (h *Host) hubOptions(name string, part parts) hub.Options {
	return hub.Options{Hub: name, Progress: func(p hub.Progress) { part.sink(wire.Downloading(p)) }, Notice: func(text string) { part.sink(wire.Warning{Text: text}) }}
}

// dataFiles describes files of rows that are here.
func (h *Host) dataFiles(files []string) (wire.DataFiles, error) {
	var reply wire.DataFiles
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil {
			return reply, err
		}
		reply.Files = append(reply.Files, wire.Data{Path: h.name(f), Name: filepath.Base(f), Bytes: st.Size()})
	}
	return reply, nil
}
