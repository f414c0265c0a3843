//go:build !js && cgo

package webgpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cogentcore/webgpu/wgpu"

	"hone/core/device"
)

// nativeDriver is wgpu-native over Vulkan. One goroutine owns all objects: error scopes belong to the device, so two
// callers would see each other's errors.
type nativeDriver struct {
	calls    chan func()
	done     chan struct{} // the call has returned; there is one caller at a time
	ended    chan struct{}
	instance *wgpu.Instance
	gpu      *wgpu.Adapter
	queue    *wgpu.Queue
	about    adapter
	objects
	begun   map[pipelineID]bool // have run
	pending int64               // bytes written since the last submission: the implementation holds a copy of them
	gone    error
	now     replaying
}

// replaying is one replay: what goes in, and what comes out. It is kept here, and so is the function that runs it, because a replay
// makes no objects of its own.
type replaying struct {
	run       func()
	ctx       context.Context
	id        programID
	feed, out []byte
	longest   time.Duration
	err       error
	mapped    wgpu.BufferMapAsyncStatus
	onMapped  wgpu.BufferMapCallback
}

// waitLimit is how long a submission may take before the device counts as lost. Watchdogs of real GPUs are much quicker.
const waitLimit = 60 * time.Second

// commandsAhead is how many commands are handed over at a time.
const commandsAhead = 256

// writesHeld is how many bytes of writes may be outstanding in the implementation's own copies.
const writesHeld = 64 << 20

// cards are the device files of graphics cards on Linux: of the kernel's own drivers, of NVIDIA's, and of Windows beneath it.
var cards = []string{"/dev/dri/renderD*", "/dev/nvidia[0-9]*", "/dev/dxg"}

// hasCard looks for a graphics card without loading a driver: Mesa alone takes some 60 MiB and never gives them back.
func hasCard() bool {
	return runtime.GOOS != "linux" || slices.ContainsFunc(cards, func(pattern string) bool {
		found, _ := filepath.Glob(pattern) // the patterns are sound
		return len(found) > 0
	})
}

