package studio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"hone/core/wire"
	"hone/web/parts"
	"hone/web/words"
)

// useModel takes a model of the host.
func (t *Studio) useModel(path string) {
	t.change(func(s *parts.State) {
		s.Settings["model"], s.Model, s.Preview, s.Forecast = path, modelOf(s.Host, path), nil, nil
		if !bundledModel(s) {
			forgetLittle(s)
		}
	})
	t.inspect(path)
	t.plan()
}

// useAdapter lets the run begin with an adapter, or with "" with one of its own.
func (t *Studio) useAdapter(path string) {
	t.change(func(s *parts.State) {
		if delete(s.Settings, "adapter"); path != "" {
			s.Settings["adapter"] = path
			for _, k := range []string{"lora_rank", "lora_alpha", "lora_dropout"} {
				delete(s.Settings, k) // they are the adapter's
			}
		}
		s.Forecast = nil
	})
	t.plan()
}

// isAdapter reports whether the host has it as an adapter.
func isAdapter(s *parts.State, path string) bool {
	return slices.ContainsFunc(s.Host.Adapters, func(m wire.Model) bool { return m.Path == path })
}

// inspectChosen asks what the recipe's model is, where that is not known yet: a host's list has only names.
func (t *Studio) inspectChosen() {
	t.mu.Lock()
	path, known := t.s.Settings["model"], t.s.Model != nil && t.s.Model.Parameters > 0
	t.mu.Unlock()
	if path != "" && !known {
		t.inspect(path)
	}
}

// inspect asks what a model is; one that cannot be used says why.
func (t *Studio) inspect(path string) {
	ctx, done := t.begin("model", words.Working) // at once: of two choices the later one counts
	go t.inspected(ctx, done, path)
}

func (t *Studio) inspected(ctx context.Context, done func() bool, path string) {
	m, err := wire.Ask[wire.Model](ctx, t.o.Link, wire.Inspect{Model: path}, nil)
	if !done() {
		return
	}
	t.trouble("model", err)
	if err == nil {
		t.change(func(s *parts.State) {
			for i := range s.Host.Models {
				if s.Host.Models[i].Path == path {
					m.Bundled = m.Bundled || s.Host.Models[i].Bundled
					s.Host.Models[i] = m
				}
			}
			if s.Settings["model"] == path {
				s.Model = &m
			}
		})
	}
}

// offered asks which models the page's server gives out.
func (t *Studio) offered() {
	o, err := wire.Ask[wire.Offers](t.ctx, t.o.Link, wire.Offered{}, nil)
	if err != nil {
		return // a page that is used without its server
	}
	t.change(func(s *parts.State) { s.Offers = o.Models })
}

// fetchModel downloads a model by its name on a hub, its name behind "server:", or its address on the page's server.
func (t *Studio) fetchModel(of, hub string) {
	t.mu.Lock()
	if u, err := url.Parse(t.url); err == nil {
		if name, ours := strings.CutPrefix(of, u.ResolveReference(&url.URL{Path: "../models/"}).String()); ours {
			of = "server:" + strings.Trim(name, "/")
		}
	}
	t.mu.Unlock()
	t.askToKeep()
	ctx, done := t.begin("fetch", words.Working)
	m, err := wire.Ask[wire.Model](ctx, t.o.Link, wire.Fetch{What: "model", Of: of, Hub: hub}, func(name string, data json.RawMessage) { t.downloading("fetch", data) })
	if !done() {
		return
	}
	t.trouble("fetch", err)
	t.hello(false) // a part of it may be here, too
	if err == nil {
		t.useModel(m.Path)
	}
}

// downloading shows how far a download is.
func (t *Studio) downloading(stage string, data json.RawMessage) {
	var p wire.Downloading
	if json.Unmarshal(data, &p) != nil {
		return
	}
	t.change(func(s *parts.State) {
		if _, going := s.Busy[stage]; going {
			s.Busy[stage] = s.T(words.Downloaded, p.File, parts.Bytes(p.Done), parts.Bytes(p.Total))
		}
	})
}

func trimSlash(p string) string {
	for len(p) > 0 && p[len(p)-1] == '/' {
		p = p[:len(p)-1]
	}
	return p
}

// remove deletes something of the host.
func (t *Studio) remove(path string) {
	ctx, done := t.begin("runs", words.Working)
	_, err := wire.Ask[wire.Storage](ctx, t.o.Link, wire.Delete{Path: path}, nil)
	done()
	if err != nil {
		t.trouble("runs", fmt.Errorf("%s: %w", path, err))
	}
	t.change(func(s *parts.State) {
		s.Delete = ""
		if err != nil {
			return
		}
		if s.Settings["model"] == path {
			delete(s.Settings, "model")
			s.Model, s.Forecast, s.Preview = nil, nil, nil
		}
		if s.Settings["adapter"] == path {
			delete(s.Settings, "adapter")
			s.Forecast = nil
		}
		if "runs/"+s.Run.ID == path {
			s.Run = parts.Run{}
			forgetRun(s)
			delete(s.Errors, "run")
		}
	})
	if err == nil {
		t.dropData(strings.TrimPrefix(path, "dataset:"))
	}
	t.hello(false)
	time.AfterFunc(time.Second, func() { t.storage("") }) // browsers count a moment later what was freed
}
