package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hone/core/recipe"
	"hone/core/wire"
)

// A worker takes a name that was not sent for one of a hub, although something of that name lies in its working directory.
func TestNamesAreNotPaths(t *testing.T) {
	s := openShop(t, time.Second)
	mine := tinyRecipe(t, "output", 2)
	places := s.places(t, mine)
	here := t.TempDir()
	if err := os.CopyFS(filepath.Join(here, "tiny", "model"), os.DirFS(mine.Model)); err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile(mine.Dataset[0])
	if err == nil {
		err = os.WriteFile(filepath.Join(here, "tiny", "rows"), rows, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(here)
	t.Setenv("HONE_HOME", t.TempDir())
	t.Setenv("HF_HUB_OFFLINE", "1")
	s.hire(t, time.Hour)
	for what, args := range map[string][]string{
		"model":      {"--model", "tiny/model", "--dataset", mine.Dataset[0]},
		"model_type": {"--model_type", "tiny/model", "--dataset", mine.Dataset[0]},
		"dataset":    {"--model", mine.Model, "--dataset", "tiny/rows"},
		"adapter":    {"--model", mine.Model, "--dataset", mine.Dataset[0], "--adapter", "tiny/model"},
	} {
		r, err := recipe.Parse(append(args, "--max_steps", "1"))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := r.ToJSON()
		if err != nil {
			t.Fatal(err)
		}
		id, err := s.Submit(t.Context(), "ada", wire.Start{Recipe: raw, Places: places})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.ends(t, id); got.Status != Failed || !strings.Contains(got.Reason, "offline") {
			t.Errorf("%s: it is %s: %s", what, got.Status, got.Reason)
		}
	}
}
