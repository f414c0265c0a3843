package run

import (
	"context"
	"fmt"
	"path/filepath"

	"hone/core/chat"
	"hone/core/checkpoint"
	"hone/core/generate"
)

// chooseTemplate takes the template that the run behind tuned was trained with: the plain one if its manifest says so, else the model's own.
func (p *Pair) chooseTemplate(model, tuned string) error {
	var err error
	if p.template, err = chat.ForModel(model); err != nil {
		return err
	}
	for _, dir := range []string{tuned, filepath.Dir(filepath.Clean(tuned))} { // a run, or a checkpoint in it
		if m, err := (checkpoint.Run{Dir: dir}).ReadManifest(); err == nil && m.Template == chat.Plain.Name() {
			p.template = chat.Plain
		}
	}
	ends, err := chat.ConfigStops(model)
	if err != nil {
		return err
	}
	p.stop = chat.Stops(p.Tokenizer, p.template, ends)
	p.stopWords = chat.StopStrings(p.Tokenizer, p.template)
	return nil
}

// Answer lets base and tuned model answer the same prompt with the same seed and template.
func (p *Pair) Answer(ctx context.Context, prompt string, o generate.Options) (base, tuned string, err error) {
	ids, _, err := chat.Encode(p.Tokenizer, p.template, []chat.Message{{Role: "user", Content: prompt}}, chat.EncodeOptions{Generation: true})
	if err != nil {
		return "", "", err
	}
	if len(ids) >= p.capacity {
		return "", "", fmt.Errorf("the prompt has %d tokens, and the model reads at most %d with its answer", len(ids), p.capacity)
	}
	o.Stop = p.stop
	var text [2]string
	for i, g := range p.sides {
		a, err := g.Text(ctx, p.Tokenizer, ids, generate.TextOptions{Options: o, StopStrings: p.stopWords}, nil)
		if err != nil {
			return "", "", err
		}
		text[i] = a.Text
	}
	return text[0], text[1], nil
}
