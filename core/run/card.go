package run

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hone/core/checkpoint"
	"hone/core/hub"
	"hone/core/recipe"
	"hone/core/wire"
)

// Name is that of the base: its id where it came from a hub, otherwise that of its directory. The one that comes with Hone has a name.
func (x Exporter) Name() string {
	if x.Bundled {
		return "hone-tiny"
	}
	if id := hub.IDOf(x.Base); id != "" {
		return id
	}
	return filepath.Base(absolutePath(x.Base))
}

// card writes README.md: what the model was made of and how well it did, for whoever finds it later.
func (x Exporter) card(dir string, made Exported) error {
	text, err := x.cardText(&made)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "README.md"), []byte(text), 0o666)
}

// Card is the card of what a run has made, before anything is exported.
func (x Exporter) Card() (string, error) { return x.cardText(nil) }

func (x Exporter) cardText(made *Exported) (string, error) {
	var b strings.Builder
	base := x.Name()
	fmt.Fprintf(&b, "---\nbase_model: %s\nlibrary_name: transformers\npipeline_tag: text-generation\n", yaml(base))
	licence := licenceOf(x.Base)
	if licence != "" {
		fmt.Fprintf(&b, "license: %s\n", yaml(licence))
	}
	fmt.Fprintf(&b, "tags:\n- hone\n- fine-tuned\n---\n\n# %s, fine-tuned\n\n", base)
	whence := ""
	if x.Bundled {
		whence = ", which comes with Hone"
	}
	fmt.Fprintf(&b, "Made with Hone of the base model `%s`%s.\n", base, whence)
	if licence == "" {
		b.WriteString("The base model's directory names no licence; that of the base model, and those of the data, hold for this one too.\n")
	}
	if x.Run != nil {
		if err := x.cardOfRun(&b); err != nil {
			return "", err
		}
	}
	if made != nil {
		x.cardOfExport(&b, *made)
	}
	return b.String(), nil
}

// cardOfRun tells data, scores and recipe.
func (x Exporter) cardOfRun(b *strings.Builder) error {
	if m, err := x.Run.Run.ReadManifest(); err == nil {
		b.WriteString("\n## Data\n\n")
		for _, s := range m.Sources {
			if s.Kind == "dataset" {
				fmt.Fprintf(b, "- %s of %s, commit %s\n", s.ID, s.Hub, s.Revision)
			}
		}
		for _, f := range m.Data.Files {
			fmt.Fprintf(b, "- `%s`, %d bytes, SHA-256 `%s`\n", f.Name, f.Size, f.SHA256)
		}
		var rows wire.Rows
		if json.Unmarshal(m.Rows, &rows) == nil && rows.Read > 0 {
			fmt.Fprintf(b, "\n%d rows read, %d kept: %d to train on, %d held out.\n", rows.Read, rows.Kept, rows.Train, rows.HeldOut)
		}
	}
	lines, err := x.Run.Run.ReadLog()
	if err != nil {
		return err
	}
	type line struct {
		Step     int      `json:"step"`
		Loss     *float64 `json:"loss"`
		EvalLoss *float64 `json:"eval_loss"`
	}
	var scores bytes.Buffer
	var first, last *float64
	for _, raw := range lines {
		var l line
		if json.Unmarshal(raw, &l) != nil || l.Step > x.Run.Step {
			continue
		}
		if l.Loss != nil {
			if first == nil {
				first = l.Loss
			}
			last = l.Loss
		}
		if l.EvalLoss != nil {
			fmt.Fprintf(&scores, "| %d | %.4f |\n", l.Step, *l.EvalLoss)
		}
	}
	b.WriteString("\n## Scores\n\n")
	if first != nil {
		fmt.Fprintf(b, "Loss of the first logged step %.4f, of the last %.4f, after %d steps.\n", *first, *last, x.Run.Step)
	}
	if scores.Len() > 0 {
		fmt.Fprintf(b, "\n| step | held-out loss |\n|---:|---:|\n%s", scores.String())
	}
	changed := 0.0
	if state, err := checkpoint.Load(x.Run.Result); err == nil {
		changed = state.LearningRate
	}
	b.WriteString("\n## Recipe\n\n| setting | value |\n|---|---|\n")
	for _, f := range recipe.Fields() {
		if f.Group == "Running" || f.Name == "output_dir" || f.Name == "resume_from_checkpoint" {
			continue
		}
		value := x.Run.Recipe.Text(f.Name)
		switch {
		case f.Name == "model" && x.Bundled:
			value = x.Name()
		case f.Name == "learning_rate" && changed > 0:
			value += fmt.Sprintf(", changed to %g while the run went on", changed)
		}
		if f.Name == "model" || f.Name == "adapter" || f.Name == "dataset" || f.Name == "val_dataset" {
			value = withoutFolders(value)
		}
		if value != "" {
			fmt.Fprintf(b, "| %s | %s |\n", f.Name, strings.ReplaceAll(value, "|", "\\|"))
		}
	}
	return nil
}

// cardOfExport tells what happened after training.
func (x Exporter) cardOfExport(b *strings.Builder, made Exported) {
	b.WriteString("\n## Export\n\n")
	if x.Dequantised {
		b.WriteString("The adapter is merged into the base's weights after quantisation to NF4 and back, as it was trained.\n")
	} else if x.Tuned != "" {
		b.WriteString("What was trained is merged into the base's own weights.\n")
	}
	if d := made.Difference; d != nil {
		fmt.Fprintf(b, "Over %d tokens of %d rows, the largest difference of a logit from the model as it was trained is %.3g; its logits span %.3g. At %.1f%% of the positions both find the same token most probable.\n",
			d.Tokens, d.Rows, d.Largest, d.Range, 100*d.Agreeing)
	}
	for _, f := range made.Files {
		fmt.Fprintf(b, "- `%s`: %d bytes; no weight is off by more than %.2g of its tensor's largest.\n", filepath.Base(f.Path), f.Bytes, f.LargestError)
	}
}

// licenceOf is what the front matter of the base's card says; "" when it does not.
func licenceOf(dir string) string {
	f, err := os.Open(filepath.Join(dir, "README.md"))
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 0; n < 100 && lines.Scan(); n++ {
		if v, ok := strings.CutPrefix(lines.Text(), "license:"); ok {
			return strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return ""
}

// yaml writes a word so that no YAML reader takes it for something else.
func yaml(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(raw)
}

// withoutFolders keeps a machine's own paths out of what is published.
func withoutFolders(list string) string {
	parts := strings.Split(list, ",")
	for i, p := range parts {
		if filepath.IsAbs(p) {
			parts[i] = filepath.Base(p)
		}
	}
	return strings.Join(parts, ",")
}

func absolutePath(dir string) string {
	if a, err := filepath.Abs(dir); err == nil {
		return a
	}
	return dir
}