func openDriver(_ context.Context, realGPU bool) (driver, error) {
	if realGPU && !hasCard() {
		return nil, errors.New("webgpu: this machine has no graphics card (none of " + strings.Join(cards, ", ") + ")")
	}
	d := &nativeDriver{calls: make(chan func()), done: make(chan struct{}), ended: make(chan struct{}), begun: map[pipelineID]bool{}}
	d.now.run = d.replayNow
	d.now.onMapped = func(s wgpu.BufferMapAsyncStatus) { d.now.mapped = s }
	go func() {
		defer close(d.ended)
		for f := range d.calls {
			f()
			d.done <- struct{}{}
		}
	}()
	var err error
	d.do(func() { err = d.open(realGPU) })
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// do runs f in the owner goroutine.
func (d *nativeDriver) do(f func()) {
	d.calls <- f
	<-d.done
}

func (d *nativeDriver) open(realGPU bool) error {
	if os.Getenv("XDG_RUNTIME_DIR") == "" { // Mesa complains on standard error; nothing is ever put there
		os.Setenv("XDG_RUNTIME_DIR", os.TempDir())
		defer os.Unsetenv("XDG_RUNTIME_DIR")
	}
	wgpu.SetLogLevel(wgpu.LogLevelOff) // what it would print comes back as errors
	// With a descriptor the binding leaves half of what it passes on uninitialised, and the process may abort.
	d.instance = wgpu.CreateInstance(nil)
	gpu := d.choose(d.instance.EnumerateAdapters(&wgpu.InstanceEnumerateAdapterOptons{Backends: wgpu.InstanceBackendVulkan}))
	if gpu == nil {
		return errors.New("webgpu: no Vulkan adapter; install a GPU driver with Vulkan, or Mesa's software one (packages mesa-vulkan-drivers and libvulkan1)")
	}
	d.gpu = gpu
	if gpu.GetInfo().AdapterType == wgpu.AdapterTypeCPU && realGPU {
		return fmt.Errorf("webgpu: the only adapter, %s, computes on the CPU", gpu.GetInfo().DriverDescription)
	}
	limits := gpu.GetLimits().Limits
	limits.MaxPushConstantSize = 0 // the binding leaves it uninitialised
	dev, err := gpu.RequestDevice(&wgpu.DeviceDescriptor{Label: "hone", RequiredLimits: &wgpu.RequiredLimits{Limits: limits}})
	if err != nil {
		return fmt.Errorf("webgpu: adapter %s gives no device: %w", gpu.GetInfo().DriverDescription, err)
	}
	d.dev, d.queue = dev, dev.GetQueue()
	others := d.about.others
	d.about = describe(gpu)
	d.about.others = others
	return nil
}

func describe(gpu *wgpu.Adapter) adapter {
	info, limits := gpu.GetInfo(), gpu.GetLimits().Limits
	a := adapter{
		name:       info.DriverDescription, // in this version Name is a number
		software:   info.AdapterType == wgpu.AdapterTypeCPU,
		maxBuffer:  clampLimit(limits.MaxBufferSize),
		maxBinding: clampLimit(uint64(limits.MaxStorageBufferBindingSize)),
		alignment:  int64(max(limits.MinStorageBufferOffsetAlignment, limits.MinUniformBufferOffsetAlignment, 16)),
		maxStorage: int(limits.MaxStorageBuffersPerShaderStage),
		maxGroups:  int(limits.MaxComputeWorkgroupsPerDimension),
		maxShared:  int(limits.MaxComputeWorkgroupStorageSize),
	}
	for _, f := range gpu.EnumerateFeatures() {
		if name := f.String(); !strings.HasPrefix(name, "native-feature") { // those are wgpu's own
			a.features = append(a.features, name)
		}
	}
	return a
}

// choose prefers real hardware, the first of its kind, and notes and releases the others.
func (d *nativeDriver) choose(found []*wgpu.Adapter) (best *wgpu.Adapter) {
	rank := map[wgpu.AdapterType]int{wgpu.AdapterTypeDiscreteGPU: 3, wgpu.AdapterTypeIntegratedGPU: 2, wgpu.AdapterTypeCPU: 1}
	at := -1
	for i, a := range found {
		if r := rank[a.GetInfo().AdapterType]; at < 0 || r > rank[best.GetInfo().AdapterType] {
			best, at = a, i
		}
	}
	for i, a := range found {
		if i != at {
			d.about.others = append(d.about.others, describe(a))
			a.Release()
		}
	}
	return best
}

func clampLimit(v uint64) int64 { return int64(min(v, math.MaxInt64)) }

func (d *nativeDriver) adapter() adapter { return d.about }
func (d *nativeDriver) lost() error      { return d.gone }

// lose remembers why the device can no longer be used.
func (d *nativeDriver) lose(err error) error {
	if d.gone == nil {
		d.gone = fmt.Errorf("webgpu: %w: %w", device.ErrLost, err)
	}
	return d.gone
}

// failed looks whether an error of the implementation means that the device is gone.
func (d *nativeDriver) failed(err error) error {
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "device is lost") {
		return d.lose(err)
	}
	return err
}

func (d *nativeDriver) createBuffer(label string, bytes int64, u usage) (id bufferID, err error) {
	d.do(func() { id, err = d.objects.createBuffer(label, bytes, u) })
	return id, d.failed(err)
}

// releaseBuffer leaves the memory of a lost device alone: its last submission may still be running.
func (d *nativeDriver) releaseBuffer(id bufferID) {
	d.do(func() {
		if d.gone == nil {
			d.objects.releaseBuffer(id)
		}
	})
}

func (d *nativeDriver) createPipeline(label, wgsl string, kinds []access) (id pipelineID, err error) {
	compile := func(_ pipelineID, p *gpuPipeline) (err error) {
		p.ComputePipeline, err = d.dev.CreateComputePipeline(&wgpu.ComputePipelineDescriptor{Layout: p.pipes,
			Compute: wgpu.ProgrammableStageDescriptor{Module: p.module, EntryPoint: "main"}})
		return err
	}
	d.do(func() { id, err = d.objects.createPipeline(label, wgsl, kinds, compile) })
	return id, d.failed(err)
}

