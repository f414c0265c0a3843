package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/core/wire"
)

// serverModel is one of the list of the page's server.
type serverModel struct {
	Name  string   `json:"name"`
	Files []listed `json:"files"`
}

type listed struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
	Tag  string `json:"tag"`
}

// tag tells this file from others of its name.
func (f listed) tag() string { return cmp.Or(f.Tag, fmt.Sprint(f.Size)) }

// servedFile says in a folder what came of the page's server. It is there before the first file.
const servedFile = ".served.json"

// served is what servedFile holds.
type served struct {
	Name string            `json:"name"` // of the model there
	Tags map[string]string `json:"tags"` // of the files that are here whole, by path
}

// tags are those of all its files, by path.
func (m serverModel) tags() map[string]string {
	all := map[string]string{}
	for _, f := range m.Files {
		all[f.Path] = f.tag()
	}
	return all
}

// folderFor is the folder for a model of the page's server, what is known of what is in it, and whether that is all. A model that is there already
// under the name stays, since a run may have been begun with it: another one, also a later one of the server, takes a name beside it.
func (h *Host) folderFor(m serverModel) (dir string, s served, whole bool, err error) {
	for n := 1; ; n++ {
		name := m.Name
		if n > 1 {
			name += fmt.Sprintf("-%d", n)
		}
		if dir, err = h.path(modelsDir + "/" + name); err != nil {
			return "", s, false, err
		}
		s = served{}
		ours := readFile(filepath.Join(dir, servedFile), &s) && s.Name == m.Name
		whole = !isMissing(filepath.Join(dir, "config.json"))
		if ours && (!whole || maps.Equal(s.Tags, m.tags())) || isMissing(dir) {
			return dir, s, whole, nil
		}
	}
}

// order puts config.json behind all others: a folder that has one is a whole model.
func (f listed) order() int {
	if f.Path == "config.json" {
		return 1
	}
	return 0
}

// bytes is the size of all its files.
func (m serverModel) bytes() (total int64) {
	for _, f := range m.Files {
		total += f.Size
	}
	return total
}

// serverModels asks the page's server what it has.
func (h *Host) serverModels(ctx context.Context) ([]serverModel, error) {
	if h.options.Server.Models == "" {
		return nil, errors.New("this page comes from a place that has no models of its own; name one on a hub, or drop its folder here")
	}
	answer, err := get(ctx, h.options.Server.Models, 0, "")
	if err != nil {
		return nil, fmt.Errorf("the models of this page's server: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("this page's server has no models (%s); name one on a hub, or drop its folder here", answer.Status)
	}
	var list struct {
		Models []serverModel `json:"models"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 16<<20)).Decode(&list); err != nil {
		return nil, fmt.Errorf("the models of this page's server: %w", err)
	}
	return list.Models, nil
}

// offered are the models of the page's server that are not here yet.
func (h *Host) offered(ctx context.Context) (wire.Offers, error) {
	list, err := h.serverModels(ctx)
	var reply wire.Offers
	for _, m := range list {
		if _, _, whole, bad := h.folderFor(m); bad == nil && !whole {
			reply.Models = append(reply.Models, wire.Model{Path: fromServer + m.Name, Name: m.Name, Bytes: m.bytes()})
		}
	}
	return reply, err
}

// fetchModel brings a model of this page's server here and gives its folder. The name may also be that of a folder where it was begun.
func (h *Host) fetchModel(ctx context.Context, name string, part parts) (dir string, err error) {
	list, err := h.serverModels(ctx)
	if err != nil {
		return "", err
	}
	var begun served
	if at, err := h.path(modelsDir + "/" + name); err == nil && readFile(filepath.Join(at, servedFile), &begun) {
		name = begun.Name
	}
	var known []string
	for _, m := range list {
		known = append(known, m.Name)
		if m.Name != name {
			continue
		}
		dir, s, whole, err := h.folderFor(m)
		if err == nil && !whole {
			err = h.fetchFiles(ctx, m, dir, s, part)
		}
		if err != nil {
			return "", fmt.Errorf("model %s: %w", name, err)
		}
		return dir, nil
	}
	slices.Sort(known)
	return "", fmt.Errorf("this page's server has no model %s; it has %s", name, strings.Join(known, ", "))
}

// fetchFiles brings what is missing of a model of which some may be here; what has changed there since goes first.
func (h *Host) fetchFiles(ctx context.Context, m serverModel, dir string, s served, part parts) error {
	record := filepath.Join(dir, servedFile)
	if s.Name = m.Name; s.Tags == nil {
		s.Tags = map[string]string{}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return fmt.Errorf("the server names a file %.60q", f.Path)
		}
	}
	there := m.tags()
	for path, tag := range s.Tags {
		if there[path] != tag {
			delete(s.Tags, path)
			_ = os.Remove(filepath.Join(dir, filepath.FromSlash(path)))
		}
	}
	if err := replaceFile(record, s); err != nil {
		return err
	}
	var before int64
	slices.SortStableFunc(m.Files, func(a, b listed) int { return cmp.Compare(a.order(), b.order()) })
	for _, f := range m.Files {
		d := &serverFile{address: h.options.Server.Models + escaped(m.Name) + "/" + escaped(f.Path), path: filepath.Join(dir, filepath.FromSlash(f.Path)), size: f.Size, tag: f.Tag}
		d.tell = func(done, _ int64) {
			part("downloading", wire.Downloading{Name: m.Name, Hub: "server", File: f.Path, Done: before + done, Total: m.bytes()})
		}
		if f.order() > 0 {
			if err := h.unchanged(ctx, m); err != nil {
				return err
			}
		}
		if _, here := s.Tags[f.Path]; !here || isMissing(d.path) {
			if err := d.run(ctx); err != nil {
				return err
			}
			s.Tags[f.Path] = f.tag()
			if err := replaceFile(record, s); err != nil {
				return err
			}
		}
		before += f.Size
	}
	return nil
}

// unchanged asks again for the list: files that came one after the other are one model only if none has changed meanwhile.
func (h *Host) unchanged(ctx context.Context, m serverModel) error {
	list, err := h.serverModels(ctx)
	if err != nil {
		return err
	}
	now := map[string]string{}
	for _, x := range list {
		if x.Name == m.Name {
			now = x.tags()
		}
	}
	for _, f := range m.Files {
		if now[f.Path] != f.tag() {
			return fmt.Errorf("%s has changed on the server while the model was fetched; ask for it again", f.Path)
		}
	}
	return nil
}

func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }
