// Package peft has the tuners, one a file. A tuner attaches to a model while it is traced, at the places that nn.Tuner
// names, and owns the parameters that it trains.
package peft

import (
	"hone/core/nn"
	"hone/core/tensor"
)

// Param is a trained tensor of a tuner, under its PEFT name.
type Param struct {
	Name  string
	Shape tensor.Shape
	Init  func(dst []float32) // writes the values that training starts from
}

// Tuner is a way of fine-tuning that leaves the base alone.
type Tuner interface {
	nn.Tuner
	// Params lists the trained tensors in a fixed order.
	Params() []Param
}
