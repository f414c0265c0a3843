//go:build !js

package webgpu

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"hone/core/data"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/device/devicetest"
	"hone/core/nn"
	"hone/core/op"
	"hone/core/optim"
	"hone/core/peft"
	"hone/core/quant"
	"hone/core/rng"
	"hone/core/tensor"
	"hone/core/train"
)

// TestShards runs the suite on a device whose kernels see few bytes of a buffer: weights lie in several, in all types.
func TestShards(t *testing.T) {
	d := open(t)
	d.Caps()
	d.about.maxBinding = 8192
	cut := map[tensor.DType]int{}
	for _, c := range append(devicetest.Cases(), devicetest.HalfCases()...) {
		if !slices.ContainsFunc([]string{"matmul", "linear_cross", "embedding", "halves", "F16"}, func(s string) bool { return strings.Contains(c.Name, s) }) {
			continue
		}
		err := devicetest.Check(t.Context(), d, c)
		if err != nil && (strings.Contains(err.Error(), "bytes") && strings.Contains(err.Error(), "webgpu: ")) {
			continue // a temporary, a feed or a row is too long
		}
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		for _, h := range c.States {
			if len(d.shardsOf(h.Type)) > 1 {
				cut[h.Type.DType]++
			}
		}
	}
	t.Logf("weights in several buffers: %v", cut)
	for _, dt := range []tensor.DType{tensor.F32, tensor.F16, tensor.BF16, tensor.NF4} {
		if cut[dt] < 2 {
			t.Errorf("only %d cases had a weight of type %v in several buffers", cut[dt], dt)
		}
	}
}

// TestBigEmbedding trains LoRA on a model whose tied embedding does not fit what a kernel sees, and compares with the CPU.
// TestFullEmbedding of the soak suite does it at full size.
func TestBigEmbedding(t *testing.T) {
	for _, storage := range []tensor.DType{tensor.F32, tensor.BF16} {
		t.Run(storage.String(), func(t *testing.T) { trainBig(t, 8191, 96, 1<<20, storage, 2) })
	}
}

// trainBig takes LoRA steps on 32 tokens with two random layers under a binding limit, here and on the CPU.
func trainBig(t *testing.T, vocab, hidden int, limit int64, storage tensor.DType, steps int) {
	d := open(t)
	d.Caps()
	d.about.maxBinding = limit
	host := cpu.New(0)
	defer host.Close()
	got := trainRandom(t, d, vocab, hidden, storage, steps)
	want := trainRandom(t, host, vocab, hidden, storage, steps)
	if n := len(d.shardsOf(tensor.Of(storage, vocab, hidden))); n < 2 {
		t.Fatalf("the embedding lies in %d buffers", n)
	}
	for name, w := range want {
		g := got[name]
		if len(g) != len(w) || len(w) == 0 {
			t.Fatalf("%s has %d values, want %d", name, len(g), len(w))
		}
		for i := range w {
			if e := math.Abs(g[i] - w[i]); !(e <= 2e-5*max(1, math.Abs(w[i]))) {
				t.Errorf("%s[%d] is %g, on the CPU %g", name, i, g[i], w[i])
				break
			}
		}
	}
}

