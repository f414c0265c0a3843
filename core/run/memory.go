package run

import (
	"runtime/debug"

	"hone/core/device"
)

// ownMemory is what any run takes beside its tensors: pages of the program that a run is the first to need, the
// collector's bookkeeping, and what lies about until it is collected.
const ownMemory = 14 << 20

// What grows with the run, as measured: a node of a compiled program with its operands, and the part of the tensors'
// memory by which the collector, which counts in whole percent of it, lets the rest grow and be kept.
const (
	nodeMemory     = 2 << 10
	garbagePercent = 3
)

// programMemory is what a run takes beside tensors of so many bytes.
func programMemory(tensors int64, costs []device.Cost) int64 {
	nodes := 0
	for _, c := range costs {
		nodes += c.Dispatches
	}
	return ownMemory + nodeMemory*int64(nodes) + tensors/100*garbagePercent
}

// boundGarbage keeps what the collector lets pile up in a run of the planned size within what the plan has for it. Weights have no
// pointers, so collecting often costs little. It is called before the weights are brought in, which makes most of it.
func boundGarbage(planned int64) (restore func()) {
	percent := min(100, max(1, 100*ownMemory/max(planned, 1)))
	old := debug.SetGCPercent(int(percent))
	return func() { debug.SetGCPercent(old) }
}
