package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"hone/core/data"
	"hone/core/tokenizer"
)

// Kept holds the rows that were read last, as ids, so that who looks at them, then at what a run would take, and then starts it,
// waits for them once. They are read anew when a file or a setting that they depend on has changed. The zero value is ready.
type Kept struct {
	mu   sync.Mutex
	of   string
	sets *data.Sets
}

// mostKept bounds what is held on to, in tokens of 8 bytes.
const mostKept = 4 << 20

type keptKey struct{}

// Keep gives a context in which rows are kept in k.
func Keep(ctx context.Context, k *Kept) context.Context { return context.WithValue(ctx, keptKey{}, k) }

// readRows reads the rows of a mix, or takes those that are kept.
func (j *Job) readRows(ctx context.Context, mix data.Mix, opt data.Options) (*data.Sets, error) {
	k, ok := ctx.Value(keptKey{}).(*Kept)
	if !ok {
		return mix.Load(ctx, opt)
	}
	of, err := j.identity(mix, opt)
	if err != nil { // whoever reads the files says what is wrong
		return mix.Load(ctx, opt)
	}
	k.mu.Lock()
	sets := k.sets
	if k.of != of {
		sets = nil
	}
	k.mu.Unlock()
	if sets != nil {
		return sets, nil
	}
	if sets, err = mix.Load(ctx, opt); err != nil {
		return nil, err
	}
	if sets.Stats.Tokens <= mostKept {
		k.mu.Lock()
		k.of, k.sets = of, sets
		k.mu.Unlock()
	}
	return sets, nil
}

// identity says of what rows are made: settings, and files by size and time.
func (j *Job) identity(mix data.Mix, opt data.Options) (string, error) {
	opt.Tokenizer, opt.Progress, opt.Template = nil, nil, nil
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %+v %+v", j.Recipe.Model, j.template.Name(), mix, opt)
	files, err := tokenizer.Files(j.Recipe.Model)
	if err != nil && j.Tokenizer != nil {
		return "", err
	}
	for i, f := range files {
		files[i] = filepath.Join(j.Recipe.Model, f)
	}
	for _, f := range append(files, j.files...) {
		st, err := os.Stat(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, " %q %d %d", f, st.Size(), st.ModTime().UnixNano())
	}
	return b.String(), nil
}
