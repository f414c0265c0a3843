package data

import (
	"context"
	"fmt"
	"math"
	"os"

	"hone/core/rng"
)

// choose decides which rows of Train's files are read, when a sample is asked for: an element for each file. It looks only for where
// rows begin, so that what is not chosen costs no tokenising.
func (m Mix) choose(ctx context.Context, opt Options) (files [][]int32, notes []string, err error) {
	sampled := m.drawsHeld() || m.TrainSample > 0
	for _, s := range m.Train {
		sampled = sampled || s.Sample > 0
	}
	if !sampled {
		return nil, nil, nil
	}
	type place struct{ file, row int }
	var rows []place // that some data set's own sample has
	for i, s := range m.Train {
		first, n := len(files), 0
		for _, name := range s.Files {
			k, err := count(ctx, name, opt.MaxRow)
			if err != nil {
				return nil, nil, err
			}
			files = append(files, make([]int32, k))
			n += k
		}
		rounds, rest := 1, map[int]bool{}
		if s.Sample > 0 {
			rounds = s.Sample / n
			for _, k := range rng.NewKey(m.Seed, rng.Sample, uint64(i)).Permutation(n)[:s.Sample%n] {
				rest[k] = true
			}
		}
		k := 0
		for f := first; f < len(files); f++ {
			for r := range files[f] {
				times := rounds
				if rest[k] {
					times++
				}
				if files[f][r] = int32(times); times > 0 {
					rows = append(rows, place{f, r})
				}
				k++
			}
		}
	}
	order := rng.NewKey(m.Seed, rng.Split, 0).Permutation(len(rows))
	if m.drawsHeld() {
		pool := m.ValSample
		if m.SplitRatio > 0 {
			pool = min(max(int(math.Round(m.SplitRatio*float64(len(rows)))), 1), max(len(rows)-1, 0)) // as Split does it
		}
		if pool >= len(rows) {
			return nil, nil, fmt.Errorf("data: of %d rows %d are to be held out, which leaves none to train on; lower --val_dataset_sample or --split_dataset_ratio", len(rows), pool)
		}
		out := pool
		if m.ValSample > 0 {
			out = min(out, m.ValSample)
		}
		if out < m.ValSample {
			notes = append(notes, fmt.Sprintf("val_dataset_sample asks for %d rows; split_dataset_ratio holds out only %d", m.ValSample, out))
		}
		for i, k := range order[:pool] {
			p := rows[k]
			if files[p.file][p.row] = 0; i < out {
				files[p.file][p.row] = held
			}
		}
		order = order[pool:]
	}
	if m.TrainSample > 0 {
		left := int64(m.TrainSample)
		for _, k := range order {
			t := &files[rows[k].file][rows[k].row]
			*t = int32(min(int64(*t), left))
			left -= int64(*t)
		}
		if left > 0 {
			notes = append(notes, fmt.Sprintf("a sample of %d rows is asked for, and there are only %d", m.TrainSample, int64(m.TrainSample)-left))
		}
	}
	return files, notes, nil
}

// count tells how many rows a file has.
func count(ctx context.Context, name string, maxRow int) (n int, err error) {
	if isText(name) {
		return 0, &Error{File: name, What: "a text has no rows to take a sample of; convert it to JSONL with a text a line, or take the sample's settings out"}
	}
	f, err := os.Open(name)
	if err != nil {
		return 0, fmt.Errorf("data: %w", err)
	}
	defer f.Close()
	err = newScanner(f, name, maxRow).rows(func(row int, _ position, _ []byte) error {
		n = row
		if row%1024 == 0 {
			return ctx.Err()
		}
		return nil
	})
	return n, err
}
