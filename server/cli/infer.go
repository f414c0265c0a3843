package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	corechat "hone/core/chat"
	"hone/core/data"
	"hone/core/generate"
	"hone/core/recipe"
	"hone/core/run"
)

func init() {
	register(command{name: "infer", args: "--model DIR [--adapter DIR] | --run latest  --dataset FILE --output FILE", short: "Answer the questions of a file", run: infer})
}

// answered is a line of what infer writes.
type answered struct {
	Row       int                 `json:"row"`
	Messages  []map[string]string `json:"messages"`
	Response  string              `json:"response"`
	Reference string              `json:"reference,omitempty"`
	Ending    generate.Ending     `json:"ending"`
}

func infer(e env, args []string) error {
	s := speakFlags{options: generate.TextOptions{Options: generate.Options{MaxNewTokens: 512, Reuse: true}}}
	var file, output, system string
	limit := 0
	usage := "infer --model DIR [--adapter DIR] | --run latest  --dataset FILE --output FILE [flags]\n\n" +
		"Every row is answered up to its last question; its own answer is written beside the new one as the reference.\nAn interrupted run goes on where it stopped: rows that the output has are not answered again."
	_, help, err := e.parse(args, append(s.flags(),
		recipe.Flag{Name: "dataset", Aliases: []string{"val_dataset"}, Value: "FILE|NAME", Help: "rows with questions: JSON or JSON Lines in any format of sft, or the name of a data set on a hub", Set: text(&file)},
		recipe.Flag{Name: "output", Aliases: []string{"result_path"}, Value: "FILE", Help: "where the answers go, a line of JSON a row", Set: text(&output)},
		recipe.Flag{Name: "limit", Aliases: []string{"val_dataset_sample"}, Value: "N", Default: "0", Unit: "rows", Help: "answer only the first N; 0: all", Set: count(&limit)},
		systemFlag(&system)), usage)
	if err != nil || help {
		return err
	}
	if err := s.resolve(e); err != nil {
		return err
	}
	if s.model == "" || file == "" || output == "" {
		return fmt.Errorf("usage: hone %s", usage)
	}
	done, err := answeredRows(output)
	if err != nil {
		return err
	}
	files, err := run.DatasetFiles(e.ctx, file, newProgress(e.err, "auto").show)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("--dataset %s has %d files with rows; name one of them, as in org/name:FILE", file, len(files))
	}
	questions, err := readQuestions(files[0], system, limit)
	if err != nil {
		return err
	}
	dev, l, err := s.load(e)
	if err != nil {
		return err
	}
	defer dev.Close()
	defer l.Close()
	v, err := l.Voice(e.ctx, s.adapter)
	if err != nil {
		return err
	}
	defer v.Close()
	out, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	began, tokens, asked := time.Now(), 0, 0
	for i, q := range questions {
		if q.Row <= done {
			continue
		}
		a, err := v.Answer(e.ctx, q.Messages, s.options, nil)
		if e.ctx.Err() != nil {
			fmt.Fprintf(e.err, "interrupted after row %d; the same command goes on behind it\n", questions[i].Row-1)
			return errInterrupted
		}
		if err != nil {
			return fmt.Errorf("%s row %d: %w", file, q.Row, err)
		}
		line, err := json.Marshal(answered{Row: q.Row, Messages: plainMessages(q.Messages), Response: a.Text, Reference: q.Reference, Ending: a.Ending})
		if err != nil {
			return err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("%s: %w", output, err)
		}
		tokens, asked = tokens+len(a.IDs), asked+1
		fmt.Fprintf(e.out, "row %d (%d of %d): %d tokens, %s\n", q.Row, i+1, len(questions), len(a.IDs), a.Ending)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("%s: %w", output, err)
	}
	fmt.Fprintf(e.out, "%d rows answered, %d were there; %d tokens in %s; %s\n", asked, len(questions)-asked, tokens, time.Since(began).Round(10*time.Millisecond), output)
	return nil
}

// readQuestions reads them all first, so that a bad row is found before an hour of answers.
func readQuestions(file, system string, limit int) ([]data.Question, error) {
	var list []data.Question
	enough := errors.New("enough")
	err := data.Questions(file, nil, func(q data.Question) error {
		if system != "" && q.Messages[0].Role != "system" {
			q.Messages = append([]corechat.Message{{Role: "system", Content: system}}, q.Messages...)
		}
		if list = append(list, q); limit > 0 && len(list) == limit {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no rows", file)
	}
	return list, nil
}

func plainMessages(messages []corechat.Message) []map[string]string {
	var out []map[string]string
	for _, m := range messages {
		out = append(out, map[string]string{"role": m.Role, "content": m.Content})
	}
	return out
}

// answeredRows is the last row that an earlier run has answered. A line that it could not finish is cut off.
func answeredRows(output string) (int, error) {
	f, err := os.OpenFile(output, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	last, whole := 0, int64(0)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var a answered
		if json.Unmarshal(line, &a) != nil || a.Row <= last {
			return 0, fmt.Errorf("%s is there already and holds something else than answers of this command; name another file", output)
		}
		last, whole = a.Row, whole+int64(len(line))
	}
	return last, f.Truncate(whole)
}
