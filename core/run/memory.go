package run

import "runtime/debug"

// ownMemory is what a run takes beside its tensors: pages of the program that a run is the first to need, compiled
// programs, the collector's bookkeeping, and what lies about until it is collected.
const ownMemory = 16 << 20

// boundGarbage keeps what the collector lets pile up in a run of the planned size within ownMemory. Weights have no
// pointers, so collecting often costs little. It is called before the weights are brought in, which makes most of it.
func boundGarbage(planned int64) (restore func()) {
	percent := min(100, max(1, 100*ownMemory/max(planned, 1)))
	old := debug.SetGCPercent(int(percent))
	return func() { debug.SetGCPercent(old) }
}
