package studio

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hone/core/wire"
)

// fake is a host that answers from a table and remembers what it was asked.
type fake struct {
	mu    sync.Mutex
	asked []wire.Request
	reply map[string]func(wire.Request) (any, error)
}

func (f *fake) Ask(ctx context.Context, name string, request any, part func(string, json.RawMessage)) (json.RawMessage, error) {
	r := request.(wire.Request)
	f.mu.Lock()
	f.asked = append(f.asked, r)
	answer := f.reply[name]
	f.mu.Unlock()
	if answer == nil {
		return nil, nil
	}
	var v any
	var err error
	answered := make(chan bool)
	go func() {
		v, err = answer(r)
		close(answered)
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-answered:
	}
	if err != nil {
		return nil, err
	}
	if name == "answer" && part != nil {
		part("text", json.RawMessage(`{"side":"base","text":"gro"}`))
	}
	return json.Marshal(v)
}

// last is the last request of a name.
func last[R wire.Request](f *fake) (R, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.asked) - 1; i >= 0; i-- {
		if r, ok := f.asked[i].(R); ok {
			return r, true
		}
	}
	var none R
	return none, false
}

// tab is a page: the parts as they were last drawn.
type tab struct {
	t      *testing.T
	mu     sync.Mutex
	parts  map[string]string
	charts map[string]Chart
	texts  []Text
	url    string
	host   *fake
	first  []Fragment // of the first update
	*Studio
}

func open(t *testing.T, language string, fragment ...string) *tab {
	t.Helper()
	b := waiting(t)
	b.begin("http://localhost/" + language + "/" + strings.Join(fragment, ""))
	b.sees("hero", "Test adapter")
	b.sees("runs", "tiny")
	return b
}

// waiting is a tab whose page has not said yet that it is there.
func waiting(t *testing.T) *tab {
	t.Helper()
	b := &tab{t: t, parts: map[string]string{}, charts: map[string]Chart{}, host: &fake{}}
	host := wire.Host{Version: "1", Device: "Test adapter", Kind: "webgpu", Storage: wire.Storage{Used: 5e6, Quota: 1e9},
		Models: []wire.Model{{Path: "models/tiny", Name: "tiny", Architecture: "llama", Parameters: 1000, Bundled: true, ByKind: map[string]int64{"embedding": 600, "attention": 400}},
			{Path: "models/own", Name: "own", Architecture: "qwen2", Parameters: 5e8}},
		Data: []wire.Data{{Path: "data/world.json", Name: "world.json", Bytes: 99, Bundled: true}, {Path: "data/mine.jsonl", Name: "mine.jsonl", Bytes: 1234}},
		Runs: []wire.Run{{ID: "tiny/v0-20260101-000000", Step: 10, Steps: 10, Loss: 1.5, Finished: true, Recipe: json.RawMessage(`{"model":"models/tiny","dataset":["data/world.json"],"seed":1}`)},
			{ID: "tiny/v1-20260102-000000", Step: 4, Steps: 10, Loss: 2.5, Recipe: json.RawMessage(`{"model":"models/tiny","dataset":["data/world.json"],"seed":2,"lora_rank":4}`)}}}
	b.host.reply = map[string]func(wire.Request) (any, error){
		"hello": func(wire.Request) (any, error) { return host, nil },
		"inspect": func(r wire.Request) (any, error) {
			for _, m := range host.Models {
				if m.Path == r.(wire.Inspect).Model {
					return m, nil
				}
			}
			return wire.Model{Path: r.(wire.Inspect).Model, Name: "other"}, nil
		},
		"look": func(wire.Request) (any, error) {
			return wire.Preview{Rows: wire.Rows{Read: 7, Train: 6, HeldOut: 1, Tokens: 100, Supervised: 40}, Columns: []string{"q", "a"}, Lengths: wire.Histogram{Edges: []int{1, 5, 9}, Counts: []int{3, 4}},
				Shown: []wire.Row{{Row: 1, Tokens: 4, Supervised: 2, Stretches: []wire.Stretch{{Text: "<script>", Tokens: 2}, {Text: "yes", Tokens: 2, Learnt: true}}}}}, nil
		},
		"forecast": func(wire.Request) (any, error) {
			return wire.Forecasted{Plan: wire.Plan{Steps: 12, Trainable: 10, Parameters: 1000}, Total: 5e6}, nil
		},
		"start":  func(wire.Request) (any, error) { return wire.RunName{Run: "tiny/v2-20260103-000000"}, nil },
		"resume": func(r wire.Request) (any, error) { return wire.RunName{Run: r.(wire.Resume).Run}, nil },
		"replay": func(r wire.Request) (any, error) {
			q := r.(wire.Replay)
			if q.Seq > 1 {
				return wire.Told{Next: q.Seq}, nil
			}
			return wire.Told{Next: 3, Events: []wire.Frame{event(q.Run, 1, wire.Stepped{Step: 1, Loss: 3}), event(q.Run, 2, wire.Stepped{Step: 2, Loss: 2})}}, nil
		},
		"answer": func(r wire.Request) (any, error) {
			a := wire.Answers{Step: 7, Base: &wire.Answered{Text: "grown", Top: []wire.Token{{Text: "好", Probability: 0.5}}}}
			if r.(wire.Answer).Sides == "both" {
				a.Tuned = &wire.Answered{Text: "tuned answer"}
			}
			return a, nil
		},
		"export": func(r wire.Request) (any, error) {
			return wire.File{Path: "out/a.zip", Name: "adapter.zip", Size: 9}, nil
		},
		"delete": func(wire.Request) (any, error) { return wire.Storage{}, nil },
	}
	b.Studio = New(Options{Link: b.host, Out: func(u Update) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.first == nil {
			b.first = u.Fragments
		}
		for _, f := range u.Fragments {
			b.parts[f.ID] = f.HTML
		}
		for _, c := range u.Charts {
			b.charts[c.ID] = c
		}
		if u.Text != nil {
			b.texts = append(b.texts, *u.Text)
		}
		if u.URL != "" {
			b.url = u.URL
		}
	}})
	return b
}

