package cli

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"hone/core/run"
	"hone/core/wire"
)

func init() {
	register(command{name: "plan", args: "…the flags of sft…", short: "Predict memory, steps and FLOPs of a run without running it", run: plan})
}

func plan(e env, args []string) error {
	r, help, err := parseRecipe(e, args, "plan …the flags of sft…")
	if err != nil || help {
		return err
	}
	dev, err := openDevice(e, r.Device, int64(r.DeviceMemory), r.KernelVariant)
	if err != nil {
		return err
	}
	defer dev.Close()
	if err := run.Fetch(e.ctx, r, newProgress(e.err, "auto").show); err != nil {
		return err
	}
	j, err := run.Prepare(e.ctx, r, dev, nil)
	if err != nil {
		return err
	}
	defer j.Close()
	p := j.Plan
	if r.LogFormat == "json" {
		raw, err := json.MarshalIndent(struct {
			Plan     wire.Plan `json:"plan"`
			Total    int64     `json:"total"` // bytes
			Rows     wire.Rows `json:"rows"`
			Warnings []string  `json:"warnings"`
		}{p, p.Total(), j.Rows, append([]string{}, j.Warnings()...)}, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.out, "%s\n", raw)
		return err
	}
	for _, w := range j.Warnings() {
		fmt.Fprintf(e.err, "warning: %s\n", w)
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	for _, row := range []struct {
		name  string
		bytes int64
		note  string
	}{{"weights", p.Weights, bits(p)}, {"adapters", p.Adapters, ""}, {"gradients", p.Gradients, ""}, {"moments", p.Moments, momentsNote(j.Recipe.Optim, p)},
		{"moments elsewhere", p.HostMoments, "in the host's memory, not the device's"},
		{"activations", p.Activations, fmt.Sprintf("largest micro-batch %d × %d tokens", p.Shapes[len(p.Shapes)-1].Rows, p.Shapes[len(p.Shapes)-1].Length)},
		{"workspace", p.Workspace, "kernels' scratch, feeds"}, {"data", p.Data, "tokenised rows"},
		{"program", p.Program, "its code, garbage before it is collected"}, {"in all", p.Total(), ""}} {
		if row.name == "moments elsewhere" && !p.Paged {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%d bytes\t%s\n", row.name, run.Size(row.bytes), row.bytes, row.note)
	}
	w.Flush()
	fmt.Fprintf(e.out, "\nparameters     %d, of which %d train (%.2f%%)\n", p.Parameters, p.Trainable, 100*float64(p.Trainable)/float64(p.Parameters))
	fmt.Fprintf(e.out, "rows           %s\n", countRows(j.Rows))
	fmt.Fprintf(e.out, "steps          %d, in %d micro-batches\n", p.Steps, p.MicroBatches)
	fmt.Fprintf(e.out, "FLOPs          %.3g in all, %.3g for the largest micro-batch\n", p.FLOPs, float64(p.MicroBatchFLOPs))
	return nil
}

func momentsNote(optim string, p wire.Plan) string {
	if p.Paged {
		return optim + ": of one layer at a time"
	}
	return optim
}

func bits(p wire.Plan) string {
	if p.QuantisedBits == 0 {
		return ""
	}
	return fmt.Sprintf("%.3f bits a quantised parameter", p.QuantisedBits)
}
