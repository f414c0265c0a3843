package cli

import (
	"errors"
	"fmt"
	"strconv"

	"hone/core/device"
	"hone/core/generate"
	"hone/core/recipe"
	"hone/core/run"
)

// speakFlags are the settings of commands that let a model speak: which model, tuned by what, and how it chooses words.
type speakFlags struct {
	model, adapter, run string
	device, template    string
	quantised           bool
	maxLength           int
	options             generate.TextOptions
}

// flags lists them. What a command sets before is the default.
func (s *speakFlags) flags() []recipe.Flag {
	o := &s.options
	return []recipe.Flag{
		{Name: "model", Aliases: []string{"model_type", "model_id_or_path"}, Value: "DIR|NAME", Help: "the base model: a directory, an id of a hub or a short name; with run, in the place of the run's own", Set: text(&s.model)},
		{Name: "adapter", Aliases: []string{"tuned", "adapters", "ckpt_dir"}, Value: "DIR", Help: "the adapter, or the checkpoint of a full fine-tuning", Set: text(&s.adapter)},
		runFlag(&s.run),
		{Name: "template", Value: "auto|plain", Default: "auto", Help: "how a conversation is laid out: as the adapter or the model says, or plainly", Set: text(&s.template)},
		{Name: "max_new_tokens", Value: "N", Default: strconv.Itoa(o.MaxNewTokens), Help: "length of an answer", Set: count(&o.MaxNewTokens)},
		{Name: "max_length", Value: "N", Default: strconv.Itoa(run.DefaultCapacity), Help: "length of the conversation with its answer", Set: count(&s.maxLength)},
		{Name: "temperature", Value: "T", Default: "0", Help: "0 always takes the most probable token", Set: number(&o.Sampling.Temperature)},
		{Name: "top_k", Value: "K", Default: "0", Help: "draw among the K most probable tokens; 0: all", Set: count(&o.Sampling.TopK)},
		{Name: "top_p", Value: "P", Default: "1", Help: "draw among the tokens that together have this probability", Set: number(&o.Sampling.TopP)},
		{Name: "min_p", Value: "P", Default: "0", Help: "draw among tokens at least this probable, as a share of the most probable one's", Set: number(&o.Sampling.MinP)},
		{Name: "repetition_penalty", Value: "X", Default: "1", Help: "above 1 makes tokens that are there already less likely", Set: number(&o.Sampling.RepetitionPenalty)},
		{Name: "stop", Aliases: []string{"stop_words"}, Value: "TEXT", Help: "text that ends an answer; may be given several times", Set: func(v string) error {
			o.StopStrings = append(o.StopStrings, v)
			return nil
		}},
		{Name: "seed", Value: "N", Default: "0", Help: "of the draws", Set: whole(&o.Sampling.Seed)},
		{Name: "quantised", Aliases: []string{"load_in_4bit"}, Bool: true, Default: "false", Help: "load the base in NF4, as QLoRA trains it", Set: func(v string) (err error) { s.quantised, err = strconv.ParseBool(v); return err }},
		{Name: "device", Value: "NAME", Default: "auto", Help: "where to compute: cpu, webgpu, or auto", Set: text(&s.device)},
	}
}

// systemFlag is the system message of commands that ask questions.
func systemFlag(p *string) recipe.Flag {
	return recipe.Flag{Name: "system", Value: "TEXT", Help: "a system message in front of the conversation", Set: text(p)}
}

func text(p *string) func(string) error { return func(v string) error { *p = v; return nil } }

func number(p *float64) func(string) error {
	return func(v string) (err error) {
		if *p, err = strconv.ParseFloat(v, 64); err != nil {
			return errors.New("a number is wanted")
		}
		return nil
	}
}

func count(p *int) func(string) error {
	return func(v string) (err error) {
		if *p, err = strconv.Atoi(v); err != nil || *p < 0 {
			return errors.New("a whole number is wanted, 0 or more")
		}
		return nil
	}
}

func whole(p *uint64) func(string) error {
	return func(v string) (err error) {
		if *p, err = strconv.ParseUint(v, 10, 64); err != nil {
			return errors.New("a whole number is wanted, 0 or more")
		}
		return nil
	}
}

// resolve checks what can be checked at once, and finds model and adapter where a run or names stand for them.
func (s *speakFlags) resolve(e env) error {
	if err := s.options.Sampling.Check(); err != nil {
		return fmt.Errorf("--%w", err)
	}
	if s.options.MaxNewTokens < 1 {
		return errors.New("--max_new_tokens must be 1 or more")
	}
	if s.device == "" {
		s.device = "auto"
	}
	t, err := findTuned(e, s.run, s.model, s.adapter)
	s.model, s.adapter, s.quantised = t.Model, t.Result, s.quantised || t.Quantised
	return err
}

func (s *speakFlags) loadOptions() run.LoadOptions {
	return run.LoadOptions{Quantised: s.quantised, Capacity: s.maxLength, Template: s.template}
}

// load opens the device and the base model.
func (s *speakFlags) load(e env) (dev device.Device, l *run.Loaded, err error) {
	if dev, err = openDevice(e, s.device, 0, "auto"); err != nil {
		return nil, nil, err
	}
	l, err = run.Load(e.ctx, dev, s.model, s.loadOptions())
	if err != nil {
		dev.Close()
		return nil, nil, err
	}
	return dev, l, nil
}
