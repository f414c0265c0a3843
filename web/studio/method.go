package studio

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hone/core/recipe"
	"hone/core/wire"
	"hone/web/parts"
	"hone/web/words"
)

// set changes one setting of the recipe.
func (t *Studio) set(a Act) {
	for name, v := range a.Values {
		if name == "checked" || len(v) == 0 {
			continue
		}
		t.change(func(s *parts.State) {
			delete(s.Errors, "set "+name)
			r := recipe.Default()
			if v[0] == "" {
				delete(s.Settings, name)
			} else if err := r.Set(name, v[0]); err != nil {
				s.Errors["set "+name] = err.Error()
				return
			} else if err := r.Validate(); err != nil && v[0] != "" && mentions(err, name) {
				s.Errors["set "+name] = err.Error()
				return
			} else {
				s.Settings[name] = v[0]
				if name == "train_type" && !bundledModel(s) && isPreset("learning_rate", s.Settings["learning_rate"]) {
					delete(s.Settings, "learning_rate") // it was meant for the other method
				}
				if name == "split_dataset_ratio" && isPreset("val_dataset_sample", s.Settings["val_dataset_sample"]) {
					delete(s.Settings, "val_dataset_sample") // nobody asked for it
				}
			}
			s.Forecast = nil
		})
	}
	t.plan()
}

// accept forgets which values were refused: others stand in their places now.
func accept(s *parts.State) {
	maps.DeleteFunc(s.Errors, func(name, _ string) bool { return strings.HasPrefix(name, "set ") })
}

// mentions reports whether an error is about that setting: a lone setting lacks others that a recipe needs.
func mentions(err error, name string) bool { return strings.Contains(err.Error(), name) }

// reset forgets all settings but the model and the rows.
func (t *Studio) reset() {
	t.change(func(s *parts.State) {
		kept := map[string]string{}
		for _, k := range []string{"model", "dataset", "columns"} {
			if v, ok := s.Settings[k]; ok {
				kept[k] = v
			}
		}
		s.Settings, s.Forecast, s.Lacks = kept, nil, nil
		accept(s)
	})
	t.plan()
}

// plan asks for the rows and for what the run would take, a little later: settings often change several at a time.
func (t *Studio) plan() {
	t.mu.Lock()
	t.turn["plan"]++
	mine := t.turn["plan"]
	t.mu.Unlock()
	time.AfterFunc(300*time.Millisecond, func() {
		t.mu.Lock()
		s := t.s
		chosen := s.Settings["model"] != "" && s.Settings["dataset"] != ""
		skip := t.turn["plan"] != mine || !s.Ready || s.Run.Alive() || !chosen || s.Model != nil && s.Model.Elsewhere
		if !chosen { // what is read for what was chosen before is not wanted any more
			defer t.end("data")
			defer t.end("method")
		}
		needRows := s.Preview == nil || t.rowsOf != rowsOf(s)
		t.mu.Unlock()
		if skip {
			return
		}
		if needRows {
			t.look(false)
		}
		t.forecast()
	})
}

func (t *Studio) forecast() {
	t.mu.Lock()
	raw, err := recipeJSON(t.s)
	if t.s.Run.Alive() || t.s.Errors["data"] != "" || t.s.Preview != nil && t.s.Preview.Refusal != "" {
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	if err != nil {
		t.trouble("method", err)
		return
	}
	ctx, done := t.begin("method", words.Working)
	f, err := wire.Ask[wire.Forecasted](ctx, t.o.Link, wire.Forecast{Recipe: raw}, nil)
	if !done() {
		return
	}
	t.trouble("method", err)
	t.change(func(s *parts.State) {
		if s.Forecast = nil; err == nil {
			s.Forecast = &f
		}
	})
}

func (t *Studio) exportRecipe() {
	t.change(func(s *parts.State) {
		raw, err := recipeJSON(s)
		if err != nil {
			s.Errors["method"] = err.Error()
			return
		}
		t.text = &Text{Name: "recipe.json", Mime: "application/json", Body: string(raw)}
	})
}

// unset is a recipe of which nothing was set but what the defaults of others hang on.
func unset(r recipe.Recipe) recipe.Recipe {
	bare, base := recipe.Default(), recipe.Default()
	base.TrainType, base.PerDeviceTrainBatchSize, base.SaveSteps = r.TrainType, r.PerDeviceTrainBatchSize, r.SaveSteps
	base.Resolve()
	base.TrainType, base.PerDeviceTrainBatchSize, base.SaveSteps = bare.TrainType, bare.PerDeviceTrainBatchSize, bare.SaveSteps
	return base
}

// importRecipe takes the settings of a file. Its model may be elsewhere, as with a link; rows that the host does not have are named, and those that
// were ticked are not taken for them.
func (t *Studio) importRecipe(text string) {
	r, err := recipe.FromJSON(json.RawMessage(text))
	if err != nil {
		t.trouble("method", fmt.Errorf("the recipe: %w", err))
		return
	}
	t.change(func(s *parts.State) {
		delete(s.Errors, "method")
		base := unset(r)
		kept := map[string]string{}
		keep := func(named bool, names ...string) {
			for _, k := range names {
				if v, ok := s.Settings[k]; ok && !named {
					kept[k] = v
				}
			}
		}
		keep(r.Given("model") || r.Given("model_type"), "model", "model_revision")
		keep(r.Given("dataset"), "dataset", "columns", "interleave_prob") // which are those of the rows
		s.Settings, s.Lacks = kept, nil
		accept(s)
		for _, f := range recipe.Fields() {
			v := r.Text(f.Name)
			if !r.Given(f.Name) || v == base.Text(f.Name) || slices.Contains([]string{"output_dir", "resume_from_checkpoint", "device"}, f.Name) {
				continue
			}
			if f.Name == "dataset" || f.Name == "val_dataset" {
				if not := missingRows(s.Host, v); len(not) > 0 && t.heard > 0 { // before, nothing is known of what is here
					s.Lacks = append(s.Lacks, not...)
					continue
				}
			}
			s.Settings[f.Name] = v
		}
		if s.Settings["dataset"] == "" {
			delete(s.Settings, "columns")
			delete(s.Settings, "interleave_prob")
		}
		if name := s.Settings["model_type"]; name != "" && s.Settings["model"] == "" {
			delete(s.Settings, "model_type")
			s.Settings["model"] = name
		}
		s.Model, s.Preview, s.Forecast = modelOf(s.Host, s.Settings["model"]), nil, nil
	})
	t.inspectChosen()
	t.plan()
}

// missingRows are those of a recipe's names of rows that the host does not have.
func missingRows(h wire.Host, names string) (missing []string) {
	for name := range strings.SplitSeq(names, ",") {
		if !slices.ContainsFunc(h.Data, func(d wire.Data) bool { return parts.Names(name, d.Path) }) {
			missing = append(missing, name)
		}
	}
	return missing
}
