package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// A run may be said to wait until nothing else does, and the list of runs says so.
func TestPriority(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--priority last", "--remote is missing"},
		{"--priority urgent --remote http://127.0.0.1:1", "there are first, normal and last"},
	} {
		var errs bytes.Buffer
		if status := Run(t.Context(), append(sample(1), strings.Fields(c.args)...), io.Discard, &errs); status != 1 || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%s: status %d, %s", c.args, status, &errs)
		}
	}
	s := startService(t, t.TempDir(), "--workers", "0")
	for priority, want := range map[string]string{"last": "queued, last", "first": "queued, first", "normal": "queued  "} {
		ctx, cancel := context.WithCancel(t.Context())
		var errs bytes.Buffer
		ended := make(chan int, 1)
		go func() {
			ended <- Run(ctx, sample(1, "--remote", s.url, "--priority", priority), io.Discard, &errs)
		}()
		var list bytes.Buffer
		for end := time.Now().Add(20 * time.Second); !strings.Contains(list.String(), want); time.Sleep(20 * time.Millisecond) {
			if list.Reset(); time.Now().After(end) || Run(t.Context(), []string{"runs", "--remote", s.url}, &list, io.Discard) != 0 {
				t.Errorf("no %q in %s", want, &list)
				break
			}
		}
		cancel()
		if status := <-ended; status != 130 {
			t.Errorf("%s: status %d, %s", priority, status, &errs)
		}
	}
}
