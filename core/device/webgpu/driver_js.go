//go:build js

package webgpu

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"syscall/js"
	"time"
	"unsafe"

	"github.com/cogentcore/webgpu/wgpu"

	"hone/core/device"
)

// browserDriver is the browser's WebGPU, in a page or a dedicated worker. Objects are made through the binding; the
// helper in driver_js.js, a script that is loaded before the program, does the rest.
type browserDriver struct {
	helper js.Value
	about  adapter
	objects
	words []byte // of a program being recorded
}

func openDriver(_ context.Context, realGPU bool) (driver, error) {
	open := js.Global().Get("honeWebGPU")
	if open.Type() != js.TypeFunction {
		return nil, errors.New("webgpu: the script driver_js.js is not loaded beside this program; take the CPU device, or load the script")
	}
	helper, err := await(open.Invoke())
	if err != nil {
		return nil, fmt.Errorf("webgpu: %w; use a browser with WebGPU turned on, or the CPU device", err)
	}
	if realGPU && helper.Get("software").Bool() {
		helper.Get("device").Call("destroy")
		return nil, fmt.Errorf("webgpu: the only adapter, %s, computes on the CPU", helper.Get("name").String())
	}
	dev := wgpu.NewDevice(helper.Get("device"))
	limit := func(name string) int64 { return int64(helper.Get("limits").Get(name).Float()) }
	return &browserDriver{helper: helper, objects: objects{dev: &dev}, about: adapter{
		name:       helper.Get("name").String(),
		software:   helper.Get("software").Bool(),
		maxBuffer:  limit("maxBufferSize"),
		maxBinding: limit("maxStorageBufferBindingSize"),
		alignment:  max(limit("minStorageBufferOffsetAlignment"), limit("minUniformBufferOffsetAlignment"), 16),
		maxStorage: int(limit("maxStorageBuffersPerShaderStage")),
		maxGroups:  int(limit("maxComputeWorkgroupsPerDimension")),
		maxShared:  int(limit("maxComputeWorkgroupStorageSize")),
		features:   strings.Fields(helper.Get("features").String()),
	}}, nil
}

// await blocks this goroutine, and no other, until the promise is settled.
func await(promise js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	settled := make(chan outcome, 1)
	resolve := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{value: args[0]}
		return nil
	})
	defer resolve.Release()
	reject := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{err: errors.New(js.Global().Get("String").Invoke(args[0]).String())}
		return nil
	})
	defer reject.Release()
	promise.Call("then", resolve, reject)
	o := <-settled
	return o.value, o.err
}

// value takes the JavaScript object out of one of the binding's, which in v0.23.0 are struct{ jsValue js.Value }.
func value[T any](object *T) js.Value {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct || t.NumField() != 1 || t.Field(0).Type != reflect.TypeFor[js.Value]() {
		panic("webgpu: " + t.String() + " is not built as in github.com/cogentcore/webgpu v0.23.0")
	}
	return *(*js.Value)(unsafe.Pointer(object))
}

func (d *browserDriver) adapter() adapter { return d.about }

func (d *browserDriver) lost() error { return lostFor(d.helper.Call("lost").String()) }

func lostFor(why string) error {
	if why == "" {
		return nil
	}
	return fmt.Errorf("webgpu: %w: %s", device.ErrLost, why)
}

// orLost gives a failure, or the loss of the device that was its cause: a browser tells of it later than of what fails with it.
func (d *browserDriver) orLost(err error) error {
	if why, awaitErr := await(d.helper.Call("gone")); awaitErr == nil {
		if lost := lostFor(why.String()); lost != nil {
			return lost
		}
	}
	return err
}

// scope catches what WebGPU reports out of band, and the exceptions that syscall/js turns into panics.
func (d *browserDriver) scope(f func() error) error {
	d.helper.Call("push")
	err := caught(f)
	refused, popErr := await(d.helper.Call("pop"))
	switch {
	case err != nil:
		return d.orLost(err)
	case popErr != nil:
		return d.orLost(fmt.Errorf("webgpu: %w", popErr))
	case refused.String() != "":
		if err := d.lost(); err != nil {
			return err
		}
		return fmt.Errorf("webgpu: %s", refused.String())
	}
	return d.lost()
}

func caught(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			thrown, ok := r.(js.Error)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("webgpu: %w", thrown)
		}
	}()
	return f()
}

