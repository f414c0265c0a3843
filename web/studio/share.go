package studio

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"hone/core/recipe"
	"hone/web/parts"
	"hone/web/words"
)

// own are settings that name files of this browser, or mean something on this machine alone: a link does not carry them.
var own = []string{"val_dataset", "output_dir", "resume_from_checkpoint", "adapter", "device", "device_memory"}

// shareable reports whether a link may carry a setting: of rows only the names of those that come with the page.
func shareable(name, value string) bool {
	if name == "dataset" {
		return !slices.ContainsFunc(strings.Split(value, ","), func(file string) bool { return !strings.HasPrefix(file, "bundle/") })
	}
	return !slices.Contains(own, name)
}

// share puts the recipe into the page's address, where it can be copied from. Data never goes there.
func (t *Studio) share() {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := url.Values{}
	for k, v := range t.s.Settings {
		if shareable(k, v) {
			q.Set(k, v)
		}
	}
	t.link = "#recipe?" + q.Encode() // which url.URL would encode again
	t.setURL = t.url + t.link
	t.redraw()
}

// plainURL takes the recipe out of the page's address: opened again, it is to show what was done since. The lock is held.
func (t *Studio) plainURL() {
	if t.link != "" {
		t.setURL, t.link = t.url, ""
	}
}

// openShared takes the recipe from the page's address, which is known without it from then on. The lock is held.
func (t *Studio) openShared(address string) {
	u, err := url.Parse(address)
	if err != nil {
		t.url = address
		return
	}
	raw, ok := strings.CutPrefix(u.EscapedFragment(), "recipe?")
	u.Fragment, u.RawFragment = "", ""
	if t.url = u.String(); !ok {
		return
	}
	t.link = "#recipe?" + raw
	q, err := url.ParseQuery(raw)
	if err != nil {
		return
	}
	for name, v := range q {
		if len(v) == 0 || !shareable(name, v[0]) {
			continue
		}
		r := recipe.Default()
		if r.Set(name, v[0]) == nil {
			t.s.Settings[name] = v[0]
		}
	}
}

// languageURL is an address of the page in another language: its folder is /en/ or /zh/.
func languageURL(address string, l words.Language) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	p := strings.Split(u.Path, "/")
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] == string(words.English) || p[i] == string(words.Chinese) {
			p[i] = string(l)
			break
		}
	}
	u.Path = strings.Join(p, "/")
	return u.String()
}

// recipeJSON is the recipe as the host reads it: what was set, and nothing else.
func recipeJSON(s *parts.State) (json.RawMessage, error) {
	r := recipe.Default()
	for name, v := range s.Settings {
		if err := r.Set(name, v); err != nil {
			return nil, err
		}
	}
	raw, err := r.ToJSON()
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	for name := range all {
		if _, set := s.Settings[name]; !set {
			delete(all, name)
		}
	}
	return json.Marshal(all)
}
