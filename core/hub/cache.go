package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/core/atomicfile"
	"hone/core/filelock"
)

// repository is one repository on one hub with its place in the cache.
type repository struct {
	e *environment
	c *client
	k kind
	reference
	dir string // of all its commits
}

func (e *environment) repository(k kind, r reference) (*repository, error) {
	c, err := newClient(e, r.hub)
	return &repository{e: e, c: c, k: k, reference: r,
		dir: filepath.Join(e.home, "hub", r.hub, k.plural(), strings.ReplaceAll(r.id, "/", "--"))}, err
}

// has says whether the cache has what a reference last stood for.
func (e *environment) has(k kind, r reference) bool {
	repo, err := e.repository(k, r)
	if err == nil {
		_, err = repo.fromCache(ErrOffline)
	}
	return err == nil
}

// fetch finds a reference in the cache or downloads it.
func (e *environment) fetch(ctx context.Context, k kind, r reference) (Place, error) {
	repo, err := e.repository(k, r)
	if err != nil {
		return Place{}, err
	}
	if sha1Shape(r.revision) { // a commit never changes, so a whole copy needs no question
		if p, err := repo.cached(r.revision); err == nil {
			_ = repo.remember(r.revision) // that it was asked for by this name, too, is for lists alone
			return p, nil
		}
	}
	if e.offline {
		return repo.fromCache(failf(ErrOffline, "%s is not asked for %s, since the environment says to stay offline (HF_HUB_OFFLINE)", hubNames[r.hub], r.id))
	}
	l, err := repo.list(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return Place{}, err
		}
		why := repo.c.understand(err, r.id, r.revision)
		var s *status
		if e.spare && errors.As(err, &s) && (s.code >= 500 || s.code == http.StatusTooManyRequests) { // the page's server says so of a hub that it does not reach
			why = &failure{errUnreachable, why.Error()}
		}
		return repo.fromCache(why)
	}
	e.spare = false // what follows is downloaded
	if err := checkPaths(l); err != nil {
		return Place{}, fmt.Errorf("%s on %s: %w", r.id, hubNames[r.hub], err)
	}
	if p, err := repo.cached(l.Commit); err == nil {
		return p, repo.remember(l.Commit)
	}
	return repo.download(ctx, l)
}

// list asks the hub, and makes sure that the commit has a name that a directory may have.
func (r *repository) list(ctx context.Context) (l listing, err error) {
	if r.hub == ModelScope {
		l, err = r.c.listModelScope(ctx, r.k, r.id, r.revision)
	} else {
		l, err = r.c.listHuggingFace(ctx, r.k, r.id, r.revision)
	}
	if err != nil {
		return l, err
	}
	slices.SortFunc(l.Files, func(a, b file) int { return strings.Compare(a.Path, b.Path) })
	switch {
	case commitShape(l.Commit):
	case sha1Shape(r.revision):
		l.Commit = r.revision
	default: // a mirror that does not tell it: the content has to do
		raw, err := json.Marshal(l.Files)
		if err != nil {
			return l, err
		}
		sum := sha256.Sum256(raw)
		l.Commit = "content-" + hex.EncodeToString(sum[:16])
	}
	return l, nil
}

// at is the directory of a commit.
func (r *repository) at(commit string) string { return filepath.Join(r.dir, commit) }

// choose picks the files that are needed; more says that others follow once these are there.
func (r *repository) choose(l listing) (files []file, more bool, err error) {
	switch r.k {
	case datasets:
		files, err = chooseDataset(l, r.part, r.prefer)
		return files, false, err
	case adapters:
		files, err = chooseAdapter(l)
		return files, false, err
	}
	return chooseModel(l, r.at(l.Commit))
}

