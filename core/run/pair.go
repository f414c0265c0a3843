package run

import (
	"context"

	"hone/core/chat"
	"hone/core/device"
	"hone/core/generate"
	"hone/core/tokenizer"
)

// Pair is a base model and what tuning made of it, ready to answer side by side. With an adapter both share the base's
// weights.
type Pair struct {
	Base, Tuned *Voice
	loaded      *Loaded
}

// OpenPair loads a model and what tuned it: an adapter, or the checkpoint of a full fine-tuning.
func OpenPair(ctx context.Context, dev device.Device, model, tuned string, o LoadOptions) (*Pair, error) {
	l, err := Load(ctx, dev, model, o)
	if err != nil {
		return nil, err
	}
	p := &Pair{loaded: l}
	if p.Tuned, err = l.Voice(ctx, tuned); err == nil {
		p.Base, err = l.voiceLike(ctx, p.Tuned)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Tokenizer is that of the base model.
func (p *Pair) Tokenizer() *tokenizer.Tokenizer { return p.loaded.Tokenizer }

// Answer lets base and tuned model answer the same prompt with the same seed and layout.
func (p *Pair) Answer(ctx context.Context, messages []chat.Message, o generate.TextOptions) (base, tuned string, err error) {
	b, err := p.Base.Answer(ctx, messages, o, nil)
	if err != nil {
		return "", "", err
	}
	t, err := p.Tuned.Answer(ctx, messages, o, nil)
	return b.Text, t.Text, err
}

// Question is the conversation of one question.
func Question(text string) []chat.Message { return []chat.Message{{Role: "user", Content: text}} }

// Close frees what the pair holds.
func (p *Pair) Close() error {
	for _, v := range []*Voice{p.Base, p.Tuned} {
		if v != nil {
			v.Close()
		}
	}
	return p.loaded.Close()
}
