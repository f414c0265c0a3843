package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hone/core/chat"
	"hone/core/device"
	"hone/core/generate"
	"hone/core/ir"
	"hone/core/nn"
	"hone/core/tokenizer"
)

// Voice answers conversations: a base model by itself, with an adapter, or a model that was tuned in full.
type Voice struct {
	Name string // the directory of what tuned it; "" is the base

	model       *Loaded
	template    chat.Template
	generator   *generate.Generator
	stop        []int32
	stopStrings []string
	release     []func()
}

// Voice lets the model speak as it was tuned: dir is an adapter, or the checkpoint of a full fine-tuning; "" is the model
// itself.
func (l *Loaded) Voice(ctx context.Context, dir string) (*Voice, error) {
	v := &Voice{Name: dir, model: l, template: l.template}
	if err := v.open(ctx, dir); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// voiceLike is the base by itself, asked in the layout of another voice, so that both can be compared.
func (l *Loaded) voiceLike(ctx context.Context, other *Voice) (*Voice, error) {
	v := &Voice{model: l, template: other.template}
	if err := v.open(ctx, ""); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

func (v *Voice) open(ctx context.Context, dir string) (err error) {
	l := v.model
	trace, states := frozenTrace(l.states, nil), l.states
	if dir != "" {
		adapter, err := isAdapter(dir)
		if err != nil {
			return err
		}
		if !adapter {
			o := l.options
			o.Quantised = false
			if v.model, err = Load(ctx, l.dev, dir, o); err != nil {
				return err
			}
			l = v.model
			v.release = append(v.release, func() { l.Close() })
			trace, states, v.template = frozenTrace(l.states, nil), l.states, l.template
		} else {
			tuner, with, release, err := l.adapter(ctx, dir)
			if err != nil {
				return err
			}
			v.release = append(v.release, release...)
			trace, states = frozenTrace(with, tuner), with
			if l.options.Template != "plain" {
				if v.template, err = chat.ForAdapter(dir, l.Dir); err != nil {
					return fmt.Errorf("adapter %s: %w", dir, err)
				}
			}
		}
	}
	ends, err := chat.ConfigStops(l.Dir)
	if err != nil {
		return err
	}
	v.model = l
	return v.listen(ctx, trace, states, ends)
}

// listen makes the voice's programs; ends are the ids that end an answer by the model's configuration.
func (v *Voice) listen(ctx context.Context, trace func(*ir.Builder) *nn.Context, states map[string]device.Buffer, ends []int32) (err error) {
	l := v.model
	v.stop = chat.Stops(l.Tokenizer, v.template, ends)
	v.stopStrings = chat.StopStrings(l.Tokenizer, v.template)
	v.generator, err = generate.New(ctx, l.dev, l.Base.Model, trace, states, l.Capacity)
	return err
}

// ErrTooLong is the error of a conversation that leaves no room for an answer.
var ErrTooLong = errors.New("the conversation is too long")

// Tokenizer is that of the voice's model.
func (v *Voice) Tokenizer() *tokenizer.Tokenizer { return v.model.Tokenizer }

// Prompt is the ids of a conversation up to where the next answer begins.
func (v *Voice) Prompt(messages []chat.Message) ([]int32, error) {
	ids, _, err := chat.Encode(v.model.Tokenizer, v.template, messages, chat.EncodeOptions{Generation: true})
	if err != nil {
		return nil, err
	}
	if len(ids) >= v.model.Capacity {
		err := fmt.Errorf("%w: it has %d tokens, and the model reads at most %d with its answer", ErrTooLong, len(ids), v.model.Capacity)
		if most := v.model.Base.Model.Config().MaxPositions; most > v.model.Capacity || most == 0 {
			err = fmt.Errorf("%w; --max_length raises that", err)
		}
		return nil, err
	}
	return ids, nil
}

// Answer continues a conversation with the next answer. emit, if given, hears the text as it comes. What the cache has of
// the conversation is not read again. When the context ends, what there is comes with its error.
func (v *Voice) Answer(ctx context.Context, messages []chat.Message, o generate.TextOptions, emit func(text string)) (generate.Answer, error) {
	ids, err := v.Prompt(messages)
	if err != nil {
		return generate.Answer{}, err
	}
	o.Stop = v.stop
	o.StopStrings = slices.Concat(v.stopStrings, o.StopStrings)
	return v.generator.Text(ctx, v.model.Tokenizer, ids, o, emit)
}

// Continue continues a text as it stands, without the layout of a conversation.
func (v *Voice) Continue(ctx context.Context, text string, o generate.TextOptions, emit func(text string)) (generate.Answer, error) {
	o.Stop = v.stop
	return v.generator.Text(ctx, v.model.Tokenizer, v.model.Tokenizer.Encode(text, true), o, emit)
}

// NextOf gives the k most probable tokens to continue a text as it stands.
func (v *Voice) NextOf(ctx context.Context, text string, k int) ([]generate.Token, error) {
	return v.next(ctx, v.model.Tokenizer.Encode(text, true), k)
}

// Next gives the k most probable first tokens of the next answer.
func (v *Voice) Next(ctx context.Context, messages []chat.Message, k int) ([]generate.Token, error) {
	ids, err := v.Prompt(messages)
	if err != nil {
		return nil, err
	}
	return v.next(ctx, ids, k)
}

func (v *Voice) next(ctx context.Context, ids []int32, k int) ([]generate.Token, error) {
	v.generator.Reset()
	logits, err := v.generator.Read(ctx, ids)
	if err != nil {
		return nil, err
	}
	return generate.TopProbabilities(logits, k)
}

// Close frees what the voice holds beside its base.
func (v *Voice) Close() error {
	if v.generator != nil {
		v.generator.Close()
		v.generator = nil
	}
	for _, f := range v.release {
		f()
	}
	v.release = nil
	return nil
}
