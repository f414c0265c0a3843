package webgpu

import (
	"context"
	"errors"
	"time"

	"hone/core/device"
)

// Planner gives a device that lowers programs for the same adapter and kernels, and makes nothing there.
func (d *Device) Planner() device.Device {
	_ = d.settle(context.Background()) // should it fail, so will what is compiled for real
	return &Device{drv: &paper{about: d.about}, about: d.about, pipelines: map[string]pipelineID{}, live: map[bufferID]int64{}, budget: d.budget,
		variant: d.variant, settled: true, submissionFLOPs: d.submissionFLOPs}
}

// paper is a driver with which programs can be lowered, and no more.
type paper struct {
	about adapter
	last  pipelineID
}

var errPaper = errors.New("webgpu: a device for plans has no memory and runs nothing")

func (p *paper) adapter() adapter { return p.about }

func (p *paper) createPipeline(string, string, []access) (pipelineID, error) {
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
