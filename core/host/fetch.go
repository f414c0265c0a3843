package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
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
		if err := h.fetchModel(ctx, name, part); err != nil {
			return nil, err
		}
		return h.inspect(ctx, wire.Inspect{Model: modelsDir + "/" + name}, part)
	case isAddress && r.What == "dataset":
		file := path.Base(address.Path)
		if file == "/" || file == "." || strings.HasPrefix(file, ".") {
			return nil, fmt.Errorf("the address %s does not end in the name of a file", r.Of)
		}
		at := filepath.Join(h.dir, dataDir, file)
		d := &serverFile{address: r.Of, path: at, size: -1, tell: func(done, total int64) {
			part("downloading", wire.Downloading{Name: file, Hub: address.Host, File: file, Done: done, Total: max(total, 0)})
		}}
		if err := d.run(ctx); err != nil {
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
		return h.dataFiles(p.Files)
	}
	p, err := hub.Model(ctx, r.Of, h.hubOptions(r.Hub, part))
	if err != nil {
		return nil, err
	}
	m, err := h.describe(p.Dir)
	m.Path = r.Of
	if p.Hub != "" {
		m.Name = p.ID
		if !strings.Contains(r.Of, "@") { // so that it is this hub's from now on, too
			m.Path = hub.NameOf(p.Dir)
		}
	}
	return m, err
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

// serverModel is one of the list of the page's server.
type serverModel struct {
	Name  string `json:"name"`
	Files []struct {
		Path string `json:"path"`
		Size int64  `json:"size"`
	} `json:"files"`
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
	answer, err := get(ctx, h.options.Server.Models, 0)
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
		dir, bad := h.path(modelsDir + "/" + m.Name)
		if bad != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
			reply.Models = append(reply.Models, wire.Model{Path: fromServer + m.Name, Name: m.Name, Bytes: m.bytes()})
		}
	}
	return reply, err
}

// fetchModel brings a model of this page's server to models/<name>.
func (h *Host) fetchModel(ctx context.Context, name string, part parts) error {
	list, err := h.serverModels(ctx)
	if err != nil {
		return err
	}
	var known []string
	for _, m := range list {
		known = append(known, m.Name)
		if m.Name != name {
			continue
		}
		dir, err := h.path(modelsDir + "/" + name)
		if err != nil {
			return err
		}
		var before int64
		for _, f := range m.Files {
			if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
				return fmt.Errorf("model %s: the server names a file %.60q", name, f.Path)
			}
			address := h.options.Server.Models + escaped(name) + "/" + escaped(f.Path)
			d := &serverFile{address: address, path: filepath.Join(dir, filepath.FromSlash(f.Path)), size: f.Size, tell: func(done, _ int64) {
				part("downloading", wire.Downloading{Name: name, Hub: "server", File: f.Path, Done: before + done, Total: m.bytes()})
			}}
			if err := d.run(ctx); err != nil {
				return fmt.Errorf("model %s: %w", name, err)
			}
			before += f.Size
		}
		return nil
	}
	slices.Sort(known)
	return fmt.Errorf("this page's server has no model %s; it has %s", name, strings.Join(known, ", "))
}

func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// serverFile is a file that a server gives out as it is; it goes on behind what has come.
type serverFile struct {
	address, path string
	size          int64 // -1: unknown
	tell          func(done, total int64)
}

func (d *serverFile) run(ctx context.Context) error {
	if st, err := os.Stat(d.path); err == nil && st.Size() == d.size {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(d.path), 0o777); err != nil {
		return err
	}
	part := filepath.Join(filepath.Dir(d.path), "."+filepath.Base(d.path)+".part")
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if d.size < 0 {
		have = 0 // nothing says that it is the beginning of the same file
	}
	if have != d.size {
		if have, err = d.more(ctx, f, have); err != nil {
			return err
		}
	}
	if d.size >= 0 && have != d.size {
		os.Remove(part)
		return fmt.Errorf("%s has %d bytes, and the server said %d; try again", path.Base(d.address), have, d.size)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(part, d.path)
}

// more asks for what is missing behind have bytes, and gives how many there are then.
func (d *serverFile) more(ctx context.Context, f *os.File, have int64) (int64, error) {
	answer, err := get(ctx, d.address, have)
	if err != nil {
		return have, fmt.Errorf("%s: %w; asked for again, it goes on behind what has come", path.Base(d.address), err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		have = 0
	case http.StatusPartialContent:
	default:
		return have, fmt.Errorf("%s: the server says %s", d.address, answer.Status)
	}
	if err := f.Truncate(have); err != nil {
		return have, err
	}
	total := d.size
	if total < 0 && answer.ContentLength > 0 {
		total = have + answer.ContentLength
	}
	buffer := make([]byte, 1<<20)
	for {
		n, err := answer.Body.Read(buffer)
		if n > 0 {
			if _, err := f.WriteAt(buffer[:n], have); err != nil {
				return have, fmt.Errorf("%s: %w", d.path, err)
			}
			have += int64(n)
			d.tell(have, total)
		}
		if errors.Is(err, io.EOF) {
			return have, nil
		}
		if err != nil {
			return have, fmt.Errorf("%s: the connection broke after %d bytes (%w); asked for again, it goes on behind them", path.Base(d.address), have, err)
		}
	}
}

// get asks for the bytes of an address from some place on.
func get(ctx context.Context, address string, from int64) (*http.Response, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if from > 0 {
		q.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
	}
	return http.DefaultClient.Do(q)
}
