//go:build !js

package cpu_test

import (
	"testing"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/device/devicetest"
)

func TestConformance(t *testing.T) {
	devicetest.Suite(t, func() device.Device { return cpu.New(0) })
}
