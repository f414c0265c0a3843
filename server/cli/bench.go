package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"hone/core/data"
	"hone/core/device"
	"hone/core/nn"
	"hone/core/op"
	"hone/core/optim"
	"hone/core/peft"
	"hone/core/recipe"
	"hone/core/rng"
	"hone/core/run"
	"hone/core/tensor"
	"hone/core/train"
)

func init() {
	register(command{name: "bench", args: "[flags]", short: "Time training steps of a random Llama", run: bench})
}

// benchFlags are the sizes of the model and of the step; names and defaults are those of the PyTorch script that the
// figures stand beside.
type benchFlags struct {
	method, device                                                                                 string
	hidden, layers, heads, kv, inter, vocab, seq, batch, rank, steps, warmup, recompute, operators int
}

func bench(e env, args []string) error {
	b := benchFlags{method: "lora", device: "auto", hidden: 512, layers: 8, heads: 8, kv: 4, inter: 1408, vocab: 4096, seq: 256, batch: 4, rank: 8, steps: 8, warmup: 2}
	text := func(name, help string, p *string) recipe.Flag {
		return recipe.Flag{Name: name, Value: "NAME", Default: *p, Help: help, Set: func(v string) error { *p = v; return nil }}
	}
	number := func(name, help string, p *int) recipe.Flag {
		return recipe.Flag{Name: name, Value: "N", Default: strconv.Itoa(*p), Help: help, Set: func(v string) (err error) {
			*p, err = strconv.Atoi(v)
			return err
		}}
	}
	flags := []recipe.Flag{text("method", "lora, qlora or full", &b.method), text("device", "auto, cpu or webgpu", &b.device),
		number("hidden", "hidden_size", &b.hidden), number("layers", "decoder layers", &b.layers), number("heads", "query heads", &b.heads),
		number("kv", "key/value heads", &b.kv), number("inter", "intermediate_size", &b.inter), number("vocab", "vocabulary", &b.vocab),
		number("seq", "tokens a row", &b.seq), number("batch", "rows a step", &b.batch), number("rank", "LoRA rank", &b.rank),
		number("steps", "steps timed", &b.steps), number("warmup", "steps before, and for at least two seconds", &b.warmup), number("recompute", "1 for gradient checkpointing", &b.recompute),
		number("operators", "1 for a table of the operators beside what the device does at most", &b.operators)}
	if _, help, err := e.parse(args, flags, "bench [flags]"); err != nil || help {
		return err
	}
	return b.run(e)
}

func (b benchFlags) run(e env) error {
	model, err := nn.Parse(fmt.Appendf(nil, `{"model_type":"llama","hidden_size":%d,"num_hidden_layers":%d,"num_attention_heads":%d,"num_key_value_heads":%d,
		"intermediate_size":%d,"vocab_size":%d,"tie_word_embeddings":true,"rms_norm_eps":1e-5}`, b.hidden, b.layers, b.heads, b.kv, b.inter, b.vocab))
	if err != nil {
		return err
	}
	dev, err := openDevice(e, b.device, 0, "auto")
	if err != nil {
		return err
	}
	defer dev.Close()
	s, states, err := b.setup(e, model, dev)
	if err != nil {
		return err
	}
	shape := train.Shape{Rows: b.batch, Length: b.seq}
	t, err := train.Compile(e.ctx, s, dev, []train.Shape{shape}, nil)
	if err != nil {
		return err
	}
	if err := t.Bind(states); err != nil {
		return err
	}
	batch := b.randomBatch()
	var times []float64
	var first, last float64
	var heap int64
	// A graphics card that was idle takes about a second to raise its clocks.
	const warm = 2 * time.Second
	start := time.Now()
	cpuBegan, wallBegan, timed := 0.0, start, false
	for i := 0; len(times) < b.steps; i++ {
		if !timed && i >= b.warmup && time.Since(start) > warm {
			timed = true
			cpuBegan, wallBegan = cpuSeconds(), time.Now()
			heap, _ = run.Resident()
		}
		began := time.Now()
		if last, err = t.Accumulate(e.ctx, batch, 0, uint64(i)); err != nil {
			return err
		}
		if _, err = t.Apply(e.ctx, batch.Tokens, 1e-3, i); err != nil {
			return err
		}
		if i == 0 {
			first = last
		}
		if timed {
			times = append(times, time.Since(began).Seconds())
		}
	}
	wall, used := time.Since(wallBegan).Seconds(), cpuSeconds()-cpuBegan
	now, _ := run.Resident()
	slices.Sort(times)
	median := times[len(times)/2]
	trainable := 0
	for _, p := range s.Trained {
		trainable += p.Shape.Elements()
	}
	line := map[string]any{"method": b.method, "device": dev.Caps().Name, "tokens_per_second": math.Round(float64(b.batch*b.seq)/median*10) / 10,
		"step_seconds": median, "gflops": math.Round(float64(t.FLOPs(shape))/median/1e8) / 10, "cpu_over_wall": math.Round(used/wall*100) / 100, "resident_growth": now - heap,
		"loss_first": first / float64(batch.Tokens), "loss_last": last / float64(batch.Tokens), "trainable": trainable}
	dispatches, submissions := 0, 0
	for _, c := range t.Costs() {
		dispatches, submissions = dispatches+c.Dispatches, submissions+c.Submissions
	}
	line["dispatches"], line["submissions"] = dispatches, submissions
	if d, ok := dev.(interface{ Held() int64 }); ok {
		slots, feeds, workspace := device.SharedBytes(t.Costs()...)
		planned := slots + feeds + workspace
		for _, s := range states {
			planned += dev.Bytes(s.Type(), false)
		}
		line["live_bytes"], line["planned_bytes"] = d.Held(), planned
	}
	if err := json.NewEncoder(e.out).Encode(line); err != nil || b.operators == 0 {
		return err
	}
	return operatorTable(e, dev, t, batch)
}

