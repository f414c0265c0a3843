package parts

import (
	"strings"

	"hone/core/wire"
	"hone/web/words"
)

// What is chosen in a stage, in a few words: they stand beside its name while it is folded.

func (s *State) modelGist() string {
	if s.Model == nil {
		if s.Settings["model"] != "" {
			return s.Settings["model"]
		}
		return s.T(words.ModelChoose)
	}
	if s.Model.Parameters == 0 { // it has not been looked at yet
		return s.modelName(*s.Model)
	}
	return s.modelName(*s.Model) + " · " + s.T(words.ParametersOf, s.Count(s.Model.Parameters))
}

func (s *State) dataGist() string {
	var list []string
	for _, path := range s.DataFiles() {
		name := path[strings.LastIndexByte(path, '/')+1:]
		for _, d := range s.Host.Data {
			if d.Path == path {
				name = s.setTitle(d)
			}
		}
		list = append(list, name)
	}
	if len(list) == 0 {
		return s.T(words.DataChoose)
	}
	gist := strings.Join(list, s.T(words.Comma))
	if s.refused() {
		gist += " · " + s.T(words.DataRefused)
	} else if s.Preview != nil {
		gist += " · " + s.T(words.DataRowsOf, s.Preview.Rows.Read)
	}
	return gist
}

// refused reports whether the rows cannot be read as they are.
func (s *State) refused() bool { return s.Preview != nil && s.Preview.Refusal != "" }

func (s *State) methodGist() string {
	list := []string{map[string]string{"lora": s.T(words.LoRA), "qlora": s.T(words.QLoRA), "full": s.T(words.Full)}[s.Setting("train_type")]}
	if s.Setting("train_type") != "full" {
		list[0] += " " + s.T(words.MethodRank, s.Setting("lora_rank"))
	}
	if f := s.Forecast; f != nil {
		list = append(list, s.T(words.MethodSteps, itoa(f.Plan.Steps)), Bytes(f.Total))
		if f.Seconds > 0 {
			list = append(list, s.Duration(f.Seconds))
		}
	} else if n := s.Settings["max_steps"]; n != "" {
		list = append(list, s.T(words.MethodSteps, n))
	}
	return strings.Join(list, " · ")
}

func (s *State) saveGist() string {
	if s.HasTuned() {
		return s.T(words.SaveGist)
	}
	return s.T(words.SaveLater)
}

func (s *State) runsGist() string {
	if len(s.Host.Runs) == 0 {
		return s.T(words.RunsNone)
	}
	if len(s.Host.Runs) == 1 {
		return s.T(words.RunsOne)
	}
	return s.T(words.RunsOf, len(s.Host.Runs))
}

// canStart reports whether there is a model and something to teach it.
func (s *State) canStart() bool {
	return s.Ready && s.Settings["model"] != "" && s.Settings["dataset"] != ""
}

// first is the beginning of a list, as a text.
func first(list []string, n int) string {
	if len(list) > n {
		return strings.Join(list[:n], ", ") + ", …"
	}
	return strings.Join(list, ", ")
}

// visible shows a token whose text is white space.
func visible(token string) string {
	return strings.NewReplacer(" ", "␣", "\n", "⏎", "\t", "⇥").Replace(token)
}

// short is the name of a run without its model's.
func short(r wire.Run) string { return r.ID[strings.LastIndexByte(r.ID, '/')+1:] }

// when is the time of a run's start to the minute.
func when(r wire.Run) string {
	if len(r.Started) < 16 {
		return r.Started
	}
	return strings.Replace(r.Started[:16], "T", " ", 1)
}
