package webgpu

import (
	"context"
	"errors"
	"sync"
	"time"

	"hone/core/device"
)

// Planner gives a device that lowers programs for the same adapter and kernels, and makes nothing there.
func (d *Device) Planner() device.Device {
	_ = d.settle(context.Background()) // should it fail, so will what is compiled for real
	return &Device{drv: &paper{about: d.about, asked: map[string]kernelSource{}}, about: d.about, pipelines: map[string]pipelineID{}, live: map[bufferID]int64{}, budget: d.budget,
		variant: d.variant, settled: true, submissionFLOPs: d.submissionFLOPs}
}

// Warm compiles what the planner was asked to compile since the last time.
func (d *Device) Warm(planner device.Device) error {
	p, ok := planner.(*Device)
	if !ok {
		return nil
	}
	on, ok := p.drv.(*paper)
	if !ok || p.variant != d.variant {
		return nil
	}
	on.mu.Lock()
	asked := on.asked
	on.asked = map[string]kernelSource{}
	on.mu.Unlock()
	return d.compile(asked)
}

// paper is a driver with which programs can be lowered, and no more. It keeps the kernels that it was asked for.
type paper struct {
	about adapter
	last  pipelineID

	mu    sync.Mutex
	asked map[string]kernelSource
}

var errPaper = errors.New("webgpu: a device for plans has no memory and runs nothing")

func (p *paper) adapter() adapter { return p.about }

func (p *paper) createPipeline(label, wgsl string, storage []access) (pipelineID, error) {
	p.mu.Lock()
	p.asked[label] = kernelSource{wgsl, storage}
	p.mu.Unlock()
	p.last++
	return p.last, nil
}

func (p *paper) scope(f func() error) error { return f() }
func (p *paper) lost() error                { return nil }
func (p *paper) close() error               { return nil }

func (p *paper) createBuffer(string, int64, usage) (bufferID, error) { return 0, errPaper }
func (p *paper) releaseBuffer(bufferID)                              {}
func (p *paper) write(bufferID, int64, []byte) error                 { return errPaper }
func (p *paper) createGroup(pipelineID, []binding) (groupID, error)  { return 0, errPaper }
func (p *paper) releaseGroup(groupID)                                {}
func (p *paper) record(recording) (programID, error)                 { return 0, errPaper }
func (p *paper) forget(programID)                                    {}
func (p *paper) replay(context.Context, programID, []byte, []byte) (time.Duration, error) {
	return 0, errPaper
}
