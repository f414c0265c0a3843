package webgpu

import (
	"runtime"
	"slices"
	"testing"

	"hone/core/device/devicetest"
	"hone/core/ir"
)

// suiteKernels are those that the programs of the conformance suite use, in both variants.
func suiteKernels() []kernel {
	var all []kernel
	newKernels(kernelKey, func(_ string, _ devicetest.Case, kernels []kernel) { all = append(all, kernels...) })
	return all
}

func kernelKey(k kernel) string { return k.shader + " " + k.variant.Key() }

// kindOfKernel is the same for kernels that differ in sizes, or for products in whether rows are made of fours and in what
// is added. SwiftShader takes seconds to compile a tiled product or attention: in the browser one of a kind runs, and
// TestModules looks at all.
func kindOfKernel(k kernel) string {
	minor := []string{"ADD", "ADD_IN_PLACE", "VEC4_C"}
	if k.shader == "matmul" {
		minor = append(minor, "VEC4_A", "VEC4_W", "ROWS_8")
	}
	k.variant.Consts = nil
	k.variant.Flags = slices.DeleteFunc(slices.Clone(k.variant.Flags), func(f string) bool { return slices.Contains(minor, f) })
	return kernelKey(k)
}

// newKernels goes through the suite, first in the variant for software adapters, then in that for GPUs, and calls f for
// the cases that need kernels with a key that no case before had, with these.
func newKernels(keyOf func(kernel) string, f func(variant string, c devicetest.Case, kernels []kernel)) {
	known := map[string]bool{}
	cases := devicetest.Cases()
	for _, variant := range []string{Registers, Tiled} {
		d := &Device{variant: variant, submissionFLOPs: 1e9, about: adapter{name: "test", maxBinding: 1 << 30, maxBuffer: 1 << 30, alignment: 256, maxStorage: 8, maxGroups: 65535}}
		for _, c := range cases {
			var list []kernel
			for _, k := range d.kernels(c.Graph) {
				if key := keyOf(k); !known[key] {
					known[key] = true
					list = append(list, k)
				}
			}
			if len(list) > 0 {
				f(variant, c, list)
			}
		}
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

// TestEveryKernel runs the cases that the kernels for GPUs need beside the others. It runs in the browser too, where
// the whole suite has run in the other variant.
func TestEveryKernel(t *testing.T) {
	d := open(t)
	d.variant = Tiled
	key := kernelKey
	if runtime.GOOS == "js" {
		key = kindOfKernel
	}
	newKernels(key, func(variant string, c devicetest.Case, _ []kernel) {
		if variant != Tiled {
			return
		}
		if err := devicetest.Check(t.Context(), d, c); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	})
}
