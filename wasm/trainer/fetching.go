//go:build js

package main

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
)

// fetching is Go's transport over the browser's fetch, with bodies that end as they do elsewhere.
type fetching struct{ http.RoundTripper }

// RoundTrip is the method of http.RoundTripper.
func (f fetching) RoundTrip(q *http.Request) (*http.Response, error) {
	a, err := f.RoundTripper.RoundTrip(q)
	if err != nil {
		return a, err
	}
	b := &body{stream: a.Body, ctx: q.Context()}
	b.forget = context.AfterFunc(b.ctx, func() { b.end() })
	a.Body = b
	return a, nil
}

// body is that of an answer. Go's own waits for the next piece though its request's context has ended: a download from a host
// that has stopped sending could not be cancelled.
type body struct {
	stream io.ReadCloser
	ctx    context.Context
	forget func() bool
	ended  atomic.Bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.stream.Read(p)
	if err == nil {
		return n, nil
	}
	// What is at its end is not ended again. Of what has broken the browser would tell on its console, as of an error that nobody
	// handles.
	if b.ended.Swap(true) && b.ctx.Err() != nil {
		err = context.Cause(b.ctx)
	}
	b.forget()
	return n, err
}

func (b *body) Close() error {
	b.forget()
	return b.end()
}

func (b *body) end() error {
	if b.ended.Swap(true) {
		return nil
	}
	return b.stream.Close()
}
