package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hone/core/chat"
	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/export"
	"hone/core/gguf"
	"hone/core/peft"
	"hone/core/tensor"
	"hone/core/tokenizer"
)

// Exporter makes a model that stands by itself of a base and what tuned it.
type Exporter struct {
	Base      string // directory of the base model
	Tuned     string // an adapter, or the checkpoint of a full fine-tuning; "" exports the base itself
	Run       *Tuned // the run it came from, for rows to compare on and for the card; may be nil
	Output    string // directory to make; it must not exist
	Quantised bool   // the adapter was trained on the base in 4 bits
	Bundled   bool   // the base is the model that comes with Hone

	Dequantised bool         // merge into the base after 4 bits and back
	DType       tensor.DType // of the weights; Invalid keeps the base's
	MaxShard    int64
	GGUF        []gguf.Type // files to write beside the model
	Rows        int         // rows to compare on; 0 compares nothing
}

// Exported says what was made.
type Exported struct {
	Directory  string
	Difference *Difference // from the model as it was trained; nil where nothing was compared
	Files      []ExportedGGUF
}

// ExportedGGUF is a GGUF file and how far it is from the merged weights.
type ExportedGGUF struct {
	Path string
	Type gguf.Type
	export.Summary
}

// Write makes the directory. Everything is written under another name first, so that it is either there as a whole or not.
func (x Exporter) Write(ctx context.Context, dev device.Device, say func(string)) (result Exported, err error) {
	if _, err := os.Stat(x.Output); err == nil {
		return result, fmt.Errorf("%s exists already; name another directory with --output_dir", x.Output)
	}
	part := x.Output + ".part"
	if err := os.RemoveAll(part); err != nil {
		return result, err
	}
	if err := os.MkdirAll(part, 0o777); err != nil {
		return result, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(part)
		}
	}()
	say("merging weights")
	if err := x.merge(ctx, part); err != nil {
		return result, err
	}
	if x.Rows > 0 && x.Tuned != "" {
		say("comparing with the model as it was trained")
		if result.Difference, err = x.compare(ctx, dev, part); err != nil {
			return result, err
		}
	}
	for _, t := range x.GGUF {
		say("writing " + t.String() + " as GGUF")
		path := filepath.Join(part, "model-"+t.String()+".gguf")
		s, err := export.GGUF(ctx, part, path, x.Name(), t)
		if err != nil {
			return result, err
		}
		result.Files = append(result.Files, ExportedGGUF{filepath.Join(x.Output, filepath.Base(path)), t, s})
	}
	if len(x.GGUF) > 0 {
		if err := x.modelfile(part); err != nil {
			return result, err
		}
	}
	if err := x.card(part, result); err != nil {
		return result, err
	}
	result.Directory = x.Output
	return result, os.Rename(part, x.Output)
}

// merge writes weights, config.json, tokenizer and template.
func (x Exporter) merge(ctx context.Context, dir string) error {
	from, tuned := x.Base, x.Tuned
	if tuned != "" {
		adapter, err := isAdapter(tuned)
		if err != nil {
			return err
		}
		if !adapter { // a full fine-tuning is a model already
			from, tuned = tuned, ""
		}
	}
	base, err := checkpoint.OpenBase(from)
	if err != nil {
		return err
	}
	defer base.Close()
	m := export.Merge{Base: base, Delta: func(string) (export.Delta, bool) { return export.Delta{}, false },
		Dequantised: x.Dequantised, DType: x.DType, MaxShard: x.MaxShard}
	if tuned != "" {
		if m.Delta, err = deltas(base, tuned); err != nil {
			return err
		}
	} else if x.Dequantised {
		return errors.New("--merge_dequantised goes with an adapter: there is nothing to merge")
	}
	if err := m.Write(ctx, dir); err != nil {
		return err
	}
	return x.surroundings(base, dir)
}

