package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"hone/core/device/cpu"
	"hone/core/device/webgpu"
)

func init() {
	register(command{name: "devices", args: "", short: "What this machine computes on, with limits and measured speeds", run: devices})
}

func devices(e env, args []string) error {
	if positional, help, err := e.parse(args, nil, "devices"); err != nil || help {
		return err
	} else if len(positional) > 0 {
		return fmt.Errorf("devices: %q is not understood; it takes no arguments", positional[0])
	}
	host := cpu.New(0)
	defer host.Close()
	c := host.Caps()
	fmt.Fprintf(e.out, "cpu\n  %s, kernels %s\n\n", c.Name, c.Variant)

	d, err := webgpu.Open(e.ctx, webgpu.Options{})
	if err != nil {
		fmt.Fprintf(e.out, "webgpu\n  not available: %v\n", err)
		return nil // that a machine has none is no failure of this command
	}
	defer d.Close()
	for i, a := range d.Adapters() {
		kind, used := "GPU", ""
		if a.Software {
			kind = "computes on the CPU"
		}
		if i == 0 {
			used = "; --device webgpu takes this one"
			if a.Software {
				used += ", --device auto the cpu"
			}
		}
		fmt.Fprintf(e.out, "webgpu\n  %s (%s%s)\n", a.Name, kind, used)
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		for _, l := range a.Limits {
			fmt.Fprintf(w, "    %s\t%d\n", l.Name, l.Value)
		}
		w.Flush()
		fmt.Fprintf(e.out, "    features: %s\n", strings.Join(a.Features, ", "))
	}
	m, err := d.Measure(e.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.out, "  measured on %s: %.1f GFLOP/s of multiply-adds, %.1f GB/s of copying; kernels %s\n", d.Caps().Name, m.FLOPs/1e9, m.Bytes/1e9, d.Caps().Variant)
	return nil
}
