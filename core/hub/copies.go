package hub

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/core/checkpoint"
)

// Copy is a model or a data set in the cache under a name that it was asked for by. One commit may have several, and one name several commits: a branch
// moves on.
type Copy struct {
	Dir      string
	Name     string // means it: the id, with its hub where ids are not looked for there first, and the revision
	ID       string
	Revision string // that was asked for; empty: none
	ref      string // the file that says which commit the revision is
}

// Copies lists the models of the cache, whole or not. Those come first that their names mean now.
func Copies() ([]Copy, error) { return copies(models) }

// Datasets lists the data sets of the cache, each with those of its files that were asked for.
func Datasets() ([]Copy, error) { return copies(datasets) }

func copies(k kind) ([]Copy, error) {
	home, err := Home()
	if err != nil {
		return nil, err
	}
	var now, others []Copy
	for _, repo := range checkpoint.Glob(home, "hub/*/"+k.plural()+"/*") {
		of := func(dir, revision, ref string) Copy {
			name := NameOf(dir)
			if revision != "" {
				name += "@" + revision
			}
			return Copy{dir, name, IDOf(dir), revision, ref}
		}
		for _, ref := range checkpoint.Glob(repo, "refs/*") {
			commit, err := os.ReadFile(ref)
			revision, wrong := url.PathUnescape(filepath.Base(ref))
			dir := filepath.Join(repo, filepath.Base(strings.TrimSpace(string(commit))))
			if err != nil || wrong != nil || IDOf(dir) == "" {
				continue
			}
			if revision == usual {
				revision = ""
			}
			now = append(now, of(dir, revision, ref))
		}
		for _, file := range checkpoint.Glob(repo, "*/.listing") {
			var l listing
			if raw, err := os.ReadFile(file); err != nil || json.Unmarshal(raw, &l) != nil {
				continue
			}
			others = append(others, of(filepath.Dir(file), l.Revision, ""))
		}
	}
	others = slices.DeleteFunc(others, func(c Copy) bool {
		return slices.ContainsFunc(now, func(n Copy) bool { return n.Dir == c.Dir })
	})
	return append(now, others...), nil
}

// Remove takes the name of a model out of the cache, with the commits that no other name means.
func Remove(name string) error { return remove(models, name) }

// RemoveDataset does so with the name of a data set.
func RemoveDataset(name string) error { return remove(datasets, name) }

func remove(k kind, name string) error {
	all, err := copies(k)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Name != name {
			continue
		}
		if c.ref != "" {
			err = errors.Join(err, os.Remove(c.ref))
		}
		if slices.ContainsFunc(all, func(o Copy) bool { return o.Dir == c.Dir && o.Name != name }) {
			continue
		}
		repo := filepath.Dir(c.Dir)
		if err = errors.Join(err, os.RemoveAll(c.Dir)); len(checkpoint.Glob(repo, "*/.listing")) == 0 {
			err = errors.Join(err, os.RemoveAll(repo))
		}
	}
	return err
}
