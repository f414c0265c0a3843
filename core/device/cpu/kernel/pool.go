package kernel

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Pool runs jobs on a fixed number of workers; the calling goroutine is worker 0.
type Pool struct {
	// Rest, if it is set, is called between the pieces of a job by a pool without further workers, so that the job does not hold up
	// whatever else its one thread has to do.
	Rest func()

	mu      sync.Mutex // one job at a time
	workers []*worker
	scratch [][]float32
	stop    bool
	exited  sync.WaitGroup

	// The job in progress; a worker reads it only while it is running.
	task  task
	units int
	chunk int
	next  atomic.Int64

	gemm gemmJob
	attn attnJob
}

// worker is a goroutine's side of the pool. Who changes state does so by compare-and-swap:
//
//	waiting → called  by the job's owner, who also sends on wake if it was parked
//	waiting → parked  by the worker, which then receives from wake
//	called  → running by the worker
//	called  → waiting by the owner, who has found all units taken: a worker that is late must not hold up a short job
//	running → awaited by the owner, who then receives from finished
//	running or awaited → waiting by the worker, which sends on finished if it was awaited
type worker struct {
	state          atomic.Int32
	wake, finished chan struct{}
}

const (
	waiting int32 = iota
	parked
	called
	running
	awaited
)

// task is what a job does to a range of its units. Its implementations are fields of Pool or function values, so that starting
// a job allocates nothing.
type task interface {
	do(p *Pool, worker, lo, hi int)
}

type funcTask func(worker, lo, hi int)

func (f funcTask) do(_ *Pool, worker, lo, hi int) { f(worker, lo, hi) }

// NewPool starts n workers (at least one: the caller itself). Close ends them.
func NewPool(n int) *Pool {
	n = max(n, 1)
	p := &Pool{scratch: make([][]float32, n)}
	for i := 1; i < n; i++ {
		w := &worker{wake: make(chan struct{}, 1), finished: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		p.exited.Add(1)
		go p.loop(w, i)
	}
	return p
}

// Workers is the number of workers, the caller included.
func (p *Pool) Workers() int { return len(p.scratch) }

// Close ends the workers. The pool cannot be used afterwards.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop {
		return
	}
	p.stop = true
	p.call()
	p.exited.Wait()
}

// Reserve makes every worker's scratch at least n floats long, so that jobs needing no more allocate nothing.
func (p *Pool) Reserve(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserve(n)
}

func (p *Pool) reserve(n int) {
	for i := range p.scratch {
		if len(p.scratch[i]) < n {
			p.scratch[i] = make([]float32, n)
		}
	}
}

// ScratchFloats is the scratch held now, all workers together, in floats.
func (p *Pool) ScratchFloats() int {
	n := 0
	for _, s := range p.scratch {
		n += len(s)
	}
	return n
}

// Run calls f over pieces [lo, hi) that together cover [0, units), on all workers at once, and returns when all are done.
// Which worker gets which piece changes from run to run: f must write only what belongs to its units.
func (p *Pool) Run(units int, f func(worker, lo, hi int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run(units, max(1, units/(8*p.Workers())), funcTask(f))
}

// RunCoarse is Run with pieces of at least so many units; a job that is no larger runs on the caller's goroutine alone. It is for
// loops that are quick beside the time that it takes to hand a piece to another worker.
func (p *Pool) RunCoarse(units, least int, f func(worker, lo, hi int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run(units, max(1, least, units/(8*p.Workers())), funcTask(f))
}

// run hands units out in pieces of chunk; the caller holds mu.
func (p *Pool) run(units, chunk int, t task) {
	if units <= 0 {
		return
	}
	if p.stop {
		panic("kernel: job on a closed Pool")
	}
	if len(p.workers) == 0 && p.Rest != nil {
		for lo := 0; lo < units; lo += chunk {
			t.do(p, 0, lo, min(lo+chunk, units))
			p.Rest()
		}
		return
	}
	if len(p.workers) == 0 || units <= chunk {
		t.do(p, 0, 0, units)
		return
	}
	p.task, p.units, p.chunk = t, units, chunk
	p.next.Store(0)
	p.call()
	p.claim(0)
	for _, w := range p.workers {
		w.await()
	}
	p.task = nil
}

// call shows the workers a new job, waking those that sleep.
func (p *Pool) call() {
	for _, w := range p.workers {
		for !w.state.CompareAndSwap(waiting, called) {
			if w.state.CompareAndSwap(parked, called) {
				w.wake <- struct{}{}
				break
			}
		}
	}
}

// await returns when the worker no longer takes part in the job.
func (w *worker) await() {
	if w.state.CompareAndSwap(called, waiting) {
		return
	}
	for range spins {
		if w.state.Load() != running {
			return
		}
	}
	if w.state.CompareAndSwap(running, awaited) {
		<-w.finished
	}
}

func (p *Pool) claim(worker int) {
	for {
		lo := int(p.next.Add(int64(p.chunk))) - p.chunk
		if lo >= p.units {
			return
		}
		p.task.do(p, worker, lo, min(lo+p.chunk, p.units))
	}
}

// spins is how often a worker looks for the next job before it sleeps: some tens of microseconds, longer than the gap between
// two operators of a step and far shorter than anything a user notices.
const spins = 20_000

func (p *Pool) loop(w *worker, id int) {
	defer p.exited.Done()
	for {
		for i := 0; i < spins && w.state.Load() == waiting; i++ {
		}
		if w.state.CompareAndSwap(waiting, parked) {
			<-w.wake
		}
		if !w.state.CompareAndSwap(called, running) {
			continue
		}
		if p.stop {
			return
		}
		p.claim(id)
		if w.state.Swap(waiting) == awaited {
			w.finished <- struct{}{}
		}
	}
}

func mustHave(what string, have, need int) {
	if have < need {
		panic(fmt.Sprintf("kernel: %s has %d elements, needs %d", what, have, need))
	}
}
