package data

import (
	"context"
	"runtime"
	"sync"
)

// inOrder hands what produce sends to work, on all processors at once, and its results to collect, in the order in which they
// were sent. The first error in this order ends everything; so does ctx. Only a few jobs are under way at any time.
func inOrder[J, R any](ctx context.Context, produce func(send func(J) error) error, work func(J) R, collect func(R) error) error {
	inner, cancel := context.WithCancel(ctx)
	type slot struct {
		job    J
		result chan R
	}
	workers := runtime.GOMAXPROCS(0)
	jobs, queue := make(chan slot), make(chan chan R, workers+1)
	var produced error
	var all sync.WaitGroup
	all.Go(func() {
		defer close(queue)
		defer close(jobs)
		produced = produce(func(j J) error {
			s := slot{j, make(chan R, 1)}
			select {
			case jobs <- s:
			case <-inner.Done():
				return inner.Err()
			}
			select {
			case queue <- s.result:
			case <-inner.Done():
				return inner.Err()
			}
			return nil
		})
	})
	for range workers {
		all.Go(func() {
			for s := range jobs {
				s.result <- work(s.job)
			}
		})
	}
	defer func() {
		cancel()
		for range queue { // lets the producer end
		}
		all.Wait()
	}()
	for result := range queue {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := collect(<-result); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return produced
}
