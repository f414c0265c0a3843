package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"hone/core/checkpoint"
	"hone/core/hub"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// Bundle is what comes with the program: a model directory and files of rows. It is written to the workspace when it is first
// needed. The zero value is none.
type Bundle struct {
	Files func(ctx context.Context) ([]wire.Blob, error)
	Open  func(ctx context.Context, path string) (io.ReadCloser, error)
}

// notRows are files at the top of the bundle that nothing can be trained on.
var notRows = []string{"heldout.json"}

// bringing keeps two requests from writing the same file.
var bringing sync.Mutex

// bundled adds what comes with the program to a greeting, whether it is here already or not.
func (h *Host) bundled(ctx context.Context, reply *wire.Host) error {
	if h.options.Bundle.Files == nil {
		return nil
	}
	files, err := h.options.Bundle.Files(ctx)
	if err != nil {
		return fmt.Errorf("what comes with the program: %w", err)
	}
	model := map[string]int64{}
	for _, f := range files {
		dir, name := path.Split(f.Path)
		switch {
		case dir != "":
			model[strings.TrimSuffix(dir, "/")] += f.Size
		case path.Ext(name) == ".json" && !slices.Contains(notRows, name):
			reply.Data = append(reply.Data, wire.Data{Path: bundleDir + "/" + name, Name: strings.TrimSuffix(name, ".json"), Bytes: f.Size, Bundled: true})
		}
	}
	for dir, bytes := range model {
		m, err := h.describe(filepath.Join(h.dir, bundleDir, filepath.FromSlash(dir)))
		if err != nil { // it has not been needed yet
			m = wire.Model{Bytes: bytes}
		}
		m.Path, m.Name, m.Bundled = bundleDir+"/"+dir, dir, true
		reply.Models = append(reply.Models, m)
	}
	return nil
}

// bring makes sure that what a recipe names of the bundle is in the workspace.
func (h *Host) bring(ctx context.Context, r recipe.Recipe, part parts) error {
	for _, at := range slices.Concat([]string{r.Model}, r.Dataset, r.ValDataset) {
		name, _, _ := strings.Cut(at, "#")
		if err := h.bringPath(ctx, name, part); err != nil {
			return err
		}
	}
	return nil
}

// bringPath makes sure that a path is in the workspace if it is one of the bundle's.
func (h *Host) bringPath(ctx context.Context, at string, part parts) error {
	if !filepath.IsAbs(at) || h.options.Bundle.Files == nil {
		return nil
	}
	want, inside := strings.CutPrefix(h.name(at), bundleDir+"/")
	if !inside {
		return nil
	}
	bringing.Lock()
	defer bringing.Unlock()
	files, err := h.options.Bundle.Files(ctx)
	if err != nil {
		return fmt.Errorf("what comes with the program: %w", err)
	}
	list := filepath.Join(h.dir, hidden, "bundle.json")
	have := map[string]string{}
	readFile(list, &have)
	var done, total int64
	for _, f := range files {
		total += f.Size
	}
	for _, f := range files {
		if f.Path != want && !strings.HasPrefix(f.Path, want+"/") {
			continue
		}
		target := filepath.Join(h.dir, bundleDir, filepath.FromSlash(f.Path))
		if st, err := os.Stat(target); err == nil && st.Size() == f.Size && have[f.Path] == f.SHA256 {
			continue
		}
		part("downloading", wire.Downloading{Name: bundleDir, File: f.Path, Done: done, Total: total})
		if err := h.copyOut(ctx, f, target); err != nil {
			return fmt.Errorf("%s, which comes with the program: %w", f.Path, err)
		}
		done += f.Size
		have[f.Path] = f.SHA256
		if err := replaceFile(list, have); err != nil {
			return err
		}
	}
	return nil
}

// isBundled says that a path is of what comes with the program.
func (h *Host) isBundled(path string) bool { return strings.HasPrefix(h.name(path), bundleDir+"/") }

// tuned is what a run has left. The model that comes with the program is brought again if its user has deleted it.
func (h *Host) tuned(ctx context.Context, dir string, part parts) (run.Tuned, error) {
	raw, err := checkpoint.Run{Dir: dir}.ReadArgs()
	if err != nil {
		return run.Tuned{}, err
	}
	if r, err := recipe.FromJSON(raw); err == nil && h.isBundled(r.Model) && isMissing(r.Model) {
		if err := h.bringPath(ctx, r.Model, part); err != nil {
			return run.Tuned{}, err
		}
	}
	return run.FindTuned(ctx, dir, "", part.sink)
}

// sameBase makes sure that a model is the one that an adapter was made for: a new release may come with another, and a folder that was
// removed may have come again with other weights. A model of a hub is, since its commit is known.
func (h *Host) sameBase(t run.Tuned) error {
	if hub.IDOf(t.Model) != "" || isMissing(filepath.Join(t.Result, checkpoint.AdapterFile)) {
		return nil
	}
	m, err := t.Run.ReadManifest()
	if err != nil {
		return nil // it cannot be known
	}
	if same, err := m.Model.Still(t.Model, m.Created); err != nil || same {
		return err
	}
	if h.isBundled(t.Model) {
		return errors.New("the model that comes with Hone is another one since this run, and would answer wrongly with its adapter; train again on the new one")
	}
	return fmt.Errorf("the model %s is another one since this run, and would answer wrongly with its adapter; bring the one back that it was trained on, or train again on this one", h.name(t.Model))
}

// copyOut writes one file of the bundle and checks it.
func (h *Host) copyOut(ctx context.Context, f wire.Blob, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
		return err
	}
	in, err := h.options.Bundle.Open(ctx, f.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(target + ".part")
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), in)
	if closing := out.Close(); err == nil {
		err = closing
	}
	switch {
	case err != nil:
		return err
	case n != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.SHA256:
		os.Remove(target + ".part")
		return fmt.Errorf("%d bytes came that are not those of this release (%d bytes); reload the page", n, f.Size)
	}
	return os.Rename(target+".part", target)
}
