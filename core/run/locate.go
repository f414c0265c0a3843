package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hone/core/checkpoint"
	"hone/core/data"
	"hone/core/hub"
	"hone/core/recipe"
	"hone/core/wire"
)

// locator finds what the names in a recipe stand for, and remembers where.
type locator struct {
	options hub.Options
	pins    map[string]string // what a run that resumes found under a name, by kind and name
	places  map[string]string // see Control.Places
	sources []checkpoint.Source
}

// newLocator looks where the recipe says and tells how downloads go on.
func newLocator(r recipe.Recipe, from resumption, sink func(wire.Event)) *locator {
	l := &locator{options: hub.Options{Hub: r.Hub, HubsOnly: from.hubsOnly}, pins: map[string]string{}, places: from.places}
	for _, s := range from.sources {
		l.pins[s.Kind+" "+s.Name] = hub.Place{Name: s.Name, Hub: s.Hub, ID: s.ID, Revision: s.Revision, Part: s.Part}.Pinned()
	}
	if sink != nil {
		l.options.Progress = func(p hub.Progress) { sink(wire.Downloading(p)) }
		l.options.Notice = func(text string) { sink(wire.Warning{Text: text}) }
	}
	return l
}

// find looks for one name with a function of package hub.
func (l *locator) find(ctx context.Context, kind, name, revision string, look func(context.Context, string, hub.Options) (hub.Place, error)) (hub.Place, error) {
	if path, ok := l.places[name]; ok {
		o := l.options
		o.HubsOnly = false
		p, err := look(ctx, path, o)
		p.Name = name // what is written down is the name, which means something where the run came from
		return p, err
	}
	o, asked := l.options, name
	if pin, ok := l.pins[kind+" "+name]; ok {
		asked = pin
	} else {
		o.Revision = revision
	}
	p, err := look(ctx, asked, o)
	if err == nil && p.Hub != "" {
		l.sources = append(l.sources, checkpoint.Source{Kind: kind, Name: name, Hub: p.Hub, ID: p.ID, Revision: p.Revision, Part: p.Part})
	}
	return p, err
}

// dataset gives the files that an entry without its sample stands for.
func (l *locator) dataset(ctx context.Context, name string) ([]string, error) {
	p, err := l.find(ctx, "dataset", name, "", hub.Dataset)
	return p.Files, err
}

// modelAsked is what the recipe calls its model: model, or the model_type in its place.
func modelAsked(r recipe.Recipe) string {
	if r.Model == "" {
		return r.ModelType
	}
	return r.Model
}

// locate puts directories in the place of the names of model and adapter.
func (j *Job) locate(ctx context.Context, from resumption, sink func(wire.Event)) error {
	r := &j.Recipe
	j.asked, j.names = *r, newLocator(*r, from, sink)
	p, err := j.names.find(ctx, "model", modelAsked(*r), r.ModelRevision, hub.Model)
	if err != nil {
		return err
	}
	j.baseName = p.Name
	if p.Hub != "" {
		j.baseName = p.ID
	}
	r.Model = p.Dir
	if r.Adapter != "" && j.from == "" {
		if p, err = j.names.find(ctx, "adapter", r.Adapter, "", hub.Adapter); err != nil {
			return err
		}
		r.Adapter = p.Dir
	}
	return nil
}

// Fetch downloads what the recipe names and is not here yet.
func Fetch(ctx context.Context, r recipe.Recipe, sink func(wire.Event)) error {
	if err := r.Validate(); err != nil {
		return err
	}
	j := &Job{Recipe: r}
	if err := j.locate(ctx, resumption{}, sink); err != nil {
		return err
	}
	_, err := j.mix(ctx)
	return err
}

// ModelDir is the directory of a model by its path or name, for commands that only use it.
func ModelDir(ctx context.Context, name string, sink func(wire.Event)) (string, error) {
	p, err := newLocator(recipe.Recipe{}, resumption{}, sink).find(ctx, "model", name, "", hub.Model)
	return p.Dir, err
}

// AdapterDir is the directory of an adapter, or of a checkpoint, by its path or name.
func AdapterDir(ctx context.Context, name string, sink func(wire.Event)) (string, error) {
	p, err := newLocator(recipe.Recipe{}, resumption{}, sink).find(ctx, "adapter", name, "", hub.Adapter)
	return p.Dir, err
}

// DatasetFiles are the files of a data set by its path or name, for commands that only read it.
func DatasetFiles(ctx context.Context, name string, sink func(wire.Event)) ([]string, error) {
	return newLocator(recipe.Recipe{}, resumption{}, sink).dataset(ctx, name)
}

// Absolute makes the paths of a recipe independent of where the program was started. Names of a hub stay.
func Absolute(r *recipe.Recipe) error { return absolute(r, nil, false) }

// absolute makes the paths of a recipe independent of where the program was started. Names of a hub and those that places
// has stay; with hubsOnly all others do, and are looked for on no disk.
func absolute(r *recipe.Recipe, places map[string]string, hubsOnly bool) error {
	fix := func(p *string) error {
		name, _, err := data.ParseSpec(*p)
		if err != nil || name == "" {
			return nil // who reads it says what is wrong
		}
		if _, ok := places[name]; ok {
			return nil
		}
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && hub.IsName(name) {
			return nil
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return fmt.Errorf("%s: %w", *p, err)
		}
		*p = abs
		return nil
	}
	var err error
	if r.OutputDir != "" {
		r.OutputDir, err = filepath.Abs(r.OutputDir)
	}
	if hubsOnly {
		return err
	}
	if _, there := os.Stat(r.ModelType); r.Model == "" && r.ModelType != "" && there == nil {
		r.Model = r.ModelType
	}
	errs := []error{fix(&r.Model), fix(&r.Adapter), err}
	for _, list := range []*[]string{&r.Dataset, &r.ValDataset} {
		*list = append([]string(nil), *list...)
		for i := range *list {
			errs = append(errs, fix(&(*list)[i]))
		}
	}
	return errors.Join(errs...)
}