// deltas is a PEFT adapter as what it adds to each layer.
func deltas(base *checkpoint.Base, dir string) (func(string) (export.Delta, bool), error) {
	cfg, tensors, err := checkpoint.ReadAdapter(dir)
	if err != nil {
		return nil, err
	}
	lora, err := loraFor(base.Model, cfg.Rank, cfg.Alpha, targetsOf(base.Model, cfg), &cfg)
	if err != nil {
		return nil, fmt.Errorf("adapter %s: %w", dir, err)
	}
	lora.RSLoRA = cfg.RSLoRA
	if err := MatchAdapter(dir, lora, tensors); err != nil {
		return nil, err
	}
	return func(module string) (export.Delta, bool) {
		rank, scale, ok := lora.Adapted(module)
		a, b := peft.Names(module)
		return export.Delta{A: tensors[a].F32, B: tensors[b].F32, Rank: rank, Scale: scale}, ok
	}, nil
}

// surroundings writes what stands beside the weights: config.json for their type, the tokenizer, and the layout of
// conversations that the model was trained with.
func (x Exporter) surroundings(base *checkpoint.Base, dir string) error {
	as := x.DType
	if as == tensor.Invalid {
		if as = base.DType(base.Model.Params()[0]); base.Model.Config().Quantization != "" {
			as = tensor.F32
		}
	}
	config, err := checkpoint.WithDType(base.Config, as)
	if err == nil && base.Model.Config().Quantization != "" {
		config, err = checkpoint.WithoutQuantization(config)
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666); err != nil {
		return err
	}
	if err := copyBeside(base.Dir, dir); err != nil {
		return err
	}
	// Programs that only know tokenizer.json get one too.
	if _, err := os.Stat(filepath.Join(dir, "tokenizer.json")); err != nil {
		tok, err := tokenizer.LoadDir(base.Dir)
		if err != nil {
			return err
		}
		if err := tok.Save(dir); err != nil {
			return err
		}
	}
	template, err := x.template()
	if err != nil {
		return err
	}
	if source := chat.Source(template); source != "" {
		return os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(source), 0o666)
	}
	return nil
}

// template is the layout of conversations that the model was trained with.
func (x Exporter) template() (chat.Template, error) {
	if x.Tuned == "" {
		return chat.ForModel(x.Base)
	}
	return chat.ForAdapter(x.Tuned, x.Base)
}

// modelfile writes what Ollama makes a model of. It knows the usual layouts by themselves; ours has to be told.
func (x Exporter) modelfile(dir string) error {
	tok, err := tokenizer.LoadDir(dir)
	if err != nil {
		return err
	}
	template, err := x.template()
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "FROM ./model-%s.gguf\n", x.GGUF[0])
	if layout := ollama[template.Name()]; layout != "" {
		fmt.Fprintf(&b, "TEMPLATE \"\"\"%s\"\"\"\n", layout)
	}
	ends, err := chat.ConfigStops(dir)
	if err != nil {
		return err
	}
	for _, id := range chat.Stops(tok, template, ends) {
		if token, ok := tok.Token(id); ok {
			fmt.Fprintf(&b, "PARAMETER stop %q\n", token)
		}
	}
	for _, text := range append(chat.StopStrings(tok, template), plainStops[template.Name()]...) {
		fmt.Fprintf(&b, "PARAMETER stop %q\n", text)
	}
	return os.WriteFile(filepath.Join(dir, "Modelfile"), []byte(b.String()), 0o666)
}

// ollama are the layouts that Ollama does not know by their Jinja, in its own language (Go's text/template).
var ollama = map[string]string{
	"plain":    "{{ if .System }}### System\n{{ .System }}\n\n{{ end }}{{ if .Prompt }}### User\n{{ .Prompt }}\n\n{{ end }}### Assistant\n{{ .Response }}",
	"chatglm3": "[gMASK]sop{{ if .System }}<|system|>\n {{ .System }}{{ end }}{{ if .Prompt }}<|user|>\n {{ .Prompt }}{{ end }}<|assistant|>\n {{ .Response }}",
}

// plainStops end an answer of a model that forgets to end it.
var plainStops = map[string][]string{"plain": {"\n\n### User"}}
