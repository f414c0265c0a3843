package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"hone/core/bundle"
	"hone/core/bundle/world"
	"hone/core/generate"
	"hone/core/recipe"
	"hone/core/run"
)

func init() {
	register(command{name: "demo", args: "[flags]", short: "Tune the bundled model and compare its answers", run: demo})
}

// demoFlags is the recipe of the bundled default, written as a user would type it; flags given to demo come behind and win.
const demoFlags = bundle.TuningFlags + " --split_dataset_ratio 0.05 --eval_steps 50 --logging_steps 25"

func demo(e env, args []string) error {
	r, help, err := parseRecipe(e, append(strings.Fields(demoFlags), args...), "demo [flags of sft]\n\nTunes the model that comes with Hone, on its own questions and answers, and lets base and tuned model answer new ones.")
	if err != nil || help {
		return err
	}
	dir := filepath.Join(r.OutputDir, "bundle")
	if err := bundle.WriteTo(dir); err != nil {
		return err
	}
	r.Model, r.Dataset = filepath.Join(dir, "model"), []string{filepath.Join(dir, "instructions.json")}
	fmt.Fprintf(e.out, "This runs:\n  %s sft --model %s --dataset %s %s\n\n", self(), r.Model, r.Dataset[0], demoFlags)
	result, err := trainRecipe(e, "sft", r)
	if err != nil {
		return err
	}
	held, err := bundle.HeldOut()
	if err != nil {
		return err
	}
	if err := answerHeldOut(e, r, result.Directory, held); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "\nAsk your own:\n  %s compare --run %s --prompt %q\n", self(), quoteForShell(near(result.Directory)), held[0].Prompt())
	return nil
}

// answerHeldOut asks base and tuned model all questions that were held out, shows some of the answers and counts those
// that are right to the letter.
func answerHeldOut(e env, r recipe.Recipe, adapter string, held []world.Question) error {
	dev, err := openDevice(e, r.Device, int64(r.DeviceMemory), r.KernelVariant)
	if err != nil {
		return err
	}
	defer dev.Close()
	p, err := run.OpenPair(e.ctx, dev, r.Model, adapter, run.LoadOptions{Capacity: 256})
	if err != nil {
		return err
	}
	defer p.Close()
	fmt.Fprintln(e.out, "\nQuestions that tuning has not seen:")
	right := [2]int{}
	for i, q := range held {
		base, tuned, err := p.Answer(e.ctx, run.Question(q.Prompt()), generate.TextOptions{Options: generate.Options{MaxNewTokens: 24}})
		if err != nil {
			return err
		}
		for side, answer := range []string{base, tuned} {
			if q.Answered(answer) {
				right[side]++
			}
		}
		if i%(len(held)/6+1) == 0 {
			fmt.Fprintf(e.out, "\n> %s\n", q.Prompt())
			columns(e, "base", base, "tuned", tuned)
		}
	}
	fmt.Fprintf(e.out, "\nright to the letter, of %d questions: base %d, tuned %d\n", len(held), right[0], right[1])
	return nil
}
