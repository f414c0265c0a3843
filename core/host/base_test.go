package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// another is what comes with another release: the same model, but for its config.json.
func another(t *testing.T) Bundle {
	now := comes()
	const changed = "model/config.json"
	in, err := now.Open(t.Context(), changed)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, '\n')
	return Bundle{
		Files: func(ctx context.Context) ([]wire.Blob, error) {
			list, err := now.Files(ctx)
			for i := range list {
				if list[i].Path == changed {
					sum := sha256.Sum256(raw)
					list[i].Size, list[i].SHA256 = int64(len(raw)), hex.EncodeToString(sum[:])
				}
			}
			return list, err
		},
		Open: func(ctx context.Context, path string) (io.ReadCloser, error) {
			if path == changed {
				return io.NopCloser(bytes.NewReader(raw)), nil
			}
			return now.Open(ctx, path)
		},
	}
}

// TestBase takes a run on the model that comes with the program away: card and adapter name it by its name, and the card tells that the
// learning rate was changed. After a release with another model the run says so instead of answering with that one.
func TestBase(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	id := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 50})}).Run
	ask[any](h, wire.Steer{Run: id, Do: "pause"})
	h.until("paused")
	ask[any](h, wire.Steer{Run: id, Do: "rate", LearningRate: 5e-4})
	ask[any](h, wire.Steer{Run: id, Do: "step"})
	h.until("stepped")
	ask[any](h, wire.Steer{Run: id, Do: "stop"})
	waitIdle(h)
	read := func(what string) string {
		f := ask[wire.File](h, wire.Export{Run: id, What: what})
		raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	card := read("card")
	for _, want := range []string{`base_model: "hone-tiny"`, "`hone-tiny`, which comes with Hone", "| model | hone-tiny |", "| learning_rate | 0.001, changed to 0.0005 while the run went on |"} {
		if !strings.Contains(card, want) {
			t.Errorf("the card lacks %q: %s", want, card)
		}
	}
	out := filepath.Join(t.TempDir(), "adapter")
	unpack(t, []byte(read("adapter")), out)
	raw, err := os.ReadFile(filepath.Join(out, checkpoint.AdapterFile))
	var config struct {
		Base string `json:"base_model_name_or_path"`
		Rank int    `json:"r"`
	}
	if err != nil || json.Unmarshal(raw, &config) != nil || config.Base != "hone-tiny" || config.Rank != 8 {
		t.Errorf("adapter_config.json is %s, %v", raw, err)
	}
	h.Close()

	h = open(t, dir, func(o *Options) { o.Bundle = another(t) })
	question := wire.Answer{Run: id, Prompt: "What is red?", Sides: "both", Tokens: 2}
	ask[wire.Answers](h, question) // its own base is still here
	ask[wire.Model](h, wire.Inspect{Model: "bundle/model"})
	h.device.silence()
	for _, r := range []wire.Request{question, wire.Export{Run: id, What: "merged"}} {
		if why := refusal(h, r); !strings.Contains(why, "another one since this run") {
			t.Error(why)
		}
	}
	read("adapter")
}

// TestBaseReplaced asks a run whose model was removed and has come again with other weights, which are as large.
func TestBaseReplaced(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	ask[wire.Model](h, wire.Inspect{Model: "bundle/model"})
	mine := filepath.Join(dir, modelsDir, "mine")
	if err := os.CopyFS(mine, os.DirFS(filepath.Join(dir, bundleDir, "model"))); err != nil {
		t.Fatal(err)
	}
	id := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"model": "models/mine", "max_steps": 1})}).Run
	h.until("finished")
	waitIdle(h)
	question := wire.Answer{Run: id, Prompt: "What is red?", Sides: "both", Tokens: 2}
	ask[wire.Answers](h, question)
	h.device.silence()
	weights := filepath.Join(mine, "model.safetensors")
	raw, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(weights, raw, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, r := range []wire.Request{question, wire.Export{Run: id, What: "merged"}} {
		if why := refusal(h, r); !strings.Contains(why, "models/mine is another one since this run") {
			t.Error(why)
		}
	}
}

// TestBaseOfFull asks base and tuned model of a run that trained all weights, once it is over.
func TestBaseOfFull(t *testing.T) {
	h := open(t, t.TempDir())
	id := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"train_type": "full", "max_steps": 3, "learning_rate": 1e-2})}).Run
	h.until("finished")
	waitIdle(h)
	a := ask[wire.Answers](h, wire.Answer{Run: id, Prompt: "What is red?", Sides: "both", Tokens: 8, TopK: 3})
	if a.Base == nil || a.Tuned == nil || len(a.Base.Top) != 3 || a.Base.Top[0] == a.Tuned.Top[0] {
		t.Errorf("base %+v, tuned %+v", a.Base, a.Tuned)
	}
}