func (d *nativeDriver) createGroup(p pipelineID, bindings []binding) (id groupID, err error) {
	d.do(func() { id, err = d.objects.createGroup(p, bindings) })
	return id, d.failed(err)
}

func (d *nativeDriver) releaseGroup(id groupID) {
	d.do(func() {
		if d.gone == nil {
			d.objects.releaseGroup(id)
		}
	})
}

// scope has nothing to add: every call of the native binding has an error scope of its own.
func (d *nativeDriver) scope(f func() error) error { return f() }

func (d *nativeDriver) write(id bufferID, offset int64, p []byte) (err error) {
	d.do(func() { err = d.writeNow(id, offset, p) })
	return err
}

func (d *nativeDriver) writeNow(id bufferID, offset int64, p []byte) error {
	if d.gone != nil || len(p) == 0 {
		return d.gone
	}
	b, err := d.buffer(id)
	if err != nil {
		return err
	}
	if err := d.queue.WriteBuffer(b.Buffer, uint64(offset), p); err != nil {
		return d.failed(fmt.Errorf("webgpu: write: %w", err))
	}
	if d.pending += int64(len(p)); d.pending >= writesHeld {
		return d.flush()
	}
	return nil
}

// flush hands over everything written so far, and waits for the end of it.
func (d *nativeDriver) flush() error {
	d.queue.Submit()
	d.pending = 0
	return d.wait()
}

// wait asks again and again whether the work is done. Poll could wait by itself, but after five seconds it claims that
// the work is done when it is not, and touching results then crashes the driver.
func (d *nativeDriver) wait() error {
	pause, start := 10*time.Microsecond, time.Now()
	for !d.dev.Poll(false, nil) {
		if time.Since(start) > waitLimit {
			return d.lose(fmt.Errorf("a submission ran for more than %.0f s", waitLimit.Seconds()))
		}
		time.Sleep(pause)
		pause = min(pause*5/4, 100*time.Microsecond)
	}
	return nil
}

func (d *nativeDriver) record(r recording) (id programID, err error) {
	d.do(func() {
		if err = d.check(&r); err == nil {
			id = programID(d.programs.add(r))
		}
	})
	return id, err
}

func (d *nativeDriver) forget(id programID) { d.do(func() { d.programs.take(int32(id)) }) }

func (d *nativeDriver) replay(ctx context.Context, id programID, feed, out []byte) (longest time.Duration, err error) {
	d.now.ctx, d.now.id, d.now.feed, d.now.out, d.now.longest = ctx, id, feed, out, 0
	d.do(d.now.run)
	d.now.ctx, d.now.feed, d.now.out = nil, nil, nil
	return d.now.longest, d.failed(d.now.err)
}

func (d *nativeDriver) replayNow() { d.now.err = d.replayProgram() }

func (d *nativeDriver) replayProgram() error {
	r := d.programs.get(int32(d.now.id))
	if r == nil {
		return fmt.Errorf("webgpu: there is no program %d", d.now.id)
	}
	if err := d.check(r); err != nil {
		return err
	}
	if r.feedLen > 0 {
		if err := d.writeNow(r.feed, 0, d.now.feed[:r.feedLen]); err != nil {
			return err
		}
	}
	for rest := r.commands; len(rest) > 0; {
		// A kernel that runs for the first time may be compiled then, by software adapters for seconds: it gets a
		// submission of its own, and its time says nothing.
		n, fresh := 0, false
		for n < len(rest) && rest[n].kind != cut && !fresh {
			fresh = rest[n].kind == dispatch && d.begin(rest[n].pipeline)
			n++
		}
		start := time.Now()
		if err := d.encode(rest[:n]); err != nil {
			return err
		}
		if !fresh {
			d.now.longest = max(d.now.longest, time.Since(start))
		}
		if rest = rest[n:]; len(rest) > 0 && rest[0].kind == cut {
			rest = rest[1:]
			if err := d.now.ctx.Err(); err != nil {
				return err
			}
		}
	}
	if r.outLen == 0 {
		return nil
	}
	return d.read(r.out, d.now.out[:r.outLen])
}

// begin reports whether a pipeline is about to run for the first time.
func (d *nativeDriver) begin(id pipelineID) bool {
	first := !d.begun[id]
	d.begun[id] = true
	return first
}