// operatorTable times the operators of a step and compares them with the device's ceilings, measured just before.
func operatorTable(e env, dev device.Device, t *train.Trainer, batch data.Batch) error {
	m, ok := dev.(device.Measurer)
	if !ok {
		return fmt.Errorf("bench: %s cannot measure what it does at most", dev.Caps().Name)
	}
	most, err := m.Measure(e.ctx)
	if err != nil {
		return err
	}
	times, err := t.Profile(e.ctx, batch)
	if err != nil {
		return err
	}
	type row struct {
		op    string
		nodes int
		device.OpTime
	}
	rows := map[string]*row{}
	total := 0.0
	for _, x := range times {
		r := rows[x.Op]
		if r == nil {
			r = &row{op: x.Op}
			rows[x.Op] = r
		}
		r.nodes++
		r.Time, r.FLOPs, r.Bytes = r.Time+x.Time, r.FLOPs+x.FLOPs, r.Bytes+x.Bytes
		total += x.Time.Seconds()
	}
	sorted := slices.SortedFunc(maps.Values(rows), func(a, b *row) int { return cmp.Compare(b.Time, a.Time) })
	fmt.Fprintf(e.out, "%s: at most %.1f GFLOP/s and %.1f GB/s\n", dev.Caps().Name, most.FLOPs/1e9, most.Bytes/1e9)
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "operator\tnodes\tms\tshare\tGFLOP/s\tof most\tGB/s\tof most\t")
	for _, r := range sorted {
		s := max(r.Time.Seconds(), 1e-9)
		flops, part := "-", "-"
		if r.FLOPs > 0 {
			flops, part = fmt.Sprintf("%.2f", float64(r.FLOPs)/s/1e9), fmt.Sprintf("%.0f%%", 100*float64(r.FLOPs)/s/most.FLOPs)
		}
		fmt.Fprintf(w, "%s\t%d\t%.2f\t%.0f%%\t%s\t%s\t%.2f\t%.0f%%\t\n", r.op, r.nodes, 1e3*s, 100*s/total, flops, part, float64(r.Bytes)/s/1e9, 100*float64(r.Bytes)/s/most.Bytes)
	}
	return w.Flush()
}

// setup makes the model's states with random weights.
func (b benchFlags) setup(e env, model nn.Model, dev device.Device) (*train.Setup, map[string]device.Buffer, error) {
	s := &train.Setup{Model: model, Recompute: b.recompute == 1, Optim: optim.Settings{Optim: "adamw", MaxGradNorm: 1,
		AdamW: op.AdamWSettings{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.01}}}
	module := map[string]bool{}
	for _, p := range model.Params() {
		module[p.Name] = p.Module != ""
		if b.method == "full" {
			s.Trained = append(s.Trained, optim.Param{Name: p.Name, Shape: p.Shape, Decay: p.Decays()})
		}
	}
	s.Storage = func(name string, shape tensor.Shape) tensor.Type {
		if b.method == "qlora" && module[name] {
			return tensor.Type{DType: tensor.NF4, Shape: shape}
		}
		return tensor.Type{DType: tensor.F32, Shape: shape}
	}
	states := map[string]device.Buffer{}
	put := func(name string, t tensor.Type, r io.Reader) (err error) {
		states[name], err = dev.Upload(e.ctx, t, r)
		return err
	}
	var types []tensor.Type
	var norm []bool
	for _, p := range model.Params() {
		types, norm = append(types, s.Storage(p.Name, p.Shape)), append(norm, p.Kind == nn.NormKind)
	}
	next := randomWeights(types, norm)
	for i, p := range model.Params() {
		if err := put(p.Name, types[i], next()); err != nil {
			return nil, nil, err
		}
	}
	if b.method != "full" {
		lora, err := peft.NewLoRA(model, b.rank, 2*float64(b.rank), []string{recipe.AllLinear})
		if err != nil {
			return nil, nil, err
		}
		s.Tuner = lora
		for _, p := range lora.Params() {
			s.Trained = append(s.Trained, optim.Param{Name: p.Name, Shape: p.Shape, Decay: true})
			w := make([]float32, p.Shape.Elements())
			p.Init(w)
			if err := put(p.Name, tensor.Of(tensor.F32, p.Shape...), weightReader(tensor.Of(tensor.F32, p.Shape...), w)); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, p := range s.Trained {
		for _, name := range append(s.Optim.Moments(p.Name), optim.Gradient(p.Name)) {
			if err := put(name, tensor.Of(tensor.F32, p.Shape...), nil); err != nil {
				return nil, nil, err
			}
		}
	}
	return s, states, nil
}

// randomBatch supervises every token but the first of each row, like the peer.
func (b benchFlags) randomBatch() data.Batch {
	n := b.batch * b.seq
	batch := data.Batch{Rows: b.batch, Length: b.seq, IDs: make([]int32, n), Targets: make([]int32, n), Positions: make([]int32, n), Segments: make([]int32, n), Tokens: n}
	key := rng.NewKey(0, rng.Corpus, 0)
	for i := range n {
		batch.IDs[i], batch.Targets[i] = int32(key.Intn(uint64(2*i), b.vocab)), int32(key.Intn(uint64(2*i+1), b.vocab))
		batch.Positions[i], batch.Segments[i] = int32(i%b.seq), 1
	}
	return batch
}

// cpuSeconds is the processor time of this process so far, 0 where it is unknown.
func cpuSeconds() float64 {
	raw, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}
