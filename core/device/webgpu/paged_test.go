//go:build !js

package webgpu

import (
	"math"
	"testing"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/tensor"
)

// TestPagedMoments trains all weights with the moments on the device and in the host's memory: the same bits, and less of the
// device's memory by all moments but those of a layer.
func TestPagedMoments(t *testing.T) {
	host := cpu.New(0)
	defer host.Close()
	for name, open := range map[string]func() device.Device{"webgpu": func() device.Device {
		d := open(t)
		if err := d.Choose(Registers); err != nil { // which is measured, and may come out differently the second time
			t.Fatal(err)
		}
		return d
	}, "cpu": func() device.Device { return host }} {
		t.Run(name, func(t *testing.T) {
			var held [2]int64
			var got [2]map[string][]float64
			for i, paged := range []bool{false, true} {
				dev := open()
				// Shapes that layers share and do not.
				j := job{config: llamaConfig(64, 1031), packed: true, steps: 3, storage: tensor.F32, paged: paged, held: &held[i]}
				got[i] = j.run(t, dev)
			}
			for name, v := range got[0] {
				for i := range v {
					if math.Float64bits(v[i]) != math.Float64bits(got[1][name][i]) {
						t.Fatalf("%s[%d] is %g, and %g with paged moments", name, i, v[i], got[1][name][i])
					}
				}
			}
			if name != "webgpu" {
				return
			}
			// A layer has 7 matrices and 2 norms; the windows of the last norm are a layer's.
			layer := int64(4 * (64*64*2 + 32*64*2 + 3*128*64 + 2*64))
			if saved, want := held[0]-held[1], 2*(layer+4*64); saved < want-1<<16 || saved > want {
				t.Errorf("paging saves %d bytes, want about %d", saved, want)
			}
		})
	}
}

// TestLiveIsPlanned asks that the buffers of a run take what was planned, to the byte, whatever lies in them.
func TestLiveIsPlanned(t *testing.T) {
	for name, j := range map[string]job{
		"LoRA":                {config: llamaConfig(64, 1031), lora: true, storage: tensor.F32},
		"LoRA on NF4":         {config: llamaConfig(64, 61), lora: true, storage: tensor.NF4},
		"LoRA on odd BF16":    {config: llamaConfig(20, 61), lora: true, storage: tensor.BF16},
		"full of odd lengths": {config: llamaConfig(20, 61), storage: tensor.F32},
	} {
		t.Run(name, func(t *testing.T) {
			var held int64
			j.steps, j.held = 1, &held
			if j.run(t, open(t)); held == 0 {
				t.Error("the device holds nothing")
			}
		})
	}
}
