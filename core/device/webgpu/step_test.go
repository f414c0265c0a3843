//go:build !js

package webgpu

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"hone/core/data"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/nn"
	"hone/core/op"
	"hone/core/optim"
	"hone/core/peft"
	"hone/core/rng"
	"hone/core/tensor"
	"hone/core/train"
)

// job is a short training run of a random model on random tokens.
type job struct {
	config  string  // config.json
	lora    bool    // else every weight is trained
	packed  bool    // several examples in a row, padding behind them
	dropout float64 // of LoRA
	storage tensor.DType
	steps   int
	paged   bool // moments in the host's memory
	change  func(*data.Batch)
	held    *int64 // what the device, used for nothing else, holds in the end, where it is asked for: as much as was planned
}

func llamaConfig(hidden, vocab int) string {
	return fmt.Sprintf(`{"model_type":"llama","hidden_size":%d,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,
		"intermediate_size":%d,"vocab_size":%d,"tie_word_embeddings":true,"rms_norm_eps":1e-5}`, hidden, 2*hidden, vocab)
}

// stepTolerance bounds what differs between devices after a few steps, absolutely or of the value.
const stepTolerance = 2e-5

// TestTraining takes steps (forward, backward, clipping, AdamW) here and on the CPU, in both variants, with every
// architecture, and twice here: the second time has the same bits.
func TestTraining(t *testing.T) {
	odd := `{"model_type":"llama","hidden_size":23,"num_hidden_layers":2,"num_attention_heads":3,"num_key_value_heads":1,"head_dim":6,
		"intermediate_size":31,"vocab_size":59,"rms_norm_eps":1e-5}`
	qwen := `{"model_type":"qwen3","hidden_size":24,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":16,
		"intermediate_size":40,"vocab_size":61,"tie_word_embeddings":false,"rms_norm_eps":1e-6}`
	gpt2 := `{"model_type":"gpt2","n_embd":24,"n_layer":2,"n_head":3,"n_positions":64,"vocab_size":61}`
	gemma := `{"model_type":"gemma3_text","hidden_size":24,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":16,
		"intermediate_size":40,"vocab_size":61,"sliding_window":5,"rope_theta":10000,"rope_local_base_freq":10000,"query_pre_attn_scalar":16,"layer_types":["sliding_attention","full_attention"]}`
	glm := `{"model_type":"chatglm","hidden_size":24,"num_layers":2,"num_attention_heads":2,"multi_query_attention":true,"multi_query_group_num":1,"kv_channels":12,
		"ffn_hidden_size":40,"padded_vocab_size":61,"seq_length":64,"add_qkv_bias":true,"rmsnorm":true,"original_rope":true}`
	for _, variant := range []string{Registers, Tiled} {
		d := open(t)
		d.Caps()
		d.variant = variant
		host := cpu.New(0)
		defer host.Close()
		for name, j := range map[string]job{
			"llama, LoRA":                     {config: llamaConfig(24, 61), lora: true},
			"llama, LoRA, packed, dropout":    {config: llamaConfig(24, 61), lora: true, packed: true, dropout: 0.2},
			"llama, full":                     {config: llamaConfig(24, 61), packed: true},
			"llama of odd lengths, full":      {config: odd},
			"llama, LoRA on NF4":              {config: llamaConfig(64, 61), lora: true, packed: true, storage: tensor.NF4},
			"qwen3, full, packed":             {config: qwen, packed: true},
			"gpt2, full":                      {config: gpt2, packed: true},
			"gemma3, full, packed":            {config: gemma, packed: true},
			"chatglm3, LoRA, packed, dropout": {config: glm, lora: true, packed: true, dropout: 0.1},
		} {
			t.Run(variant+", "+name, func(t *testing.T) {
				if j.steps = 2; j.storage == tensor.Invalid {
					j.storage = tensor.F32
				}
				got := j.run(t, d)
				sameTraining(t, got, j.run(t, host), stepTolerance)
				again := j.run(t, d)
				for name, v := range got {
					for i := range v {
						if math.Float64bits(v[i]) != math.Float64bits(again[name][i]) {
							t.Fatalf("%s[%d] is %g, and %g when run again", name, i, v[i], again[name][i])
						}
					}
				}
			})
		}
	}
}

// sameTraining compares losses, gradient norms and trained weights.
func sameTraining(t *testing.T, got, want map[string][]float64, tolerance float64) {
	t.Helper()
	for name, w := range want {
		g := got[name]
		if len(g) != len(w) || len(w) == 0 {
			t.Fatalf("%s has %d values, want %d", name, len(g), len(w))
		}
		for i := range w {
			if e := math.Abs(g[i] - w[i]); !(e <= tolerance*max(1, math.Abs(w[i]))) {
				t.Errorf("%s[%d] is %g, on the CPU %g", name, i, g[i], w[i])
				break
			}
		}
	}
}

