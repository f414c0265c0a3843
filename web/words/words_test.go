package words

import (
	"strings"
	"testing"

	"hone/core/recipe"
)

// Every setting that a page can show has a label and an explanation in both languages; which it shows is parts' choice.
func TestSettings(t *testing.T) {
	hidden := "model model_type model_revision hub dataset val_dataset columns train_type adapter resume_from_checkpoint output_dir device log_format fallback"
	for _, f := range recipe.Fields() {
		if strings.Contains(" "+hidden+" ", " "+f.Name+" ") {
			continue
		}
		s, ok := settings[f.Name]
		if !ok {
			t.Errorf("the setting %s has no words", f.Name)
			continue
		}
		for _, text := range []Text{s.Label, s.About} {
			if text.en == "" || text.zh == "" {
				t.Errorf("the setting %s has empty words: %+v", f.Name, text)
			}
		}
		if _, ok := groups[f.Group]; !ok {
			t.Errorf("the group %q has no words", f.Group)
		}
	}
	for name := range settings {
		found := false
		for _, f := range recipe.Fields() {
			found = found || f.Name == name
		}
		if !found {
			t.Errorf("there are words for %s, which is no setting", name)
		}
	}
}

func TestLanguage(t *testing.T) {
	for tag, want := range map[string]Language{"zh": Chinese, "zh-CN": Chinese, "ZH-hant": Chinese, "en-GB": English, "": English, "de": English} {
		if got := Parse(tag); got != want {
			t.Errorf("%q is %s, want %s", tag, got, want)
		}
	}
	if got := StatusRuns.With(Chinese, 3, 9); got != "训练中：第 3 步，共 9 步" {
		t.Error(got)
	}
	if Chinese.Name() == English.Name() {
		t.Error("the languages have one name")
	}
}
