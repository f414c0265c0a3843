package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"hone/core/run"
	"hone/core/wire"
)

// progress shows the events of a run: a bar that is drawn over itself on a terminal, plain lines elsewhere, or JSON.
type progress struct {
	out    io.Writer
	format string // bar, plain or json
	total  int
	drawn  bool

	download download
}

// newProgress resolves log_format auto by looking whether out is a terminal.
func newProgress(out io.Writer, format string) *progress {
	if format == "auto" {
		format = "plain"
		if isTerminal(out) {
			format = "bar"
		}
	}
	return &progress{out: out, format: format}
}

// line writes a line of its own, above the bar if there is one.
func (p *progress) line(format string, args ...any) {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

func (p *progress) object(kind string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		raw, _ = json.Marshal(map[string]string{"error": err.Error()})
	}
	fmt.Fprintf(p.out, "{\"event\":%q,\"data\":%s}\n", kind, raw)
}

// show is the sink of a run.
func (p *progress) show(e wire.Event) {
	if p.format == "json" {
		p.object(wire.Name(e), e)
		return
	}
	switch e := e.(type) {
	case wire.Downloading:
		p.downloading(e)
	case wire.Loading:
		p.loading(e)
	case wire.Started:
		p.started(e)
	case wire.Warning:
		p.line("warning: %s", e.Text)
	case wire.Progress:
		p.bar(e.Step, e.Loss, e.LearningRate, e.TokensPerSecond, e.Memory, time.Duration(e.Elapsed), time.Duration(e.Remaining))
	case wire.Stepped:
		elapsed, remaining := seconds(e.Elapsed), seconds(e.Remaining)
		if p.format == "bar" {
			p.bar(e.Step, e.Loss, e.LearningRate, e.TokensPerSecond, e.Memory, elapsed, remaining)
			return
		}
		p.line("step %d/%d  loss %.4f  grad_norm %.3f  lr %.3g  epoch %.2f  %.0f tokens/s  %s  %s<%s", e.Step, p.total, e.Loss, e.GradNorm,
			e.LearningRate, e.Epoch, e.TokensPerSecond, run.Size(e.Memory), clock(elapsed), clock(remaining))
	case wire.Evaluated:
		mark := ""
		if e.Best {
			mark = "  lowest so far"
		}
		p.line("step %d  eval_loss %.4f over %d tokens%s", e.Step, e.EvalLoss, e.Tokens, mark)
	case wire.Queued:
		why := ""
		if e.Reason != "" {
			why = " again, from step " + strconv.Itoa(e.Step) + ": " + e.Reason
		}
		p.line("waiting for a worker%s", why)
	case wire.Paused:
		if e.Released {
			p.line("paused after step %d; its device is free for others, and it is queued again when it goes on", e.Step)
		}
	case wire.Failed:
		p.line("failed after step %d: %s", e.Step, e.Reason)
	case wire.Saved:
		p.line("saved %s", e.Directory)
	case wire.Finished:
		if e.Stopped != "" {
			p.line("stopped after step %d: %s", e.Step, e.Stopped)
		}
		p.line("%d steps in %s, at most %s in memory; result in %s", e.Step, clock(time.Duration(e.Elapsed)), run.Size(e.Peak), e.Directory)
	}
}

func (p *progress) started(e wire.Started) {
	p.total = e.TotalSteps
	p.line("%s on %s", e.Model, e.Device)
	p.line("rows: %s", countRows(e.Rows))
	p.line("%d of %d parameters train (%.2f%%); about %s of memory; run directory %s", e.Plan.Trainable, e.Plan.Parameters,
		100*float64(e.Plan.Trainable)/float64(e.Plan.Parameters), run.Size(e.Plan.Total()), e.Directory)
	if e.StartStep > 0 {
		p.line("going on after step %d of %d", e.StartStep, e.TotalSteps)
	}
}

// countRows says what became of the rows: those read are the kept, the dropped and the ones that a sample leaves out.
func countRows(r wire.Rows) string {
	left, pieces := "", ""
	if r.SampledOut > 0 {
		left = fmt.Sprintf(", %d left out by sampling", r.SampledOut)
	}
	if r.Pieces > 0 {
		pieces = fmt.Sprintf(", %d pieces more", r.Pieces)
	}
	return fmt.Sprintf("%d read, %d kept, %d dropped%s, %d truncated%s; %d to train on, %d held out; %d tokens, %d of them supervised",
		r.Read, r.Kept, r.Dropped, left, r.Truncated, pieces, r.Train, r.HeldOut, r.Tokens, r.Supervised)
}

// loading draws over itself on a terminal how far reading the rows has come.
func (p *progress) loading(e wire.Loading) {
	if p.format != "bar" {
		return
	}
	share := ""
	if e.Total > 0 {
		share = fmt.Sprintf("  %d%%", 100*e.Done/e.Total)
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s: %d rows, %s%s", e.File, e.Rows, run.Size(e.Done), share)
	p.drawn = true
}

// bar draws the state of the run over the last one: it needs a terminal.
func (p *progress) bar(step int, loss, rate, speed float64, memory int64, elapsed, remaining time.Duration) {
	if p.format != "bar" {
		return
	}
	const width = 24
	full := 0
	if p.total > 0 {
		full = width * step / p.total
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s%s %d/%d  loss %.4f  lr %.2g  %.0f tokens/s  %s  %s<%s", strings.Repeat("█", full), strings.Repeat("░", width-full),
		step, p.total, loss, rate, speed, run.Size(memory), clock(elapsed), clock(remaining))
	p.drawn = true
	if step == p.total {
		fmt.Fprintln(p.out)
		p.drawn = false
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// clock writes a duration as 1:02:03 or 02:03.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}
