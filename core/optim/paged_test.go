package optim

import (
	"slices"
	"testing"

	"hone/core/tensor"
)

func TestLayersAndWindows(t *testing.T) {
	square, row := tensor.Shape{4, 4}, tensor.Shape{4}
	params := []Param{
		{Name: "model.embed_tokens.weight", Shape: tensor.Shape{9, 4}},
		{Name: "model.layers.0.q.weight", Shape: square}, {Name: "model.layers.0.k.weight", Shape: square}, {Name: "model.layers.0.norm.weight", Shape: row},
		{Name: "model.layers.10.q.weight", Shape: square}, {Name: "model.layers.10.norm.weight", Shape: row}, {Name: "model.layers.10.post.weight", Shape: row},
		{Name: "model.layers.1.q.weight", Shape: square},
		{Name: "model.norm.weight", Shape: row}, {Name: "lm_head.weight", Shape: tensor.Shape{9, 4}},
	}
	var sizes []int
	for _, l := range Layers(params) {
		sizes = append(sizes, len(l))
	}
	if want := []int{1, 3, 3, 1, 1, 1}; !slices.Equal(sizes, want) {
		t.Errorf("layers of %v tensors, want %v", sizes, want)
	}
	s := Settings{Optim: "paged_adamw"}
	w := s.WindowsOf(params)
	// Two moments each of one embedding, two squares and two rows.
	if want := int64(2 * 4 * (36 + 2*16 + 2*4)); w.Bytes() != want || len(w.Types) != 10 {
		t.Errorf("%d windows of %d bytes, want 10 of %d", len(w.Types), w.Bytes(), want)
	}
	for _, l := range Layers(params) {
		taken := map[string]string{}
		for _, p := range l {
			for _, m := range s.Moments(p.Name) {
				name := w.Of[m]
				if other, twice := taken[name]; twice || !w.Types[name].Shape.Equal(p.Shape) {
					t.Errorf("%s has window %q of type %v, which %q has", m, name, w.Types[name], other)
				}
				taken[name] = m
			}
		}
	}
	if !s.Pages() || (Settings{Optim: "adamw"}).Pages() || len((Settings{Optim: "sgd"}).WindowsOf(params).Types) != 0 {
		t.Error("Pages, or windows of an optimiser without moments")
	}
}
