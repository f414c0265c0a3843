package move

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/checkpoint"
)

// A run moves as of its last State: who names an earlier one is told so before anything is sent.
func TestGatherEarlier(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tiny", "v0-20260131-120000")
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	args := fmt.Sprintf(`{"model":"org/tiny","dataset":[%q]}`, rows)
	if err := errors.Join(os.MkdirAll(dir, 0o777), os.WriteFile(filepath.Join(dir, checkpoint.ArgsFile), []byte(args), 0o666), os.WriteFile(rows, []byte("{}"), 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{10, 20} {
		if _, err := checkpoint.Save(dir, &checkpoint.State{Step: step}, func(to string) error {
			return os.WriteFile(filepath.Join(to, "weights"), fmt.Append(nil, step), 0o666)
		}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := GatherRun(filepath.Join(dir, "checkpoint-10"))
	if err == nil || !strings.Contains(err.Error(), "is not the last State of its run, which is of step 20") || !strings.Contains(err.Error(), dir+",") {
		t.Errorf("an earlier State: %v", err)
	}
	for _, name := range []string{dir, filepath.Join(dir, "checkpoint-20")} {
		if l, err := GatherRun(name); err != nil || l.From.Step != 20 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
