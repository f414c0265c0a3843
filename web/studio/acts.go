package studio

import (
	"strconv"
	"strings"

	"hone/web/parts"
	"hone/web/words"
)

// acts are what the user can do, by the names that the components give.
var acts = map[string]func(*Studio, Act){
	"language": func(t *Studio, a Act) { t.language(a.value("language")) },
	"share":    func(t *Studio, a Act) { t.share() },
	"storage":  func(t *Studio, a Act) { t.storage(a.value("kept")) },

	"use_model":    func(t *Studio, a Act) { t.useModel(a.value("path")) },
	"use_adapter":  func(t *Studio, a Act) { t.useAdapter(a.value("path")) },
	"fetch_model":  func(t *Studio, a Act) { go t.fetchModel(a.value("of"), a.value("hub")) },
	"cancel_fetch": func(t *Studio, a Act) { t.end(strings.TrimSpace("fetch " + a.value("what"))) },
	"delete_ask":   func(t *Studio, a Act) { t.change(func(s *parts.State) { s.Delete = a.value("path") }) },
	"delete":       func(t *Studio, a Act) { go t.remove(a.value("path")) },
	"put_begun":    func(t *Studio, a Act) { t.storing(a) },
	"put_progress": func(t *Studio, a Act) { t.storing(a) },
	"put_done":     func(t *Studio, a Act) { go t.stored(a) },
	"put_ended":    (*Studio).notStored,
	"put_failed":   (*Studio).notStored,

	"fetch_data": func(t *Studio, a Act) { go t.fetchData(strings.TrimSpace(a.value("of")), a.value("hub")) },
	"use_data":   func(t *Studio, a Act) { t.useData(a.value("use"), a.value("checked") == "true") },
	"paste":      func(t *Studio, a Act) { go t.paste(a.value("rows")) },
	"columns":    func(t *Studio, a Act) { t.columns(a.value("query"), a.value("response")) },
	"more_rows":  func(t *Studio, a Act) { go t.look(true) },

	"set":           (*Studio).set,
	"preset":        func(t *Studio, a Act) { t.preset(a.value("preset")) },
	"reset":         func(t *Studio, a Act) { t.reset() },
	"export_recipe": func(t *Studio, a Act) { t.exportRecipe() },
	"import_recipe": func(t *Studio, a Act) { t.importRecipe(a.value("text")) },

	"train_now": func(t *Studio, a Act) { t.trainNow() },
	"start":     func(t *Studio, a Act) { go t.start() },
	"resume":    func(t *Studio, a Act) { go t.resume(a.value("run")) },
	"continue":  func(t *Studio, a Act) { go t.steer("continue", 0) },
	"pause":     func(t *Studio, a Act) { go t.steer("pause", 0) },
	"step":      func(t *Studio, a Act) { go t.steer("step", 0) },
	"save":      func(t *Studio, a Act) { go t.steer("save", 0) },
	"stop":      func(t *Studio, a Act) { go t.steer("stop", 0) },
	"rate":      func(t *Studio, a Act) { t.rate(a.value("rate")) },

	"place_look":   func(t *Studio, a Act) { go t.placeLook(a.value("url"), a.value("token")) },
	"place_go":     func(t *Studio, a Act) { go t.placeGo() },
	"place_back":   func(t *Studio, a Act) { go t.placeBack(false) },
	"place_lost":   func(t *Studio, a Act) { go t.placeBack(true) },
	"place_start":  func(t *Studio, a Act) { go t.placeStart() },
	"place_attach": func(t *Studio, a Act) { go t.placeAttach(strings.TrimSpace(a.value("run"))) },
	"place_agree":  func(t *Studio, a Act) { go t.placeAgree(t.server(), a.value("checked") == "true") },
	"place_token":  func(t *Studio, a Act) { go t.placeToken(a.value("token")) },

	"chart_log": func(t *Studio, a Act) { t.change(func(s *parts.State) { s.Chart.Log = a.value("checked") == "true" }) },
	"chart_smoothing": func(t *Studio, a Act) {
		if x, err := strconv.ParseFloat(a.value("smoothing"), 64); err == nil && x >= 0 && x < 1 {
			t.change(func(s *parts.State) { s.Chart.Smoothing = x })
		}
	},

	"table": func(t *Studio, a Act) {
		if end, err := strconv.Atoi(a.value("end")); err == nil {
			t.change(func(s *parts.State) { s.Tables[a.value("table")] = end })
		}
	},

	"example":    func(t *Studio, a Act) { t.example(a.value("prompt"), a.value("raw") != "") },
	"ask":        func(t *Studio, a Act) { go t.ask(a) },
	"watch":      func(t *Studio, a Act) { t.watch(a.Values["prompt"]) },
	"watch_rows": func(t *Studio, a Act) { t.watchRows() },
	"cancel_ask": func(t *Studio, a Act) { t.end("try") },

	"export": func(t *Studio, a Act) { go t.export(a.value("what")) },

	"choose_run": func(t *Studio, a Act) { go t.chooseRun(a.value("run"), a.value("checked") == "true") },
	"show_run":   func(t *Studio, a Act) { go t.show(a.value("run")) },
	"note":       func(t *Studio, a Act) { go t.note(a.value("run"), a.value("note")) },
}

// Act does what the user asked for. An act that there is not, from a page of another release, is passed over.
func (t *Studio) Act(a Act) {
	if f := acts[a.Name]; f != nil {
		f(t, a)
	}
}

// end ends what is going on in a stage.
func (t *Studio) end(stage string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cancel := t.cancel[stage]; cancel != nil {
		cancel()
	}
}

func (t *Studio) language(l string) {
	t.change(func(s *parts.State) {
		s.Language = words.Parse(l)
		t.url = languageURL(t.url, s.Language)
		t.setURL = t.url + t.link
		t.drawn = map[string]string{} // the title and the document's language go along
		t.charts = map[string]string{}
	})
	t.examples()
}

// storage looks at the space for files again; kept is what the browser says to keeping them, if it was asked.
func (t *Studio) storage(kept string) {
	if t.o.Storage == nil {
		return
	}
	now := t.o.Storage()
	t.change(func(s *parts.State) {
		if s.Host.Storage = now; kept != "" {
			s.NotKept = kept == "false" && !now.Persistent
		}
	})
}

// askToKeep lets the browser be asked, once, to keep the files for good: something is about to be stored that its user would miss.
func (t *Studio) askToKeep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.o.Storage == nil || t.kept || t.s.Host.Storage.Persistent {
		return
	}
	t.keep, t.kept = true, true
	t.redraw()
}
