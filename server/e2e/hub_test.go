//go:build soak && !js

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hone/core/bundle"
	"hone/core/hub/hubtest"
	"hone/core/recipe"
	"hone/web/worker/workertest"
)

// little is a small Llama for the tokenizer of the bundled model.
const little = `{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"vocab_size":%d,"max_position_embeddings":512,"tie_word_embeddings":true}`

// newModel makes a model with weights of its own in a folder, and gives its files.
func newModel(t testing.TB, dir string, seed int) map[string][]byte {
	t.Helper()
	with := t.TempDir()
	if err := bundle.WriteTo(with); err != nil {
		t.Fatal(err)
	}
	tokenizer := filesIn(t, filepath.Join(with, "model"))
	var config struct {
		VocabSize int `json:"vocab_size"`
	}
	if err := json.Unmarshal(tokenizer["config.json"], &config); err != nil {
		t.Fatal(err)
	}
	output(t, with, "init", "--config", write(t, filepath.Join(with, "config.json"), fmt.Sprintf(little, config.VocabSize)), "--seed", fmt.Sprint(seed), dir)
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		write(t, filepath.Join(dir, name), string(tokenizer[name]))
	}
	return filesIn(t, dir)
}

// filesIn reads all files of a folder.
func filesIn(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

const weights = "model.safetensors"

// standIn starts a hub with a model, and gives the folder where the model lies on this machine, too.
func standIn(t testing.TB, id string) (*hubtest.Server, string) {
	t.Helper()
	hub, dir := hubtest.New(t), filepath.Join(t.TempDir(), "model")
	hub.Add("models", id, newModel(t, dir, 1))
	return hub, dir
}

// held waits until something is let go, at the latest with the end of the test.
func held(t testing.TB, free <-chan struct{}) {
	select {
	case <-free:
	case <-t.Context().Done():
	}
}

// fetchModel asks for a model by its name.
func (p *tab) fetchModel(id, hub string) {
	p.t.Helper()
	p.fill("hub-name", id)
	p.fill("hub-which", hub)
	p.press("fetch")
}

// uses waits until a model is the one in use, and known from the inside.
func (p *tab) uses(name string) {
	p.t.Helper()
	p.until(soon, name+" in use", fmt.Sprintf(`document.querySelector("#model .card.chosen h3")?.textContent === %q && document.getElementById("model-facts")`, name))
}

// trains does a few steps with the rows that come with the page, and compares them with the same recipe on this machine's CPU.
func (p *tab) trains(model, dir string) {
	t := p.t
	t.Helper()
	p.fill("set-max_steps", "3")
	p.fill("set-per_device_train_batch_size", "4")
	p.fill("set-val_dataset_sample", "4")
	p.press("play")
	p.until(soon, "begun", `document.getElementById("stop")`)
	p.finished(3 * time.Minute)
	_, logged, args := p.newest()
	r := here(t, args)
	if asked, err := recipe.FromJSON(json.RawMessage(args)); err != nil || asked.Model != model {
		t.Errorf("trained was %q (%v), want %q", asked.Model, err, model)
	}
	r.Model = dir
	same(t, logged, steppedHere(t, r, 3), 2e-4)
	p.noFailure()
}

// has waits until the page has stored so many bytes of a file.
func (p *tab) has(name string, bytes int64) {
	p.t.Helper()
	p.until(soon, fmt.Sprintf("%d bytes of %s are stored", bytes, name), fmt.Sprintf(`(async () => {
		const size = async (d) => {
			let found = 0;
			for await (const h of d.values()) {
				if (h.kind === "directory") found = Math.max(found, await size(h));
				else if (h.name === %q) found = (await h.getFile()).size;
			}
			return found;
		};
		return await size(await navigator.storage.getDirectory()) >= %d;
	})()`, name, bytes))
}

// rangeOf is where a request begins to ask; 0 is the beginning.
func rangeOf(q hubtest.Request) (from int) {
	fmt.Sscanf(q.Range, "bytes=%d-", &from) // without one it stays 0
	return from
}

// usedStorage is what the meter of the page shows, in bytes.
func (p *tab) usedStorage() int64 {
	p.t.Helper()
	return workertest.Eval[int64](p.Page, meter)
}

const meter = `document.querySelector("#model .box meter").value`

// frees deletes something of the page, by its path and through the page's own buttons, and waits until the meter is down.
func (p *tab) frees(path string, bytes int64) {
	p.t.Helper()
	p.until(soon, path+" with what it takes", fmt.Sprintf(`document.getElementById(%q)`, "ask-"+path))
	before := p.usedStorage()
	p.press("ask-" + path)
	p.press("delete-" + path)
	p.until(soon, fmt.Sprintf("%d bytes of %s freed", bytes, path), fmt.Sprintf(`%s <= %d`, meter, before-bytes))
	for _, f := range p.storedFiles() {
		if strings.Contains(f, strings.ReplaceAll(path, "/", "--")+"/") || strings.HasPrefix(f, path+"/") {
			p.t.Errorf("of %s there is still %s", path, f)
		}
	}
}

// Hubs that do not let pages read their files, which whoever started the page's server has named: they are asked by the page without a
// word of its user, through that server. The tab is reloaded in the middle of the weights; only the rest is asked for again. A file
// that is not what the hub says is refused and not kept. ModelScope is another hub: a model of the same name there is another model.
func TestEndToEndHubThroughServer(t *testing.T) {
	const id, first = "little/passed-on", 100_000
	hub, dir := standIn(t, id)
	hub.Large = 0
	scope, dirScope := hubtest.New(t), filepath.Join(t.TempDir(), "model")
	scope.Add("models", id, newModel(t, dirScope, 2))
	scope.Large = 0
	t.Setenv("HF_ENDPOINT", hub.URL)
	t.Setenv("MODELSCOPE_ENDPOINT", scope.URL)
	ofWeights := func(q hubtest.Request) bool { return strings.HasSuffix(q.Path, weights) }
	hub.Cut = func(q hubtest.Request) int {
		if ofWeights(q) && q.Range == "" {
			return first
		}
		return -1
	}
	reloaded := make(chan struct{})
	hub.Cutting = func(hubtest.Request) { held(t, reloaded) }
	address, _ := serving(t)
	p := open(t, workertest.Start(t, noGPU...), address+"/en/")
	defer p.Close()
	p.Expect("has been blocked by CORS policy") // what a browser says when a page may not read
	p.fetchModel(id, "hf")
	p.has(weights+".partial", first)
	if err := chromedp.Do(p.Context(), chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	close(reloaded)
	p.ready()
	p.press("rest-" + id)
	p.uses(id)
	var from []int
	for _, q := range hub.Requests(weights) {
		if q.Origin == "" { // from the page's server
			from = append(from, rangeOf(q))
		}
	}
	if want := []int{0, first}; !slices.Equal(from, want) {
		t.Errorf("the weights are asked for from %d, want %d", from, want)
	}

	hub.Content = func(path string, data []byte) []byte {
		if path != weights {
			return data
		}
		data = bytes.Clone(data)
		data[len(data)-1] ^= 1
		return data
	}
	hub.Cut = nil
	const damaged = "little/damaged"
	hub.Add("models", damaged, filesIn(t, dir))
	p.fetchModel(damaged, "hf")
	p.until(soon, "refused", `document.querySelector("#fetch-model .error")`)
	said := workertest.Eval[string](p.Page, `document.querySelector("#fetch-model .error").textContent`)
	for _, want := range []string{damaged, weights, "hash", "nothing of it is kept"} {
		if !strings.Contains(said, want) {
			t.Errorf("the page does not say %q of a damaged file: %s", want, said)
		}
	}
	for _, path := range p.storedFiles() {
		if strings.Contains(path, "damaged") && strings.Contains(path, weights) {
			t.Errorf("of the damaged file there is %s", path)
		}
	}

	p.frees(damaged, int64(len(filesIn(t, dir)["tokenizer.json"])))

	p.fetchModel(id, "ms")
	p.until(soon, "the other hub's model in use", `document.getElementById("command-line").textContent.includes("--model MS::`+id+` ")`)
	p.uses(id)
	p.trains("MS::"+id, dirScope)
	if from := scope.Requests(weights); len(from) != 1 || from[0].Origin != "" {
		t.Errorf("ModelScope is asked for %+v", from)
	}
}
