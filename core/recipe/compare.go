package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Hash is a hex SHA-256 of the settings that decide a run's numbers. Left out are those that a resumed run may change (how long
// it runs, where, what it logs and saves) and the places of model, data and adapter, whose content has hashes of its own: a run
// keeps its hash when it moves to another machine. Settings at their default are left out too, so that a later version of the
// program with more settings still knows its older runs.
func (r Recipe) Hash() string {
	r.Resolve()
	def := Default()
	def.TrainType, def.PerDeviceTrainBatchSize = r.TrainType, r.PerDeviceTrainBatchSize
	def.Resolve()
	plainDefault := Default()
	h := sha256.New()
	for i := range fields {
		f := &fields[i]
		base := &def
		if f.Name == "train_type" || f.Name == "per_device_train_batch_size" {
			base = &plainDefault
		}
		if samples := f.samples(&r); samples != nil {
			fmt.Fprintf(h, "%s#=%q\n", f.Name, samples)
		}
		if f.Resume || f.place || f.same(&r, base) {
			continue
		}
		fmt.Fprintf(h, "%s=%q\n", f.Name, f.parts(&r))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// parts is the value as strings that differ whenever what the values mean for the run's numbers does.
func (f *Field) parts(r *Recipe) []string {
	switch {
	case f.Kind == List:
		return f.in(r).Interface().([]string)
	case f.paging:
		return []string{strings.TrimPrefix(f.text(r), "paged_")}
	}
	return []string{f.text(r)}
}

// same compares a setting of two recipes: paths after cleaning, target modules as sets.
func (f *Field) same(a, b *Recipe) bool {
	x, y := slices.Clone(f.parts(a)), slices.Clone(f.parts(b))
	switch {
	case f.place:
		for _, list := range [][]string{x, y} {
			for i, s := range list {
				if s != "" {
					list[i] = path.Clean(s)
				}
			}
		}
	case f.Name == "lora_target_modules":
		return sameSet(x, y)
	}
	return slices.Equal(x, y)
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// Diff names the settings that differ, in the order of Fields.
func Diff(old, new Recipe) []string {
	var names []string
	for i := range fields {
		if !fields[i].same(&old, &new) {
			names = append(names, fields[i].Name)
		}
	}
	return names
}

// MayChangeOnResume reports whether a run may go on with another value of this setting: max_steps, num_train_epochs, device,
// device_memory, whether the optimiser pages, and what concerns logging, saving and how often to evaluate, which alter no number of a step.
func MayChangeOnResume(name string) bool {
	f := field(name)
	return f != nil && f.Resume
}

// Resume is the recipe with which a run goes on: old, which the run recorded, with what r gives explicitly. A setting that is
// not given stays as it was. One that is given, differs and may not change is an error that names it with both values.
func (r Recipe) Resume(old Recipe) (Recipe, error) {
	out := old
	if !old.given["eval_steps"] && old.EvalSteps == old.SaveSteps {
		out.EvalSteps = 0 // it follows save_steps
	}
	var refused []string
	for i := range fields {
		f := &fields[i]
		if !r.given[f.Name] {
			continue
		}
		if !f.Resume && !f.same(&old, &r) {
			refused = append(refused, fmt.Sprintf("%s (was %s, now %s)", f.Name, shown(f.text(&old)), shown(f.text(&r))))
			continue
		}
		if f.Resume || f.paging {
			f.in(&out).Set(f.in(&r))
		}
		out.mark(f.Name)
	}
	if refused != nil {
		return Recipe{}, errors.New("a run cannot go on with other settings than it began with: " + strings.Join(refused, "; ") +
			". Leave them out, or start a new run without resume_from_checkpoint")
	}
	out.Resolve()
	return out, nil
}

func shown(s string) string {
	if s == "" {
		return "not set"
	}
	return s
}

// AdoptAdapter takes over what an adapter brings with it. Every one of these settings that was given and differs is an error
// that names both values; targets are compared as sets. all-linear differs from any list of names: a caller who knows the
// model's layers replaces it in LoRATargetModules first.
func (r *Recipe) AdoptAdapter(rank int, alpha float64, rslora bool, dropout float64, targets []string) error {
	next := *r
	next.LoRARank, next.LoRAAlpha, next.UseRSLoRA, next.LoRADropout = rank, alpha, rslora, dropout
	next.LoRATargetModules = slices.Clone(targets)
	var wrong []string
	for _, name := range []string{"lora_rank", "lora_alpha", "use_rslora", "lora_dropout", "lora_target_modules"} {
		f := field(name)
		if r.given[name] && !f.same(r, &next) {
			wrong = append(wrong, fmt.Sprintf("--%s is %s, but the adapter has %s", name, shown(f.text(r)), shown(f.text(&next))))
		}
	}
	if wrong != nil {
		return fmt.Errorf("adapter %s: %s; leave these flags out, since the adapter brings its own values, or start without it", strconv.Quote(r.Adapter), strings.Join(wrong, "; "))
	}
	*r = next
	return nil
}

// Equal reports whether two recipes have the same settings and the same ones given.
func (r Recipe) Equal(o Recipe) bool { return reflect.DeepEqual(r, o) }
