package host

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hone/core/checkpoint"
	"hone/core/run"
	"hone/core/wire"
)

// export makes a file to take away.
func (h *Host) export(ctx context.Context, r wire.Export, part parts) (wire.File, error) {
	dir, err := h.runDir(r.Run)
	if err != nil {
		return wire.File{}, err
	}
	if f := h.awayRun(r.Run); f != nil {
		return wire.File{}, fmt.Errorf("the run is at %s; bring it back first", f.away.Server)
	}
	if err := h.saveNow(ctx, r.Run); err != nil {
		return wire.File{}, err
	}
	label := strings.ReplaceAll(r.Run, "/", "-")
	if r.What == "recipe" {
		raw, err := checkpoint.Run{Dir: dir}.ReadArgs()
		if err != nil {
			return wire.File{}, err
		}
		return h.handOut(label+"-recipe.json", "application/json", func(w io.Writer) error { _, err := w.Write(h.recorded(raw)); return err })
	}
	t, err := h.tuned(ctx, dir, part)
	if err != nil {
		return wire.File{}, err
	}
	x := run.Exporter{Base: t.Model, Tuned: t.Result, Run: &t, Quantised: t.Quantised, Bundled: h.isBundled(t.Model)}
	switch r.What {
	case "card":
		text, err := x.Card()
		if err != nil {
			return wire.File{}, err
		}
		return h.handOut(label+"-README.md", "text/markdown", func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
	case "adapter":
		if isMissing(filepath.Join(t.Result, checkpoint.AdapterFile)) {
			return wire.File{}, errors.New("the run trained all weights, so there is no adapter; take the whole model (merged)")
		}
		files, err := adapterFiles(t.Result)
		if err != nil {
			return wire.File{}, err
		}
		text, err := x.Card()
		if err != nil {
			return wire.File{}, err
		}
		config, err := checkpoint.ReadAdapterConfig(t.Result)
		if err != nil {
			return wire.File{}, err
		}
		config.BaseModel = x.Name() // where this workspace has it means nothing elsewhere
		raw, err := config.Text()
		if err != nil {
			return wire.File{}, err
		}
		return h.handOut(label+"-adapter.zip", "application/zip", func(w io.Writer) error {
			return pack(ctx, w, files, map[string]string{"README.md": text, checkpoint.AdapterFile: string(raw)}, h.packing(r.Run, part, files))
		})
	case "merged":
		if err := h.sameBase(t); err != nil {
			return wire.File{}, err
		}
		return h.merged(ctx, x, label, part)
	}
	return wire.File{}, fmt.Errorf("%q cannot be exported; adapter, merged, recipe and card can", r.What)
}

// saveNow brings the last checkpoint of a run that goes on up to date.
func (h *Host) saveNow(ctx context.Context, id string) error {
	h.mu.Lock()
	g := h.going
	h.mu.Unlock()
	if g == nil || g.name() != id {
		return nil
	}
	_, err := g.control.Save(ctx)
	return err
}

// adapterFiles are the files of a checkpoint that make a PEFT adapter, without its settings and what only Hone reads.
func adapterFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		switch e.Name() {
		case checkpoint.AdapterTensors, "chat_template.jinja":
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// merged makes a whole model, as a zip.
func (h *Host) merged(ctx context.Context, x run.Exporter, label string, part parts) (wire.File, error) {
	x.Output = filepath.Join(h.dir, exportsDir, label+"-merged")
	if err := os.RemoveAll(x.Output); err != nil {
		return wire.File{}, err
	}
	if err := os.MkdirAll(filepath.Dir(x.Output), 0o777); err != nil {
		return wire.File{}, err
	}
	made, err := x.Write(ctx, nil, func(what string) { part("downloading", wire.Downloading{Name: label, File: what}) })
	if err != nil {
		return wire.File{}, err
	}
	defer os.RemoveAll(made.Directory)
	entries, err := os.ReadDir(made.Directory)
	if err != nil {
		return wire.File{}, err
	}
	var files []string
	for _, e := range entries {
		files = append(files, filepath.Join(made.Directory, e.Name()))
	}
	return h.handOut(label+"-merged.zip", "application/zip", func(w io.Writer) error {
		return pack(ctx, w, files, nil, h.packing(label, part, files))
	})
}

// packing tells how far a zip is.
func (h *Host) packing(label string, part parts, files []string) func(file string, done int64) {
	total := int64(0)
	for _, f := range files {
		if st, err := os.Stat(f); err == nil {
			total += st.Size()
		}
	}
	return func(file string, done int64) {
		part("downloading", wire.Downloading{Name: label, File: filepath.Base(file), Done: done, Total: total})
	}
}

// pack writes files, and texts beside them, as a zip with the same bytes for the same contents. Weights do not get smaller by
// packing, so nothing is compressed.
func pack(ctx context.Context, w io.Writer, files []string, texts map[string]string, tell func(file string, done int64)) error {
	z := zip.NewWriter(w)
	add := func(name string, r io.Reader) error {
		// The earliest time that the format has: what time it is, is no part of the contents.
		to, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err == nil {
			_, err = io.Copy(to, r)
		}
		return err
	}
	slices.Sort(files)
	done := int64(0)
	for _, path := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		tell(path, done)
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		counted := &counter{r: f}
		err = add(filepath.Base(path), counted)
		f.Close()
		if err != nil {
			return err
		}
		done += counted.n
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if err := add(name, strings.NewReader(texts[name])); err != nil {
			return err
		}
	}
	return z.Close()
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// handOut writes a file to take away. What was made before under the name is replaced.
func (h *Host) handOut(name, mime string, write func(io.Writer) error) (wire.File, error) {
	path := filepath.Join(h.dir, exportsDir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return wire.File{}, err
	}
	f, err := os.Create(path + ".part")
	if err != nil {
		return wire.File{}, err
	}
	err = write(f)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(path+".part", path)
	}
	if err != nil {
		os.Remove(path + ".part")
		return wire.File{}, fmt.Errorf("%s could not be written: %w", name, err)
	}
	st, err := os.Stat(path)
	if err != nil {
		return wire.File{}, err
	}
	return wire.File{Path: h.name(path), Name: name, Type: mime, Size: st.Size()}, nil
}
