package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// bring downloads files one after the other.
func (r *repository) bring(ctx context.Context, l listing, files []file) error {
	var total, needed int64
	files, copies := r.fromOthers(l, files)
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
		err := error(nil)
		if from := copies[f.Path]; from != "" {
			err = d.copy(ctx, from)
		}
		if err == nil {
			err = d.run(ctx)
		}
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			return r.stopped(f, err)
		}
		done += max(f.Size, d.have)
	}
	return nil
}

// fromOthers takes what another commit in the cache has with the same hash, and returns what it does not have: a new commit
// often changes no more than a README. copies says where those lie, by their path, that the file system lets nobody give a second name.
func (r *repository) fromOthers(l listing, files []file) (missing []file, copies map[string]string) {
	type content struct {
		hash string
		size int64
	}
	have := map[content]string{}
	entries, _ := os.ReadDir(r.dir) // a cache that cannot be read has nothing
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(r.at(e.Name()), ".listing"))
		var other listing
		if err != nil || e.Name() == l.Commit || json.Unmarshal(raw, &other) != nil || other.Commit != e.Name() || checkPaths(other) != nil {
			continue
		}
		for _, f := range other.Files {
			if st, err := os.Stat(r.path(other, f)); err == nil && st.Size() == f.Size && f.SHA256+f.GitSHA1 != "" {
				have[content{f.SHA256 + f.GitSHA1, f.Size}] = r.path(other, f)
			}
		}
	}
	copies = map[string]string{}
	missing = slices.DeleteFunc(slices.Clone(files), func(f file) bool {
		from, ok := have[content{f.SHA256 + f.GitSHA1, f.Size}]
		if !ok || f.SHA256+f.GitSHA1 == "" {
			return false
		}
		to := r.path(l, f)
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return false
		}
		if r.e.link(from, to) == nil {
			return r.sound(f, to)
		}
		copies[f.Path] = from
		return false
	})
	return missing, copies
}

// copy lets a download begin with what lies here already, which is checked at its end as if it had come over the network.
func (d *download) copy(ctx context.Context, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return nil // it has gone meanwhile
	}
	defer in.Close()
	out, err := os.OpenFile(d.path+partialSuffix, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer out.Close()
	at, err := out.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = in.Seek(at, io.SeekStart)
	}
	for err == nil && ctx.Err() == nil {
		var n int64
		n, err = io.CopyN(out, in, 16<<20)
		at += n
		d.tell(at)
	}
	if err == io.EOF {
		err = nil
	}
	return full(errors.Join(err, out.Close()))
}

// sound says whether a file that was taken over is still what it was when it was checked; if not, its name goes.
func (r *repository) sound(f file, path string) bool {
	opened, err := os.Open(path)
	if err == nil {
		err = (&download{c: r.c, file: f, f: opened, have: f.Size}).check()
		opened.Close()
	}
	if err != nil {
		os.Remove(path)
	}
	return err == nil
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