// encode submits commands and waits for them. The device works on one part of them while the next is written.
func (d *nativeDriver) encode(commands []command) error {
	for part := range slices.Chunk(commands, commandsAhead) {
		if err := d.submitPart(part); err != nil {
			return err
		}
	}
	return d.wait()
}

func (d *nativeDriver) submitPart(commands []command) (err error) {
	if d.gone != nil {
		return d.gone
	}
	enc, err := d.dev.CreateCommandEncoder(nil)
	if err != nil {
		return err
	}
	defer enc.Release()
	var pass *wgpu.ComputePassEncoder
	for _, c := range commands {
		if c.kind == dispatch {
			if pass == nil {
				pass = enc.BeginComputePass(nil)
			}
			pass.SetPipeline(d.pipelines.get(int32(c.pipeline)).ComputePipeline)
			pass.SetBindGroup(0, *d.groups.get(int32(c.group)), nil)
			pass.DispatchWorkgroups(c.groups[0], c.groups[1], c.groups[2])
			continue
		}
		if err := end(pass); err != nil {
			return err
		}
		pass = nil
		from, to := d.buffers.get(int32(c.from.buffer)), d.buffers.get(int32(c.to.buffer))
		if err := enc.CopyBufferToBuffer(from.Buffer, uint64(c.from.offset), to.Buffer, uint64(c.to.offset), uint64(c.from.bytes)); err != nil {
			return err
		}
	}
	if err := end(pass); err != nil {
		return err
	}
	work, err := enc.Finish(nil)
	if err != nil {
		return err
	}
	defer work.Release()
	d.queue.Submit(work)
	d.pending = 0
	return nil
}

// end ends a pass, if there is one.
func end(pass *wgpu.ComputePassEncoder) error {
	if pass == nil {
		return nil
	}
	defer pass.Release()
	return pass.End()
}

// read maps a readback buffer, whose contents are there already, and copies its start.
func (d *nativeDriver) read(id bufferID, p []byte) error {
	b, err := d.buffer(id)
	if err != nil {
		return err
	}
	holdCollector()
	defer letCollector()
	d.now.mapped = wgpu.BufferMapAsyncStatusUnknown
	if err := b.MapAsync(wgpu.MapModeRead, 0, uint64(len(p)), d.now.onMapped); err != nil {
		return err
	}
	if err := d.wait(); err != nil {
		return err
	}
	if d.now.mapped != wgpu.BufferMapAsyncStatusSuccess {
		return fmt.Errorf("webgpu: reading back %d bytes: %v", len(p), d.now.mapped)
	}
	copy(p, b.GetMappedRange(0, uint(len(p))))
	return b.Unmap()
}

// collector counts who needs the garbage collector to stay off.
var collector struct {
	sync.Mutex
	holds, percent int
	limit          int64
}

// holdCollector keeps the garbage collector off until letCollector is called. MapAsync hands C a pointer to a Go heap cell that
// nothing in Go refers to; the callback reads through it.
func holdCollector() {
	c := &collector
	c.Lock()
	defer c.Unlock()
	if c.holds++; c.holds == 1 {
		c.percent = debug.SetGCPercent(-1) // waits for a collection under way
		c.limit = debug.SetMemoryLimit(math.MaxInt64)
	}
}

func letCollector() {
	c := &collector
	c.Lock()
	defer c.Unlock()
	if c.holds--; c.holds == 0 {
		debug.SetMemoryLimit(c.limit)
		debug.SetGCPercent(c.percent)
	}
}

func (d *nativeDriver) close() error {
	if d.calls == nil {
		return errors.New("webgpu: the device is closed already")
	}
	d.do(func() {
		if d.gone != nil {
			return // as in releaseBuffer
		}
		d.objects.release()
		if d.queue != nil {
			d.queue.Release()
		}
		if d.dev != nil {
			d.dev.Release()
		}
		if d.gpu != nil {
			d.gpu.Release()
		}
		if d.instance != nil {
			d.instance.Release()
		}
	})
	close(d.calls)
	<-d.ended
	d.calls = nil
	return nil
}
