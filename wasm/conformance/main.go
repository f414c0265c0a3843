//go:build js

// Command conformance runs a program that it is sent on the browser's WebGPU and on the CPU device, and the devices'
// conformance suite beside it. It is the proof that the graph, the device and the driver fit together in a dedicated
// worker; the test that drives it is core/device/webgpu/browser_test.go.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall/js"
	"time"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/device/devicetest"
	"hone/core/device/webgpu"
)

// report is what the page gets.
type report struct {
	Error    string                        `json:"error,omitempty"`
	Devices  []string                      `json:"devices"`
	Results  map[string]devicetest.Results `json:"results"` // of the program sent, by kind of device
	Cases    int                           `json:"cases"`   // of the suite, on each device
	Failures []string                      `json:"failures"`
	Seconds  map[string]float64            `json:"seconds"`  // of the suite, by kind of device
	Measured map[string]float64            `json:"measured"` // a product of 512×512×512, a replay of the program
}

func main() {
	r := &report{Results: map[string]devicetest.Results{}, Seconds: map[string]float64{}, Measured: map[string]float64{}}
	if err := r.fill(context.Background()); err != nil {
		r.Error = err.Error()
	}
	text, err := json.Marshal(r)
	if err != nil {
		text, _ = json.Marshal(report{Error: err.Error()})
	}
	js.Global().Call("postMessage", string(text))
	select {} // a timer that fires after main has returned would be an uncaught error in the worker
}

func (r *report) fill(ctx context.Context) error {
	var sent devicetest.Case
	if err := json.Unmarshal([]byte(js.Global().Get("sent").String()), &sent); err != nil {
		return fmt.Errorf("the program sent: %w", err)
	}
	gpu, err := webgpu.Open(ctx, webgpu.Options{})
	if err != nil {
		return err
	}
	defer gpu.Close()
	host := cpu.New(0)
	defer host.Close()
	for _, d := range []device.Device{gpu, host} {
		kind := d.Caps().Kind
		r.Devices = append(r.Devices, d.Caps().Name)
		if r.Results[kind], err = devicetest.Run(ctx, d, sent); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		start := time.Now()
		cases := devicetest.Cases()
		for _, c := range cases {
			if err := devicetest.Check(ctx, d, c); err != nil {
				r.Failures = append(r.Failures, fmt.Sprintf("%s: %s: %v", kind, c.Name, err))
			}
		}
		r.Cases, r.Seconds[kind] = len(cases), time.Since(start).Seconds()
		if err := r.measure(ctx, d, sent); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

func (r *report) measure(ctx context.Context, d device.Device, sent devicetest.Case) error {
	kind := d.Caps().Kind
	took, err := devicetest.Time(ctx, d, devicetest.Square(512), 3)
	if err != nil {
		return err
	}
	r.Measured[kind+" GFLOP/s"] = 2 * 512 * 512 * 512 / took.Seconds() / 1e9
	if took, err = devicetest.Time(ctx, d, sent, 20); err != nil {
		return err
	}
	r.Measured[kind+" ms a run"] = took.Seconds() * 1e3
	return nil
}
