package run

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/optim"
	"hone/core/tensor"
)

// source gives the values of a trained tensor or a moment when a run goes on; nil says that it has none of that name.
type source func(name string) (*io.SectionReader, error)

// upload brings weights, trained tensors, gradients and moments to the device: what the run starts with, or what the
// checkpoint that it goes on from holds.
func (j *Job) upload(ctx context.Context, saved source) (map[string]device.Buffer, error) {
	states := map[string]device.Buffer{}
	trained := map[string]bool{}
	for _, p := range j.setup.Trained {
		trained[p.Name] = true
	}
	turned := map[string]bool{} // weights that a model directory holds transposed
	for _, p := range j.Base.Model.Params() {
		turned[p.Name] = p.FanInFanOut
		if trained[p.Name] && saved != nil {
			continue
		}
		b, err := j.Base.Upload(ctx, j.dev, p, j.setup.Storage(p.Name, p.Shape).DType)
		if err != nil {
			return nil, err
		}
		states[p.Name] = b
	}
	put := func(name string, shape tensor.Shape, r io.Reader) error {
		b, err := j.dev.Upload(ctx, tensor.Of(tensor.F32, shape...), r)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", name, err)
		}
		states[name] = b
		return nil
	}
	for name, t := range j.trainer.Windows() {
		if err := put(name, t.Shape, nil); err != nil {
			return nil, err
		}
	}
	if j.lora != nil {
		for _, p := range j.lora.Params() {
			if saved != nil {
				continue
			}
			values := make([]float32, p.Shape.Elements())
			if h, ok := j.adapter[p.Name]; ok {
				copy(values, h.F32)
			} else {
				p.Init(values)
			}
			if err := put(p.Name, p.Shape, littleEndian(values)); err != nil {
				return nil, err
			}
		}
	}
	// goOn brings what the checkpoint holds, or zeros at the beginning.
	goOn := func(name string, shape tensor.Shape, put func(string, tensor.Shape, io.Reader) error) error {
		if saved == nil {
			return put(name, shape, nil)
		}
		at, err := saved(name)
		if err != nil {
			return err
		}
		if turned[name] {
			return put(name, shape, checkpoint.Transposed(at, shape[1], shape[0], 4))
		}
		return put(name, shape, at)
	}
	putMoment := put
	if j.Plan.Paged {
		putMoment = func(name string, shape tensor.Shape, r io.Reader) (err error) {
			states[name], err = device.NewPaged(tensor.Of(tensor.F32, shape...), r)
			return err
		}
	}
	for _, p := range j.setup.Trained {
		if saved != nil {
			if err := goOn(p.Name, p.Shape, put); err != nil {
				return nil, err
			}
		}
		for _, name := range j.setup.Optim.Moments(p.Name) {
			if err := goOn(name, p.Shape, putMoment); err != nil {
				return nil, err
			}
		}
		if err := put(optim.Gradient(p.Name), p.Shape, nil); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// littleEndian reads values as bytes.
func littleEndian(values []float32) io.Reader {
	raw := make([]byte, 4*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
	}
	return bytes.NewReader(raw)
}
