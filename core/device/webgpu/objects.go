//go:build js || cgo

package webgpu

import (
	"fmt"

	"github.com/cogentcore/webgpu/wgpu"
)

// objects makes and keeps what the binding does alike natively and in the browser.
type objects struct {
	dev       *wgpu.Device
	buffers   table[gpuBuffer]
	pipelines table[gpuPipeline]
	groups    table[*wgpu.BindGroup]
	programs  table[recording]
}

type gpuBuffer struct {
	*wgpu.Buffer
	bytes int64
	usage usage
}

type gpuPipeline struct {
	module *wgpu.ShaderModule
	layout *wgpu.BindGroupLayout
	pipes  *wgpu.PipelineLayout
	*wgpu.ComputePipeline
}

func (o *objects) createBuffer(label string, bytes int64, u usage) (bufferID, error) {
	flags := map[usage]wgpu.BufferUsage{
		storage:  wgpu.BufferUsageStorage | wgpu.BufferUsageCopySrc | wgpu.BufferUsageCopyDst,
		uniform:  wgpu.BufferUsageUniform | wgpu.BufferUsageCopyDst,
		readback: wgpu.BufferUsageMapRead | wgpu.BufferUsageCopyDst,
	}[u]
	b, err := o.dev.CreateBuffer(&wgpu.BufferDescriptor{Label: label, Size: uint64(bytes), Usage: flags})
	if err != nil {
		return 0, fmt.Errorf("webgpu: buffer of %d bytes for %s: %w", bytes, label, err)
	}
	return bufferID(o.buffers.add(gpuBuffer{b, bytes, u})), nil
}

// buffer finds a live buffer; a use after release is an error here, and the end of the process below.
func (o *objects) buffer(id bufferID) (*gpuBuffer, error) {
	if b := o.buffers.get(int32(id)); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("webgpu: buffer %d is used after its release", id)
}

func (o *objects) releaseBuffer(id bufferID) {
	if b := o.buffers.take(int32(id)); b != nil {
		b.Destroy()
		b.Release()
	}
}

// createPipeline makes what compile makes a pipeline of. It leaves half-made objects to nobody: on an error all are released.
func (o *objects) createPipeline(label, wgsl string, kinds []access, compile func(id pipelineID, p *gpuPipeline) error) (id pipelineID, err error) {
	var p gpuPipeline
	defer func() {
		if err != nil {
			p.release()
			o.pipelines.take(int32(id))
			id, err = 0, fmt.Errorf("webgpu: kernel %s: %w", label, err)
		}
	}()
	if p.module, err = o.dev.CreateShaderModule(&wgpu.ShaderModuleDescriptor{Label: label, WGSLDescriptor: &wgpu.ShaderModuleWGSLDescriptor{Code: wgsl}}); err != nil {
		return 0, err
	}
	entry := func(i int, t wgpu.BufferBindingType) wgpu.BindGroupLayoutEntry {
		return wgpu.BindGroupLayoutEntry{Binding: uint32(i), Visibility: wgpu.ShaderStageCompute, Buffer: wgpu.BufferBindingLayout{Type: t}}
	}
	entries := []wgpu.BindGroupLayoutEntry{entry(0, wgpu.BufferBindingTypeUniform)}
	for i, a := range kinds {
		t := wgpu.BufferBindingTypeReadOnlyStorage
		if a == writes {
			t = wgpu.BufferBindingTypeStorage
		}
		entries = append(entries, entry(i+1, t))
	}
	if p.layout, err = o.dev.CreateBindGroupLayout(&wgpu.BindGroupLayoutDescriptor{Label: label, Entries: entries}); err != nil {
		return 0, err
	}
	if p.pipes, err = o.dev.CreatePipelineLayout(&wgpu.PipelineLayoutDescriptor{Label: label, BindGroupLayouts: []*wgpu.BindGroupLayout{p.layout}}); err != nil {
		return 0, err
	}
	id = pipelineID(o.pipelines.add(p))
	return id, compile(id, o.pipelines.get(int32(id)))
}

func (p *gpuPipeline) release() {
	if p.ComputePipeline != nil {
		p.ComputePipeline.Release()
	}
	if p.pipes != nil {
		p.pipes.Release()
	}
	if p.layout != nil {
		p.layout.Release()
	}
	if p.module != nil {
		p.module.Release()
	}
}

func (o *objects) createGroup(id pipelineID, bindings []binding) (groupID, error) {
	p := o.pipelines.get(int32(id))
	if p == nil {
		return 0, fmt.Errorf("webgpu: there is no pipeline %d", id)
	}
	entries := make([]wgpu.BindGroupEntry, len(bindings))
	for i, b := range bindings {
		buf, err := o.buffer(b.buffer)
		if err != nil {
			return 0, err
		}
		entries[i] = wgpu.BindGroupEntry{Binding: uint32(i), Buffer: buf.Buffer, Offset: uint64(b.offset), Size: uint64(b.bytes)}
	}
	g, err := o.dev.CreateBindGroup(&wgpu.BindGroupDescriptor{Layout: p.layout, Entries: entries})
	if err != nil {
		return 0, fmt.Errorf("webgpu: bind group: %w", err)
	}
	return groupID(o.groups.add(g)), nil
}

func (o *objects) releaseGroup(id groupID) {
	if g := o.groups.take(int32(id)); g != nil {
		(*g).Release()
	}
}

// check asks that all that a program names is alive.
func (o *objects) check(r *recording) error {
	if r.feedLen > 0 {
		if _, err := o.buffer(r.feed); err != nil {
			return err
		}
	}
	if r.outLen > 0 {
		if _, err := o.buffer(r.out); err != nil {
			return err
		}
	}
	for _, c := range r.commands {
		switch c.kind {
		case dispatch:
			if o.pipelines.get(int32(c.pipeline)) == nil || o.groups.get(int32(c.group)) == nil {
				return fmt.Errorf("webgpu: a program names a pipeline (%d) or bind group (%d) that is not there", c.pipeline, c.group)
			}
		case copyRange:
			if _, err := o.buffer(c.from.buffer); err != nil {
				return err
			}
			if _, err := o.buffer(c.to.buffer); err != nil {
				return err
			}
		}
	}
	return nil
}

// release ends all objects.
func (o *objects) release() {
	o.groups.drain(func(g **wgpu.BindGroup) { (*g).Release() })
	o.pipelines.drain((*gpuPipeline).release)
	o.buffers.drain(func(b *gpuBuffer) { b.Destroy(); b.Release() })
}
