package parts

import (
	"math"

	"hone/core/wire"
	"hone/web/words"
)

func (s *State) lossNow() string {
	if n := len(s.Run.Points); n > 0 {
		return Figure(s.Run.Points[n-1].Loss)
	}
	return "–"
}

func (s *State) heldNow() string {
	if n := len(s.Run.Held); n > 0 {
		return Figure(s.Run.Held[n-1].EvalLoss)
	}
	return "–"
}

func (s *State) speedNow() string {
	if s.Run.Speed > 0 {
		return Figure(math.Round(s.Run.Speed))
	}
	return "–"
}

func (s *State) rateNow() string {
	if n := len(s.Run.Points); n > 0 {
		return Figure(s.Run.Points[n-1].LearningRate)
	}
	return s.Setting("learning_rate")
}

// warnings are what the run told, and what its curves say, in plain words.
func (s *State) warnings() []string {
	var list []string
	for _, w := range s.Run.Warnings {
		list = append(list, words.Warning(s.Language, w))
	}
	p, held := s.Run.Points, s.Run.Held
	if n := len(p); n > 0 && (math.IsNaN(p[n-1].Loss) || math.IsInf(p[n-1].Loss, 0)) {
		return append(list, s.T(words.WarnNaN))
	}
	if n := len(p); n >= 12 {
		first, before, last := mean(p[:3]), mean(p[n/2-2:n/2+1]), mean(p[n-3:])
		switch {
		case last > 1.1*before && last > 0.9*first:
			list = append(list, s.T(words.WarnRises))
		case math.Abs(last-first) < 0.005*first && n >= 20:
			list = append(list, s.T(words.WarnFlat))
		}
	}
	if step, rising := overfits(p, held); rising {
		list = append(list, s.T(words.WarnOverfit, step))
	}
	return list
}

// overfits reports whether the held-out loss has been rising while the training loss went on falling, and the step at which it was
// lowest. A single bad measurement is none: the last three must all lie clearly over the lowest.
func overfits(p []wire.Stepped, held []wire.Evaluated) (step int, yes bool) {
	const last = 3
	n := len(held)
	if n < last+1 || len(p) < 2*last {
		return 0, false
	}
	best := held[0]
	for _, e := range held {
		if e.EvalLoss < best.EvalLoss {
			best = e
		}
	}
	for _, e := range held[n-last:] {
		if e.Step <= best.Step || e.EvalLoss < 1.05*best.EvalLoss {
			return 0, false
		}
	}
	for i := range p {
		if p[i].Step >= best.Step && i+2*last <= len(p) {
			return best.Step, mean(p[len(p)-last:]) < mean(p[i:i+last])
		}
	}
	return 0, false
}

func mean(p []wire.Stepped) float64 {
	sum := 0.0
	for _, x := range p {
		sum += x.Loss
	}
	return sum / float64(len(p))
}
