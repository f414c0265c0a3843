//go:build !js

package worker_test

import (
	"strings"
	"testing"

	"hone/web/worker/workertest"
)

// TestOPFS runs this package's tests for GOOS=js in a worker.
func TestOPFS(t *testing.T) {
	address := workertest.Serve(t, map[string]string{"worker.test.wasm": workertest.Build(t, "worker.test", "test", "-c", "./web/worker")})
	output, passed := workertest.Start(t).Program(address, "worker.test")
	if !passed || strings.Count(output, "--- PASS: ") < 8 {
		t.Errorf("in the worker:\n%s", output)
	}
	t.Log(output)
}

// TestWebLocks runs core/filelock's tests for GOOS=js in a worker.
func TestWebLocks(t *testing.T) {
	address := workertest.Serve(t, map[string]string{"filelock.test.wasm": workertest.Build(t, "filelock.test", "test", "-c", "./core/filelock")})
	output, passed := workertest.Start(t).Program(address, "filelock.test")
	if !passed || !strings.Contains(output, "--- PASS: TestWebLock") {
		t.Errorf("in the worker:\n%s", output)
	}
}
