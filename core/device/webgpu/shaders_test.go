//go:build !js

package webgpu

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/device/devicetest"
	"hone/core/ir"
	"hone/shaders"
)

// permutations lists every variant of every kernel that the lowering can ask for, with its storage buffers.
func permutations() []kernel {
	var all []kernel
	binds := func(n int) []operand {
		o := make([]operand, n)
		o[2].access = writes
		return o
	}
	flags := []string{"ROWS_8", "TRANSPOSE_A", "TRANSPOSE_B", "VEC4_A", "VEC4_B", "VEC4_C"}
	for set := range 1 << len(flags) {
		var on []string
		for i, f := range flags {
			if set>>i&1 == 1 {
				on = append(on, f)
			}
		}
		for _, add := range []string{"", "ADD", "ADD_IN_PLACE"} {
			k := kernel{shader: "matmul", variant: shaders.Variant{Flags: append([]string{}, on...)}, storage: binds(3)}
			if add != "" {
				k.variant.Flags = append(k.variant.Flags, add)
			}
			if add == "ADD" {
				k.storage = binds(4)
			}
			all = append(all, k)
		}
	}
	return append(all, suiteKernels()...)
}

// suiteKernels are those that the programs of the conformance suite use, in both variants.
func suiteKernels() []kernel {
	var all []kernel
	known := map[string]bool{}
	for _, variant := range []string{"registers", "tiled"} {
		d := &Device{variant: variant, submissionFLOPs: 1e9, about: adapter{name: "test", maxBinding: 1 << 30, maxBuffer: 1 << 30, alignment: 256, maxStorage: 8, maxGroups: 65535}}
		for _, c := range devicetest.Cases() {
			for _, k := range d.kernels(c.Graph) {
				if key := k.shader + " " + k.variant.Key(); !known[key] && k.shader != "matmul" {
					known[key] = true
					all = append(all, k)
				}
			}
		}
	}
	return all
}

// TestPermutations compiles all of them on the device.
func TestPermutations(t *testing.T) {
	d := open(t)
	for _, k := range permutations() {
		if _, err := d.pipeline(k); err != nil {
			t.Errorf("%s %s: %v", k.shader, k.variant.Key(), err)
		}
	}
}

// TestValidators asks Chromium's and Firefox's compilers, where they are installed.
func TestValidators(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for _, k := range permutations() {
		source, err := shaders.Source(k.shader, k.variant)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, strings.ReplaceAll(k.shader+" "+k.variant.Key(), " ", "-")+".wgsl")
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	found := false
	check := func(tool string, args ...string) {
		path, err := osexec.LookPath(tool)
		if err != nil {
			return
		}
		found = true
		if out, err := osexec.Command(path, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", tool, err, out)
		}
	}
	check("naga", append([]string{"--bulk-validate"}, files...)...)
	for _, file := range files {
		check("tint", "-o", filepath.Join(dir, "out.wgsl"), file)
	}
	if !found {
		t.Skip("neither tint nor naga is installed; TestPermutations compiles the kernels on the device")
	}
}

// kernels lowers every node of a program, and makes no pipeline.
func (d *Device) kernels(g *ir.Graph) []kernel {
	var all []kernel
	plan := ir.NewPlan(g)
	for i, n := range g.Nodes {
		if ir.Source(n.Op) {
			continue
		}
		list, err := lowerings[n.Op](&call{d: d, g: g, plan: plan, attrs: n.Attrs, in: n.In, out: g.Parts(ir.Value(i)), room: &room{first: len(plan.Slots)}})
		if err != nil {
			panic(err)
		}
		all = append(all, list...)
	}
	return all
}
