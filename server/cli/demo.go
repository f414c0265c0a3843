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
	r, help, err := parseRecipe(e, append(strings.Fields(demoFlags), args...), "demo [flags of sft]\n\nTunes the model that comes with Hone, on its three sets of questions and answers at once, and lets base and tuned model answer new ones.")
	if err != nil || help {
		return err
	}
	dir := filepath.Join(r.OutputDir, "bundle")
	if err := bundle.WriteTo(dir); err != nil {
		return err
	}
	r.Model, r.Dataset = filepath.Join(dir, "model"), bundle.SetFiles(dir)
	fmt.Fprintf(e.out, "This runs:\n  %s sft --model %s --dataset %s %s\n\n", self(), r.Model, strings.Join(r.Dataset, ","), demoFlags)
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
	fmt.Fprintf(e.out, "\nAsk your own:\n  %s compare --run %s --prompt %q\n", self(), recipe.ShellWord(near(result.Directory)), held[0].Prompt())
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
	board := scoreboard{}
	for _, q := range held {
		base, tuned, err := p.Answer(e.ctx, run.Question(q.Prompt()), generate.TextOptions{Options: generate.Options{MaxNewTokens: bundle.AnswerTokens}})
		if err != nil {
			return err
		}
		if board.add(q, base, tuned) == 1 {
			fmt.Fprintf(e.out, "\n> %s\n", q.Prompt())
			columns(e, "base", base, "tuned", tuned)
		}
	}
	board.print(e)
	return nil
}

// score is how many questions were asked, and how many base and tuned model answered to the letter.
type score struct{ asked, base, tuned int }

// scoreboard has a score for every task and language.
type scoreboard map[[2]string]score

// add counts the answers to a question; the first of its task and language gives 1.
func (b scoreboard) add(q world.Question, base, tuned string) int {
	key := [2]string{q.Task, string(q.Language)}
	s := b[key]
	s.asked++
	if q.Answered(base) {
		s.base++
	}
	if q.Answered(tuned) {
		s.tuned++
	}
	b[key] = s
	return s.asked
}

func (b scoreboard) print(e env) {
	fmt.Fprintf(e.out, "\nright to the letter  questions  base  tuned\n")
	all := score{}
	for _, task := range world.Tasks {
		for _, l := range world.Languages {
			s := b[[2]string{task, string(l)}]
			fmt.Fprintf(e.out, "%-16s %-3s %9d %5d %6d\n", task, l, s.asked, s.base, s.tuned)
			all.asked, all.base, all.tuned = all.asked+s.asked, all.base+s.base, all.tuned+s.tuned
		}
	}
	fmt.Fprintf(e.out, "%-20s %9d %5d %6d\n", "all", all.asked, all.base, all.tuned)
}