// run gives the losses, gradient norms and trained weights of the steps.
func (j job) run(t *testing.T, dev device.Device) map[string][]float64 {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	model, err := nn.Parse([]byte(j.config))
	must(err)
	vocab := model.Config().VocabSize
	s := &train.Setup{Model: model, Recompute: true, Dropout: j.dropout > 0, Optim: optim.Settings{Optim: "adamw", MaxGradNorm: 1,
		// AdamW divides a gradient by its own size: with a small epsilon the rounding errors of one that should be 0, as of
		// the bias of keys, would move a weight by as much as any gradient.
		AdamW: op.AdamWSettings{Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-4, WeightDecay: 0.1}}}
	s.Storage = func(name string, shape tensor.Shape) tensor.Type {
		if len(shape) == 2 && j.lora && (j.storage != tensor.NF4 || shape[0] != vocab) {
			return tensor.Type{DType: j.storage, Shape: shape}
		}
		return tensor.Type{DType: tensor.F32, Shape: shape}
	}
	states := map[string]device.Buffer{}
	put := func(name string, ty tensor.Type, values []float32) {
		t.Helper()
		b, err := dev.Upload(ctx, ty, bytes.NewReader(encode(ty, values)))
		must(err)
		states[name] = b
	}
	random := func(stream int, n int, deviation float64) []float32 {
		v, key := make([]float32, n), rng.NewKey(7, rng.Init, uint64(stream))
		for i := range v {
			v[i] = float32(deviation * key.Normal(uint64(i)))
		}
		return v
	}
	trained := func(name string, shape tensor.Shape) {
		s.Trained = append(s.Trained, optim.Param{Name: name, Shape: shape, Decay: len(shape) > 1})
		put(optim.Gradient(name), tensor.Of(tensor.F32, shape...), make([]float32, shape.Elements()))
		for _, name := range s.Optim.Moments(name) {
			if !j.paged {
				put(name, tensor.Of(tensor.F32, shape...), make([]float32, shape.Elements()))
				continue
			}
			p, err := device.NewPaged(tensor.Of(tensor.F32, shape...), nil)
			must(err)
			states[name] = p
		}
	}
	for i, p := range model.Params() {
		v := random(i, p.Shape.Elements(), 0.05)
		if p.Kind == nn.NormKind {
			for j := range v {
				v[j]++
			}
		}
		put(p.Name, s.Storage(p.Name, p.Shape), v)
		if !j.lora {
			trained(p.Name, p.Shape)
		}
	}
	if j.lora {
		lora, err := peft.NewLoRA(model, 4, 8, []string{"all-linear"})
		must(err)
		lora.Dropout, s.Tuner = j.dropout, lora
		for i, p := range lora.Params() {
			put(p.Name, tensor.Of(tensor.F32, p.Shape...), random(1000+i, p.Shape.Elements(), 0.1))
			trained(p.Name, p.Shape)
		}
	}
	defer func() {
		for _, b := range states {
			b.Release()
		}
	}()
	const rows, length = 2, 16
	trainer, err := train.Compile(ctx, s, dev, []train.Shape{{Rows: rows, Length: length}}, nil)
	must(err)
	defer trainer.Close()
	if j.paged {
		must(trainer.Page(ctx))
		for name, ty := range trainer.Windows() {
			put(name, ty, make([]float32, ty.Elements()))
		}
	}
	must(trainer.Bind(states))
	batch := data.Batch{Rows: rows, Length: length}
	key := rng.NewKey(7, rng.Corpus, 0)
	for i := range rows * length {
		target, position, segment := int32(key.Intn(uint64(2*i), vocab)), int32(i%length), int32(1)
		if j.packed { // examples of five tokens, then padding
			position, segment = int32(i%length%5), int32(1+i%length/5)
			if i%length >= 13 {
				position, segment = 0, 0
			}
		}
		if i%length < 4 || segment == 0 {
			target = op.NoTarget
		} else {
			batch.Tokens++
		}
		batch.IDs, batch.Targets = append(batch.IDs, int32(key.Intn(uint64(2*i+1), vocab))), append(batch.Targets, target)
		batch.Positions, batch.Segments = append(batch.Positions, position), append(batch.Segments, segment)
	}
	if j.change != nil {
		j.change(&batch)
	}
	out := map[string][]float64{}
	for step := range j.steps {
		loss, err := trainer.Accumulate(ctx, batch, 1, uint64(step))
		must(err)
		norm, err := trainer.Apply(ctx, batch.Tokens, 1e-2, step)
		must(err)
		out["loss"], out["norm"] = append(out["loss"], loss/float64(batch.Tokens)), append(out["norm"], norm)
	}
	if d, ok := dev.(*Device); ok && j.held != nil {
		*j.held = d.held
		slots, feeds, workspace := device.SharedBytes(trainer.Costs()...)
		planned := slots + feeds + workspace
		for _, b := range states {
			if _, paged := b.(*device.Paged); !paged {
				planned += d.Bytes(b.Type(), false)
			}
		}
		if planned != d.held {
			t.Errorf("the buffers take %d bytes, planned were %d", d.held, planned)
		}
	}
	for _, p := range s.Trained {
		for _, x := range download(t, ctx, dev, states[p.Name]) {
			out[p.Name] = append(out[p.Name], float64(x))
		}
	}
	return out
}
