package webgpu

import (
	"os"
	"testing"
)

// open opens the adapter; without one the test is skipped, or fails where the environment promises one.
func open(t testing.TB) *Device {
	t.Helper()
	d, err := Open(t.Context(), Options{})
	if err != nil {
		absent(t, err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// absent ends a test for want of a piece of the environment.
func absent(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("HONE_REQUIRE_WEBGPU") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}