// begin lets the page say that it is there.
func (b *tab) begin(url string) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	b.t.Cleanup(cancel)
	language := "en"
	if strings.Contains(url, "/zh/") {
		language = "zh"
	}
	b.Open(ctx, Opening{Language: language, URL: url})
}

func event(run string, seq uint64, e wire.Event) wire.Frame {
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: run, Seq: seq, Name: wire.Name(e), Data: raw}
}

func (b *tab) do(name string, pairs ...string) {
	values := map[string][]string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = append(values[pairs[i]], pairs[i+1])
	}
	b.Act(Act{Name: name, Values: values})
}

func (b *tab) until(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		b.mu.Lock()
		good := ok()
		b.mu.Unlock()
		if good {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s does not come about", what)
		}
	}
}

// sees waits until a part of the page has a text.
func (b *tab) sees(part, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%q in %s", text, part), func() bool { return strings.Contains(b.parts[part], text) })
}

func (b *tab) lacks(part, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%s without %q", part, text), func() bool { return !strings.Contains(b.parts[part], text) })
}

// settings are the recipe's, as the page has them.
func (b *tab) settings() map[string]string {
	b.Studio.mu.Lock()
	defer b.Studio.mu.Unlock()
	all := map[string]string{}
	for k, v := range b.s.Settings {
		all[k] = v
	}
	return all
}

// has waits until something holds of the page's state. It looks without the lock of what was drawn, which drawing takes later.
func (b *tab) has(what string, ok func(t *Studio) bool) {
	b.t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		b.Studio.mu.Lock()
		good := ok(b.Studio)
		b.Studio.mu.Unlock()
		if good {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s does not come about", what)
		}
	}
}

// ready waits until the user may begin.
func (b *tab) ready() {
	b.t.Helper()
	b.has("readiness", func(t *Studio) bool { return t.marked["ready"] })
}

