// Package cli is the command line: one file a command. A command parses its flags, calls core, and writes for people or,
// where asked, for programs; it computes nothing itself.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/device/webgpu"
	"hone/core/recipe"
)

// env is what a command may touch of the world.
type env struct {
	ctx      context.Context
	out, err io.Writer
}

// command is one command: its flags are parsed by package recipe, so that all commands follow the same rules.
type command struct {
	name, args, short string
	run               func(e env, args []string) error
}

var commands = []command{}

func register(c command) { commands = append(commands, c) }

// Main runs the command line and returns the exit status. The first signal asks a run to save and end; a second one ends
// the process as usual.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Run(ctx, args, os.Stdout, os.Stderr)
}

// Run is Main with its surroundings given: for tests, and for programs that embed the command line.
func Run(ctx context.Context, args []string, out, errOut io.Writer) int {
	e := env{ctx: ctx, out: out, err: errOut}
	root := &cobra.Command{Use: "hone", Short: "Fine-tune small language models where the data is", SilenceUsage: true, SilenceErrors: true}
	for _, c := range commands {
		root.AddCommand(&cobra.Command{Use: c.name + " " + c.args, Short: c.short, DisableFlagParsing: true,
			RunE: func(_ *cobra.Command, args []string) error { return c.run(e, args) }})
	}
	root.SetArgs(args)
	root.SetOut(e.out)
	root.SetErr(e.err)
	if err := root.Execute(); err != nil {
		if errors.Is(err, errInterrupted) {
			return 130
		}
		fmt.Fprintf(e.err, "hone: %v\n", err)
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return 130
		}
		return 1
	}
	return 0
}

// self is how this program was called, for lines that the user can type: bin/hone in a clone, hone where it is installed.
func self() string {
	if name := os.Args[0]; filepath.Base(name) == "hone" {
		return near(name)
	}
	return "hone"
}

// errInterrupted ends a command that the user stopped; it has said all there is to say.
var errInterrupted = errors.New("interrupted")

// openDevice opens the device of that name. auto is WebGPU where a real GPU offers it, otherwise the CPU. variant names
// kernels of WebGPU; auto and nothing leave the choice to the device.
func openDevice(e env, name string, memory int64, variant string) (device.Device, error) {
	o := webgpu.Options{Memory: memory}
	if variant != "auto" {
		o.Variant = variant
	}
	switch name {
	case "cpu":
		if o.Variant != "" {
			return nil, fmt.Errorf("--kernel_variant %s: the choice is among kernels of WebGPU, and --device is cpu; leave one of them out", variant)
		}
		return cpu.New(0), nil
	case "auto":
		o.RealGPU = true
		if d, err := webgpu.Open(e.ctx, o); err == nil {
			return d, nil
		}
		return cpu.New(0), nil
	case "webgpu":
		d, err := webgpu.Open(e.ctx, o)
		if err != nil {
			return nil, fmt.Errorf("--device webgpu: %w; `hone devices` says more, and --device cpu always works", err)
		}
		return d, nil
	}
	return nil, fmt.Errorf("--device %s: there are auto, cpu and webgpu", name)
}

// named lets the errors of flags name them.
func named(flags []recipe.Flag) []recipe.Flag {
	out := slices.Clone(flags)
	for i, f := range out {
		out[i].Set = func(v string) error {
			if err := f.Set(v); err != nil {
				return fmt.Errorf("--%s %s: %w", f.Name, v, err)
			}
			return nil
		}
	}
	return out
}

// parse reads a command's own flags and gives back what stands without a flag before them.
func (e env) parse(args []string, flags []recipe.Flag, usage string) (positional []string, help bool, err error) {
	for len(args) > 0 && (len(args[0]) == 0 || args[0][0] != '-') {
		positional, args = append(positional, args[0]), args[1:]
	}
	var rest []string
	// A directory may also stand behind the flags.
	if n := len(args); n > 2 && args[n-1] != "" && args[n-1][0] != '-' && args[n-2] != "" && args[n-2][0] != '-' {
		rest, args = []string{args[n-1]}, args[:n-1]
	}
	err = recipe.ParseFlags(args, named(flags))
	if errors.Is(err, recipe.ErrHelp) {
		fmt.Fprintln(e.out, "Usage: hone "+usage)
		return nil, true, recipe.HelpFlags(e.out, flags)
	}
	return append(positional, rest...), false, err
}
