package run

import (
	"runtime"
	"runtime/debug"
)

// boundGarbage keeps what the collector lets pile up small beside the run's own memory, so that the plan's figure holds:
// at most about 32 MiB, whatever the size of the weights. Weights have no pointers, so collecting costs little.
func boundGarbage() (restore func()) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	percent := 100
	if live := int64(m.HeapAlloc); live > 32<<20 {
		percent = int(max(1, 100*(32<<20)/live))
	}
	old := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(old) }
}
