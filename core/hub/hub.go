// Package hub finds models, adapters and data sets by name: on disk, in the cache, on Hugging Face or on ModelScope.
//
// A name is a path that exists, an id such as Qwen/Qwen2.5-0.5B, or one of the short names of ms-swift that the table in
// names.go knows (chatglm3-6b, alpaca-zh). An id may begin with HF:: or MS:: for its hub and end with @revision; that of a data
// set may then name a file, a folder or a pattern: org/name@main:finetune/train_zh_*.
//
// The cache is the directory HONE_HOME, or hone in the user's cache directory:
//
//	models/<org>/<name>/, datasets/<org>/<name>/    put there by hand; they come before any hub
//	hub/<hf|ms>/<models|datasets>/<org>--<name>/    what was downloaded:
//	    .lock                 held by the process that downloads
//	    refs/<revision>       the commit that a branch or tag last stood for
//	    <commit>/.listing     the files of the repository with sizes and hashes
//	    <commit>/<file>       a whole file whose size and hash were checked
//	    <commit>/<file>.partial, .partial.etag    the beginning of one; the next attempt goes on behind it
//	    <commit>/<file>.jsonl  the rows of a table
//	tables/<hash>/<file>.jsonl                      the rows of a table of the user, by its path, size and time
//
// A file gets its name only when it is whole, checked and on disk, so a download that fails leaves nothing that looks complete.
package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// Names of the two hubs.
const (
	HuggingFace = "hf"
	ModelScope  = "ms"
)

// Options say where to look and whom to tell. The zero value looks where the environment says.
type Options struct {
	Hub      string // HuggingFace or ModelScope; "" or "auto": the one that the environment names, otherwise Hugging Face, then ModelScope
	Revision string // branch, tag or commit where the name has none; "": the default branch
	HubsOnly bool   // a path of this disk is no name, whatever lies there
	Progress func(Progress)
	Notice   func(string) // something that the user should know

	// What follows is for tests.
	getenv func(string) string
	http   *http.Client
	stall  time.Duration
	sleep  func(context.Context, time.Duration) error
	free   func(dir string) (int64, bool)
	link   func(from, to string) error
}

type hereKey struct{}

// Here gives a context in which names mean what is here of them, and no hub is asked: for who only looks. What is not here is ErrOffline.
func Here(ctx context.Context) context.Context { return context.WithValue(ctx, hereKey{}, true) }

func onlyHere(ctx context.Context) bool { return ctx.Value(hereKey{}) != nil }

// Progress tells how far a download has come.
type Progress struct {
	Name  string `json:"name"`
	Hub   string `json:"hub"`
	File  string `json:"file"`
	Done  int64  `json:"done"`  // bytes, of all its files
	Total int64  `json:"total"` // 0 where the hub does not say
}

// Place is where something was found.
type Place struct {
	Name     string   // as it was asked for
	Hub      string   // empty for what lay on disk
	ID       string   // on that hub
	Revision string   // commit
	Part     string   // of a data set: the file, folder or pattern that was asked for
	Dir      string   // of a model or adapter
	Files    []string // of a data set, in the order of their names
}

// Pinned is the name that means exactly this place from now on.
func (p Place) Pinned() string {
	if p.Hub == "" {
		return p.Name
	}
	s := strings.ToUpper(p.Hub) + "::" + p.ID + "@" + p.Revision
	if p.Part != "" {
		s += ":" + p.Part
	}
	return s
}

// Model finds a model directory.
func Model(ctx context.Context, name string, o Options) (Place, error) {
	return find(ctx, models, name, o)
}

// Adapter finds the directory of a PEFT adapter.
func Adapter(ctx context.Context, name string, o Options) (Place, error) {
	return find(ctx, adapters, name, o)
}

// Dataset finds the files of a data set, in JSON or JSONL: of tables it gives the rows.
func Dataset(ctx context.Context, name string, o Options) (Place, error) {
	p, err := find(ctx, datasets, name, o)
	if err != nil {
		return p, err
	}
	e, err := newEnvironment(o)
	if err != nil {
		return Place{}, err
	}
	return p, e.takeRows(ctx, &p)
}

// kind is what is looked for.
type kind uint8

const (
	models kind = iota
	adapters
	datasets
)

func (k kind) String() string { return [...]string{"model", "adapter", "dataset"}[k] }

