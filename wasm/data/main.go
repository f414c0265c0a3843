//go:build js

// Command data turns a table, CSV or Parquet, into JSONL for the page. It runs in a worker of its own beside web/worker/data.js,
// which reads the file and keeps what comes out: neither is ever whole in this program's memory.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"syscall/js"

	"hone/core/table"
)

func main() {
	file := js.Global().Get("table") // what data.js has: name, encoding, size, read, write, progress, done, failed
	in := &source{file: file, size: int64(file.Get("size").Float())}
	o := table.Options{Encoding: file.Get("encoding").String(), Progress: func(rows int, done, total int64) {
		file.Call("progress", rows, done, total)
	}}
	result, err := table.Convert(context.Background(), file.Get("name").String(), in, in.size, sink{file}, o)
	if err != nil {
		file.Call("failed", err.Error())
		return
	}
	text, err := json.Marshal(result)
	if err != nil {
		panic(err) // strings and numbers
	}
	file.Call("done", string(text))
}

// block is how much of the file is fetched at once.
const block = 1 << 20

// source reads a Blob of the browser through a window that moves over it.
type source struct {
	file  js.Value
	size  int64
	start int64 // of the window
	held  []byte
}

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		at := off + int64(n)
		if at >= s.size {
			return n, io.EOF
		}
		if at < s.start || at >= s.start+int64(len(s.held)) {
			if err := s.fetch(at); err != nil {
				return n, err
			}
		}
		n += copy(p[n:], s.held[at-s.start:])
	}
	return n, nil
}

func (s *source) fetch(at int64) (err error) {
	defer func() { // syscall/js panics with what JavaScript throws
		if r := recover(); r != nil {
			thrown, ok := r.(js.Error)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("the file cannot be read any more (was it changed or moved?): %w", thrown)
		}
	}()
	bytes := s.file.Call("read", at, min(block, s.size-at))
	if cap(s.held) < block {
		s.held = make([]byte, block)
	}
	s.start, s.held = at, s.held[:js.CopyBytesToGo(s.held[:block], bytes)]
	if len(s.held) == 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// sink hands what is written to the browser.
type sink struct{ file js.Value }

func (s sink) Write(p []byte) (int, error) {
	bytes := js.Global().Get("Uint8Array").New(len(p))
	js.CopyBytesToJS(bytes, p)
	s.file.Call("write", bytes)
	return len(p), nil
}
