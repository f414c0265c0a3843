package run

import (
	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/tensor"
	"hone/core/train"
	"hone/core/wire"
)

// planMemory fills in the sizes of a plan.
func planMemory(p *wire.Plan, dev device.Device, base *checkpoint.Base, s *train.Setup, costs []device.Cost) {
	var quantised, bytes int64
	for _, w := range base.Model.Params() {
		t := s.Storage(w.Name, w.Shape)
		p.Weights += dev.Bytes(t, base.Plain(w.Name))
		p.Parameters += int64(w.Shape.Elements())
		if t.DType == tensor.NF4 {
			quantised, bytes = quantised+int64(w.Shape.Elements()), bytes+base.Bytes(w, t.DType)
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
	planTemporaries(p, costs)
}

// planPaged moves the moments to the host's memory.
func planPaged(p *wire.Plan, s *train.Setup, costs []device.Cost) {
	p.Paged, p.HostMoments, p.Moments = true, p.Moments, s.Optim.WindowsOf(s.Trained).Bytes()
	planTemporaries(p, costs)
}

// planTemporaries fills in what the programs take.
func planTemporaries(p *wire.Plan, costs []device.Cost) {
	slots, feeds, workspace := device.SharedBytes(costs...)
	p.Activations, p.Workspace, p.Program = slots, feeds+workspace, 0
	p.Program = programMemory(p.Total()-p.Data, costs)
}
