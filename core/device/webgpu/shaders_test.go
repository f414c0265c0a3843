//go:build !js

package webgpu

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

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
	for _, size := range []uint32{8, 64} {
		for _, on := range [][]string{nil, {"VEC4"}} {
			all = append(all, kernel{shader: "rmsnorm", variant: shaders.Variant{Flags: on, Consts: map[string]uint32{"WORKGROUP": size}}, storage: binds(3)})
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
