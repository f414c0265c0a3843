// Package op is the list of operators, one a file: shape rule, gradient rule, reference kernel and cost of each stand
// together under its name, as its WGSL does in shaders/ and its test in the file beside it. The functions here trace
// an operator into a program; the reference kernels are the oracle that devices are tested against, and what the CPU
// device runs where it has nothing faster.
//
// Activations are matrices [rows, features]: the tokens of a batch one below the other. All computing is in float32; a
// frozen weight may be stored in F16 or BF16, as its checkpoint has it, or in NF4, and is widened where it is read.
package op

import (
	"fmt"

	"hone/core/ir"
	"hone/core/tensor"
)

// want checks that operand i has the element type and, where a length is not 0, the shape.
func want(in []tensor.Type, i int, d tensor.DType, shape ...int) error {
	if i >= len(in) {
		return fmt.Errorf("operand %d is missing", i)
	}
	t := in[i]
	ok := t.DType == d && len(t.Shape) == len(shape)
	for j := range shape {
		ok = ok && (shape[j] == 0 || t.Shape[j] == shape[j])
	}
	if !ok {
		return fmt.Errorf("operand %d is %v, wanted %v%v (0 is any length)", i, t, d, shape)
	}
	return nil
}

// wantWeight is want for a matrix that may be stored in 16 bits when it is frozen.
func wantWeight(in []tensor.Type, i int, shape ...int) error {
	if i < len(in) && (in[i].DType == tensor.F16 || in[i].DType == tensor.BF16) {
		return want(in, i, in[i].DType, shape...)
	}
	return want(in, i, tensor.F32, shape...)
}

// wantAll is want for a list of operands.
func wantAll(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// same checks that all given operands have the type of operand 0, an F32.
func same(in []tensor.Type) error {
	for i, t := range in {
		if t.DType != tensor.F32 {
			return fmt.Errorf("operand %d is %v, wanted F32", i, t)
		}
		if !t.Equal(in[0]) {
			return fmt.Errorf("operand %d is %v and operand 0 is %v; they must agree", i, t, in[0])
		}
	}
	return nil
}

func f32(shape ...int) tensor.Type { return tensor.Of(tensor.F32, shape...) }

// unitsRows and unitsElements are the two usual ways to cut the work of a reference kernel.
func unitsRows(_ ir.Attrs, _, out []tensor.Type) int     { return out[0].Shape[0] }
func unitsElements(_ ir.Attrs, _, out []tensor.Type) int { return out[0].Elements() }
