package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/core/checkpoint"
	"hone/core/data"
	"hone/core/recipe"
)

// Folders of the workspace.
const (
	modelsDir  = "models"
	dataDir    = "data"
	bundleDir  = "bundle"
	runsDir    = "runs"
	exportsDir = "exports"
)

// named are the folders whose contents a recipe can name.
var named = []string{modelsDir, dataDir, bundleDir, runsDir}

// path is where a name of the workspace lies. Nobody gets out of it.
func (h *Host) path(name string) (string, error) {
	rel := filepath.FromSlash(name)
	if filepath.IsAbs(rel) {
		inside, err := filepath.Rel(h.dir, rel)
		if err != nil {
			return "", err
		}
		rel = inside
	}
	if !filepath.IsLocal(rel) || rel == "." || strings.HasPrefix(filepath.ToSlash(rel), hidden) {
		return "", fmt.Errorf("%s is no path of this workspace; files lie in %s, %s, %s and %s", name, modelsDir, dataDir, bundleDir, runsDir)
	}
	return filepath.Join(h.dir, rel), nil
}

// name is how the workspace calls a path: relative, with slashes.
func (h *Host) name(path string) string {
	rel, err := filepath.Rel(h.dir, path)
	if err != nil || !filepath.IsLocal(rel) {
		return path
	}
	return filepath.ToSlash(rel)
}

// placed turns a name of the workspace into a path; names of a hub stay what they are.
func (h *Host) placed(name string) (string, error) {
	first, _, _ := strings.Cut(filepath.ToSlash(name), "/")
	if slices.Contains(named, first) || filepath.IsAbs(name) || strings.HasPrefix(name, ".") {
		return h.path(name)
	}
	return name, nil
}

// called undoes placed. Paths of other machines, which came with a run, stay what they are.
func (h *Host) called(path string) string {
	name := h.name(path)
	if first, _, _ := strings.Cut(name, "/"); slices.Contains(named, first) {
		return name
	}
	return path
}

// callAll puts the names that the workspace has for them in the place of the paths of a recipe.
func (h *Host) callAll(r *recipe.Recipe) {
	r.Model, r.Adapter = h.called(r.Model), h.called(r.Adapter)
	for _, list := range []*[]string{&r.Dataset, &r.ValDataset} {
		*list = slices.Clone(*list)
		for i, entry := range *list {
			(*list)[i] = h.called(entry)
		}
	}
}

// recorded is the recipe of a run, with the names of the workspace. One that cannot be read stays as it is.
func (h *Host) recorded(args []byte) []byte {
	r, err := recipe.FromJSON(args)
	if err != nil {
		return args
	}
	h.callAll(&r)
	if raw, err := r.ToJSON(); err == nil {
		return raw
	}
	return args
}

// recipe reads a recipe whose paths are the workspace's.
func (h *Host) recipe(raw json.RawMessage) (recipe.Recipe, error) {
	r, err := recipe.FromJSON(raw)
	if err != nil {
		return r, err
	}
	for _, p := range []*string{&r.Model, &r.Adapter} {
		if *p != "" {
			if *p, err = h.placed(*p); err != nil {
				return r, err
			}
		}
	}
	for _, list := range []*[]string{&r.Dataset, &r.ValDataset} {
		*list = append([]string(nil), *list...)
		for i, entry := range *list {
			name, _, err := data.ParseSpec(entry)
			if err != nil {
				return r, err
			}
			at, err := h.placed(name)
			if err != nil {
				return r, err
			}
			(*list)[i] = at + strings.TrimPrefix(entry, name)
		}
	}
	r.OutputDir, r.ResumeFromCheckpoint = filepath.Join(h.dir, runsDir), ""
	return r, nil
}

// runDir is the directory of a run by its ID.
func (h *Host) runDir(id string) (string, error) {
	dir, err := h.path(runsDir + "/" + id)
	if err == nil && strings.Count(filepath.ToSlash(id), "/") == 1 {
		if _, err = os.Stat(filepath.Join(dir, checkpoint.ArgsFile)); err == nil {
			return dir, nil
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no run %s here; it may have been deleted", id)
	}
	return "", err
}

// runID is the ID of a run by its directory.
func (h *Host) runID(dir string) string {
	return strings.TrimPrefix(h.name(dir), runsDir+"/")
}

// replaceFile writes a small file as a whole.
func replaceFile(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".part", raw, 0o666); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// readFile reads what replaceFile wrote; a file that is missing or damaged says nothing.
func readFile(path string, v any) bool {
	raw, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(raw, v) == nil
}

// used is what lies below a directory, in bytes.
func used(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if st, err := e.Info(); err == nil {
			n += st.Size()
		}
		return nil
	})
	return n
}