// cached is the place of a commit of which every needed file is there.
func (r *repository) cached(commit string) (Place, error) {
	raw, err := os.ReadFile(filepath.Join(r.at(commit), ".listing"))
	if err != nil {
		return Place{}, err
	}
	var l listing
	if err := json.Unmarshal(raw, &l); err != nil || l.Commit != commit || checkPaths(l) != nil {
		return Place{}, fs.ErrNotExist
	}
	files, more, err := r.choose(l)
	if err != nil {
		return Place{}, err
	}
	if more || len(r.missing(l, files)) > 0 {
		return Place{}, fs.ErrNotExist
	}
	return r.place(l, files), nil
}

func (r *repository) path(l listing, f file) string {
	return filepath.Join(r.at(l.Commit), filepath.FromSlash(f.Path))
}

// missing are the files that do not lie in the cache with the size that they should have.
func (r *repository) missing(l listing, files []file) []file {
	var out []file
	for _, f := range files {
		st, err := os.Stat(r.path(l, f))
		if err != nil || f.Size >= 0 && st.Size() != f.Size {
			out = append(out, f)
		}
	}
	return out
}

func (r *repository) place(l listing, files []file) Place {
	p := Place{Hub: r.hub, ID: r.id, Revision: l.Commit, Part: r.part}
	if r.k != datasets {
		p.Dir = r.at(l.Commit)
		return p
	}
	for _, f := range files {
		p.Files = append(p.Files, r.path(l, f))
		if p.Part == "" && matches(r.prefer, f.Path) { // another name may prefer other files of the same repository
			p.Part = r.prefer
		}
	}
	return p
}

// fromCache is what is left when the hub is not asked or does not answer: the commit that the revision stood for last time.
func (r *repository) fromCache(why error) (Place, error) {
	if !errors.Is(why, ErrOffline) && !errors.Is(why, errUnreachable) {
		return Place{}, why
	}
	raw, err := os.ReadFile(r.ref())
	if err != nil {
		return Place{}, why
	}
	p, err := r.cached(strings.TrimSpace(string(raw)))
	if err != nil {
		return Place{}, why
	}
	if errors.Is(why, errUnreachable) {
		r.e.notice("%v; going on with the copy of commit %s", why, p.Revision)
	}
	return p, nil
}

// usual is the name of the file for who asks for no revision.
const usual = "default"

// ref is the file that says which commit a branch or tag was.
func (r *repository) ref() string {
	name := r.revision
	if name == "" {
		name = usual
	}
	return filepath.Join(r.dir, "refs", url.PathEscape(name))
}

func (r *repository) remember(commit string) error {
	if err := os.MkdirAll(filepath.Dir(r.ref()), 0o777); err != nil {
		return err
	}
	return atomicfile.Write(r.ref(), []byte(commit+"\n"), 0o600)
}

// download brings all needed files of a commit.
func (r *repository) download(ctx context.Context, l listing) (Place, error) {
	dir := r.at(l.Commit)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return Place{}, fmt.Errorf("the cache: %w; HONE_HOME names another directory", err)
	}
	lock, err := filelock.Wait(ctx, filepath.Join(r.dir, ".lock"), func(h *filelock.Held) {
		r.e.notice("%s downloads %s; waiting for it", h.Who(), r.id)
	})
	if err != nil {
		return Place{}, err
	}
	defer lock.Release()
	l.Revision = r.revision
	raw, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return Place{}, err
	}
	if err := atomicfile.Write(filepath.Join(dir, ".listing"), raw, 0o600); err != nil {
		return Place{}, err
	}
	for {
		files, more, err := r.choose(l)
		if err != nil {
			return Place{}, fmt.Errorf("%s on %s: %w", r.id, hubNames[r.hub], err)
		}
		missing := r.missing(l, files)
		if len(missing) == 0 {
			if more {
				return Place{}, fmt.Errorf("%s on %s: %s could not be kept", r.id, hubNames[r.hub], weightsIndex)
			}
			return r.place(l, files), r.remember(l.Commit)
		}
		if err := r.bring(ctx, l, missing); err != nil {
			return Place{}, err
		}
	}
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
