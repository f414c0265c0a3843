package recipe

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is the type of a setting's value.
type Kind uint8

const (
	Text   Kind = iota // a string
	Whole              // an int or int64
	Number             // a float64
	Switch             // a bool
	Size               // a number of bytes
	List               // strings
)

// Field describes one setting: enough to draw a form or a line of help.
type Field struct {
	Name    string // as a flag (after --) and in JSON
	Aliases []string
	Group   string
	Kind    Kind
	Default string // written as a flag's value; may be a placeholder, see Shown
	Shown   string // the default in words
	Value   string // placeholder of the value in help
	Choices []string
	Unit    string
	Help    string
	Resume  bool // a resumed run may have another value

	index    int
	interval interval
	none     string
	place    bool
	paging   bool // values that differ by paged_ alone give the same numbers
}

// aliases maps the names that other tools use for a setting. swift 1.x: sft_type, batch_size, model_id_or_path, lora_dropout_p,
// dataset_test_ratio, custom_train_dataset_path; PEFT: target_modules, lora_r; ms-swift 4: tuner_type; LLaMA-Factory: the others.
var aliases = map[string]string{
	"sft_type":                  "train_type",
	"tuner_type":                "train_type",
	"finetuning_type":           "train_type",
	"batch_size":                "per_device_train_batch_size",
	"lora_r":                    "lora_rank",
	"lora_dropout_p":            "lora_dropout",
	"target_modules":            "lora_target_modules",
	"lora_target":               "lora_target_modules",
	"model_id_or_path":          "model",
	"model_name_or_path":        "model",
	"adapters":                  "adapter",
	"adapter_name_or_path":      "adapter",
	"custom_train_dataset_path": "dataset",
	"dataset_test_ratio":        "split_dataset_ratio",
	"val_size":                  "split_dataset_ratio",
	"use_hf":                    "hub",
	"cutoff_len":                "max_length",
	"max_seq_length":            "max_length",
	"eval_dataset":              "val_dataset",
	"custom_val_dataset_path":   "val_dataset",
	"eval_dataset_sample":       "val_dataset_sample",
	"interleave_probs":          "interleave_prob",
	"template_type":             "template",
	"neftune_alpha":             "neftune_noise_alpha",
}

// valueAliases are other tools' words for a choice.
var valueAliases = map[string]string{
	"hub=true":                "hf",
	"hub=1":                   "hf",
	"hub=false":               "ms",
	"hub=0":                   "ms",
	"optim=adamw_torch":       "adamw",
	"optim=adamw_torch_fused": "adamw",
	"optim=adamw_hf":          "adamw",
	"optim=paged_adamw_32bit": "paged_adamw",

	"template=AUTO":                       "auto",
	"truncation_strategy=truncation_left": "left",
}

var fields = readTags()

func readTags() []Field {
	var out []Field
	group := ""
	t := reflect.TypeFor[Recipe]()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name, ok := tag.Lookup("flag")
		if !ok {
			continue
		}
		if g := tag.Get("group"); g != "" {
			group = g
		}
		f := Field{Name: name, Group: group, Default: tag.Get("default"), Shown: tag.Get("shown"), Value: tag.Get("value"),
			Unit: tag.Get("unit"), Help: tag.Get("help"), Resume: tag.Get("resume") == "free", paging: tag.Get("resume") == "paging",
			index: i, none: tag.Get("none"), place: tag.Get("hash") == "no"}
		if c := tag.Get("choices"); c != "" {
			f.Choices = strings.Split(c, ",")
		}
		switch ft := t.Field(i).Type; {
		case ft == reflect.TypeFor[Bytes]():
			f.Kind = Size
		case ft.Kind() == reflect.String:
			f.Kind = Text
		case ft.Kind() == reflect.Int || ft.Kind() == reflect.Int64:
			f.Kind = Whole
		case ft.Kind() == reflect.Float64:
			f.Kind = Number
		case ft.Kind() == reflect.Bool:
			f.Kind = Switch
		case ft == reflect.TypeFor[[]string]():
			f.Kind = List
		default:
			panic("recipe: no flag can have the type of " + name)
		}
		if s := tag.Get("range"); s != "" {
			f.interval = parseInterval(s)
		}
		for alias, target := range aliases {
			if target == name {
				f.Aliases = append(f.Aliases, alias)
			}
		}
		slices.Sort(f.Aliases)
		out = append(out, f)
	}
	return out
}

