package http

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
)

// maxListed is how many files are looked at for the list of models.
const maxListed = 100_000

// models gives out the models of a directory: a list at /models/, files at /models/<name>/<path>, in parts too. Links that lead
// out of the directory are not followed, and what begins with a dot is nobody's business.
type models struct{ root *os.Root }

// model is one of the list: a folder with a config.json.
type model struct {
	Name  string      `json:"name"` // its path in the directory
	Size  int64       `json:"size"`
	Files []modelFile `json:"files"`
}

type modelFile struct {
	Path string `json:"path"` // in the model's folder
	Size int64  `json:"size"`
	Tag  string `json:"tag"` // its ETag: another one is another file
}

// tagOf is the ETag of a model's file.
func tagOf(info fs.FileInfo) string {
	return fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano())
}

func (m models) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/models/")
	if name == "" {
		m.list(w)
		return
	}
	if !fs.ValidPath(name) || hidden(name) {
		refuse(w, http.StatusNotFound, "There is no model file %.200q.", name)
		return
	}
	f, err := m.root.Open(name)
	if err != nil { // not there, not readable, or a link that leads out: no difference to who asks
		refuse(w, http.StatusNotFound, "There is no model file %.200q.", name)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		refuse(w, http.StatusNotFound, "%.200q is no file.", name)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	if path.Ext(name) == ".json" {
		h.Set("Content-Type", "application/json")
	}
	h.Set("Cache-Control", "no-store") // the page keeps it among its own files; a second copy would take as much again
	h.Set("ETag", tagOf(info))
	http.ServeContent(w, r, "", info.ModTime(), f)
}

func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") {
			return true
		}
	}
	return false
}

func (m models) list(w http.ResponseWriter) {
	found := map[string]*model{}
	var order []*model
	files := map[string][]modelFile{} // by folder
	seen := 0
	err := fs.WalkDir(m.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be read is not offered
		}
		if name != "." && hidden(name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if seen++; seen > maxListed {
			return errors.New("too many files")
		}
		if d.IsDir() {
			return nil
		}
		info, err := m.root.Stat(name) // of what a link inside the directory leads to
		if err != nil || !info.Mode().IsRegular() {
			return nil
		}
		dir, base := path.Split(name)
		dir = strings.TrimSuffix(dir, "/")
		files[dir] = append(files[dir], modelFile{base, info.Size(), tagOf(info)})
		if base == "config.json" && dir != "" {
			found[dir] = &model{Name: dir}
			order = append(order, found[dir])
		}
		return nil
	})
	if err != nil {
		refuse(w, http.StatusInternalServerError, "The directory given with --models has more than %d files; give one with models alone.", maxListed)
		return
	}
	for _, m := range order {
		m.Files = files[m.Name]
		for _, f := range m.Files {
			m.Size += f.Size
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if order == nil {
		order = []*model{}
	}
	json.NewEncoder(w).Encode(map[string]any{"models": order})
}
