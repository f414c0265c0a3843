package cli

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hone/core/bundle"
)

// bundledRun tunes the bundled model for a few steps in dir/output.
func bundledRun(t *testing.T, more ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := bundle.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"sft", "--model", "model", "--dataset", "world.json", "--max_steps", "20", "--learning_rate", "3e-3",
		"--split_dataset_ratio", "0.05", "--per_device_train_batch_size", "4", "--gradient_accumulation_steps", "1", "--device", "cpu"}, more...)
	if out, status := finish(t, process(t, dir, args...)); status != 0 {
		t.Fatalf("training: %s", out)
	}
	return dir
}

// succeed runs a command in dir that must succeed.
func succeed(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, status := finish(t, process(t, dir, args...))
	if status != 0 {
		t.Fatalf("hone %s: %s", strings.Join(args, " "), out)
	}
	return out
}

// What is exported stands by itself and answers as the run's result does; its GGUF files are whole.
func TestExport(t *testing.T) {
	for name, c := range map[string]struct {
		train, export []string
		difference    float64
	}{
		"lora":                {nil, []string{"--gguf", "f16,Q8_0,Q4_0", "--dtype", "float32"}, 1e-3},
		"qlora, dequantised":  {[]string{"--train_type", "qlora"}, []string{"--merge_dequantised", "--dtype", "float32"}, 1e-3},
		"qlora, the original": {[]string{"--train_type", "qlora"}, nil, 100},
		"lora, half":          {nil, nil, 1}, // as the base is stored
		"full, half":          {[]string{"--train_type", "full", "--learning_rate", "1e-3"}, []string{"--dtype", "bfloat16", "--max_shard_size", "200KB"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := bundledRun(t, c.train...)
			out := succeed(t, dir, append([]string{"export", "--run", "latest", "--output_dir", "merged", "--device", "cpu"}, c.export...)...)
			m := regexp.MustCompile(`largest logit difference from the trained model: (\S+) over \d+ tokens of 8 held-out rows`).FindStringSubmatch(out)
			if m == nil {
				t.Fatalf("no comparison is shown:\n%s", out)
			}
			var d float64
			if err := json.Unmarshal([]byte(m[1]), &d); err != nil || d > c.difference || c.difference == 100 && d < 1e-3 {
				t.Errorf("the logits differ by %v, want at most %v", m[1], c.difference)
			}
			// The exported model is a model like any other.
			question := "Where does Tom live?"
			merged := succeed(t, dir, "infer", "--model", "merged", "--dataset", writeFile(t, dir, "q.jsonl", `{"query":"`+question+`"}`), "--output", "merged.jsonl", "--max_new_tokens", "12", "--device", "cpu")
			trained := succeed(t, dir, "infer", "--run", "latest", "--dataset", "q.jsonl", "--output", "trained.jsonl", "--max_new_tokens", "12", "--device", "cpu")
			if c.difference < 1 && !sameAnswers(t, filepath.Join(dir, "merged.jsonl"), filepath.Join(dir, "trained.jsonl")) {
				t.Errorf("the exported model answers otherwise:\n%s\n%s", merged, trained)
			}
			card, err := os.ReadFile(filepath.Join(dir, "merged", "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"base_model: \"model\"", "world.json", "held-out loss", "| learning_rate |", "largest difference of a logit"} {
				if !strings.Contains(string(card), want) {
					t.Errorf("the model card does not say %q:\n%s", want, card)
				}
			}
			if strings.Contains(string(card), dir) {
				t.Error("the model card tells a folder of this machine")
			}
			if name == "lora" {
				for _, file := range []string{"model-F16.gguf", "model-Q8_0.gguf", "model-Q4_0.gguf", "Modelfile"} {
					if _, err := os.Stat(filepath.Join(dir, "merged", file)); err != nil {
						t.Error(err)
					}
				}
			}
			if out, status := finish(t, process(t, dir, "export", "--run", "latest", "--output_dir", "merged")); status == 0 || !strings.Contains(out, "exists already") {
				t.Errorf("exporting over an export: status %d, %s", status, out)
			}
		})
	}
}

func sameAnswers(t *testing.T, a, b string) bool {
	t.Helper()
	var rows [2]answered
	for i, path := range []string{a, b} {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	return rows[0].Response == rows[1].Response && rows[0].Response != ""
}

// A conversation goes on over turns, changes its voice without loading the base again, and can be saved as training data.
func TestChat(t *testing.T) {
	dir := bundledRun(t)
	latest := onlyRun(t, filepath.Join(dir, "output"))
	adapter := filepath.Join(latest, checkpoints(t, latest)[0])
	c := process(t, dir, "chat", "--model", "model", "--max_new_tokens", "8", "--device", "cpu")
	c.Stdin = strings.NewReader("Where is Tom?\n/adapter " + adapter + "\nWhere is Tom?\n/undo\nWho are you?\n/save talk.jsonl\n/nothing\n/clear\n/save talk.jsonl\n/adapter base\n/quit\nnot read\n")
	out, status := finish(t, c)
	if status != 0 || !strings.Contains(out, "model with ") || !strings.Contains(out, "4 messages appended to talk.jsonl") ||
		!strings.Contains(out, "no command /nothing") || !strings.Contains(out, "nothing to save") {
		t.Errorf("status %d:\n%s", status, out)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "talk.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var row struct {
		Messages []struct{ Role, Content string }
	}
	if err := json.Unmarshal(raw, &row); err != nil || len(row.Messages) != 4 || row.Messages[2].Content != "Who are you?" || row.Messages[3].Role != "assistant" {
		t.Errorf("saved (%v): %s", err, raw)
	}
	// What is saved can be trained on.
	succeed(t, dir, "sft", "--model", "model", "--dataset", "talk.jsonl", "--max_steps", "1", "--output_dir", "again", "--device", "cpu")
}

// Ctrl-C at the prompt says how to end and ends nothing; a conversation that is too long says what helps.
func TestChatGoesOn(t *testing.T) {
	dir := t.TempDir()
	if err := bundle.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	c := process(t, dir, "chat", "--model", "model", "--max_new_tokens", "4", "--max_length", "48", "--device", "cpu")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.Stdout, c.Stderr = w, w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	out := ""
	say := func(text, until string) {
		io.WriteString(in, text) // a program that is gone is noticed below
		for buf := make([]byte, 4096); !strings.Contains(out, until); {
			n, err := r.Read(buf)
			if out += string(buf[:n]); err != nil {
				t.Fatalf("it ends (%v) before it says %q:\n%s", err, until, out)
			}
		}
	}
	say("/help\n", "not the program")
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	say("", "/quit or Ctrl-D")
	say(strings.Repeat("Where is Tom? ", 30)+"\n", "is too long: it has")
	say("/nothing\n", "no command /nothing")
	if !strings.Contains(out, "/clear begins anew") || !strings.Contains(out, "--max_length raises that") {
		t.Errorf("%s", out)
	}
	in.Close()
	if err := c.Wait(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// Answers go to a file; an interrupted run goes on behind the last whole line.
func TestInfer(t *testing.T) {
	dir := bundledRun(t)
	writeFile(t, dir, "q.jsonl", `{"query":"Where is Tom?","response":"in the house"}`+"\n"+`{"query":"Who is Anna?"}`+"\n"+`{"instruction":"Say hello."}`)
	args := []string{"infer", "--run", "latest", "--dataset", "q.jsonl", "--output", "a.jsonl", "--max_new_tokens", "6", "--device", "cpu"}
	if out := succeed(t, dir, args...); !strings.Contains(out, "3 rows answered, 0 were there") {
		t.Errorf("%s", out)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "a.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(whole), `"reference":"in the house"`) || strings.Count(string(whole), "\n") != 3 {
		t.Errorf("answers:\n%s", whole)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	writeFile(t, dir, "a.jsonl", lines[0]+lines[1][:len(lines[1])/2])
	if out := succeed(t, dir, args...); !strings.Contains(out, "2 rows answered, 1 were there") {
		t.Errorf("%s", out)
	}
	if again, err := os.ReadFile(filepath.Join(dir, "a.jsonl")); err != nil || string(again) != string(whole) {
		t.Errorf("after going on (%v):\n%swant\n%s", err, again, whole)
	}
	writeFile(t, dir, "b.jsonl", "something else\n")
	args[6] = "b.jsonl"
	if out, status := finish(t, process(t, dir, args...)); status == 0 || !strings.Contains(out, "something else than answers") {
		t.Errorf("over another file: status %d, %s", status, out)
	}
}

// Settings without meaning are refused by name, before anything is loaded or written.
func TestSpeakFlags(t *testing.T) {
	dir := t.TempDir()
	for want, more := range map[string][]string{
		"--top_p must lie between 0 and 1":                {"--top_p", "2"},
		"--temperature must be 0 or greater":              {"--temperature", "-1"},
		"--min_p must lie between 0 and 1":                {"--min_p", "7"},
		"--top_k -1: a whole number is wanted, 0 or more": {"--top_k", "-1"},
		"--seed x: a whole number is wanted, 0 or more":   {"--seed", "x"},
		"--top_p x: a number is wanted":                   {"--top_p", "x"},
		"--max_new_tokens must be 1 or more":              {"--max_new_tokens", "0"},
	} {
		out, status := hone(t, dir, append([]string{"infer", "--model", "nowhere", "--dataset", "q.jsonl", "--output", "a.jsonl"}, more...)...)
		if status != 1 || !strings.Contains(out, want) {
			t.Errorf("%v: exit status %d, %s", more, status, out)
		}
	}
}

func TestTopKProbabilities(t *testing.T) {
	dir := bundledRun(t)
	out := succeed(t, dir, "compare", "--run", "latest", "--prompt", "Where is Tom?", "--top_k_probs", "3", "--max_new_tokens", "4", "--device", "cpu")
	if n := len(regexp.MustCompile(`\d+\.\d\d%  "`).FindAllString(out, -1)); n != 6 || !strings.Contains(out, "first token, tuned") {
		t.Errorf("%d probabilities are shown, want three on either side:\n%s", n, out)
	}
}