// Fields lists all settings in the order in which help shows them.
func Fields() []Field { return slices.Clone(fields) }

// FieldOf is the setting of that name, if there is one.
func FieldOf(name string) (Field, bool) {
	if f := field(name); f != nil {
		return *f, true
	}
	return Field{}, false
}

func field(name string) *Field {
	for i := range fields {
		if fields[i].Name == name {
			return &fields[i]
		}
	}
	return nil
}

func (f *Field) in(r *Recipe) reflect.Value { return reflect.ValueOf(r).Elem().Field(f.index) }

// Set gives one setting a value, written as after a flag, and marks it as given. The name may be an alias, with - for _.
func (r *Recipe) Set(name, value string) error {
	name = canonical(name)
	f := field(name)
	if f == nil {
		return unknown(name, r.flags())
	}
	if err := f.parse(r, value); err != nil {
		return fmt.Errorf("--%s %s: %w", name, quote(value), err)
	}
	r.mark(name)
	return nil
}

func (r *Recipe) mark(name string) {
	if r.given[name] {
		return
	}
	g := maps.Clone(r.given)
	if g == nil {
		g = map[string]bool{}
	}
	g[name] = true
	r.given = g
}

// canonical turns a name as it was typed into the setting's own.
func canonical(name string) string {
	name = strings.ReplaceAll(name, "-", "_")
	if target, ok := aliases[name]; ok {
		return target
	}
	return name
}

// parse reads a flag's value. It checks only that the value can be one of this kind; Validate checks what it says.
func (f *Field) parse(r *Recipe, s string) error {
	if !utf8.ValidString(s) {
		return errors.New("the value is not UTF-8, so no JSON could record it; rename the file or directory")
	}
	v := f.in(r)
	switch f.Kind {
	case Text:
		if a, ok := valueAliases[f.Name+"="+s]; ok {
			s = a
		}
		v.SetString(s)
	case Whole:
		n, err := parseWhole(s)
		if err != nil {
			return err
		}
		v.SetInt(n)
	case Number:
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return errors.New("a number is wanted, such as 0.05 or 1e-4")
		}
		v.SetFloat(x)
	case Switch:
		b, ok := parseSwitch(s)
		if !ok {
			return errors.New("true or false is wanted")
		}
		v.SetBool(b)
	case Size:
		n, err := ParseBytes(s)
		if err != nil {
			return err
		}
		v.SetInt(int64(n))
	case List:
		var list []string
		if s != "" {
			list = strings.Split(s, ",")
		}
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
		return f.setList(v, list)
	}
	return nil
}

func (f *Field) setList(v reflect.Value, list []string) error {
	if slices.Contains(list, "") {
		return errors.New("the list has an empty entry; write the entries with one comma between them")
	}
	if f.Name == "lora_target_modules" && len(list) == 1 && (list[0] == "ALL" || strings.EqualFold(list[0], AllLinear)) {
		list = []string{AllLinear}
	}
	if len(list) == 0 {
		list = nil
	}
	v.Set(reflect.ValueOf(list))
	return nil
}

// parseWhole accepts 500 and also 5e2, as long as it is a whole number.
func parseWhole(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		return n, nil
	}
	x, ferr := strconv.ParseFloat(s, 64)
	if ferr != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 || errors.Is(err, strconv.ErrRange) {
		return 0, errors.New("a whole number is wanted")
	}
	return int64(x), nil
}

func parseSwitch(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

// Text is a setting's value as a flag would have it; "" for a name that is none.
func (r Recipe) Text(name string) string {
	if f := field(canonical(name)); f != nil {
		return f.text(&r)
	}
	return ""
}

// text writes a field's value as a flag would have it.
func (f *Field) text(r *Recipe) string {
	v := f.in(r)
	switch f.Kind {
	case Text:
		return v.String()
	case Whole, Size:
		return strconv.FormatInt(v.Int(), 10)
	case Number:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case Switch:
		return strconv.FormatBool(v.Bool())
	}
	return strings.Join(v.Interface().([]string), ",")
}

// quote keeps a value of any length short enough for a sentence.
func quote(s string) string {
	if len(s) > 100 {
		return strconv.Quote(s[:100]) + "…"
	}
	return strconv.Quote(s)
}
