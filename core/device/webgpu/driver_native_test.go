//go:build !js && cgo

package webgpu

import (
	"bytes"
	"runtime/debug"
	"sync"
	"testing"

	"hone/core/device/devicetest"
	"hone/core/tensor"
)

// TestCollector reads back many times while other goroutines keep the garbage collector busy: a collection between
// MapAsync and its callback would end the process.
func TestCollector(t *testing.T) {
	d := open(t)
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range 2 {
		busy.Go(func() {
			var keep [][]byte
			for {
				select {
				case <-stop:
					return
				default:
					keep = append(keep, make([]byte, 4096))
					if len(keep) > 2000 {
						keep = nil
					}
				}
			}
		})
	}
	b, err := d.Upload(t.Context(), tensor.Of(tensor.F32, 4), bytes.NewReader(make([]byte, 16)))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	for range 100 {
		var out bytes.Buffer
		if err := d.Download(t.Context(), b, &out); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	busy.Wait()
	if got := debug.SetGCPercent(10); got != 10 {
		t.Errorf("the collector is left at %d percent, was at 10", got)
	}
}

// TestReleases asks that a program leaves nothing behind but pipelines and shared temporaries.
func TestReleases(t *testing.T) {
	d := open(t)
	n := d.drv.(*nativeDriver)
	live := func() [3]int {
		return [3]int{len(n.buffers.items), len(n.groups.items), len(n.programs.items)}
	}
	var before [3]int
	for i := range 4 {
		if _, err := devicetest.Run(t.Context(), d, devicetest.Chain()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			before = live()
		} else if got := live(); got != before {
			t.Errorf("after run %d: %v live buffers, groups and programs, were %v", i, got, before)
		}
	}
}
