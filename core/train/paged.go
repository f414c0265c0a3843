package train

import (
	"context"
	"fmt"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/optim"
	"hone/core/tensor"
)

// pagedUpdate ends a step with the moments of one layer at a time on the device: the norm of all gradients first, then layer
// by layer the moments in, the update, the moments out. It runs the operators of the resident update on the same numbers in
// the same order, so that its results are the same bits.
type pagedUpdate struct {
	dev     device.Device
	clip    device.Exec
	layers  []pagedLayer
	windows optim.Windows
}

type pagedLayer struct {
	update device.Exec
	moves  []move
}

// move is a moment and where it stands during its layer's update.
type move struct {
	moment *device.Paged
	window device.Buffer
}

// Page makes the trainer keep its moments in the host's memory, if its settings speak of that; it is called before Bind, which
// then wants moments that are device.Paged and the states that Windows names.
func (t *Trainer) Page(ctx context.Context) error {
	s := t.setup
	u := &pagedUpdate{dev: t.dev, windows: s.Optim.WindowsOf(s.Trained)}
	compile := func(trace func(b *ir.Builder)) (device.Exec, error) {
		g, err := ir.Trace(trace)
		if err != nil {
			return nil, err
		}
		return t.dev.Compile(ctx, g)
	}
	var err error
	if u.clip, err = compile(func(b *ir.Builder) { optim.Clip(b, s.Trained, s.Optim) }); err != nil {
		return err
	}
	for _, params := range optim.Layers(s.Trained) {
		e, err := compile(func(b *ir.Builder) { optim.Update(b, params, s.Optim) })
		if err != nil {
			u.close()
			return err
		}
		u.layers = append(u.layers, pagedLayer{update: e})
	}
	t.apply.close()
	t.apply = u
	return nil
}

// Windows are the states beside weights, gradients and moments that a trainer needs which pages; none for another.
func (t *Trainer) Windows() map[string]tensor.Type {
	if u, ok := t.apply.(*pagedUpdate); ok {
		return u.windows.Types
	}
	return nil
}

func (u *pagedUpdate) programs() []device.Exec {
	list := []device.Exec{u.clip}
	for _, l := range u.layers {
		list = append(list, l.update)
	}
	return list
}

func (u *pagedUpdate) close() {
	for _, e := range u.programs() {
		e.Close()
	}
}

func (u *pagedUpdate) bind(s *Setup, states map[string]device.Buffer) error {
	if err := u.clip.Bind(states); err != nil {
		return err
	}
	for i, params := range optim.Layers(s.Trained) {
		l := &u.layers[i]
		l.moves = nil
		bound := map[string]device.Buffer{}
		for _, p := range params {
			bound[p.Name], bound[optim.Gradient(p.Name)] = states[p.Name], states[optim.Gradient(p.Name)]
			for _, name := range s.Optim.Moments(p.Name) {
				moment, ok := states[name].(*device.Paged)
				if !ok {
					return fmt.Errorf("train: moment %s should wait in the host's memory (it is %T)", name, states[name])
				}
				bound[name] = states[u.windows.Of[name]]
				l.moves = append(l.moves, move{moment, bound[name]})
			}
		}
		if err := l.update.Bind(bound); err != nil {
			return err
		}
	}
	return nil
}

func (u *pagedUpdate) run(ctx context.Context, tokens, rates tensor.Host) (gradNorm float64, err error) {
	out, err := u.clip.Run(ctx, map[string]tensor.Host{"tokens": tokens})
	if err != nil {
		return 0, err
	}
	feeds := map[string]tensor.Host{"factor": out["factor"], "rates": rates}
	for _, l := range u.layers {
		for _, m := range l.moves {
			if err := m.moment.PageIn(ctx, u.dev, m.window); err != nil {
				return 0, err
			}
		}
		if _, err := l.update.Run(ctx, feeds); err != nil {
			return 0, err
		}
		for _, m := range l.moves {
			if err := m.moment.PageOut(ctx, u.dev, m.window); err != nil {
				return 0, err
			}
		}
	}
	return float64(out["grad_norm"].F32[0]), nil
}