func (d *browserDriver) createBuffer(label string, bytes int64, u usage) (bufferID, error) {
	id, err := d.objects.createBuffer(label, bytes, u)
	if err == nil {
		d.helper.Call("put", "buffers", int(id), value(d.buffers.get(int32(id)).Buffer))
	}
	return id, err
}

func (d *browserDriver) releaseBuffer(id bufferID) {
	d.objects.releaseBuffer(id)
	d.helper.Call("drop", "buffers", int(id))
}

func (d *browserDriver) createPipeline(label, wgsl string, kinds []access) (pipelineID, error) {
	return d.objects.createPipeline(label, wgsl, kinds, func(id pipelineID, p *gpuPipeline) error {
		d.helper.Call("compile", int(id), label, value(p.module), value(p.pipes))
		return nil
	})
}

func (d *browserDriver) createGroup(p pipelineID, bindings []binding) (groupID, error) {
	id, err := d.objects.createGroup(p, bindings)
	if err == nil {
		d.helper.Call("put", "groups", int(id), value(*d.groups.get(int32(id))))
	}
	return id, err
}

func (d *browserDriver) releaseGroup(id groupID) {
	d.objects.releaseGroup(id)
	d.helper.Call("drop", "groups", int(id))
}

// write goes through one array that is used again and again: a view of Go's own memory breaks when that memory grows.
func (d *browserDriver) write(id bufferID, offset int64, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	b, err := d.buffer(id)
	if err != nil {
		return err
	}
	if offset+int64(len(p)) > b.bytes {
		return fmt.Errorf("webgpu: write of %d bytes at %d into a buffer of %d", len(p), offset, b.bytes)
	}
	js.CopyBytesToJS(d.helper.Call("scratch", len(p)), p)
	return caught(func() error { d.helper.Call("write", int(id), offset, len(p)); return nil })
}

func (d *browserDriver) record(r recording) (programID, error) {
	if err := d.check(&r); err != nil {
		return 0, err
	}
	d.words = d.words[:0]
	for _, c := range r.commands {
		switch c.kind {
		case dispatch:
			d.word(0, int64(c.pipeline), int64(c.group), int64(c.groups[0]), int64(c.groups[1]), int64(c.groups[2]))
		case copyRange:
			d.word(1, int64(c.from.buffer), c.from.offset, int64(c.to.buffer), c.to.offset, c.from.bytes)
		case cut:
			d.word(2)
		}
	}
	id := programID(d.programs.add(r))
	js.CopyBytesToJS(d.helper.Call("scratch", len(d.words)), d.words)
	d.helper.Call("record", int(id), len(d.words))
	return id, nil
}

func (d *browserDriver) word(words ...int64) {
	for _, w := range words {
		if w != int64(uint32(w)) {
			panic("webgpu: a command with a number beyond 32 bits")
		}
		d.words = binary.LittleEndian.AppendUint32(d.words, uint32(w))
	}
}

func (d *browserDriver) forget(id programID) {
	d.programs.take(int32(id))
	d.helper.Call("drop", "programs", int(id))
}

// replay hands all submissions over at once; the context has no say between them.
func (d *browserDriver) replay(_ context.Context, id programID, feed, out []byte) (time.Duration, error) {
	r := d.programs.get(int32(id))
	if r == nil {
		return 0, fmt.Errorf("webgpu: there is no program %d", id)
	}
	if err := d.check(r); err != nil {
		return 0, err
	}
	scratch := d.helper.Call("scratch", max(r.feedLen, r.outLen))
	if r.feedLen > 0 {
		js.CopyBytesToJS(scratch, feed[:r.feedLen])
	}
	failure, err := await(d.helper.Call("replay", int(id), int(r.feed), r.feedLen, int(r.out), r.outLen))
	if err != nil {
		return 0, d.orLost(fmt.Errorf("webgpu: %w", err))
	}
	if why := failure.String(); why != "" {
		return 0, d.orLost(errors.New("webgpu: " + why))
	}
	if r.outLen > 0 {
		js.CopyBytesToGo(out[:r.outLen], scratch)
	}
	return time.Duration(d.helper.Call("longest").Float() * float64(time.Millisecond)), nil
}

func (d *browserDriver) close() error {
	d.objects.release()
	d.helper.Get("device").Call("destroy")
	return nil
}
