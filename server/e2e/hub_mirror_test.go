//go:build soak && !js

package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"hone/core/hub/hubtest"
	"hone/web/worker/workertest"
)

// A model by its name, from a mirror that the user typed, that the page's server lets it ask (--connect) and that lets pages read its files, as Hugging Face does. The mirror stops
// sending in the middle of the weights, and the user cancels; then the connection breaks. Each time only the rest is asked for again.
func TestEndToEndHubMirror(t *testing.T) {
	const id, first, second = "little/mirrored", 100_000, 150_000
	hub, dir := standIn(t, id)
	hub.Pages = true
	cuts := map[int]int{0: first, first: second - first}
	goOn := map[int]chan struct{}{0: make(chan struct{}), first: make(chan struct{})}
	ofWeights := func(q hubtest.Request) bool { return q.CDN && strings.HasSuffix(q.Path, weights) }
	hub.Cut = func(q hubtest.Request) int {
		if n, ok := cuts[rangeOf(q)]; ok && ofWeights(q) {
			return n
		}
		return -1
	}
	hub.Cutting = func(q hubtest.Request) { held(t, goOn[rangeOf(q)]) }
	address, _ := serving(t, "--connect", hub.URL, "--connect", hub.CDN)
	p := open(t, workertest.Start(t, noGPU...), address+"/en/")
	defer p.Close()
	other := hubtest.New(t)
	p.Expect(other.URL) // what a browser says when the policy does not let a page ask
	p.fill("hub-mirror", other.URL)
	p.fetchModel(id, "hf")
	p.until(soon, "a mirror that the page may not ask is refused", `document.querySelector("#fetch-model .error")?.textContent.includes("HF_ENDPOINT")`)
	p.fill("hub-mirror", hub.URL)
	p.press("fetch")
	p.has(weights+".partial", first)
	p.press("fetch-cancel")
	p.until(soon, "cancelled", `!document.getElementById("fetch-cancel")`)
	close(goOn[0])
	p.press("rest-" + id)
	p.has(weights+".partial", second)
	close(goOn[first])
	p.uses(id)

	var from []int
	for _, q := range hub.Requests("") {
		if q.Origin == "" {
			t.Errorf("the server of the page asked for %s, and not the page", q.Path)
		}
		if q.Method != "GET" {
			t.Errorf("the page asked for leave: %s %s", q.Method, q.Path)
		}
		if ofWeights(q) {
			from = append(from, rangeOf(q))
		}
	}
	if want := []int{0, first, second}; !slices.Equal(from, want) {
		t.Errorf("the weights are asked for from %d, want %d", from, want)
	}
	p.trains(id, dir)
}
