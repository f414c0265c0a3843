package studio

import (
	"math"
	"strings"
	"testing"

	"hone/core/wire"
)

// begun is a page that shows a run with n steps, the loss of step i being 1/i.
func begun(t *testing.T, n int) *tab {
	t.Helper()
	b := open(t, "en")
	b.do("train_now")
	b.until("start", func() bool { _, ok := last[wire.Start](b.host); return ok })
	const id = "tiny/v2-20260103-000000"
	b.Told(event(id, 1, wire.Started{TotalSteps: n}))
	b.Told(event(id, 2, wire.Evaluated{Step: 0, EvalLoss: 4.5}))
	for i := 1; i <= n; i++ {
		b.Told(event(id, uint64(i+2), wire.Stepped{Step: i, Loss: 1 / float64(i), GradNorm: 2}))
	}
	b.until("the curve", func() bool { return len(b.charts["chart-loss"].X) == n+1 })
	return b
}

// TestChartLooks asks that a logarithmic axis and smoothing reach the pictures, and that the values behind stay as they are.
func TestChartLooks(t *testing.T) {
	b := begun(t, 5)
	b.do("chart_log", "checked", "true")
	b.until("logarithmic axes", func() bool {
		return b.charts["chart-loss"].Log && b.charts["chart-norm"].Log && !b.charts["chart-rate"].Log
	})
	b.do("chart_log", "checked", "false")
	b.until("linear axes", func() bool { return !b.charts["chart-loss"].Log && !b.charts["chart-norm"].Log })

	// With weight 0.5 the mean of 1 and 1/2 is (0.25·1 + 0.5·½) / 0.75.
	b.do("chart_smoothing", "smoothing", "0.5")
	b.until("a smoothed curve", func() bool {
		lines := b.charts["chart-loss"].Lines
		return len(lines) == 3 && lines[1].Thin && math.Abs(lines[0].Y[2]-2.0/3) < 1e-12 && lines[1].Y[2] == 0.5
	})
	b.do("chart_smoothing", "smoothing", "0")
	b.until("the curve alone", func() bool { lines := b.charts["chart-loss"].Lines; return len(lines) == 2 && lines[0].Y[2] == 0.5 })
	b.do("chart_smoothing", "smoothing", "1") // would keep the first value for ever
	b.do("chart_log", "checked", "true")
	b.until("smoothing as it was", func() bool { return b.charts["chart-loss"].Log && len(b.charts["chart-loss"].Lines) == 2 })
}

// TestTables asks that each chart is there in figures, all of them, a hundred at a time.
func TestTables(t *testing.T) {
	b := begun(t, 250)
	rows := func() int { return strings.Count(b.parts["train"], `<th scope="row">`) }
	b.sees("train", "Rows 152 to 251 of 251") // steps 1 to 250, and the measurement before them
	if n := rows(); n != 100 {
		t.Errorf("%d rows are shown", n)
	}
	b.do("table", "table", "steps", "end", "151")
	b.sees("train", "Rows 52 to 151 of 251")
	b.do("table", "table", "steps", "end", "51")
	b.sees("train", "Rows 1 to 100 of 251")
	b.sees("train", `<td class="figure">4.5</td>`) // held-out loss before the first step
	b.Told(event("tiny/v2-20260103-000000", 253, wire.Stepped{Step: 251, Loss: 0.125}))
	b.sees("train", "Rows 1 to 100 of 252") // it stays while the run goes on
	b.do("table", "table", "steps", "end", "300")
	b.sees("train", "Rows 153 to 252 of 252")

	b.do("choose_run", "run", "tiny/v0-20260101-000000", "checked", "true")
	b.do("choose_run", "run", "tiny/v1-20260102-000000", "checked", "true")
	b.sees("runs", `<th scope="row">2</th><td class="figure">2</td><td class="figure">2</td>`)

	b = open(t, "en")
	b.do("use_model", "path", "models/tiny")
	b.do("use_data", "use", "data/mine.jsonl", "checked", "true")
	b.sees("data", `<th scope="row">5–8</th><td class="figure">4</td>`)
}
