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

// fetch finds a reference in the cache or downloads it.
func (e *environment) fetch(ctx context.Context, k kind, r reference) (Place, error) {
	c, err := newClient(e, r.hub)
	if err != nil {
		return Place{}, err
	}
	repo := &repository{e: e, c: c, k: k, reference: r,
		dir: filepath.Join(e.home, "hub", r.hub, k.plural(), strings.ReplaceAll(r.id, "/", "--"))}
	if sha1Shape.MatchString(r.revision) { // a commit never changes, so a whole copy needs no question
		if p, err := repo.cached(r.revision); err == nil {
			return p, nil
		}
	}
	if e.offline {
		return repo.fromCache(failf(errOffline, "%s is not asked for %s, since the environment says to stay offline (HF_HUB_OFFLINE)", hubNames[r.hub], r.id))
	}
	l, err := repo.list(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return Place{}, err
		}
		return repo.fromCache(c.understand(err, r.id, r.revision))
	}
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
	case commitShape.MatchString(l.Commit):
	case sha1Shape.MatchString(r.revision):
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
	if !errors.Is(why, errOffline) && !errors.Is(why, errUnreachable) {
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

// ref is the file that says which commit a branch or tag was.
func (r *repository) ref() string {
	name := r.revision
	if name == "" {
		name = "default"
	}
	return filepath.Join(r.dir, "refs", url.PathEscape(name))
}

func (r *repository) remember(commit string) error {
	if err := os.MkdirAll(filepath.Dir(r.ref()), 0o777); err != nil {
		return err
	}
	return replaceFile(r.ref(), []byte(commit+"\n"))
}

// download brings all needed files of a commit.
func (r *repository) download(ctx context.Context, l listing) (Place, error) {
	dir := r.at(l.Commit)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return Place{}, fmt.Errorf("the cache: %w; HONE_HOME names another directory", err)
	}
	lock, err := filelock.Wait(ctx, filepath.Join(r.dir, ".lock"), func(h *filelock.Held) {
		r.e.notice("another process (%d) downloads %s; waiting for it", h.PID, r.id)
	})
	if err != nil {
		return Place{}, err
	}
	defer lock.Release()
	raw, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return Place{}, err
	}
	if err := replaceFile(filepath.Join(dir, ".listing"), raw); err != nil {
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

// bring downloads files one after the other.
func (r *repository) bring(ctx context.Context, l listing, files []file) error {
	var total, needed int64
	for _, f := range files {
		part := r.path(l, f) + partialSuffix
		total += max(f.Size, 0)
		needed += max(f.Size, 0)
		if st, err := os.Stat(part); err == nil {
			needed -= min(st.Size(), max(f.Size, 0))
		}
	}
	if free, ok := r.e.free(r.dir); ok && needed > free {
		return fmt.Errorf("it needs %s more, and the disk of %s has %s left; make room, or let HONE_HOME name a directory on another disk",
			size(needed), r.e.home, size(free))
	}
	done := int64(0)
	for _, f := range files {
		d := &download{c: r.c, file: f, path: r.path(l, f), address: r.address(l, f), tell: func(have int64) {
			if r.e.Progress != nil {
				r.e.Progress(Progress{Name: r.id, Hub: r.hub, File: f.Path, Done: done + have, Total: total})
			}
		}}
		if err := d.run(ctx); err != nil {
			if ctx.Err() != nil {
				return err
			}
			return r.stopped(f, err)
		}
		done += max(f.Size, d.have)
	}
	return nil
}

// stopped is why a download came to nothing. Another hub is no way out of it.
func (r *repository) stopped(f file, err error) error {
	var s *status
	if errors.As(err, &s) && s.code == http.StatusNotFound {
		return fmt.Errorf("%s lists the file %s of %s, but does not have it (%w)", hubNames[r.hub], f.Path, r.id, s)
	}
	text := r.c.understand(fmt.Errorf("%s: %w", f.Path, err), r.id, r.revision)
	if errors.Is(text, errUnreachable) {
		return failf(errDenied, "%v; %s stopped there, and running it again goes on behind what has come", text, f.Path)
	}
	return text
}

func (r *repository) address(l listing, f file) string {
	revision := l.Commit
	if strings.HasPrefix(revision, "content-") {
		revision = r.revision
	}
	if r.hub == ModelScope {
		if revision == "" {
			revision = "master"
		}
		return r.c.modelScopeFile(r.k, r.id, revision, f)
	}
	if revision == "" {
		revision = "main"
	}
	return r.c.huggingFaceFile(r.k, r.id, revision, f.Path)
}

// placedByHand is what the user put into the directory that byHand names.
func (e *environment) placedByHand(k kind, name string, r reference) (Place, bool) {
	short, ok := parse(k, name)
	if !ok {
		return Place{}, false
	}
	for _, dir := range []string{e.handDir(k, short.id), e.handDir(k, r.id)} {
		if k != datasets {
			marker := "config.json"
			if k == adapters {
				marker = "adapter_config.json"
			}
			if _, err := os.Stat(filepath.Join(dir, marker)); err == nil {
				return Place{Name: name, Dir: dir}, true
			}
			continue
		}
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			if files, err := folderFiles(dir, r.part); err == nil {
				return Place{Name: name, Files: files}, true
			}
		}
	}
	return Place{}, false
}

func (e *environment) handDir(k kind, name string) string {
	return filepath.Join(e.home, k.plural(), filepath.FromSlash(name))
}

// byHand tells how to get along without the hub.
func (e *environment) byHand(k kind, refs []reference) string {
	r := refs[0]
	command := ""
	for _, q := range refs {
		repo := "--model "
		if k == datasets {
			repo = "--dataset "
		}
		switch {
		case q.hub == ModelScope && command == "":
			command = "modelscope download " + repo + q.id + " --local_dir DIR"
		case q.hub == HuggingFace && command == "":
			if repo = ""; k == datasets {
				repo = "--repo-type dataset "
			}
			command = "huggingface-cli download " + repo + q.id + " --local-dir DIR"
		}
	}
	what := "config.json, *.safetensors and the tokenizer's files"
	switch k {
	case adapters:
		what = "adapter_config.json and adapter_model.safetensors"
	case datasets:
		what = "its .json or .jsonl files"
	}
	text := fmt.Sprintf("put %s into %s", what, e.handDir(k, r.id))
	if command != "" {
		text += fmt.Sprintf(" (`%s` downloads them where there is a network)", command)
	}
	flag := map[kind]string{models: "--model", adapters: "--adapter", datasets: "--dataset"}[k]
	return text + ", or into any directory that " + flag + " then names"
}

// replaceFile gives a small file new content at once.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
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
