package run

import (
	"hone/core/device"
	"hone/core/nn"
	"hone/core/tensor"
	"hone/core/train"
)

// Plan is what a run needs, known before it starts. Sizes are bytes.
type Plan struct {
	Weights     int64 // of the base model, as they lie on the device; trained ones included
	Adapters    int64
	Gradients   int64
	Moments     int64
	Activations int64 // temporaries of the largest programs: what the backward pass needs, and what is being computed
	Workspace   int64 // scratch of the kernels and feeds
	Data        int64 // the tokenised rows
	Program     int64 // the program's own: code, compiled graphs, garbage
	BestWeights int64 // copy kept on disk, not in memory; always 0 on the CPU

	QuantisedBits   float64 // bits a parameter of the quantised weights, 0 without any
	Parameters      int64
	Trainable       int64
	Steps           int
	MicroBatches    int // in all
	Shapes          []train.Shape
	FLOPs           float64 // of the whole run
	MicroBatchFLOPs int64   // of the largest micro-batch
}

// Total is the memory that the run is expected to take.
func (p Plan) Total() int64 {
	return p.Weights + p.Adapters + p.Gradients + p.Moments + p.Activations + p.Workspace + p.Data + p.Program
}

// memory fills in the sizes.
func (p *Plan) memory(model nn.Model, s *train.Setup, costs []device.Cost) {
	var quantised, bytes int64
	for _, w := range model.Params() {
		t := s.Storage(w.Name, w.Shape)
		p.Weights += t.Bytes()
		p.Parameters += int64(w.Shape.Elements())
		if t.DType == tensor.NF4 {
			quantised, bytes = quantised+int64(w.Shape.Elements()), bytes+t.Bytes()
		}
	}
	if quantised > 0 {
		p.QuantisedBits = 8 * float64(bytes) / float64(quantised)
	}
	for _, t := range s.Trained {
		n := int64(t.Shape.Elements())
		p.Trainable += n
		p.Gradients += 4 * n
		p.Moments += 4 * n * int64(len(s.Optim.Moments(t.Name)))
	}
	if s.Tuner != nil {
		p.Adapters = 4 * p.Trainable
	}
	slots, feeds, workspace := device.SharedBytes(costs...)
	p.Activations, p.Workspace, p.Program = slots, feeds+workspace, ownMemory
}
