package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/wire"
	"hone/server/jobs"
)

// What runs of others name is fetched as nobody, unless who runs the worker gives them the machine's own token.
func TestWorkerKeepsHubToken(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{{nil, ""}, {[]string{"--hub_token"}, "Bearer hf_secret"}} {
		t.Run(c.want, func(t *testing.T) {
			s := hubWorld(t)
			t.Setenv("HF_TOKEN", "hf_secret")
			engine, err := jobs.Open(t.Context(), jobs.Options{DataDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			id, err := engine.Submit(t.Context(), "ada", wire.Start{Recipe: json.RawMessage(`{"model":"org/secret","dataset":["org/rows"],"max_steps":1}`)})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			ended := make(chan int, 1)
			go func() {
				ended <- Run(ctx, append([]string{"worker", "--nats", engine.Address, "--data_dir", t.TempDir(), "--device", "cpu"}, c.args...), io.Discard, io.Discard)
			}()
			for status := ""; status != jobs.Failed; time.Sleep(20 * time.Millisecond) {
				r, err := engine.Record(ctx, "ada", id)
				if err != nil {
					t.Fatal(err)
				}
				status = r.Status
			}
			cancel()
			<-ended
			asked := s.Requests("org/secret")
			if len(asked) == 0 {
				t.Error("the hub was not asked")
			}
			for _, q := range asked {
				if q.Authorization != c.want {
					t.Errorf("%s is asked for as %q, want %q", q.Path, q.Authorization, c.want)
				}
			}
		})
	}
}

// A worker that does not end when its server does is killed when its time is up, and not before.
func TestStubbornWorkerIsKilled(t *testing.T) {
	t.Setenv(asStubborn, "1")
	const grace = 400 * time.Millisecond
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ended := make(chan error, 1)
	go func() { ended <- oneWorker(ctx, "nats://127.0.0.1:1", t.TempDir(), workerFlags{grace: grace}) }()
	select {
	case err := <-ended:
		t.Fatalf("it ends by itself: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	end()
	began := time.Now()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("it ends with %v", err)
		}
		if took := time.Since(began); took < grace {
			t.Errorf("it is killed after %v", took)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it is not killed")
	}
}

// A lost device is opened again under its name, although another one is all that there is for a while.
func TestReopen(t *testing.T) {
	tries := 0
	dev, err := reopen(t.Context(), "gpu", time.Second, func() (device.Device, error) {
		if tries++; tries == 1 {
			return called{cpu.New(1), "cpu"}, nil
		}
		return called{cpu.New(1), "gpu"}, nil
	})
	if err != nil || tries != 2 || dev.Caps().Name != "gpu" {
		t.Errorf("%v after %d tries", err, tries)
	}
	_, err = reopen(t.Context(), "gpu", time.Millisecond, func() (device.Device, error) { return called{cpu.New(1), "cpu"}, nil })
	if err == nil || !strings.Contains(err.Error(), "in the place of gpu there is only cpu") {
		t.Error(err)
	}
}

// called is a device of some name.
type called struct {
	device.Device
	name string
}

func (c called) Caps() device.Caps { return device.Caps{Name: c.name} }
