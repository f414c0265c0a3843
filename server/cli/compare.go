package cli

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/text/width"

	"hone/core/generate"
	"hone/core/recipe"
	"hone/core/run"
)

func init() {
	register(command{name: "compare", args: "--model DIR --adapter DIR --prompt \"…\"", short: "Let base and tuned model answer side by side", run: compare})
}

// compareFlags are the settings of compare; demo uses them too.
type compareFlags struct {
	model, adapter, device string
	prompts                []string
	quantised              bool
	maxLength              int
	options                generate.Options
}

func compare(e env, args []string) error {
	c := compareFlags{device: "auto", maxLength: 2048, options: generate.Options{MaxNewTokens: 128}}
	o := &c.options
	integer := func(p *int) func(string) error {
		return func(v string) (err error) {
			*p, err = strconv.Atoi(v)
			if err == nil && *p < 0 {
				err = fmt.Errorf("%d is negative", *p)
			}
			return err
		}
	}
	number := func(p *float64) func(string) error {
		return func(v string) (err error) { *p, err = strconv.ParseFloat(v, 64); return err }
	}
	text := func(p *string) func(string) error { return func(v string) error { *p = v; return nil } }
	usage := "compare --model DIR --adapter DIR --prompt \"…\" [--prompt \"…\"] [flags]"
	_, help, err := e.parse(args, []recipe.Flag{
		{Name: "model", Value: "DIR", Help: "the base model", Set: text(&c.model)},
		{Name: "adapter", Aliases: []string{"tuned"}, Value: "DIR", Help: "the adapter, or the checkpoint of a full fine-tuning", Set: text(&c.adapter)},
		{Name: "prompt", Value: "TEXT", Help: "what both are asked; may be given several times", Set: func(v string) error { c.prompts = append(c.prompts, v); return nil }},
		{Name: "max_new_tokens", Value: "N", Default: "128", Help: "length of an answer", Set: integer(&o.MaxNewTokens)},
		{Name: "max_length", Value: "N", Default: "2048", Help: "length of prompt and answer together", Set: integer(&c.maxLength)},
		{Name: "temperature", Value: "T", Default: "0", Help: "0 always takes the most probable token", Set: number(&o.Sampling.Temperature)},
		{Name: "top_k", Value: "K", Default: "0", Help: "draw among the K most probable tokens; 0: all", Set: integer(&o.Sampling.TopK)},
		{Name: "top_p", Value: "P", Default: "1", Help: "draw among the tokens that together have this probability", Set: number(&o.Sampling.TopP)},
		{Name: "seed", Value: "N", Default: "0", Help: "of the draws", Set: func(v string) (err error) { o.Sampling.Seed, err = strconv.ParseUint(v, 10, 64); return err }},
		{Name: "quantised", Aliases: []string{"load_in_4bit"}, Bool: true, Default: "false", Help: "load the base in NF4, as QLoRA trains it", Set: func(v string) (err error) { c.quantised, err = strconv.ParseBool(v); return err }},
		{Name: "device", Value: "NAME", Default: "auto", Help: "where to compute", Set: text(&c.device)},
	}, usage)
	if err != nil || help {
		return err
	}
	if c.model == "" || c.adapter == "" || len(c.prompts) == 0 {
		return fmt.Errorf("usage: hone %s", usage)
	}
	return c.run(e)
}

// run answers all prompts.
func (c compareFlags) run(e env) error {
	dev, err := openDevice(e, c.device, 0, "auto")
	if err != nil {
		return err
	}
	defer dev.Close()
	capacity, err := run.Capacity(c.model, c.maxLength)
	if err != nil {
		return err
	}
	p, err := run.OpenPair(e.ctx, dev, c.model, c.adapter, c.quantised, capacity)
	if err != nil {
		return err
	}
	defer p.Close()
	same := 0
	for _, prompt := range c.prompts {
		base, tuned, err := p.Answer(e.ctx, prompt, c.options)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.out, "\n> %s\n", prompt)
		columns(e, "base", base, "tuned", tuned)
		if base == tuned {
			same++
		}
	}
	if same == len(c.prompts) {
		fmt.Fprintln(e.err, "warning: base and tuned model give the same answers")
	}
	return nil
}

// columns writes two texts side by side.
func columns(e env, leftTitle, left, rightTitle, right string) {
	const wide = 46
	l, r := wrap(left, wide), wrap(right, wide)
	l, r = append([]string{leftTitle, strings.Repeat("─", wide)}, l...), append([]string{rightTitle, strings.Repeat("─", wide)}, r...)
	for i := range max(len(l), len(r)) {
		var a, b string
		if i < len(l) {
			a = l[i]
		}
		if i < len(r) {
			b = r[i]
		}
		fmt.Fprintf(e.out, "%s%s │ %s\n", a, strings.Repeat(" ", max(0, wide-cells(a))), b)
	}
}

// cells is the width of a text on a terminal: a Chinese character takes two.
func cells(s string) int {
	n := 0
	for _, r := range s {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// wrap cuts a text into lines of at most n cells, at spaces where there are any.
func wrap(s string, n int) []string {
	var lines []string
	for _, paragraph := range strings.Split(strings.TrimSpace(s), "\n") {
		line, used, space := "", 0, -1
		for _, r := range paragraph {
			w := cells(string(r))
			if used+w > n {
				rest := ""
				if space > 0 {
					line, rest = line[:space], line[space+1:]
				}
				lines = append(lines, line)
				line, used, space = rest, cells(rest), -1
			}
			if r == ' ' {
				space = len(line)
			}
			line, used = line+string(r), used+w
		}
		lines = append(lines, line)
	}
	return lines
}
