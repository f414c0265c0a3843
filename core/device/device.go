// Package device is what a program runs on. A Device keeps buffers and compiles graphs; an Exec is a compiled program
// that is replayed with new feeds. Nothing above this package knows which device it has.
package device

import (
	"context"
	"errors"
	"io"

	"hone/core/ir"
	"hone/core/tensor"
)

// Device is one processor with its memory. It is used from one goroutine at a time.
type Device interface {
	Caps() Caps
	// Bytes is what a tensor of the type takes on the device; plain is that of an NF4 weight without double quantisation.
	Bytes(t tensor.Type, plain bool) int64
	// Upload makes a buffer of the type from little-endian bytes, streamed; a nil reader gives zeros.
	Upload(ctx context.Context, t tensor.Type, r io.Reader) (Buffer, error)
	// Write gives a buffer other values of its type, as Upload would have given them.
	Write(ctx context.Context, b Buffer, r io.Reader) error
	// Download writes a buffer's values as little-endian bytes in row-major order.
	Download(ctx context.Context, b Buffer, w io.Writer) error
	// Compile prepares a program. It takes no memory for temporaries yet, and fails with what does not fit.
	Compile(ctx context.Context, g *ir.Graph) (Exec, error)
	Close() error
}

// ErrLost says that a device is gone, with all that lay on it. Errors of a lost device wrap it.
var ErrLost = errors.New("the device is lost")

// ErrMemory is what errors are (errors.Is) that say that there is too little memory for what was asked.
var ErrMemory = errors.New("too little memory")

// Planner is a device that has another one for plans.
type Planner interface {
	// Planner gives a device that compiles as this one does, and takes no memory: for the cost of programs. It runs nothing, and is
	// used beside this one by another goroutine.
	Planner() Device
}

// Warmer is a device that takes long to compile kernels, and can do so before they are asked for.
type Warmer interface {
	// Warm compiles the kernels of all programs that the planner, which is its own, has compiled: Compile finds them done. The planner
	// may be in use.
	Warm(planner Device) error
}

// Chooser is a device that has several kernels for the same operators and chooses among them when it is first used.
type Chooser interface {
	// Choose takes the kernels of that name (Caps.Variant) for all that is compiled from now on: those that a run began with.
	Choose(variant string) error
}

// Buffer is a tensor in a device's memory.
type Buffer interface {
	Type() tensor.Type
	Release()
}

// Exec is a compiled program. Programs of one device share their temporary memory, so their runs do not overlap.
type Exec interface {
	Cost() Cost
	// Bind gives the program its states. A device may lay a frozen weight out anew; the buffer keeps its values.
	Bind(state map[string]Buffer) error
	// Run feeds the program, runs it, and gives back its outputs. They belong to the program, whose next run writes over them.
	Run(ctx context.Context, feeds map[string]tensor.Host) (map[string]tensor.Host, error)
	Close() error
}

// Caps is what a device can do.
type Caps struct {
	Name         string // as shown to the user and written to the manifest
	Kind         string // "cpu" or "webgpu"
	Threads      int    // of the CPU device
	MemoryBudget int64  // bytes that a run may take; 0 is unknown
	Variant      string // the kernels chosen at start, by name
	HostMemory   bool   // buffers lie in the host's memory, so that nothing is won by keeping something there
	Halves       bool   // frozen F16 and BF16 matrices are kept as they are; a device without it is given them in F32
}

// Cost is known before the first run. Sizes are bytes.
type Cost struct {
	Slots      []int64 // temporary buffers, which the programs of a device share
	Feeds      int64   // buffers filled before every run, and constants
	Workspace  int64   // scratch memory of the kernels, shared by all programs of a device
	FLOPs      int64   // multiplications and additions of one run
	Dispatches int     // nodes that run a kernel; on WebGPU, dispatches of kernels
	// Submissions are pieces that a run is handed over in, 0 where there is no such thing.
	Submissions int
}

// SharedBytes is what the temporaries of programs take together when they share one pool of slots and one workspace.
func SharedBytes(costs ...Cost) (slots, feeds, workspace int64) {
	pool := Pool{}
	for _, c := range costs {
		pool.Fit(c.Slots)
		feeds += c.Feeds
		workspace = max(workspace, c.Workspace)
	}
	for _, s := range pool.Sizes {
		slots += s
	}
	return slots, feeds, workspace
}
