package run

import (
	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/tensor"
	"hone/core/train"
)

// Plan is what a run needs, known before it starts. Sizes are bytes.
type Plan struct {
	Weights     int64 `json:"weights"` // of the base model, as they lie on the device; trained ones included
	Adapters    int64 `json:"adapters"`
	Gradients   int64 `json:"gradients"`
	Moments     int64 `json:"moments"`
	Activations int64 `json:"activations"` // temporaries of the largest programs: what the backward pass needs, and what is being computed
	Workspace   int64 `json:"workspace"`   // scratch of the kernels and feeds
	Data        int64 `json:"data"`        // the tokenised rows
	Program     int64 `json:"program"`     // the program's own: code, compiled graphs, garbage

	QuantisedBits   float64       `json:"quantised_bits"` // bits a parameter of the quantised weights, 0 without any
	Parameters      int64         `json:"parameters"`
	Trainable       int64         `json:"trainable"`
	Steps           int           `json:"steps"`
	MicroBatches    int           `json:"micro_batches"` // in all
	Shapes          []train.Shape `json:"shapes"`
	FLOPs           float64       `json:"flops"`             // of the whole run
	MicroBatchFLOPs int64         `json:"micro_batch_flops"` // of the largest micro-batch
}

// Total is the memory that the run is expected to take.
func (p Plan) Total() int64 {
	return p.Weights + p.Adapters + p.Gradients + p.Moments + p.Activations + p.Workspace + p.Data + p.Program
}

// memory fills in the sizes.
func (p *Plan) memory(base *checkpoint.Base, s *train.Setup, costs []device.Cost) {
	var quantised, bytes int64
	for _, w := range base.Model.Params() {
		t := s.Storage(w.Name, w.Shape)
		size := base.Bytes(w, t.DType)
		p.Weights += size
		p.Parameters += int64(w.Shape.Elements())
		if t.DType == tensor.NF4 {
			quantised, bytes = quantised+int64(w.Shape.Elements()), bytes+size
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
	p.Activations, p.Workspace = slots, feeds+workspace
	p.Program = programMemory(p.Total(), costs)
}
