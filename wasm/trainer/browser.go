//go:build js

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall/js"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/device/webgpu"
	"hone/core/host"
	"hone/core/recipe"
	"hone/core/wire"
)

// graphics opens devices, and remembers why one of them is not WebGPU.
type graphics struct {
	mu  sync.Mutex
	why string
}

// open opens the device that a recipe asks for. The browser's WebGPU is taken whatever adapter it has: also one that computes on
// the CPU is many times faster than WebAssembly.
func (g *graphics) open(ctx context.Context, r recipe.Recipe) (device.Device, error) {
	if r.Device == "cpu" {
		return cpu.New(0), nil
	}
	o := webgpu.Options{Memory: int64(r.DeviceMemory)}
	if r.KernelVariant != "auto" {
		o.Variant = r.KernelVariant
	}
	dev, err := webgpu.Open(ctx, o)
	why := ""
	if err != nil {
		why = reasonFor(err)
	}
	g.mu.Lock()
	g.why = why
	g.mu.Unlock()
	switch {
	case err == nil:
		return dev, nil
	case r.Device == "webgpu":
		return nil, errors.New(why)
	}
	return cpu.New(0), nil
}

func (g *graphics) reason() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why
}

// reasonFor says why there is no WebGPU, and what helps.
func reasonFor(err error) string {
	switch global := js.Global(); {
	case !global.Get("isSecureContext").Bool():
		return "This page has no WebGPU, because it came over an address that the browser does not trust. Open it over https, or as http://localhost."
	case !global.Get("navigator").Get("gpu").Truthy():
		return "This browser has no WebGPU. Chrome and Edge have it from version 113 on, Safari from 26, Firefox from 141 on Windows; on Linux, Chrome may want chrome://flags/#enable-unsafe-webgpu."
	}
	return fmt.Sprintf("This browser's WebGPU offers no graphics card (%v). Turn on hardware acceleration in the browser's settings, bring the driver up to date, or look at chrome://gpu for the cause.", err)
}

// settled waits for a promise.
func settled(promise js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	done := make(chan outcome, 1)
	resolve := js.FuncOf(func(_ js.Value, args []js.Value) any { done <- outcome{value: args[0]}; return nil })
	defer resolve.Release()
	reject := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- outcome{err: errors.New(js.Global().Get("String").Invoke(args[0]).String())}
		return nil
	})
	defer reject.Release()
	promise.Call("then", resolve, reject)
	o := <-done
	return o.value, o.err
}

// storage is what the browser says of the space for files.
func storage(context.Context) wire.Storage {
	var s wire.Storage
	manager := js.Global().Get("navigator").Get("storage")
	if e, err := settled(manager.Call("estimate")); err == nil {
		number := func(name string) int64 {
			if v := e.Get(name); v.Type() == js.TypeNumber {
				return int64(v.Float())
			}
			return 0
		}
		s.Used, s.Quota = number("usage"), number("quota")
	}
	if p, err := settled(manager.Call("persisted")); err == nil {
		s.Persistent = p.Truthy()
	}
	return s
}

// bundle is what lies beside the worker: a list of files with their hashes, and the files.
func bundle() host.Bundle {
	var mu sync.Mutex
	var list []wire.Blob
	open := func(ctx context.Context, path string) (io.ReadCloser, error) {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, address("bundle/"+path), nil)
		if err != nil {
			return nil, err
		}
		answer, err := http.DefaultClient.Do(q)
		if err != nil {
			return nil, err
		}
		if answer.StatusCode != http.StatusOK {
			answer.Body.Close()
			return nil, fmt.Errorf("the server says %s", answer.Status)
		}
		return answer.Body, nil
	}
	return host.Bundle{
		Open: open,
		Files: func(ctx context.Context) ([]wire.Blob, error) {
			mu.Lock()
			defer mu.Unlock()
			if list != nil {
				return list, nil
			}
			if text, err := settled(js.Global().Get("manifest")); err == nil && text.String() != "" {
				return list, json.Unmarshal([]byte(text.String()), &list)
			}
			body, err := open(ctx, "manifest.json")
			if err != nil {
				return nil, err
			}
			defer body.Close()
			return list, json.NewDecoder(body).Decode(&list)
		},
	}
}
