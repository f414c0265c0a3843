//go:build soak && linux

package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// figures are what a process takes at a moment.
type figures struct {
	Kept       int64 // by its heap after the last collection, without the blocks of the engine's files
	Blocks     int64 // these: what the engine wrote or read within the last seconds, and the end of each stream, in units of up to 8 MiB
	Goroutines int64
	resident   int64 // of the machine's memory
}

func (f figures) String() string {
	return fmt.Sprintf("%d MiB (heap %.1f, engine's blocks %.1f, %d goroutines)", f.resident>>20, float64(f.Kept)/(1<<20), float64(f.Blocks)/(1<<20), f.Goroutines)
}

// tellFigures names the directory where server and worker, which are this binary, write down their figures.
const tellFigures = "HONE_TEST_FIGURES"

// fine is how many bytes are allocated between two that are looked at: enough for figures to a few hundred kilobytes.
const fine = 8 << 10

func init() {
	dir := os.Getenv(tellFigures)
	if dir == "" || os.Getenv(asCommand) != "1" || len(os.Args) < 2 {
		return
	}
	runtime.MemProfileRate = fine
	path := filepath.Join(dir, os.Args[1]+"-"+strconv.Itoa(os.Getpid()))
	go func() {
		for range time.Tick(time.Second) {
			raw, err := json.Marshal(ownFigures())
			if err == nil {
				if err = os.WriteFile(path+".new", raw, 0o600); err == nil {
					err = os.Rename(path+".new", path)
				}
			}
			if err != nil {
				return // the test is over, and its directory gone
			}
		}
	}()
}

func ownFigures() figures {
	now := figures{Goroutines: int64(runtime.NumGoroutine())}
	var all []runtime.MemProfileRecord
	n, ok := runtime.MemProfile(nil, false)
	for !ok {
		all = make([]runtime.MemProfileRecord, n+100)
		n, ok = runtime.MemProfile(all, false)
	}
	for _, r := range all[:n] {
		count, bytes := float64(r.InUseObjects()), float64(r.InUseBytes())
		if count <= 0 {
			continue
		}
		in := int64(bytes / (1 - math.Exp(-bytes/count/fine))) // small objects stand for those that were not looked at
		block := false
		for frames := runtime.CallersFrames(r.Stack()); ; {
			f, more := frames.Next()
			if _, of, ok := strings.Cut(f.Function, "nats-server/v2/server."); ok && (strings.HasPrefix(of, "(*msgBlock)") || strings.HasPrefix(of, "getMsgBlockBuf") || strings.HasPrefix(of, "init.func")) {
				block = true
			}
			if !more {
				break
			}
		}
		if block {
			now.Blocks += in
		} else {
			now.Kept += in
		}
	}
	return now
}

// readFigures gives those of the processes of one command, together.
func readFigures(t *testing.T, dir, command string) (sum figures) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, command+"-*[0-9]"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		var f figures
		raw, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(raw, &f)
		}
		if err != nil {
			t.Fatal(err)
		}
		sum.Kept, sum.Blocks, sum.Goroutines = sum.Kept+f.Kept, sum.Blocks+f.Blocks, sum.Goroutines+f.Goroutines
		sum.resident += resident(path[strings.LastIndexByte(path, '-')+1:])
	}
	return sum
}

// resident is what a process has of the machine's memory; 0 where it has ended.
func resident(pid string) int64 {
	raw, _ := os.ReadFile(filepath.Join("/proc", pid, "status"))
	for line := range strings.Lines(string(raw)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// median is that of each figure.
func median(all []figures) figures {
	of := func(f func(figures) int64) int64 {
		var list []int64
		for _, x := range all {
			list = append(list, f(x))
		}
		if len(list) == 0 {
			return 0
		}
		slices.Sort(list)
		return list[len(list)/2]
	}
	return figures{of(func(f figures) int64 { return f.Kept }), of(func(f figures) int64 { return f.Blocks }),
		of(func(f figures) int64 { return f.Goroutines }), of(func(f figures) int64 { return f.resident })}
}
