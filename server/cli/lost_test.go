package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hone/server/jobs"
)

// A worker whose engine does not let it in any more ends and says why: it does not go on without being able to do anything.
func TestWorkerEndsWithoutEngine(t *testing.T) {
	hubWorld(t) // the worker changes its environment
	dir := t.TempDir()
	engine, err := jobs.Open(t.Context(), jobs.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	address := engine.Address
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var out bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, []string{"worker", "--nats", address, "--data_dir", t.TempDir(), "--device", "cpu"}, &out, &out)
	}()
	for there := 0; there == 0; time.Sleep(20 * time.Millisecond) {
		all, err := engine.Workers(ctx)
		if err != nil {
			t.Fatal(err)
		}
		there = len(all)
	}
	engine.Close()
	// The engine comes back at its address with another token.
	door := filepath.Join(dir, "door.json")
	raw, err := os.ReadFile(door)
	var d map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	d["token"] = "another"
	if raw, err2 := json.Marshal(d); err != nil || err2 != nil || os.WriteFile(door, raw, 0o600) != nil {
		t.Fatal(err, err2)
	}
	if engine, err = jobs.Open(t.Context(), jobs.Options{DataDir: dir}); err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	if got := <-code; got == 0 || ctx.Err() != nil || !strings.Contains(out.String(), jobs.ErrLost.Error()) {
		t.Errorf("it ends with %d (%v) and says:\n%s", got, ctx.Err(), out.String())
	}
}
