package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// standingFile has what the list of runs shows of one. It can be lost: the run itself does not need it.
const standingFile = "host.json"

// What a run is doing, as wire.Run has it.
const (
	statusQueued  = "queued"
	statusRunning = "running"
	statusPaused  = "paused"
	statusStopped = "stopped"
	statusFailed  = "failed"
	statusDone    = "done"
)

// standing is where a run stands.
type standing struct {
	Status   string  `json:"status"`
	Reason   string  `json:"reason,omitempty"`
	Model    string  `json:"model"`
	Step     int     `json:"step"`  // done
	Saved    int     `json:"saved"` // of the last State
	Steps    int     `json:"steps"`
	Loss     float64 `json:"loss"`
	EvalLoss float64 `json:"eval_loss"`
	Note     string  `json:"note,omitempty"`
}

// take learns from an event, and reports whether it is worth writing down.
func (s *standing) take(e wire.Event) bool {
	switch e := e.(type) {
	case wire.Started:
		s.Status, s.Reason, s.Model, s.Step, s.Saved, s.Steps = statusRunning, "", e.Model, e.StartStep, e.StartStep, e.TotalSteps
	case wire.Stepped:
		s.Step, s.Loss = e.Step, e.Loss
		return false
	case wire.Progress:
		s.Step = e.Step
		return false
	case wire.Evaluated:
		if e.Best || s.EvalLoss == 0 || e.EvalLoss < s.EvalLoss {
			s.EvalLoss = e.EvalLoss
		}
	case wire.Saved:
		s.Saved = e.Step
	case wire.Paused:
		s.Status = statusPaused
	case wire.Resumed:
		s.Status = statusRunning
	case wire.Finished:
		s.Step, s.Status, s.Reason = e.Step, statusDone, e.Stopped
		if e.Stopped == "interrupted" || e.Stopped == "stopped" {
			s.Status, s.Reason = statusStopped, ""
		}
	case wire.Failed:
		s.Status, s.Reason = statusFailed, e.Reason
	case wire.Queued:
		s.Status, s.Reason = statusQueued, e.Reason
	default:
		return false
	}
	return true
}

// runs lists all runs, the newest first.
func (h *Host) runs(only string) (wire.RunList, error) {
	list := wire.RunList{Runs: []wire.Run{}}
	for _, args := range checkpoint.Glob(filepath.Join(h.dir, runsDir), "*/v*/"+checkpoint.ArgsFile) {
		dir := filepath.Dir(args)
		_, started, ok := checkpoint.ParseName(filepath.Base(dir))
		if !ok || only != "" && h.runID(dir) != only {
			continue
		}
		r := h.runOf(dir)
		if at, err := time.ParseInLocation("20060102-150405", started, time.Local); err == nil {
			r.Started = at.Format(time.RFC3339)
		}
		list.Runs = append(list.Runs, r)
	}
	slices.SortStableFunc(list.Runs, func(a, b wire.Run) int {
		if n := strings.Compare(b.Started, a.Started); n != 0 {
			return n
		}
		return strings.Compare(b.ID, a.ID)
	})
	if only != "" && len(list.Runs) == 0 {
		return list, &wire.Refused{Status: http.StatusNotFound, Text: fmt.Sprintf("there is no run %.100q here; it may have been deleted", only)}
	}
	return list, nil
}

// runOf describes the run in a directory. What cannot be read is left out: the list is no place to fail.
func (h *Host) runOf(dir string) wire.Run {
	r := wire.Run{ID: h.runID(dir), Bytes: used(dir)}
	from := checkpoint.Run{Dir: dir}
	if raw, err := from.ReadArgs(); err == nil && json.Valid(raw) {
		r.Recipe = h.recorded(raw)
	}
	var s standing
	h.mu.Lock()
	g, f := h.going, h.far[r.ID]
	h.mu.Unlock()
	if g != nil && g.name() == r.ID {
		g.mu.Lock()
		s = g.where
		g.mu.Unlock()
	} else if f != nil {
		f.mu.Lock()
		s, r.On = f.where, f.away.Server
		f.mu.Unlock()
	} else {
		s = standingIn(dir)
		if s.Status == statusRunning || s.Status == statusPaused || s.Status == statusQueued { // its process or tab has ended
			s.Status = statusStopped
		}
	}
	if last, ok, err := from.Latest(); err == nil && ok {
		r.Step = last.Step
	}
	if r.On != "" {
		r.Step = s.Saved
	}
	r.Model, r.Steps, r.Loss, r.EvalLoss, r.Note = h.called(s.Model), s.Steps, s.Loss, s.EvalLoss, s.Note
	r.Status, r.Reason, r.Finished = s.Status, s.Reason, s.Status == statusDone
	return r
}

// standingIn is where the run in a directory stood when that was last written down.
func standingIn(dir string) standing {
	var s standing
	if !readFile(filepath.Join(dir, standingFile), &s) {
		s = standingOf(checkpoint.Run{Dir: dir})
	}
	return s
}

// standingOf finds out what it can of a run that the command line made.
func standingOf(from checkpoint.Run) standing {
	var s standing
	raw, err := from.ReadArgs()
	if err == nil {
		var args struct {
			Model    string `json:"model"`
			MaxSteps int    `json:"max_steps"`
		}
		if json.Unmarshal(raw, &args) == nil {
			s.Model, s.Steps = args.Model, max(args.MaxSteps, 0)
		}
	}
	lines, _ := from.ReadLog()
	for _, raw := range lines {
		var line struct {
			Step     int      `json:"step"`
			Loss     *float64 `json:"loss"`
			EvalLoss *float64 `json:"eval_loss"`
		}
		if json.Unmarshal(raw, &line) != nil {
			continue
		}
		s.Step = line.Step
		if line.Loss != nil {
			s.Loss = *line.Loss
		}
		if line.EvalLoss != nil && (s.EvalLoss == 0 || *line.EvalLoss < s.EvalLoss) {
			s.EvalLoss = *line.EvalLoss
		}
	}
	s.Status = statusStopped
	if s.Steps > 0 && s.Step >= s.Steps {
		s.Status = statusDone
	}
	return s
}

// note keeps what the user wants to remember of a run.
func (h *Host) note(r wire.Note) error {
	dir, err := h.runDir(r.Run)
	if err != nil {
		return err
	}
	const most = 10_000
	if len(r.Text) > most {
		return fmt.Errorf("a note has at most %d bytes; this one has %d", most, len(r.Text))
	}
	path := filepath.Join(dir, standingFile)
	h.mu.Lock()
	g, f := h.going, h.far[r.Run]
	h.mu.Unlock()
	if g != nil && g.name() == r.Run {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.where.Note = r.Text
		return replaceFile(path, g.where)
	}
	if f != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.where.Note = r.Text
		return replaceFile(path, f.where)
	}
	s := standingIn(dir)
	s.Note = r.Text
	return replaceFile(path, s)
}

// isMissing says that there is nothing of a name.
func isMissing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
