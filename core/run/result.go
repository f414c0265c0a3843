package run

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"hone/core/train"
	"hone/core/wire"
)

// checkResult says loudly when an adapter has learnt nothing: B still zero, or answers equal to the base's.
func (s *session) checkResult(ctx context.Context) {
	j := s.j
	if j.lora == nil || s.loop.step == 0 {
		return
	}
	zero := 0
	var layers []string
	for _, p := range j.lora.Params() {
		if !strings.Contains(p.Name, ".lora_B.") {
			continue
		}
		layers = append(layers, p.Name)
		var buf bytes.Buffer
		if err := s.dev.Download(ctx, s.states[p.Name], &buf); err != nil {
			s.sink(wire.Warning{Text: fmt.Sprintf("the adapter could not be looked at: %v", err)})
			return
		}
		if isZero(buf.Bytes()) {
			zero++
		}
	}
	switch {
	case zero == len(layers):
		s.sink(wire.Warning{Text: "THE ADAPTER DOES NOTHING: every lora_B is still zero. Was the learning rate 0?"})
		return
	case zero > 0:
		s.sink(wire.Warning{Text: fmt.Sprintf("%d of %d layers have an adapter that does nothing: their lora_B is still zero", zero, len(layers))})
	}
	base, tuned, err := s.compareLoss(ctx)
	switch {
	case err != nil:
		s.sink(wire.Warning{Text: fmt.Sprintf("base and tuned model could not be compared: %v", err)})
	case base == tuned:
		s.sink(wire.Warning{Text: "THE ADAPTER CHANGES NOTHING: on the first rows the loss of the tuned model equals the base's to the last bit"})
	}
}

// isZero looks at little-endian float32 values; -0 is zero too.
func isZero(raw []byte) bool {
	for i := 0; i+4 <= len(raw); i += 4 {
		if binary.LittleEndian.Uint32(raw[i:])&^(1<<31) != 0 {
			return false
		}
	}
	return true
}

// compareLoss measures the first micro-batch with the adapter and without.
func (s *session) compareLoss(ctx context.Context) (base, tuned float64, err error) {
	j := s.j
	b := j.loader.At(0, 0)
	for i, tuner := range []bool{false, true} {
		setup := *j.setup
		if !tuner {
			setup.Tuner = nil
		}
		g, err := setup.Evaluate(train.Shape{Rows: b.Rows, Length: b.Length})
		if err != nil {
			return 0, 0, err
		}
		e, err := s.dev.Compile(ctx, g)
		if err != nil {
			return 0, 0, err
		}
		defer e.Close()
		if err := e.Bind(s.states); err != nil {
			return 0, 0, err
		}
		out, err := e.Run(ctx, train.Feeds(b))
		if err != nil {
			return 0, 0, err
		}
		*[]*float64{&base, &tuned}[i] = float64(out["loss"].F32[0])
	}
	return base, tuned, nil
}