// trainRandom gives the losses, gradient norms and adapters of a few steps.
func trainRandom(t *testing.T, dev device.Device, vocab, hidden int, storage tensor.DType, steps int) map[string][]float64 {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	model, err := nn.Parse(fmt.Appendf(nil, `{"model_type":"llama","hidden_size":%d,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,
		"intermediate_size":%d,"vocab_size":%d,"tie_word_embeddings":true,"rms_norm_eps":1e-5}`, hidden, 2*hidden, vocab))
	must(err)
	lora, err := peft.NewLoRA(model, 4, 8, []string{"q_proj", "v_proj", "down_proj"})
	must(err)
	s := &train.Setup{Model: model, Tuner: lora, Recompute: true, Optim: optim.Settings{Optim: "adamw", MaxGradNorm: 1,
		AdamW: op.AdamWSettings{Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, WeightDecay: 0.1}}}
	s.Storage = func(name string, shape tensor.Shape) tensor.Type {
		if len(shape) == 2 {
			return tensor.Type{DType: storage, Shape: shape}
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
	for i, p := range model.Params() {
		v := random(i, p.Shape.Elements(), 0.05)
		if p.Kind == nn.NormKind {
			for j := range v {
				v[j] += 1
			}
		}
		put(p.Name, s.Storage(p.Name, p.Shape), v)
	}
	for i, p := range lora.Params() {
		s.Trained = append(s.Trained, optim.Param{Name: p.Name, Shape: p.Shape, Decay: true})
		ty := tensor.Of(tensor.F32, p.Shape...)
		put(p.Name, ty, random(1000+i, p.Shape.Elements(), 0.1))
		for _, name := range append(s.Optim.Moments(p.Name), optim.Gradient(p.Name)) {
			put(name, ty, make([]float32, p.Shape.Elements()))
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
	must(trainer.Bind(states))
	batch := data.Batch{Rows: rows, Length: length, Tokens: rows * (length - 4)}
	key := rng.NewKey(7, rng.Corpus, 0)
	for i := range rows * length {
		target := int32(key.Intn(uint64(2*i), vocab))
		if i%length < 4 {
			target = op.NoTarget
		}
		batch.IDs, batch.Targets = append(batch.IDs, int32(key.Intn(uint64(2*i+1), vocab))), append(batch.Targets, target)
		batch.Positions, batch.Segments = append(batch.Positions, int32(i%length)), append(batch.Segments, 1)
	}
	batch.IDs[3], batch.Targets[9] = int32(vocab-1), int32(vocab-1) // the end of the last buffer
	out := map[string][]float64{}
	for step := range steps {
		loss, err := trainer.Accumulate(ctx, batch, 1, uint64(step))
		must(err)
		norm, err := trainer.Apply(ctx, batch.Tokens, 1e-2, step)
		must(err)
		out["loss"], out["norm"] = append(out["loss"], loss/float64(batch.Tokens)), append(out["norm"], norm)
	}
	for _, p := range s.Trained {
		for _, x := range download(t, ctx, dev, states[p.Name]) {
			out[p.Name] = append(out[p.Name], float64(x))
		}
	}
	return out
}

// encode gives values as the bytes of a type.
func encode(t tensor.Type, values []float32) []byte {
	var b bytes.Buffer
	if t.DType == tensor.NF4 {
		quant.QuantizeNF4(values, t.Shape).WriteTo(&b) // a bytes.Buffer never fails
		return b.Bytes()
	}
	p := make([]byte, 0, t.Bytes())
	for _, v := range values {
		switch t.DType {
		case tensor.F16:
			p = binary.LittleEndian.AppendUint16(p, tensor.F32ToF16(v))
		case tensor.BF16:
			p = binary.LittleEndian.AppendUint16(p, tensor.F32ToBF16(v))
		default:
			p = binary.LittleEndian.AppendUint32(p, math.Float32bits(v))
		}
	}
	return p
}

func download(t *testing.T, ctx context.Context, dev device.Device, b device.Buffer) []float32 {
	t.Helper()
	var raw bytes.Buffer
	if err := dev.Download(ctx, b, &raw); err != nil {
		t.Fatal(err)
	}
	v := make([]float32, raw.Len()/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw.Bytes()[4*i:]))
	}
	return v
}

// TestTransfers sends weights that lie in several buffers there and back, in every type and odd lengths.
func TestTransfers(t *testing.T) {
	d := open(t)
	d.Caps()
	d.about.maxBinding = 1 << 15
	for _, ty := range []tensor.Type{tensor.Of(tensor.F32, 3), tensor.Of(tensor.F32, 1000, 33), tensor.Of(tensor.F16, 1001, 33), tensor.Of(tensor.BF16, 7, 7),
		tensor.Of(tensor.BF16, 1), tensor.Of(tensor.NF4, 999, 77), tensor.Of(tensor.NF4, 1, 1), tensor.Of(tensor.NF4, 63, 5)} {
		v := make([]float32, ty.Elements())
		key := rng.NewKey(3, rng.Init, 0)
		for i := range v {
			v[i] = float32(key.Normal(uint64(i)))
		}
		sent := encode(ty, v)
		b, err := d.Upload(t.Context(), ty, bytes.NewReader(sent))
		if err != nil {
			t.Fatalf("%v: %v", ty, err)
		}
		var got bytes.Buffer
		if err := d.Download(t.Context(), b, &got); err != nil {
			t.Fatalf("%v: %v", ty, err)
		}
		if !bytes.Equal(got.Bytes(), sent) {
			t.Errorf("%v: %d bytes come back changed, %d were sent", ty, got.Len(), len(sent))
		}
		b.Release()
		if d.held != 0 {
			t.Errorf("%v: %d bytes are held after the release", ty, d.held)
		}
	}
	if _, err := d.Upload(t.Context(), tensor.Of(tensor.F32, 100, 1<<20), nil); err == nil || !strings.Contains(err.Error(), "rows") {
		t.Errorf("rows too long for a buffer give the error %v", err)
	}
}
