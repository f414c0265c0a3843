package hub

import (
	"os"
	"path/filepath"
	"strings"
)

// placedByHand is what the user put into the directory that byHand names.
func (e *environment) placedByHand(k kind, name string, r reference) (Place, bool) {
	short, ok := parse(k, name)
	if !ok {
		return Place{}, false
	}
	for _, dir := range []string{e.handDir(k, short.id), e.handDir(k, r.id)} {
		if k != datasets {
			marker := "config.json"
			if k == adapters {
				marker = "adapter_config.json"
			}
			if _, err := os.Stat(filepath.Join(dir, marker)); err == nil {
				return Place{Name: name, Dir: dir}, true
			}
			continue
		}
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			if files, err := folderFiles(dir, r.part); err == nil {
				return Place{Name: name, Files: files}, true
			}
		}
	}
	return Place{}, false
}

func (e *environment) handDir(k kind, name string) string {
	return filepath.Join(e.home, k.plural(), filepath.FromSlash(name))
}

// IDOf is the id of a model in the cache by its directory; "" for any other directory.
func IDOf(dir string) string {
	if _, err := os.Stat(filepath.Join(dir, ".listing")); err != nil {
		return ""
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	return strings.Replace(filepath.Base(filepath.Dir(abs)), "--", "/", 1)
}

// NameOf is a name that means a model of the cache, by its directory: its id, with its hub where ids are not looked for there first.
func NameOf(dir string) string {
	return nameOn(filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(dir)))), IDOf(dir))
}

func nameOn(hub, id string) string {
	e, err := newEnvironment(Options{})
	if id == "" || err != nil || e.hubs[0] == hub {
		return id
	}
	return strings.ToUpper(hub) + "::" + id
}

// DatasetName is a name that means a data set that was found, from whichever hub: as NameOf, with the revision and the part that were
// asked for. What lay on disk keeps its name.
func (p Place) DatasetName() string {
	if p.Hub == "" {
		return p.Name
	}
	name := nameOn(p.Hub, p.ID)
	if r, ok := parse(datasets, p.Name); ok && r.revision != "" {
		name += "@" + r.revision
	}
	if p.Part != "" {
		name += ":" + p.Part
	}
	return name
}
