package parts

import (
	"encoding/json"
	"strings"

	"hone/core/wire"
	"hone/web/words"
)

// column is what a column of the file is taken for.
func (s *State) column(name string) string {
	var names map[string]string
	_ = json.Unmarshal([]byte(s.Settings["columns"]), &names)
	return names[name]
}

// removed is what Delete calls a file of rows.
func (s *State) removed(d wire.Data) string {
	if d.Hub {
		return "dataset:" + d.Path
	}
	return d.Path
}

// setTitle names a file of rows, the bundled ones in the language of the page.
func (s *State) setTitle(d wire.Data) string {
	if t, ok := words.Sets[strings.TrimSuffix(d.Name, ".json")+".json"]; ok && d.Bundled {
		return s.T(t.Title)
	}
	return d.Name
}

func (s *State) setAbout(d wire.Data) string {
	if t, ok := words.Sets[strings.TrimSuffix(d.Name, ".json")+".json"]; ok && d.Bundled {
		return s.T(t.About)
	}
	return ""
}

// modelName names a model, the bundled one in the language of the page.
func (s *State) modelName(m wire.Model) string {
	if m.Bundled {
		return s.T(words.ModelTiny)
	}
	return m.Name
}
