package train

import (
	"context"

	"hone/core/device"
	"hone/core/tensor"
)

// update is what ends an optimiser step.
type update interface {
	programs() []device.Exec
	bind(s *Setup, states map[string]device.Buffer) error
	// run is fed the number of tokens [1] and the rates [3], and gives the norm of the mean gradient.
	run(ctx context.Context, tokens, rates tensor.Host) (gradNorm float64, err error)
	close()
}

// residentUpdate is one program, with all moments on the device.
type residentUpdate struct{ device.Exec }

func (u residentUpdate) programs() []device.Exec { return []device.Exec{u.Exec} }

func (u residentUpdate) bind(_ *Setup, states map[string]device.Buffer) error { return u.Bind(states) }

func (u residentUpdate) run(ctx context.Context, tokens, rates tensor.Host) (float64, error) {
	out, err := u.Run(ctx, map[string]tensor.Host{"tokens": tokens, "rates": rates})
	if err != nil {
		return 0, err
	}
	return float64(out["grad_norm"].F32[0]), nil
}

func (u residentUpdate) close() { u.Close() }
