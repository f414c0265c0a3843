package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
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
		dir, bad := h.path(modelsDir + "/" + m.Name)
		if bad != nil {
			continue
		}
		if isMissing(filepath.Join(dir, "config.json")) {
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
		slices.SortStableFunc(m.Files, func(a, b listed) int { return cmp.Compare(a.order(), b.order()) })
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

// part is where it is until it is whole.
func (d *serverFile) part() string {
	return filepath.Join(filepath.Dir(d.path), "."+filepath.Base(d.path)+partSuffix)
}

func (d *serverFile) run(ctx context.Context) error {
	if st, err := os.Stat(d.path); err == nil && st.Size() == d.size {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(d.path), 0o777); err != nil {
		return err
	}
	part := d.part()
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	tag, err := os.ReadFile(part + etag)
	if err != nil {
		have = 0 // nothing says that it is the beginning of the same file
	}
	if have != d.size {
		if have, err = d.more(ctx, f, have, string(tag)); err != nil {
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
	_ = os.Remove(part + etag) // it may never have been there
	return os.Rename(part, d.path)
}

const (
	partSuffix = ".part" // ends the name of what has come of a file
	etag       = ".etag" // behind it, of the file that says of what it is the beginning
)

// more asks for what is missing behind have bytes of what has the tag, and gives how many there are then.
func (d *serverFile) more(ctx context.Context, f *os.File, have int64, tag string) (int64, error) {
	goesOn := func() string {
		if isMissing(f.Name() + etag) {
			return "try again"
		}
		return "asked for again, it goes on behind what has come"
	}
	answer, err := get(ctx, d.address, have, tag)
	if have > 0 && ctx.Err() == nil && (err != nil || answer.StatusCode == http.StatusRequestedRangeNotSatisfiable) {
		if err == nil {
			answer.Body.Close()
		}
		answer, err = get(ctx, d.address, 0, "") // not every host lets a page ask for a rest
	}
	if err != nil {
		return have, fmt.Errorf("%s: %w; %s", path.Base(d.address), err, goesOn())
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
	if tag := answer.Header.Get("ETag"); strings.HasPrefix(tag, `"`) { // a weak one does not vouch for bytes
		err = os.WriteFile(f.Name()+etag, []byte(tag), 0o666)
	} else if err = os.Remove(f.Name() + etag); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
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
			return have, fmt.Errorf("%s: the connection broke after %d bytes (%w); %s", path.Base(d.address), have, err, goesOn())
		}
	}
}

// get asks for the bytes of an address from some place on, if what is there still has the tag, and otherwise for all of them.
func get(ctx context.Context, address string, from int64, tag string) (*http.Response, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if from > 0 {
		q.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		q.Header.Set("If-Range", tag)
	}
	return http.DefaultClient.Do(q)
}
