package parts

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"hone/core/recipe"
	"hone/core/wire"
	"hone/web/words"
)

// simple are the settings that everybody sees.
var simple = []string{"learning_rate", "max_steps", "per_device_train_batch_size", "lora_rank", "seed"}

// elsewhere are the settings that other parts of the page choose, or that mean nothing in a tab.
var elsewhere = []string{"model", "model_type", "model_revision", "hub", "dataset", "val_dataset", "columns", "split_dataset_ratio", "train_type", "adapter",
	"resume_from_checkpoint", "output_dir", "device", "log_format", "fallback"}

type group struct {
	Name   string
	Fields []string
}

// groups are the settings of the advanced view as the recipe groups them.
var groups = sync.OnceValue(func() []group {
	var list []group
	for _, f := range recipe.Fields() {
		if slices.Contains(simple, f.Name) || slices.Contains(elsewhere, f.Name) {
			continue
		}
		if len(list) == 0 || list[len(list)-1].Name != f.Group {
			list = append(list, group{Name: f.Group})
		}
		g := &list[len(list)-1]
		g.Fields = append(g.Fields, f.Name)
	}
	return list
})

func fieldOf(name string) recipe.Field {
	if f, ok := recipe.FieldOf(name); ok {
		return f
	}
	panic("parts: no setting of the recipe is called " + name)
}

func (s *State) defaultOf(f recipe.Field) string {
	if t, ok := words.Defaults[f.Name]; ok {
		return s.T(t)
	}
	return s.T(words.Default, cmp.Or(f.Shown, f.Default, "–"))
}

// split is the share of rows that is held out: as it was set, or as it came out.
func (s *State) split() float64 {
	if _, set := s.Settings["split_dataset_ratio"]; !set && s.Preview != nil && s.Preview.Rows.HeldOut > 0 {
		return share(int64(s.Preview.Rows.HeldOut), int64(s.Preview.Rows.HeldOut+s.Preview.Rows.Train))
	}
	x, err := strconv.ParseFloat(s.Setting("split_dataset_ratio"), 64)
	if err != nil {
		return 0 // a setting that is no number is refused before
	}
	return x
}

func (s *State) splitText() string { return fmt.Sprintf("%.0f%%", 100*s.split()) }

func inputMode(f recipe.Field) string {
	switch f.Kind {
	case recipe.Whole:
		return "numeric"
	case recipe.Number:
		return "decimal"
	}
	return "text"
}

type memoryPart struct {
	Name  words.Text
	Bytes int64
}

func memoryParts(p wire.Plan) []memoryPart {
	return []memoryPart{
		{words.WeightsMemory, p.Weights}, {words.AdapterMemory, p.Adapters}, {words.GradientMemory, p.Gradients},
		{words.MomentMemory, p.Moments}, {words.ActiveMemory, p.Activations}, {words.OtherMemory, p.Workspace + p.Data + p.Program},
	}
}

// ownFiles says that the recipe names files that are in this browser alone.
func (s *State) ownFiles() bool {
	return slices.ContainsFunc(append(s.DataFiles(), s.Settings["model"]), func(name string) bool {
		return strings.HasPrefix(name, "data/") || strings.HasPrefix(name, "models/")
	})
}

// commandLine is the recipe as a command.
func (s *State) commandLine() string {
	if s.Forecast != nil && s.Forecast.Line != "" {
		return s.Forecast.Line
	}
	r := recipe.Default()
	for name, v := range s.Settings {
		_ = r.Set(name, v) // one that is refused has its error beside it
	}
	return r.Line()
}
