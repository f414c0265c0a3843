package move

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"hone/core/checkpoint"
	"hone/core/link"
	"hone/core/wire"
)

// IsID reports whether a name is the ID of a run, and no path that leads elsewhere.
func IsID(id string) bool {
	model, name, _ := strings.Cut(id, "/")
	_, _, ok := checkpoint.ParseName(name)
	unfit := func(r rune) bool { return r < ' ' || r == '\\' }
	return ok && model != "" && utf8.RuneCountInString(model) <= 200 && !strings.HasPrefix(model, ".") && !strings.ContainsFunc(model, unfit)
}

// Pull brings a run from a server to <outputDir>/<id> as of its last State, and says where it is and at which step. What is
// here already is not brought again; a checkpoint gets its name when it is whole. The run can go on from there. Where a new State
// is stored meanwhile, that one is brought. Where the run has gone on here and is further, nothing is: the error is a *Further.
func Pull(ctx context.Context, l wire.Link, from link.Files, id, outputDir string, tell func(Progress)) (dir string, step int, err error) {
	if !IsID(id) {
		return "", 0, fmt.Errorf("%q is no id of a run; `hone runs` lists them", id)
	}
	c, err := wire.AskCarried(ctx, l, id)
	if err != nil {
		return "", 0, err
	}
	dir = filepath.Join(outputDir, filepath.FromSlash(id))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", 0, err
	}
	r := checkpoint.Run{Dir: dir}
	release, err := r.Lock()
	if err != nil {
		return "", 0, err
	}
	defer release()
	for try := 1; ; try++ {
		last, ok, err := r.Latest()
		if err != nil {
			return "", 0, err
		}
		if ok && last.Step > c.Step {
			return "", 0, &Further{dir, last.Step, c.Step}
		}
		if err = bring(ctx, from, id, c, r, tell); err == nil {
			return dir, c.Step, nil
		}
		if !outdated(err) || try == pulls {
			return "", 0, err
		}
		select {
		case <-ctx.Done():
			return "", 0, ctx.Err()
		case <-time.After(time.Duration(try) * pullWait):
		}
		if c, err = wire.AskCarried(ctx, l, id); err != nil {
			return "", 0, err
		}
	}
}

// A list of files is out of date when the run goes on and stores its next State. So often another one is asked for, with longer
// and longer waits.
const (
	pulls    = 6
	pullWait = 200 * time.Millisecond
)

// Further says that a run was gone on with here, and has a State here behind the server's last one.
type Further struct {
	Dir         string // of the run
	Here, There int    // steps
}

func (f *Further) Error() string {
	return fmt.Sprintf("%s is at step %d, and the run on the server at step %d: what was done here would be lost under it; choose another --output_dir to have both", f.Dir, f.Here, f.There)
}

// damaged is a file that came with other bytes than were listed.
type damaged struct{ path, got, want string }

func (d *damaged) Error() string {
	return fmt.Sprintf("%s came damaged: its SHA-256 is %s, not %s; do it again", d.path, d.got, d.want)
}

// outdated reports whether a file was not there any more as it was listed.
func outdated(err error) bool {
	var d *damaged
	var r *link.Refused
	return errors.As(err, &d) || errors.As(err, &r) && (r.Status == http.StatusNotFound || r.Status == http.StatusRequestedRangeNotSatisfiable)
}

// bring brings the files that were listed.
func bring(ctx context.Context, from link.Files, id string, c wire.Carried, r checkpoint.Run, tell func(Progress)) error {
	dir := r.Dir
	var done, total int64
	folders := map[string][]wire.Blob{} // files by checkpoint; "" is the run's own
	var order []string
	for _, f := range c.Files {
		top, _, nested := strings.Cut(f.Path, "/")
		if !nested {
			top = ""
		}
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) || strings.ContainsAny(f.Path, `\:`) || nested && !strings.HasPrefix(top, "checkpoint-") {
			return fmt.Errorf("the server gives a file %q, which cannot be part of a run", f.Path)
		}
		if _, ok := folders[top]; !ok && top != "" {
			order = append(order, top)
		}
		folders[top] = append(folders[top], f)
		total += f.Size
	}
	// The log first, as when a run writes them: whoever goes on with what has come cuts it back to the last checkpoint. A checkpoint
	// without its part of the log would leave a hole for good.
	for _, top := range append([]string{""}, order...) {
		to := filepath.Join(dir, top)
		if top != "" {
			if whole(to, top, folders[top]) {
				for _, f := range folders[top] {
					done += f.Size
				}
				continue
			}
			to = filepath.Join(dir, ".tmp-"+top)
		}
		for _, f := range folders[top] {
			path := filepath.Join(to, filepath.FromSlash(strings.TrimPrefix(f.Path, top+"/")))
			if err := take(ctx, from, id, f, path); err != nil {
				return err
			}
			if done += f.Size; tell != nil {
				tell(Progress{f.Path, done, total})
			}
		}
		if top != "" {
			final := filepath.Join(dir, top)
			if err := os.RemoveAll(final); err != nil {
				return err
			}
			if err := os.Rename(to, final); err != nil {
				return err
			}
		}
	}
	if c.Step > 0 {
		if _, err := checkpoint.Load(filepath.Join(dir, fmt.Sprintf("checkpoint-%d", c.Step))); err != nil {
			return err
		}
	}
	// Of lists that were out of date there may be parts.
	for _, pattern := range []string{".part-*", ".tmp-checkpoint-*"} {
		for _, path := range checkpoint.Glob(dir, pattern) {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole reports whether a checkpoint is here with these files.
func whole(dir, top string, files []wire.Blob) bool {
	for _, f := range files {
		h, err := checkpoint.HashFile(filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(f.Path, top+"/"))))
		if err != nil || h.SHA256 != f.SHA256 {
			return false
		}
	}
	return true
}

// take brings one file, behind what an earlier attempt has brought of it.
func take(ctx context.Context, from link.Files, id string, f wire.Blob, path string) error {
	if h, err := checkpoint.HashFile(path); err == nil && h.SHA256 == f.SHA256 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	part := filepath.Join(filepath.Dir(path), ".part-"+f.SHA256[:min(len(f.SHA256), 16)])
	w, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	st, err := w.Stat()
	if err == nil {
		err = from.Take(ctx, id, f, w, st.Size())
	}
	if err == nil {
		err = w.Sync()
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	h, err := checkpoint.HashFile(part)
	if err != nil {
		return err
	}
	if h.SHA256 != f.SHA256 {
		os.Remove(part)
		return &damaged{f.Path, h.SHA256, f.SHA256}
	}
	return os.Rename(part, path)
}
