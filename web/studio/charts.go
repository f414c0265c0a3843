package studio

import (
	"math"

	"hone/core/wire"
	"hone/web/words"
)

// Chart is the curves of one picture. All lines share X; a NaN is a gap and is written as null.
type Chart struct {
	ID     string  `json:"id"`
	XLabel string  `json:"x_label"`
	X      numbers `json:"x"`
	Lines  []Line  `json:"lines"`
	Log    bool    `json:"log"`
}

// Line is one curve.
type Line struct {
	Label  string  `json:"label"`
	Y      numbers `json:"y"`
	Colour int     `json:"colour"`
	Thin   bool    `json:"thin,omitempty"`   // the raw values behind a smoothed curve
	Points bool    `json:"points,omitempty"` // few values, each worth a dot
}

// most is how many points of a curve are sent: more than a screen can show.
const most = 1200

// curves are the charts of the page. The lock is held.
func (t *Studio) curves() []Chart {
	s := t.s
	l := s.Language
	points := thin(s.Run.Points)
	steps := make(numbers, len(points))
	for i, p := range points {
		steps[i] = float64(p.Step)
	}
	column := func(of func(wire.Stepped) float64) numbers {
		y := make(numbers, len(points))
		for i, p := range points {
			y[i] = of(p)
		}
		return y
	}
	raw := column(func(p wire.Stepped) float64 { return p.Loss })
	loss := Chart{ID: "chart-loss", XLabel: words.Step.In(l), Log: s.Chart.Log, X: steps, Lines: []Line{{Label: words.Loss.In(l), Y: raw}}}
	if s.Chart.Smoothing > 0 && len(raw) > 2 {
		loss.Lines = []Line{{Label: words.LossSmoothed.In(l), Y: smooth(raw, s.Chart.Smoothing)}, {Label: words.Loss.In(l), Y: raw, Thin: true}}
	}
	if len(s.Run.Held) > 0 {
		held := map[float64]float64{}
		for _, e := range s.Run.Held {
			held[float64(e.Step)] = e.EvalLoss
		}
		loss = merge(loss, Line{Label: words.EvalLoss.In(l), Colour: 1, Points: true}, held)
	}
	charts := []Chart{loss,
		{ID: "chart-rate", XLabel: words.Step.In(l), X: steps, Lines: []Line{{Label: words.LearningRate.In(l), Y: column(func(p wire.Stepped) float64 { return p.LearningRate }), Colour: 2}}},
		{ID: "chart-norm", XLabel: words.Step.In(l), X: steps, Log: s.Chart.Log, Lines: []Line{{Label: words.GradNorm.In(l), Y: column(func(p wire.Stepped) float64 { return p.GradNorm }), Colour: 3}}},
	}
	runs := Chart{ID: "chart-runs", XLabel: words.Step.In(l), Log: s.Chart.Log}
	colour := 0
	for _, r := range s.Host.Runs {
		if !s.Chosen[r.ID] {
			continue
		}
		values := map[float64]float64{}
		for _, p := range thin(s.Curve(r)) {
			values[float64(p.Step)] = p.Loss
		}
		runs = merge(runs, Line{Label: r.ID, Colour: colour}, values)
		colour++
	}
	if colour > 0 {
		charts = append(charts, runs)
	}
	return charts
}

// thin leaves out points of a curve that has too many, evenly.
func thin(p []wire.Stepped) []wire.Stepped {
	every := (len(p) + most - 1) / most
	if every <= 1 {
		return p
	}
	var out []wire.Stepped
	for i := range p {
		if (len(p)-1-i)%every == 0 {
			out = append(out, p[i])
		}
	}
	return out
}

// smooth is the exponential mean without the pull of its beginning (as in Adam's bias correction).
func smooth(y numbers, weight float64) numbers {
	out := make(numbers, len(y))
	sum, norm := 0.0, 0.0
	for i, v := range y {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			sum, norm = weight*sum+(1-weight)*v, weight*norm+(1-weight)
		}
		out[i] = sum / norm
	}
	return out
}

// merge adds a line whose values stand at steps of its own.
func merge(c Chart, line Line, at map[float64]float64) Chart {
	x := union(c.X, at)
	place := map[float64]int{}
	for i, v := range x {
		place[v] = i
	}
	spread := func(from numbers, y numbers) numbers {
		out := gaps(len(x))
		for i, v := range from {
			out[place[v]] = y[i]
		}
		return out
	}
	lines := make([]Line, 0, len(c.Lines)+1)
	for _, l := range c.Lines {
		l.Y = spread(c.X, l.Y)
		lines = append(lines, l)
	}
	line.Y = gaps(len(x))
	for v, y := range at {
		line.Y[place[v]] = y
	}
	c.X, c.Lines = x, append(lines, line)
	return c
}
