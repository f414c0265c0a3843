//go:build !js

package webgpu

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/ir"
	"hone/core/tensor"
	"hone/shaders"
)

// permutations lists every variant of every kernel that the lowering can ask for, with its storage buffers. Those of
// matmul are more than a thousand: every seventh stands for them all but in `make wgsl`, which sets HONE_WGSL.
func permutations() []kernel {
	all := slices.DeleteFunc(suiteKernels(), func(k kernel) bool { return k.shader == "matmul" }) // which matmulKernels has
	for i, k := range matmulKernels() {
		if i%7 == 0 || os.Getenv("HONE_WGSL") != "" {
			all = append(all, k)
		}
	}
	return all
}

// matmulKernels are all that depends on types, orientation, lengths, what is added, and the shape of workgroups.
func matmulKernels() []kernel {
	var all []kernel
	known := map[string]bool{}
	d := &Device{about: adapter{maxBinding: 1 << 30, maxBuffer: 1 << 30, maxGroups: 65535}, submissionFLOPs: 1e9}
	const a, w, c, other = 0, 1, 2, 3
	add := func(p product) {
		p.a, p.w, p.c = a, w, c
		stored := []int{p.k, p.n}
		if p.tw {
			stored = []int{p.n, p.k}
		}
		if p.vec4a = p.k%4 == 0; p.ta {
			p.vec4a = p.m%4 == 0
		}
		p.weight.Shape = stored
		for _, k := range d.multiply(p) {
			if key := k.variant.Key(); !known[key] {
				known[key] = true
				all = append(all, k)
			}
		}
	}
	for _, d.variant = range []string{Registers, Tiled} {
		for _, t := range []tensor.DType{tensor.F32, tensor.F16, tensor.BF16, tensor.NF4} {
			for o := range 4 {
				for _, m := range []int{3, 4, 12, 13, 64, 65} {
					for _, k := range []int{9, 12} {
						for _, n := range []int{8, 9, 64, 65} {
							for _, added := range []ir.Value{ir.None, c, other} {
								if t != tensor.NF4 || o&1 == 0 {
									add(product{m: m, k: k, n: n, ta: o&1 != 0, tw: o&2 != 0, d: added, weight: tensor.Of(t)})
								}
							}
						}
					}
				}
			}
		}
	}
	for k := 4; k <= 64; k *= 2 { // spans of a scale
		add(product{m: 64, k: k, n: 64, tw: true, d: ir.None, weight: tensor.Of(tensor.NF4)})
	}
	for m := 1; m <= 1024; m *= 2 { // workgroups of every shape
		for n := 8; n <= 1024; n *= 2 {
			add(product{m: m, k: 64, n: n, d: ir.None, weight: tensor.Of(tensor.F32)})
		}
	}
	return all
}

// TestPermutations compiles all of them on the device.
func TestPermutations(t *testing.T) {
	d := open(t)
	for _, k := range permutations() {
		if _, err := d.pipelinesOf([]kernel{k}); err != nil {
			t.Errorf("%s %s: %v", k.shader, k.variant.Key(), err)
		}
	}
	t.Logf("%d permutations", len(d.pipelines))
}

// TestValidators asks Chromium's and Firefox's compilers, where they are installed.
func TestValidators(t *testing.T) {
	dir := os.Getenv("HONE_WGSL") // `make wgsl` keeps the files
	if dir == "" {
		dir = t.TempDir()
	} else if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
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
		check("tint", "--format", "wgsl", "-o", filepath.Join(t.TempDir(), "out.wgsl"), file)
	}
	if !found {
		t.Skip("neither tint nor naga is installed; TestPermutations compiles the kernels on the device")
	}
}
