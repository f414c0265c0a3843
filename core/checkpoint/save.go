package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	namePrefix = "checkpoint-"
	tmpPrefix  = ".tmp-"  // being written: worthless after a kill
	oldPrefix  = ".old-"  // being replaced: the only copy if the new one never got its name
	gonePrefix = ".gone-" // being removed
)

// Save writes a checkpoint of s into the run directory and returns its path. write puts the tensors and whatever else belongs
// to it into the directory it is given; Save adds state.json with the hash of every file, waits for the disk, and only then
// gives the directory its name checkpoint-<step>. A checkpoint of the same step is replaced. After an error nothing that was
// there before is lost, and nothing half written is left.
func Save(runDir string, s *State, write func(dir string) error) (string, error) {
	final := checkpointPath(runDir, s.Step)
	if err := s.check(); err != nil {
		return "", fmt.Errorf("saving %s: %w", final, err)
	}
	tmp := filepath.Join(runDir, tmpPrefix+filepath.Base(final))
	err := fill(tmp, s, write)
	if err == nil {
		err = install(runDir, tmp, final)
	}
	if err != nil {
		removeAll(tmp)
		return "", fmt.Errorf("saving %s: %w", final, explain(err))
	}
	return final, nil
}

// fill makes the directory with everything in it and on disk.
func fill(tmp string, s *State, write func(dir string) error) error {
	if err := removeAll(tmp); err != nil {
		return err
	}
	if err := mkdir(tmp); err != nil {
		return err
	}
	if err := write(tmp); err != nil {
		return err
	}
	whole := *s
	whole.Files = nil
	dirs := []string{}
	err := filepath.WalkDir(tmp, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			dirs = append(dirs, path)
			return nil
		}
		if err := syncFile(path); err != nil {
			return err
		}
		f, err := HashFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(tmp, path)
		f.Name = filepath.ToSlash(rel)
		whole.Files = append(whole.Files, f)
		return err
	})
	if err != nil {
		return err
	}
	if err := whole.check(); err != nil {
		return err
	}
	data, err := whole.encode()
	if err != nil {
		return err
	}
	if err := create(filepath.Join(tmp, StateFile), data); err != nil {
		return err
	}
	for _, d := range dirs {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	s.Files = whole.Files
	return nil
}

// install gives the finished directory its name. No file system call swaps two directories everywhere, so an old one of that
// name steps aside first; Clean brings it back if the program dies between the two renames.
func install(runDir, tmp, final string) error {
	old := filepath.Join(runDir, oldPrefix+filepath.Base(final))
	replacing := false
	if _, err := os.Lstat(final); err == nil {
		if err := removeAll(old); err != nil {
			return err
		}
		if err := rename(final, old); err != nil {
			return err
		}
		replacing = true
	}
	if err := rename(tmp, final); err != nil {
		if replacing {
			err = errors.Join(err, rename(old, final))
		}
		return err
	}
	if err := syncDir(runDir); err != nil {
		return err
	}
	if replacing {
		removeAll(old) // what cannot be removed now is by Clean
	}
	return nil
}

// Clean removes what a killed program left half written or half removed in a run directory, and brings back a checkpoint that
// was about to be replaced. It touches only names that this package gives.
func Clean(runDir string) error {
	entries, err := os.ReadDir(runDir)
	if err != nil {
		return err
	}
	changed := false
	for _, e := range entries {
		path := filepath.Join(runDir, e.Name())
		if name, ok := strings.CutPrefix(e.Name(), oldPrefix); ok && isName(name) {
			final := filepath.Join(runDir, name)
			if _, err := os.Lstat(final); errors.Is(err, fs.ErrNotExist) {
				if err := rename(path, final); err != nil {
					return fmt.Errorf("bringing back %s: %w", final, explain(err))
				}
				changed = true
				continue
			}
		} else if !isLeftover(e.Name()) {
			continue
		}
		if err := removeAll(path); err != nil {
			return fmt.Errorf("removing what a killed run left: %w", explain(err))
		}
		changed = true
	}
	if changed {
		return syncDir(runDir)
	}
	return nil
}

func isName(name string) bool {
	_, ok := StepOf(name)
	return ok
}

func isLeftover(name string) bool {
	if rest, ok := strings.CutPrefix(name, gonePrefix); ok {
		return isName(rest)
	}
	rest, ok := strings.CutPrefix(name, tmpPrefix)
	return ok && (isName(rest) || rest == ArgsFile || rest == ManifestFile || rest == LogFile)
}

// StepOf reads the number in checkpoint-<step>.
func StepOf(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, namePrefix)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0 && strconv.Itoa(n) == digits
}

func checkpointPath(runDir string, step int) string {
	return filepath.Join(runDir, namePrefix+strconv.Itoa(step))
}
