package ir

import (
	"fmt"
	"sort"

	"hone/core/quant"
	"hone/core/tensor"
)

// Float is what reference kernels compute in: float32 on the CPU device, float64 when gradients are checked.
type Float interface{ float32 | float64 }

// Tensor is an operand of a reference kernel: row-major values in the slice that its type names.
type Tensor[T Float] struct {
	Type tensor.Type
	F    []T        // F32
	I    []int32    // I32
	Half []uint16   // F16, BF16
	NF4  *quant.NF4 // NF4
}

// Call is one execution of an operator. Absent optional inputs have an Invalid type.
type Call[T Float] struct {
	Attrs Attrs
	In    []Tensor[T]
	Out   []Tensor[T]
}

// Def defines an operator: all that a device-independent part of the program needs to know of it.
type Def struct {
	Name string

	// Infer checks the operands and gives the types of the results; its errors need not name the operator.
	Infer func(a Attrs, in []tensor.Type) ([]tensor.Type, error)

	// Grad adds the nodes of the backward pass and returns a gradient for each input, None for inputs without one.
	// Nil for operators that nothing differentiates through.
	Grad func(b *Builder, c GradCall) []Value

	// InPlace[i] is the input whose memory result i may take over, element for element; -1 or a short list is none.
	InPlace []int

	// Addend is the optional last input that is added to the result, element for element; 0 is none. An addition of what
	// the operator gives becomes a part of it.
	Addend int

	// Units is into how many independent pieces the reference kernel can be cut; the result must not depend on the cut.
	Units func(a Attrs, in, out []tensor.Type) int

	// F32 and F64 are the reference kernel at both precisions: compute pieces lo to hi and write every element of them.
	// Results that an operator's comment calls workspace are left alone: they are memory for faster kernels.
	F32 func(c *Call[float32], lo, hi int)
	F64 func(c *Call[float64], lo, hi int)

	// Index says which operand holds numbers of rows, for operators that have one; nothing but what is fed is checked.
	Index func(a Attrs, in []tensor.Type) Index

	// FLOPs counts additions and multiplications; nil where they do not matter beside the memory traffic.
	FLOPs func(a Attrs, in, out []tensor.Type) int64
}

// Index bounds an operand that holds numbers of rows: below Below, and where negative, Missing (0: any negative number).
type Index struct {
	Operand, Below int
	Missing        int32
}

// GradCall is what a gradient rule sees of the node it differentiates.
type GradCall struct {
	Attrs Attrs
	In    []Value // operands
	Out   []Value // results
	DOut  []Value // gradients of the results; None where the loss does not depend on one
	Needs []bool  // which operands need a gradient
	Sums  []Value // what the gradient of an operand is so far, by its other uses; None for nothing
	Added []bool  // a rule whose operator can add sets it where Sums[i] is in what it gives for operand i
}

var registry = map[string]*Def{}

// Register adds an operator; package op does so at start. A second definition of a name is a programmer's error.
func Register(d Def) {
	if _, ok := registry[d.Name]; ok {
		panic("ir: operator " + d.Name + " is defined twice")
	}
	registry[d.Name] = &d
}

// Lookup finds an operator's definition.
func Lookup(name string) (*Def, error) {
	if d, ok := registry[name]; ok {
		return d, nil
	}
	return nil, fmt.Errorf("ir: no operator is named %q (is package op linked in?)", name)
}

// Names lists the registered operators.
func Names() []string {
	var names []string
	for n := range registry {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Source reports operators that only bring a value into the program; devices run no kernel for them.
func Source(op string) bool {
	return op == "feed" || op == "state" || op == "constant" || op == "part"
}

func types[T Float](ts []Tensor[T]) []tensor.Type {
	out := make([]tensor.Type, len(ts))
	for i, t := range ts {
		out[i] = t.Type
	}
	return out
}

func (d *Def) unitsOf(a Attrs, in, out []tensor.Type) int {
	if d.Units == nil {
		return 1
	}
	return d.Units(a, in, out)
}