// TestDetailsInChinese asks that what goes wrong is said in Chinese where it is known, with the program's own words beside it.
func TestDetailsInChinese(t *testing.T) {
	b := open(t, "zh")
	b.do("train_now")
	b.sees("bar", "正在")
	const id, reason = "tiny/v2-20260103-000000", "data/mine.jsonl: row 3 (line 4): the row is of the format messages, those before it are alpaca; a file has one format"
	b.until("start", func() bool { _, ok := last[wire.Start](b.host); return ok })
	b.Told(event(id, 1, wire.Failed{Reason: reason}))
	b.sees("bar", "data/mine.jsonl 第 3 条（第 4 行）：这一条的格式是 messages，前面的是 alpaca")
	b.sees("bar", `title="`+reason+`"`)
}

func TestTrainNow(t *testing.T) {
	b := open(t, "en")
	b.do("train_now")
	b.sees("bar", "Loading model and data")
	b.until("start", func() bool { _, ok := last[wire.Start](b.host); return ok })
	start, _ := last[wire.Start](b.host)
	var got map[string]any
	if err := json.Unmarshal(start.Recipe, &got); err != nil {
		t.Fatal(err)
	}
	if got["model"] != "models/tiny" || fmt.Sprint(got["dataset"]) != "[data/world.json]" || got["output_dir"] != nil {
		t.Errorf("the recipe is %s", start.Recipe)
	}
	const id = "tiny/v2-20260103-000000"
	b.Told(event(id, 1, wire.Started{TotalSteps: 300}))
	b.Told(event(id, 2, wire.Evaluated{Step: 0, EvalLoss: 4}))
	b.Told(event(id, 3, wire.Stepped{Step: 1, Loss: 3.25, LearningRate: 1e-3, GradNorm: 2, TokensPerSecond: 99}))
	b.Told(event(id, 3, wire.Stepped{Step: 1, Loss: 3.25})) // twice
	b.Told(event("another", 1, wire.Stepped{Step: 50, Loss: 9}))
	b.sees("bar", "step 1 of 300")
	b.sees("train", "3.25")
	b.until("the curve", func() bool { c := b.charts["chart-loss"]; return len(c.X) == 2 && len(c.Lines) == 2 })
	b.do("pause")
	b.until("pause", func() bool { s, ok := last[wire.Steer](b.host); return ok && s.Do == "pause" && s.Run == id })
	b.Told(event(id, 4, wire.Paused{Step: 1}))
	b.sees("bar", "Paused after step 1")
	b.do("rate", "rate", "2e-3")
	b.until("the rate", func() bool { s, ok := last[wire.Steer](b.host); return ok && s.Do == "rate" && s.LearningRate == 2e-3 })
	b.do("rate", "rate", "fast")
	b.sees("bar", "is no number")
	b.Told(event(id, 5, wire.Resumed{Step: 1}))
	b.Told(event(id, 6, wire.Warning{Text: "<b>mind</b>"}))
	b.sees("train", "&lt;b&gt;mind")
	b.Told(event(id, 7, wire.Finished{Step: 300}))
	b.sees("bar", "Finished after 300 steps")
	b.sees("save", "adapter")
	b.sees("train", "tuned answer") // they are asked at the end
}

func TestFailure(t *testing.T) {
	b := open(t, "en")
	b.do("train_now")
	b.sees("bar", "Loading model and data")
	const id = "tiny/v2-20260103-000000"
	b.Told(event(id, 1, wire.Failed{Reason: "the disk is full; delete runs"}))
	b.sees("bar", "the disk is full")
	b.host.mu.Lock()
	b.host.reply["start"] = func(wire.Request) (any, error) { return nil, fmt.Errorf("data: row 3 is no object") }
	b.host.mu.Unlock()
	b.do("start")
	b.sees("bar", "row 3 is no object")
}

