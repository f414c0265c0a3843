package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"hone/core/checkpoint"
)

// Rows turns a table, CSV or Parquet, into JSONL: to is there whole or not at all. notes are sentences for the user. A program sets it
// before it looks for data sets; what reads Parquet weighs as much as all else that a page's trainer has, which is why the page keeps
// it in a program of its own. Without it tables are not read.
var Rows func(ctx context.Context, from, to string, progress func(done, total int64)) (notes []string, err error)

var tables = map[string]bool{".csv": true, ".tsv": true, ".parquet": true}

// IsTable tells by its name whether a file is a table.
func IsTable(file string) bool { return tables[strings.ToLower(path.Ext(file))] }

// takeRows puts files with the rows of tables into the place of the tables. The rows of a file of a hub lie beside it, and go when it goes;
// those of a file of the user lie in the cache.
func (e *environment) takeRows(ctx context.Context, p *Place) error {
	for i, from := range p.Files {
		if Rows == nil || !IsTable(from) {
			continue
		}
		to := from + ".jsonl"
		if p.Hub == "" {
			var err error
			if to, err = e.rowsFor(from); err != nil {
				return err
			}
		}
		if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) {
			notes, err := Rows(ctx, from, to, func(done, total int64) {
				if e.Progress != nil {
					e.Progress(Progress{Name: p.Name, Hub: p.Hub, File: filepath.Base(from), Done: done, Total: total})
				}
			})
			if err != nil {
				return fmt.Errorf("dataset %s: %w", p.Name, err)
			}
			for _, n := range notes {
				e.notice("%s: %s", filepath.Base(from), n)
			}
		} else if err != nil {
			return err
		}
		p.Files[i] = to
	}
	return nil
}

// keptRows is how long the rows of a user's table stay in the cache after their last use.
const keptRows = 30 * 24 * time.Hour

// rowsFor is where the rows of a user's table lie as it is now.
func (e *environment) rowsFor(table string) (string, error) {
	abs, err := filepath.Abs(table)
	if err != nil {
		return "", err
	}
	st, err := os.Stat(abs)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", abs, st.Size(), st.ModTime().UnixNano()))
	dir := filepath.Join(e.home, "tables", hex.EncodeToString(sum[:8]))
	to := filepath.Join(dir, filepath.Base(abs)+".jsonl")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", fmt.Errorf("the cache: %w; HONE_HOME names another directory", err)
	}
	now := time.Now()
	if err := os.Chtimes(dir, now, now); err != nil {
		return "", fmt.Errorf("the cache: %w; HONE_HOME names another directory", err)
	}
	for _, old := range checkpoint.Glob(filepath.Dir(dir), "*") {
		if st, err := os.Stat(old); err == nil && now.Sub(st.ModTime()) > keptRows {
			os.RemoveAll(old)
		}
	}
	return to, nil
}
