package cli

import (
	"fmt"
	"strings"

	"golang.org/x/text/width"

	corechat "hone/core/chat"
	"hone/core/generate"
	"hone/core/recipe"
	"hone/core/run"
)

func init() {
	register(command{name: "compare", args: "--model DIR --adapter DIR | --run latest  --prompt \"…\"", short: "Let base and tuned model answer side by side", run: compare})
}

func compare(e env, args []string) error {
	s := speakFlags{options: generate.TextOptions{Options: generate.Options{MaxNewTokens: 128}}}
	var prompts []string
	var system string
	topK := 0
	usage := "compare --model DIR --adapter DIR | --run latest  --prompt \"…\" [--prompt \"…\"] [flags]"
	flags := append(s.flags(),
		recipe.Flag{Name: "prompt", Value: "TEXT", Help: "what both are asked; may be given several times", Set: func(v string) error { prompts = append(prompts, v); return nil }},
		systemFlag(&system),
		recipe.Flag{Name: "top_k_probs", Value: "K", Default: "0", Help: "show the K most probable first tokens of both answers with their probabilities", Set: count(&topK)})
	_, help, err := e.parse(args, flags, usage)
	if err != nil || help {
		return err
	}
	if err := s.resolve(e); err != nil {
		return err
	}
	if s.model == "" || s.adapter == "" || len(prompts) == 0 {
		return fmt.Errorf("usage: hone %s", usage)
	}
	dev, err := openDevice(e, s.device, 0, "auto")
	if err != nil {
		return err
	}
	defer dev.Close()
	p, err := run.OpenPair(e.ctx, dev, s.model, s.adapter, s.loadOptions())
	if err != nil {
		return err
	}
	defer p.Close()
	same := 0
	for _, prompt := range prompts {
		messages := run.Question(prompt)
		if system != "" {
			messages = append([]corechat.Message{{Role: "system", Content: system}}, messages...)
		}
		base, tuned, err := p.Answer(e.ctx, messages, s.options)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.out, "\n> %s\n", prompt)
		columns(e, "base", base, "tuned", tuned)
		if topK > 0 {
			if err := firstTokens(e, p, messages, topK); err != nil {
				return err
			}
		}
		if base == tuned {
			same++
		}
	}
	if same == len(prompts) {
		fmt.Fprintln(e.err, "warning: base and tuned model give the same answers")
	}
	return nil
}

// firstTokens shows how probable both find the first tokens of their answers.
func firstTokens(e env, p *run.Pair, messages []corechat.Message, k int) error {
	var text [2]string
	for i, v := range []*run.Voice{p.Base, p.Tuned} {
		tokens, err := v.Next(e.ctx, messages, k)
		if err != nil {
			return err
		}
		var lines []string
		for _, t := range tokens {
			shown := v.Tokenizer().Decode([]int32{t.ID}, false)
			if strings.TrimSpace(shown) == "" {
				shown, _ = v.Tokenizer().Token(t.ID)
			}
			lines = append(lines, fmt.Sprintf("%6.2f%%  %q", 100*t.Probability, shown))
		}
		text[i] = strings.Join(lines, "\n")
	}
	fmt.Fprintln(e.out)
	columns(e, "first token, base", text[0], "first token, tuned", text[1])
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
	for _, paragraph := range strings.Split(strings.TrimRight(strings.TrimLeft(s, "\n"), " \n"), "\n") {
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