func TestSettings(t *testing.T) {
	b := open(t, "zh")
	b.sees("bar", "训练完成，共 2 步") // of the newest run
	b.do("use_model", "path", "models/tiny")
	b.do("use_data", "use", "data/mine.jsonl", "checked", "true")
	b.sees("data", "7 行")
	b.sees("data", "&lt;script&gt;")
	b.sees("method", "12")
	b.do("set", "lora_rank", "0")
	b.sees("method", "lora_rank")
	b.do("set", "lora_rank", "4")
	b.sees("method", "--lora_rank 4")
	b.do("set", "train_type", "qlora")
	b.sees("method", "--train_type qlora")
	b.do("columns", "query", "q", "response", "a")
	b.sees("method", `--columns`)
	b.do("preset", "preset", "overfit")
	b.sees("method", "--lora_rank 64")
	b.do("share")
	b.until("the link", func() bool { return strings.Contains(b.url, "lora_rank=64") && !strings.Contains(b.url, "mine.jsonl") })
	shared := New(Options{Link: b.host, Out: func(Update) {}})
	shared.openShared(b.url)
	if got := shared.s.Settings; got["model"] != "models/tiny" || got["lora_rank"] != "64" {
		t.Errorf("the link %s says %v", b.url, got)
	}
	b.do("export_recipe")
	b.until("the recipe", func() bool { return len(b.texts) == 1 && strings.Contains(b.texts[0].Body, `"lora_rank":64`) })
	b.do("reset")
	b.lacks("method", "--lora_rank 64")
	b.do("import_recipe", "text", b.texts[0].Body)
	b.sees("method", "--lora_rank 64")
	b.do("import_recipe", "text", `{"lora_rank":"many"}`)
	b.sees("method", "lora_rank")
	b.do("language", "language", "en")
	b.sees("bar", "Finished after 2 steps")
	b.until("the address", func() bool { return strings.HasPrefix(b.url, "http://localhost/en/") })
}

func TestShared(t *testing.T) {
	b := &fake{}
	s := New(Options{Link: b, Out: func(Update) {}})
	s.Open(t.Context(), Opening{Language: "en", URL: "http://localhost/en/#recipe?lora_rank=4&learning_rate=x&output_dir=%2Fetc"})
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.s.Settings; got["lora_rank"] != "4" || len(got) != 1 {
		t.Errorf("%v", got)
	}
}

func TestAsk(t *testing.T) {
	b := open(t, "en")
	b.do("use_model", "path", "models/tiny")
	b.do("show_run", "run", "tiny/v0-20260101-000000")
	b.sees("bar", "Finished")
	b.do("ask", "prompt", "Who?", "temperature", "0.5", "tokens", "9", "seed", "3")
	b.sees("try", "grown")
	b.sees("try", "tuned answer")
	b.sees("try", "50.0%")
	q, _ := last[wire.Answer](b.host)
	if q.Run != "tiny/v0-20260101-000000" || q.Sides != "both" || q.Tokens != 9 || q.Sampling.Seed != 3 || q.Sampling.Temperature != 0.5 || q.TopK == 0 {
		t.Errorf("%+v", q)
	}
	b.do("export", "what", "adapter")
	b.until("the export", func() bool { x, ok := last[wire.Export](b.host); return ok && x.What == "adapter" })
}

func TestRuns(t *testing.T) {
	b := open(t, "en")
	b.sees("runs", "v1-20260102")
	b.do("choose_run", "run", "tiny/v0-20260101-000000", "checked", "true")
	b.do("choose_run", "run", "tiny/v1-20260102-000000", "checked", "true")
	b.sees("runs", "lora_rank")
	b.until("two curves", func() bool { return len(b.charts["chart-runs"].Lines) == 2 && len(b.charts["chart-runs"].X) == 2 })
	b.do("delete_ask", "path", "runs/tiny/v1-20260102-000000")
	b.sees("runs", "Delete v1-20260102-000000 with all its files?")
	b.do("delete", "path", "runs/tiny/v1-20260102-000000")
	b.until("the deletion", func() bool { d, ok := last[wire.Delete](b.host); return ok && strings.Contains(d.Path, "v1") })
	b.do("note", "run", "tiny/v0-20260101-000000", "note", "good one")
	b.until("the note", func() bool { n, ok := last[wire.Note](b.host); return ok && n.Text == "good one" })
	b.do("resume", "run", "tiny/v0-20260101-000000")
	b.until("resume", func() bool { r, ok := last[wire.Resume](b.host); return ok && strings.Contains(r.Run, "v0") })
	b.do("no such act")
}
