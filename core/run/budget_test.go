package run

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/recipe"
	"hone/core/wire"
)

// apart is the CPU as a device that has a memory of its own.
type apart struct{ device.Device }

func (a apart) Caps() device.Caps {
	c := a.Device.Caps()
	c.HostMemory, c.MemoryBudget = false, 0
	return c
}

// TestPagedMoments trains all weights with moments on the device and in the host's memory, and goes on with each from a
// checkpoint of the other: same losses, same States, same weights, to the bit.
func TestPagedMoments(t *testing.T) {
	host := cpu.New(2)
	defer host.Close()
	dev := apart{host}
	begin := func(more ...string) recipe.Recipe {
		return lostRecipe(t, t.TempDir(), append([]string{"--train_type", "full", "--lora_dropout", "0", "--learning_rate", "1e-3", "--logging_steps", "1",
			"--max_grad_norm", "0.5", "--weight_decay", "0.1", "--save_steps", "3", "--save_total_limit", "9"}, more...)...)
	}
	type ended struct {
		plan   wire.Plan
		result Result
		lines  []wire.Stepped
	}
	start := func(r recipe.Recipe, dev device.Device) (e ended) {
		t.Helper()
		var err error
		e.result, err = Start(t.Context(), r, dev, func(ev wire.Event) {
			switch ev := ev.(type) {
			case wire.Started:
				e.plan = ev.Plan
			case wire.Stepped:
				e.lines = append(e.lines, ev)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	same := func(what string, got, want ended, from int) {
		t.Helper()
		want.lines = want.lines[from:]
		if len(got.lines) != len(want.lines) {
			t.Fatalf("%s: %d lines, want %d", what, len(got.lines), len(want.lines))
		}
		for i, w := range want.lines {
			if g := got.lines[i]; g.Loss != w.Loss || g.GradNorm != w.GradNorm {
				t.Errorf("%s: step %d has loss %v and norm %v, want %v and %v", what, w.Step, g.Loss, g.GradNorm, w.Loss, w.GradNorm)
			}
		}
		for _, name := range []string{checkpoint.ModelTensors, checkpoint.StateTensors} {
			g, err := os.ReadFile(filepath.Join(got.result.Directory, name))
			if err != nil {
				t.Fatal(err)
			}
			w, err := os.ReadFile(filepath.Join(want.result.Directory, name))
			if err != nil || !bytes.Equal(g, w) {
				t.Errorf("%s: %s differs (%v)", what, name, err)
			}
		}
	}
	resident := start(begin(), dev)
	paged := start(begin("--optim", "paged_adamw_32bit"), dev)
	same("paged", paged, resident, 0)
	all := 8 * resident.plan.Trainable
	if p := resident.plan; p.Paged || p.Moments != all || p.HostMoments != 0 {
		t.Errorf("the plan with moments on the device is %+v", p)
	}
	if p := paged.plan; !p.Paged || p.HostMoments != all || p.Moments >= all || p.Bounded()+p.HostMoments != p.Total() {
		t.Errorf("the plan with paged moments is %+v", p)
	}
	for what, r := range map[string]recipe.Recipe{
		"room for all":            begin("--optim", "paged_adamw", "--device_memory", "1GB"),
		"a device in host memory": begin("--optim", "paged_adamw"),
	} {
		d := device.Device(dev)
		if r.DeviceMemory == 0 {
			d = host
		}
		e := start(r, d)
		if same(what, e, resident, 0); e.plan.Paged {
			t.Errorf("%s: the moments are paged", what)
		}
	}

	// From one to the other.
	for what, c := range map[string]struct {
		from ended
		args []string
	}{
		"resident, then paged": {resident, []string{"--optim", "paged_adamw"}},
		"paged, then resident": {paged, []string{"--optim", "adamw"}},
		"paged all along":      {paged, nil},
	} {
		r, err := recipe.Parse(append([]string{"--resume_from_checkpoint", copyRun(t, c.from.result.Run, "checkpoint-3")}, c.args...))
		if err != nil {
			t.Fatal(err)
		}
		e := start(r, dev)
		if same(what, e, resident, 3); e.plan.Paged != (what != "paged, then resident") {
			t.Errorf("%s: paged is %v", what, e.plan.Paged)
		}
	}

	// Memory between what the two need.
	between := recipe.Bytes(paged.plan.Bounded())
	tight := begin()
	tight.DeviceMemory = between
	if _, err := Start(t.Context(), tight, dev, func(wire.Event) {}); err == nil || !strings.Contains(err.Error(), "what helps: --optim paged_adamw") {
		t.Errorf("too little memory gives the error %v, which should name paged_adamw", err)
	}
	tight = begin("--optim", "paged_adamw")
	tight.DeviceMemory = between
	same("tight", start(tight, dev), resident, 0)
	tight.DeviceMemory--
	if _, err := Start(t.Context(), tight, dev, func(wire.Event) {}); err == nil || strings.Contains(err.Error(), "paged_adamw,") || !strings.Contains(err.Error(), "1 bytes more") {
		t.Errorf("too little memory for a layer's moments gives the error %v", err)
	}
	tight = begin()
	tight.DeviceMemory = between
	if _, err := Start(t.Context(), tight, host, func(wire.Event) {}); err == nil || strings.Contains(err.Error(), "paged_adamw") {
		t.Errorf("on a device in the host's memory the error is %v, but paging wins nothing there", err)
	}
}

// TestPagedLost takes the device away while moments are on their way; --fallback cpu goes on from the last State, and
// device_memory, which bounded the device, does not bound the CPU.
func TestPagedLost(t *testing.T) {
	host := cpu.New(1)
	defer host.Close()
	args := []string{"--train_type", "full", "--lora_dropout", "0", "--optim", "paged_adamw", "--fallback", "cpu"}
	whole, err := Start(t.Context(), lostRecipe(t, t.TempDir(), args...), host, func(wire.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	j, err := Prepare(t.Context(), lostRecipe(t, t.TempDir(), args...), apart{host}, nil)
	if err != nil {
		t.Fatal(err)
	}
	memory := strconv.FormatInt(j.Plan.Bounded(), 10)
	j.Close()
	r := lostRecipe(t, t.TempDir(), append(args, "--device_memory", memory)...)
	fell := false
	result, err := Start(t.Context(), r, apart{&fragile{Device: host, last: 7*4 + 5}}, func(e wire.Event) {
		if w, ok := e.(wire.Warning); ok && strings.Contains(w.Text, "from step ") {
			fell = true
		}
	})
	if err != nil || !fell {
		t.Fatalf("fell back: %v, %v", fell, err)
	}
	got, err := os.ReadFile(filepath.Join(result.Directory, checkpoint.ModelTensors))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(whole.Directory, checkpoint.ModelTensors))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the weights differ (%v)", err)
	}
}

// copyRun copies a run with one of its checkpoints only.
func copyRun(t *testing.T, dir, checkpoint string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	others, err := filepath.Glob(filepath.Join(to, "checkpoint-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range others {
		if filepath.Base(o) != checkpoint {
			if err := os.RemoveAll(o); err != nil {
				t.Fatal(err)
			}
		}
	}
	return to
}
