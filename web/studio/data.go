package studio

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hone/core/recipe"
	"hone/core/wire"
	"hone/web/parts"
	"hone/web/words"
)

// useData adds a file to the rows to learn, or takes it away.
func (t *Studio) useData(path string, use bool) {
	t.change(func(s *parts.State) {
		files := slices.DeleteFunc(s.DataFiles(), func(f string) bool { return parts.Names(f, path) })
		if use {
			files = append(files, path)
		}
		setData(s, files)
	})
	t.plan()
}

// setData takes files as the rows to learn. Names of columns are forgotten with the last file that had them.
func setData(s *parts.State, files []string) {
	if !slices.ContainsFunc(files, s.UsesData) {
		delete(s.Settings, "columns")
	}
	if s.Settings["val_dataset_sample"] == tiny["val_dataset_sample"] && slices.ContainsFunc(files, func(f string) bool { return !bundled(s, f) }) {
		delete(s.Settings, "val_dataset_sample") // so many of the rows that come with the page; of others perhaps all
		s.Settings["split_dataset_ratio"] = "0.1"
	}
	if len(files) == 0 {
		delete(s.Settings, "dataset")
	} else {
		s.Settings["dataset"] = strings.Join(files, ",")
	}
	forgetSamples(s)
	s.Preview, s.Forecast, s.Notes, s.Lacks = nil, nil, nil, nil
}

func bundled(s *parts.State, path string) bool {
	return slices.ContainsFunc(s.Host.Data, func(d wire.Data) bool { return d.Path == path && d.Bundled })
}

// fetchData downloads rows by their name on a hub or by their address, and takes them.
func (t *Studio) fetchData(of, hub string) {
	t.askToKeep()
	ctx, done := t.begin("fetch data", words.Working)
	files, err := wire.Ask[wire.DataFiles](ctx, t.o.Link, wire.Fetch{What: "dataset", Of: of, Hub: hub}, func(_ string, data json.RawMessage) { t.downloading("fetch data", data) })
	if !done() {
		return
	}
	t.trouble("fetch data", err)
	t.hello(false)
	if err != nil {
		return
	}
	paths := []string{files.Of}
	if files.Of == "" {
		paths = nil
		for _, f := range files.Files {
			paths = append(paths, f.Path)
		}
	}
	t.change(func(s *parts.State) { setData(s, paths) })
	t.plan()
}

// dropData takes a file that has gone out of the recipe.
func (t *Studio) dropData(path string) {
	t.mu.Lock()
	used := t.s.UsesData(path)
	t.mu.Unlock()
	if used {
		t.useData(path, false)
	}
}

// paste keeps rows that were typed in as a file.
func (t *Studio) paste(rows string) {
	rows = strings.TrimSpace(rows)
	if rows == "" {
		return
	}
	if t.o.Store == nil {
		t.trouble("data", errors.New("rows cannot be pasted here; choose a file"))
		return
	}
	path := fmt.Sprintf("data/pasted-%s.jsonl", time.Now().Format("20060102-150405"))
	if err := t.o.Store(path, []byte(rows+"\n")); err != nil {
		t.trouble("data", err)
		return
	}
	t.hello(false)
	t.change(func(s *parts.State) { setData(s, nil) })
	t.useData(path, true)
}

// columns says which columns ask and answer.
func (t *Studio) columns(query, response string) {
	names := map[string]string{}
	t.mu.Lock()
	if t.s.Preview != nil && query != "" && response != "" { // who names both means nothing else: a table has more than that
		for _, c := range t.s.Preview.Columns {
			if c != query && c != response && c != "system" && c != "history" {
				names[c] = ""
			}
		}
	}
	t.mu.Unlock()
	if query != "" && query != "query" {
		names[query] = "query"
	}
	if response != "" && response != "response" {
		names[response] = "response"
	}
	raw, _ := json.Marshal(names) // a map of strings
	t.change(func(s *parts.State) {
		delete(s.Settings, "columns")
		if len(names) > 0 {
			s.Settings["columns"] = string(raw)
		}
	})
	t.plan()
}

const rowsShown = 5

// rowsOf are the settings that decide which rows there are and how the model sees them.
func rowsOf(s *parts.State) string {
	var b strings.Builder
	for _, f := range recipe.Fields() {
		if v, ok := s.Settings[f.Name]; ok && f.Group == "Model and data" {
			fmt.Fprintf(&b, "%s=%q ", f.Name, v)
		}
	}
	return b.String()
}

// look reads the rows of the recipe. more: some rows beyond those that are shown.
func (t *Studio) look(more bool) {
	t.mu.Lock()
	s := t.s
	if s.Settings["model"] == "" || s.Settings["dataset"] == "" {
		t.mu.Unlock()
		return
	}
	raw, err := recipeJSON(s)
	n := rowsShown
	if more && s.Preview != nil {
		n += len(s.Preview.Shown)
	}
	t.rowsOf = rowsOf(s)
	t.mu.Unlock()
	if err != nil {
		t.trouble("method", err)
		return
	}
	ctx, done := t.begin("data", words.Working)
	p, err := wire.Ask[wire.Preview](ctx, t.o.Link, wire.Look{Recipe: raw, Rows: n}, nil)
	if !done() {
		return
	}
	t.trouble("data", err)
	t.change(func(s *parts.State) {
		if s.Preview = nil; err == nil {
			s.Preview = &p
		}
	})
}
