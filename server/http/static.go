package http

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hone/web/dist"
)

// WriteSite writes the page as files that any web host can give out, below any path, with compressed copies beside them for hosts
// that know what to do with these. The policy stands in the pages. dir is made, or holds an earlier site, whose files of
// other releases are removed.
func WriteSite(o Options, dir string) error {
	s, err := newSite(o, true)
	if err != nil {
		return err
	}
	if err := prepare(dir); err != nil {
		return err
	}
	write := func(name string, content []byte) error {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		return os.WriteFile(path, content, 0o644)
	}
	for _, f := range s.release.Files {
		content, err := s.release.Plain(f)
		if err == nil {
			err = write(s.assets+f.Path, content)
		}
		for _, form := range f.Forms {
			if err == nil {
				content, err = s.release.Form(f, form)
			}
			if err == nil {
				err = write(s.assets+f.Path+dist.Suffixes[form], content)
			}
		}
		if err != nil {
			return err
		}
	}
	// The pages come last: they name what is there by then.
	for name, d := range s.rendered {
		if strings.HasSuffix(name, "/") {
			name += "index.html"
		}
		for form, content := range d.form {
			if err := write(name+dist.Suffixes[form], content); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare makes the folder, or clears one that holds a site. It touches no other folder with something in it.
func prepare(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, "sw.js")); err != nil {
			return fmt.Errorf("%s has files and is no site of this program; name an empty folder, or one that it may make", dir)
		}
	}
	return os.RemoveAll(filepath.Join(dir, "a"))
}
