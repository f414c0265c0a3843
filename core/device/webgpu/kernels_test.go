package webgpu

import (
	"testing"

	"hone/core/device/devicetest"
	"hone/core/ir"
)

// suiteKernels are those that the programs of the conformance suite use, in both variants.
func suiteKernels() []kernel {
	var all []kernel
	newKernels(func(_ string, _ devicetest.Case, kernels []kernel) {
		for _, k := range kernels {
			if k.shader != "matmul" { // matmulKernels has those
				all = append(all, k)
			}
		}
	})
	return all
}

// newKernels goes through the suite, first in the variant for software adapters, then in that for GPUs, and calls f for
// the cases that need kernels which no case before needed, with these.
func newKernels(f func(variant string, c devicetest.Case, kernels []kernel)) {
	known := map[string]bool{}
	cases := devicetest.Cases()
	for _, variant := range []string{Registers, Tiled} {
		d := &Device{variant: variant, submissionFLOPs: 1e9, about: adapter{name: "test", maxBinding: 1 << 30, maxBuffer: 1 << 30, alignment: 256, maxStorage: 8, maxGroups: 65535}}
		for _, c := range cases {
			var list []kernel
			for _, k := range d.kernels(c.Graph) {
				if key := k.shader + " " + k.variant.Key(); !known[key] {
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
// the whole suite has run in the other variant: so all permutations of the suite compile there and give what they should.
func TestEveryKernel(t *testing.T) {
	d := open(t)
	d.variant = Tiled
	newKernels(func(variant string, c devicetest.Case, _ []kernel) {
		if variant != Tiled {
			return
		}
		if err := devicetest.Check(t.Context(), d, c); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	})
}
