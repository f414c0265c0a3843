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
	"time"

	"hone/core/data"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/device/devicetest"
	"hone/core/quant"
	"hone/core/rng"
	"hone/core/tensor"
)

// TestShards runs the suite on a device whose kernels see few bytes of a buffer: weights lie in several, in all types.
func TestShards(t *testing.T) {
	d := open(t)
	d.Caps()
	d.about.maxBinding = 8192
	cut, updated := map[tensor.DType]int{}, 0
	for _, c := range append(devicetest.Cases(), devicetest.HalfCases()...) {
		if !slices.ContainsFunc([]string{"matmul", "linear_cross", "embedding", "halves", "F16", "update"}, func(s string) bool { return strings.Contains(c.Name, s) }) {
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
				if strings.Contains(c.Name, "update of") || strings.Contains(c.Name, "summed") {
					updated++
				}
			}
		}
	}
	t.Logf("weights in several buffers: %v; trained: %d", cut, updated)
	if updated < 24 {
		t.Errorf("only %d trained tensors lay in several buffers", updated)
	}
	for _, dt := range []tensor.DType{tensor.F32, tensor.F16, tensor.BF16, tensor.NF4} {
		if cut[dt] < 2 {
			t.Errorf("only %d cases had a weight of type %v in several buffers", cut[dt], dt)
		}
	}
}

// TestBigEmbedding trains LoRA and all weights of models whose embedding, tied or not, does not fit what a kernel sees, and
// compares with the CPU. TestFullEmbedding of the soak suite does it at full size.
func TestBigEmbedding(t *testing.T) {
	tied := llamaConfig(96, 8191)
	for name, j := range map[string]job{
		"LoRA on F32":         {config: tied, lora: true, storage: tensor.F32},
		"LoRA on BF16":        {config: tied, lora: true, storage: tensor.BF16},
		"full":                {config: tied},
		"full, untied, paged": {config: strings.Replace(tied, `"tie_word_embeddings":true`, `"tie_word_embeddings":false`, 1), paged: true},
	} {
		t.Run(name, func(t *testing.T) {
			j.steps = 2
			j.trainBig(t, 8191, 96, 1<<20)
		})
	}
}

// TestBigLayers trains all weights of models where those of the layers too, and with them their gradients and moments, lie in several
// buffers.
func TestBigLayers(t *testing.T) {
	for name, m := range map[string]struct {
		config string
		limit  int64
	}{
		"llama": {llamaConfig(192, 301), 100 << 10},
		"gpt2":  {`{"model_type":"gpt2","n_embd":192,"n_layer":2,"n_head":3,"n_positions":64,"vocab_size":301}`, 200 << 10},
	} {
		for _, paged := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, paged %v", name, paged), func(t *testing.T) {
				job{config: m.config, steps: 2, paged: paged}.trainBig(t, 301, 192, m.limit)
			})
		}
	}
}

// trainBig takes steps on 32 tokens with two random layers under a binding limit, here and on the CPU.
func (j job) trainBig(t *testing.T, vocab, hidden int, limit int64) {
	d := open(t)
	d.Caps()
	d.about.maxBinding = limit
	host := cpu.New(0)
	defer host.Close()
	var held int64
	j.change = func(b *data.Batch) { b.IDs[3], b.Targets[9] = int32(vocab-1), int32(vocab-1) } // the end of the last buffer
	j.held = &held
	began := time.Now()
	got := j.run(t, d)
	here := time.Since(began)
	want := j.run(t, host)
	storage := j.storage
	if storage == tensor.Invalid {
		storage = tensor.F32
	}
	n := len(d.shardsOf(tensor.Of(storage, vocab, hidden)))
	if n < 2 {
		t.Fatalf("the embedding lies in %d buffers", n)
	}
	sameTraining(t, got, want, 2e-5)
	t.Logf("embedding in %d buffers, %d bytes held, %.1f s here and %.1f s on the CPU, weights and all; losses %v, on the CPU %v", n, held, here.Seconds(), time.Since(began).Seconds()-here.Seconds(), got["loss"], want["loss"])
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
		forms := [][]byte{encode(ty, v)}
		if ty.DType == tensor.NF4 {
			forms = append(forms, devicetest.Plain(v, ty.Shape))
		}
		for plain, sent := range forms {
			b, err := d.Upload(t.Context(), ty, bytes.NewReader(sent))
			if err != nil {
				t.Fatalf("%v: %v", ty, err)
			}
			if want := d.Bytes(ty, plain == 1); d.held != want {
				t.Errorf("%v: %d bytes are held, %d are planned", ty, d.held, want)
			}
			var got bytes.Buffer
			if err := d.Download(t.Context(), b, &got); err != nil {
				t.Fatalf("%v: %v", ty, err)
			}
			if !bytes.Equal(got.Bytes(), sent) {
				t.Errorf("%v: %d bytes come back changed, %d were sent", ty, got.Len(), len(sent))
			}
			if err := d.Write(t.Context(), b, bytes.NewReader(forms[0])); (err == nil) != (plain == 0) {
				t.Errorf("%v: writing values with double quantisation over form %d gives the error %v", ty, plain, err)
			}
			b.Release()
			if d.held != 0 {
				t.Errorf("%v: %d bytes are held after the release", ty, d.held)
			}
		}
	}
	if _, err := d.Upload(t.Context(), tensor.Of(tensor.F32, 100, 1<<20), nil); err == nil || !strings.Contains(err.Error(), "rows") {
		t.Errorf("rows too long for a buffer give the error %v", err)
	}
}
