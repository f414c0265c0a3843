package webgpu

import (
	"context"
	"time"
)

// driver is all that the lowering asks of a WebGPU implementation. Objects are known by number, so that a driver can
// tell a released one from a live one before the implementation sees it, and so that a recorded program is a flat list.
// A driver is used from one goroutine at a time.
type driver interface {
	adapter() adapter

	createBuffer(label string, bytes int64, u usage) (bufferID, error)
	releaseBuffer(bufferID)
	// write changes bytes of a buffer before anything that is submitted later; offset and length are multiples of 4.
	write(b bufferID, offset int64, p []byte) error

	// createPipeline compiles a kernel whose entry point is main, with a uniform at binding 0 and the given storage
	// buffers from binding 1 on. It is compiled, or was refused, when the scope ends: those of one scope may be compiled at the same
	// time. Pipelines live as long as the driver.
	createPipeline(label, wgsl string, storage []access) (pipelineID, error)
	createGroup(p pipelineID, bindings []binding) (groupID, error)
	releaseGroup(groupID)

	// scope runs f and returns its error or the first that the implementation has for what f asked of it.
	scope(f func() error) error

	// record prepares a program to be replayed. Nothing of it may be released before forget.
	record(r recording) (programID, error)
	forget(programID)
	// replay writes feed into the recording's feed buffer, runs its commands and fills out from its readback buffer.
	// The context is looked at between submissions only. The longest time that one submission took comes back.
	replay(ctx context.Context, p programID, feed, out []byte) (time.Duration, error)

	// lost is why the device is gone, nil as long as it is there.
	lost() error
	close() error
}

type (
	bufferID   int32
	pipelineID int32
	groupID    int32
	programID  int32
)

// usage is what a buffer is for.
type usage uint8

const (
	storage  usage = iota // bound by kernels; written, copied from and to
	uniform               // bound at binding 0; written
	readback              // copied to, then read by the host
)

// access is how a kernel uses a storage buffer.
type access uint8

const (
	reads access = iota
	writes
)

// binding is a range of a buffer as a kernel sees it; number i of a list is bound at @binding(i).
type binding struct {
	buffer        bufferID
	offset, bytes int64
}

// command is one entry of a recorded program.
type command struct {
	kind     commandKind
	pipeline pipelineID // dispatch
	group    groupID
	groups   [3]uint32 // workgroups
	from, to binding   // copy: from.bytes bytes
}

type commandKind uint8

const (
	dispatch commandKind = iota
	copyRange
	cut // ends a submission: watchdogs look at each on its own
)

// recording is a program as a driver takes it.
type recording struct {
	commands []command
	feed     bufferID // filled from the host at the start of every replay, when feedBytes is not 0
	feedLen  int64
	out      bufferID // a readback buffer, read at the end of every replay, when outBytes is not 0
	outLen   int64
}

// adapter is what is known of the hardware and of what it was asked for.
type adapter struct {
	name       string
	software   bool  // it computes on the CPU
	maxBuffer  int64 // bytes of one buffer
	maxBinding int64 // bytes of it that a kernel sees
	alignment  int64 // of the offset of a binding
	maxStorage int   // storage buffers of a kernel
	maxGroups  int   // workgroups of a dispatch in one dimension
	maxShared  int   // bytes of workgroup memory
	features   []string
	others     []adapter // of this machine, which were not chosen
}

// table numbers a driver's objects. A number is never given away twice, so one that is used after its release is found
// out; 0 is never given away at all.
type table[T any] struct {
	items map[int32]*T
	last  int32
}

func (t *table[T]) add(x T) int32 {
	if t.items == nil {
		t.items = map[int32]*T{}
	}
	t.last++
	t.items[t.last] = &x
	return t.last
}

// get is nil for what was released or never was.
func (t *table[T]) get(id int32) *T { return t.items[id] }

// take removes an object and gives it back, nil when it is not there.
func (t *table[T]) take(id int32) *T {
	x := t.items[id]
	delete(t.items, id)
	return x
}

// drain removes all objects.
func (t *table[T]) drain(release func(*T)) {
	for id := range t.items {
		release(t.take(id))
	}
}
