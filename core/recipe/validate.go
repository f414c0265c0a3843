package recipe

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// interval is a range of numbers; its zero value holds all finite ones.
type interval struct {
	lo, hi         float64
	loOpen, hiOpen bool
	bounded        bool
}

// parseInterval reads the notation of the range tag, [0,1) say.
func parseInterval(s string) interval {
	lo, hi, ok := strings.Cut(s[1:len(s)-1], ",")
	a, errA := strconv.ParseFloat(lo, 64)
	b, errB := strconv.ParseFloat(hi, 64)
	if !ok || errA != nil || errB != nil {
		panic("recipe: range " + s + " in a tag")
	}
	return interval{a, b, s[0] == '(', s[len(s)-1] == ')', true}
}

func (i interval) holds(x float64) bool {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return false
	}
	if !i.bounded {
		return true
	}
	return (x > i.lo || x == i.lo && !i.loOpen) && (x < i.hi || x == i.hi && !i.hiOpen)
}

func (i interval) String() string {
	low, high := "at least", "at most"
	if i.loOpen {
		low = "above"
	}
	if i.hiOpen {
		high = "below"
	}
	return fmt.Sprintf("%s %s and %s %s", low, plain(i.lo), high, plain(i.hi))
}

func plain(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) <= 1<<53 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// Validate checks every setting by itself and against the others. The error has a line for each wrong one: the setting, its
// value, and what is allowed. It looks at no file.
func (r Recipe) Validate() error {
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	for i := range fields {
		if fields[i].Name == "eval_steps" && !r.given["eval_steps"] && r.EvalSteps == r.SaveSteps {
			continue // it follows save_steps, which is what somebody set
		}
		if err := fields[i].check(&r); err != nil {
			wrong = append(wrong, err)
		}
	}
	if r.Model == "" && r.ModelType == "" {
		bad("model is missing: --model DIR names the model to tune")
	}
	if len(r.Dataset) == 0 {
		bad("dataset is missing: --dataset FILE names the rows to train on")
	}
	switch {
	case len(r.LoRATargetModules) == 0:
		bad("lora_target_modules is empty; name layers, or all-linear for all of them")
	case len(r.LoRATargetModules) > 1 && slices.ContainsFunc(r.LoRATargetModules, func(s string) bool { return s == "ALL" || s == AllLinear }):
		bad("lora_target_modules mixes all-linear with names; give one or the other")
	}
	if r.TrainType == "full" && r.Adapter != "" {
		bad("adapter %s cannot train with train_type full; use lora or qlora, or leave the adapter out", quote(r.Adapter))
	}
	if r.TrainType != "full" && len(r.FreezeParameters) > 0 {
		bad("freeze_parameters works with train_type full only; with %s the model's weights are frozen anyway", r.TrainType)
	}
	if !r.HoldsOut() && r.LoadBestModelAtEnd {
		bad("load_best_model_at_end needs held-out rows to find the best; set split_dataset_ratio above 0, or val_dataset")
	}
	if !r.HoldsOut() && r.EarlyStopInterval > 0 {
		bad("early_stop_interval counts evaluations, but no rows are held out; set split_dataset_ratio above 0, or val_dataset")
	}
	if len(r.ValDataset) > 0 && r.SplitDatasetRatio > 0 {
		bad("val_dataset brings held-out rows of its own; leave split_dataset_ratio out")
	}
	if r.TrainOnPrompt && r.MaskHistory {
		bad("train_on_prompt learns everything and mask_history only the last answer; leave one of them out")
	}
	if _, err := r.ColumnNames(); err != nil {
		wrong = append(wrong, err)
	}
	if _, err := r.Probabilities(); err != nil {
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// check looks at one setting alone.
func (f *Field) check(r *Recipe) error {
	v := f.in(r)
	switch f.Kind {
	case Text:
		if len(f.Choices) > 0 && !slices.Contains(f.Choices, v.String()) {
			return fmt.Errorf("%s is %s; it must be %s", f.Name, quote(v.String()), alternatives(f.Choices))
		}
	case Whole, Size, Number:
		if f.none != "" && f.text(r) == f.none {
			return nil
		}
		x := 0.0
		if f.Kind == Number {
			x = v.Float()
		} else {
			x = float64(v.Int())
		}
		if !f.interval.holds(x) {
			also := ""
			if f.none != "" {
				also = ", or " + f.none + " for not set"
			}
			return fmt.Errorf("%s is %s; it must be %v%s", f.Name, f.text(r), f.interval, also)
		}
	case List:
		if slices.Contains(v.Interface().([]string), "") {
			return fmt.Errorf("%s has an empty entry; take it out", f.Name)
		}
	}
	return nil
}

func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