// plural names the kind of repository in addresses and directories: an adapter lives where models do.
func (k kind) plural() string {
	if k == datasets {
		return "datasets"
	}
	return "models"
}

func find(ctx context.Context, k kind, name string, o Options) (Place, error) {
	if !o.HubsOnly {
		if _, err := os.Stat(name); err == nil {
			return onDisk(k, name)
		}
	}
	e, err := newEnvironment(o)
	if err != nil {
		return Place{}, err
	}
	refs, err := e.resolve(k, name)
	if err != nil {
		return Place{}, err
	}
	for _, r := range refs {
		if p, ok := e.placedByHand(k, name, r); ok {
			return p, nil
		}
	}
	if onlyHere(ctx) {
		e.offline = true
	} else if !e.offline {
		e.spare = slices.ContainsFunc(refs, func(r reference) bool { return e.has(k, r) })
	}
	var failed []error
	for i, r := range refs {
		p, err := e.fetch(ctx, k, r)
		if err == nil {
			p.Name = name
			return p, nil
		}
		if ctx.Err() != nil {
			return Place{}, &failure{ctx.Err(), fmt.Sprintf("%v %s: stopped; what has come is kept, and running it again goes on behind it", k, name)}
		}
		failed = append(failed, err)
		if i == len(refs)-1 || !passes(err) {
			break
		}
	}
	if last := failed[len(failed)-1]; onlyHere(ctx) && errors.Is(last, ErrOffline) {
		return Place{}, &failure{last, fmt.Sprintf(notHere[k], name)}
	}
	return Place{}, e.explain(k, name, refs, failed)
}

// notHere says that something would have to be downloaded, which only who asks for it does.
var notHere = [...]string{"the model %s is not here; download it first", "the adapter %s is not here; download it first", "the data set %s is not here; download it first"}

// passes says whether the next place is worth a look: the name is not known here, nobody answers, or its rows cannot be read.
func passes(err error) bool {
	return errors.Is(err, errNotFound) || errors.Is(err, errUnreachable) || errors.Is(err, ErrOffline) || errors.Is(err, errFormat)
}

// onDisk is what the user named by its path: it stays as it is, but for the folder of a data set, which stands for its files.
func onDisk(k kind, path string) (Place, error) {
	if k != datasets {
		return Place{Name: path, Dir: path}, nil
	}
	if st, err := os.Stat(path); err != nil || !st.IsDir() {
		return Place{Name: path, Files: []string{path}}, nil
	}
	files, err := folderFiles(path, "")
	if err != nil {
		return Place{}, fmt.Errorf("dataset %s: %w", path, err)
	}
	return Place{Name: path, Files: files}, nil
}

// explain makes one error of what the hubs said, with what to do.
func (e *environment) explain(k kind, name string, refs []reference, failed []error) error {
	last := failed[len(failed)-1]
	if !passes(last) {
		if rest := refs[len(failed):]; errors.Is(last, errGated) && len(rest) > 0 {
			return fmt.Errorf("%v %s: %w; or %s", k, name, last, lookOn(rest[0].hub))
		}
		return fmt.Errorf("%v %s: %w", k, name, last)
	}
	var said []string
	for _, err := range failed {
		said = append(said, err.Error())
	}
	var advice []string
	if errors.Is(last, errNotFound) {
		for _, h := range []string{HuggingFace, ModelScope} {
			if !slices.ContainsFunc(refs[:len(failed)], func(r reference) bool { return r.hub == h }) {
				advice = append(advice, lookOn(h))
			}
		}
	}
	advice = append(advice, e.byHand(k, refs))
	return &failure{kind: last, text: fmt.Sprintf("%v %s: there is no such path here, and %s. What helps: %s", k, name, strings.Join(said, "; and "), strings.Join(advice, "; or "))}
}

// Kinds of failure that decide what is tried next.
var (
	errNotFound    = errors.New("not found")
	errDenied      = errors.New("denied")
	errGated       = errors.New("gated") // one hub wants to know who asks; another may not
	errUnreachable = errors.New("not reachable")
	ErrOffline     = errors.New("offline") // a hub would have to be asked, and is not to be
	errFormat      = errors.New("a format that is not read")
)

// failure is an error of one of these kinds with a text of its own.
type failure struct {
	kind error
	text string
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.kind }

func failf(kind error, format string, args ...any) error {
	return &failure{kind, fmt.Sprintf(format, args...)}
}
