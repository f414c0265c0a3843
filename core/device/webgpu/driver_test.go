package webgpu

import (
	"context"
	"strings"
	"testing"
	"time"
)

const doubleSource = `
@group(0) @binding(0) var<uniform> p: vec4u;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read_write> b: array<u32>;
@compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) { b[id.x] = 2u * a[id.x] + p.x; }`

// TestDriverErrors asks every mistake for an error, and for a driver that goes on working after it.
func TestDriverErrors(t *testing.T) {
	d := open(t).drv
	double := pipelineID(0)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(d.scope(func() (err error) {
		double, err = d.createPipeline("double", doubleSource, []access{reads, writes})
		return err
	}))
	buffer := func(bytes int64, u usage) (id bufferID) {
		t.Helper()
		must(d.scope(func() (err error) {
			id, err = d.createBuffer("test", bytes, u)
			return err
		}))
		return id
	}
	in, out, params, back := buffer(64, storage), buffer(64, storage), buffer(16, uniform), buffer(64, readback)
	good := []binding{{params, 0, 16}, {in, 0, 64}, {out, 0, 64}}
	gone := buffer(64, storage)
	d.releaseBuffer(gone)
	d.releaseBuffer(gone) // harmless

	for name, c := range map[string]struct {
		want string
		f    func() error
	}{
		"WGSL that does not parse": {"", func() error {
			_, err := d.createPipeline("bad", "fn main( {", nil)
			return err
		}},
		"no entry point": {"", func() error {
			_, err := d.createPipeline("bad", "fn other() {}", nil)
			return err
		}},
		"a layout that is not the kernel's": {"", func() error {
			_, err := d.createPipeline("bad", doubleSource, []access{reads, reads})
			return err
		}},
		"a buffer beyond the limit": {"", func() error {
			_, err := d.createBuffer("huge", d.adapter().maxBuffer+4096, storage)
			return err
		}},
		"a bind group over a range that is too long": {"", func() error {
			_, err := d.createGroup(double, []binding{good[0], good[1], {out, 0, 128}})
			return err
		}},
		"a bind group over too few buffers": {"", func() error {
			_, err := d.createGroup(double, good[:2])
			return err
		}},
		"a bind group over a released buffer": {"after its release", func() error {
			_, err := d.createGroup(double, []binding{good[0], good[1], {gone, 0, 64}})
			return err
		}},
		"a bind group of no pipeline": {"no pipeline", func() error {
			_, err := d.createGroup(99, good)
			return err
		}},
		"a write to a released buffer": {"after its release", func() error { return d.write(gone, 0, make([]byte, 4)) }},
		"a write beyond the end":       {"", func() error { return d.write(in, 32, make([]byte, 64)) }},
		"a program over a released buffer": {"after its release", func() error {
			_, err := d.record(recording{commands: []command{{kind: copyRange, from: binding{gone, 0, 4}, to: binding{out, 0, 4}}}})
			return err
		}},
		"a program that was forgotten": {"no program", func() error { return second(d.replay(context.Background(), 99, nil, nil)) }},
	} {
		err := d.scope(c.f)
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, which should say %q", name, err, c.want)
		}
	}

	// A copy beyond the end is found when the program is replayed.
	bad, err := d.record(recording{commands: []command{{kind: copyRange, from: binding{in, 0, 128}, to: binding{out, 0, 128}}}})
	must(err)
	if _, err := d.replay(context.Background(), bad, nil, nil); err == nil {
		t.Error("a copy beyond the end of a buffer gives no error")
	}

	// After all this the driver works.
	must(d.write(in, 0, []byte{1, 0, 0, 0, 2, 0, 0, 0}))
	must(d.write(params, 0, append([]byte{5}, make([]byte, 15)...)))
	var group groupID
	must(d.scope(func() (err error) {
		group, err = d.createGroup(double, good)
		return err
	}))
	program, err := d.record(recording{
		commands: []command{
			{kind: dispatch, pipeline: double, group: group, groups: [3]uint32{2, 1, 1}},
			{kind: cut},
			{kind: copyRange, from: binding{out, 0, 8}, to: binding{back, 8, 8}},
		},
		out: back, outLen: 16,
	})
	must(err)
	got := make([]byte, 16)
	must(second(d.replay(context.Background(), program, nil, got)))
	if string(got) != "\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x09\x00\x00\x00" {
		t.Errorf("replay gives %v", got)
	}
	d.releaseGroup(group)
	if _, err := d.replay(context.Background(), program, nil, got); err == nil {
		t.Error("a program runs whose bind group is released")
	}
	if err := d.lost(); err != nil {
		t.Errorf("after errors: %v", err)
	}
}

func second(_ time.Duration, err error) error { return err }
