package run

import (
	"context"
	"fmt"
	"math"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/ir"
	"hone/core/nn"
	"hone/core/op"
	"hone/core/recipe"
	"hone/core/tensor"
)

// Difference is how far the logits of two models are apart.
type Difference struct {
	Largest  float64 // of a single logit
	Range    float64 // from the smallest to the largest logit of the model compared with, for scale
	Agreeing float64 // share of the positions at which both find the same token most probable
	Rows     int
	Tokens   int
	FromRun  bool // the rows are the run's
	HeldOut  bool // and were held out from training
}

// compareTokens is how much of a row is compared.
const compareTokens = 64

// compare measures the merged model in dir against base and adapter, on rows that the run held out, or on its first rows.
func (x Exporter) compare(ctx context.Context, dev device.Device, dir string) (*Difference, error) {
	rows, held, err := x.rows(ctx)
	if err != nil {
		return nil, err
	}
	trained, err := x.logits(ctx, dev, x.Base, x.Tuned, x.Quantised, rows)
	if err != nil {
		return nil, err
	}
	merged, err := x.logits(ctx, dev, dir, "", false, rows)
	if err != nil {
		return nil, err
	}
	d := &Difference{Rows: len(rows), FromRun: x.Run != nil, HeldOut: held}
	low, high, agreeing := math.Inf(1), math.Inf(-1), 0
	for r := range rows {
		vocab := len(trained[r]) / len(rows[r])
		for at := 0; at < len(trained[r]); at += vocab {
			a, b := trained[r][at:][:vocab], merged[r][at:][:vocab]
			best := [2]int{}
			for i := range a {
				d.Largest = max(d.Largest, math.Abs(float64(a[i])-float64(b[i])))
				low, high = min(low, float64(a[i])), max(high, float64(a[i]))
				if a[i] > a[best[0]] {
					best[0] = i
				}
				if b[i] > b[best[1]] {
					best[1] = i
				}
			}
			if best[0] == best[1] {
				agreeing++
			}
			d.Tokens++
		}
	}
	d.Range, d.Agreeing = high-low, float64(agreeing)/float64(max(1, d.Tokens))
	if math.IsNaN(d.Largest) {
		return nil, fmt.Errorf("the merged model's logits are not numbers; the adapter's or the base's weights are broken")
	}
	return d, nil
}

// rows are the beginnings of rows to compare on. Without a run they are numbers that stand for nothing, but every weight
// takes part in them all the same.
func (x Exporter) rows(ctx context.Context) (rows [][]int32, held bool, err error) {
	add := func(ids []int32) { rows = append(rows, ids[:min(len(ids), compareTokens)]) }
	if x.Run == nil {
		base, err := checkpoint.OpenBase(x.Base)
		if err != nil {
			return nil, false, err
		}
		defer base.Close()
		cfg := base.Model.Config()
		for r := range x.Rows {
			ids := make([]int32, min(compareTokens, max(1, cfg.MaxPositions)))
			for i := range ids {
				ids[i] = int32((r*131 + i*i*7 + 1) % cfg.VocabSize)
			}
			add(ids)
		}
		return rows, false, nil
	}
	j, err := openRows(ctx, x.Run.Recipe)
	if err != nil {
		return nil, false, fmt.Errorf("the rows of the run, to compare on: %w; --check_rows 0 compares nothing", err)
	}
	defer j.Base.Close()
	set := j.train
	if j.heldSet != nil {
		set, held = j.heldSet, true
	}
	for _, e := range set.Examples[:min(x.Rows, len(set.Examples))] {
		add(e.IDs)
	}
	return rows, held, nil
}

// openRows reads the rows of a recipe; nothing is compiled. The caller closes the job's base.
func openRows(ctx context.Context, r recipe.Recipe) (*Job, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	j := &Job{Recipe: r}
	err := j.locate(ctx, resumption{}, nil)
	if err != nil {
		return nil, err
	}
	if j.Base, err = checkpoint.OpenBase(j.Recipe.Model); err != nil {
		return nil, err
	}
	if err = j.openTokenizer(); err == nil {
		err = j.openData(ctx)
	}
	if err != nil {
		j.Base.Close()
	}
	return j, err
}

// logits are those of a model behind every token of rows, [tokens, vocab_size] of each.
func (x Exporter) logits(ctx context.Context, dev device.Device, model, tuned string, quantised bool, rows [][]int32) ([][]float32, error) {
	l, err := Load(ctx, dev, model, LoadOptions{Quantised: quantised, Template: "plain"})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	var tuner nn.Tuner
	states := l.states
	if tuned != "" {
		adapter, err := isAdapter(tuned)
		if err != nil {
			return nil, err
		}
		if !adapter {
			return x.logits(ctx, dev, tuned, "", false, rows)
		}
		var release []func()
		if tuner, states, release, err = l.adapter(ctx, tuned); err != nil {
			return nil, err
		}
		for _, f := range release {
			defer f()
		}
	}
	return readLogits(ctx, dev, l.Base.Model, frozenTrace(states, tuner), states, rows)
}

// readLogits runs a program over rows, each padded to the longest.
func readLogits(ctx context.Context, dev device.Device, m nn.Model, trace func(*ir.Builder) *nn.Context, states map[string]device.Buffer, rows [][]int32) ([][]float32, error) {
	n := 1
	for _, r := range rows {
		n = max(n, len(r))
	}
	cfg := m.Config()
	g, err := ir.Trace(func(b *ir.Builder) {
		c := trace(b)
		feed := func(name string) ir.Value { return b.Feed(name, tensor.Of(tensor.I32, n)) }
		in := nn.Inputs{Batch: 1, IDs: feed("ids"), Tokens: op.Tokens{Segments: feed("segments"), Positions: feed("positions")}}
		b.Output("logits", op.Linear(b, m.Hidden(c, in), c.Param(m.Head(), cfg.VocabSize, cfg.HiddenSize)))
	})
	if err != nil {
		return nil, err
	}
	e, err := dev.Compile(ctx, g)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	if err := e.Bind(states); err != nil {
		return nil, err
	}
	var out [][]float32
	for _, r := range rows {
		ids, segments, positions := make([]int32, n), make([]int32, n), make([]int32, n)
		for i := range n {
			positions[i] = int32(i)
			if i < len(r) {
				ids[i], segments[i] = r[i], 1
			}
		}
		got, err := e.Run(ctx, map[string]tensor.Host{"ids": tensor.Ints(ids, n), "segments": tensor.Ints(segments, n), "positions": tensor.Ints(positions, n)})
		if err != nil {
			return nil, err
		}
		out = append(out, append([]float32(nil), got["logits"].F32[:len(r)*cfg.VocabSize]...))
	}
	return out, nil
}
