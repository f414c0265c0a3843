package cpu

import (
	"hone/core/device/cpu/kernel"
	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// workspace is how many floats the operators of a program need beside its values; they keep them for the next run.
// Everything that grows with the program is in it.
func workspace(g *ir.Graph, workers int) int64 {
	worker := int64(kernel.GemmScratch) // of each worker
	var angles, gathered, decoded, rows int64
	for i, n := range g.Nodes {
		in := typesOf(g, n.In)
		switch n.Op {
		case "attention", "attention_grad":
			worker = max(worker, int64(kernel.AttentionScratch(n.Attrs.Int("heads"), n.Attrs.Int("kv_heads"), n.Attrs.Int("head_dim"))))
		case "rope":
			angles = max(angles, int64(in[1].Shape[0])*(2*int64(in[2].Shape[0])+1))
		case "linear_cross_entropy", "linear_cross_entropy_grad":
			logits := ir.Value(i) + 2 // the workspace is the third result, and the second of the gradient
			if n.Op == "linear_cross_entropy_grad" {
				logits--
			}
			gathered = max(gathered, int64(g.Nodes[logits].Type.Shape[0])*int64(in[0].Shape[1])+int64(in[0].Shape[0]))
		case "matmul":
			if m, k, width := op.MatMulDims(n.Attrs, in); in[1].DType == tensor.NF4 && m >= decodeRows {
				decoded = max(decoded, int64(nf4Columns(width, k))*int64(k)+int64(workers*kernel.PanelWidth*decodeTerms))
			}
		case "rmsnorm", "rmsnorm_grad_x":
			if n.Attrs["unit_offset"] != 0 {
				rows = max(rows, int64(in[1].Shape[0]))
			}
		case "layernorm_grad_weight":
			rows = max(rows, 2*int64(in[0].Shape[0]))
		case "rmsnorm_grad_weight": // a number a group
			rows = max(rows, int64(in[0].Elements()/g.Nodes[i].Type.Shape[0]))
		}
	}
	return worker*int64(workers) + angles + gathered + decoded + rows
}
