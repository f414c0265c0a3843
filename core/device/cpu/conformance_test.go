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

func TestModelCases(t *testing.T) {
	d := cpu.New(0)
	defer d.Close()
	for _, c := range devicetest.ModelCases() {
		t.Run(c.Name, func(t *testing.T) {
			if err := devicetest.Check(t.Context(), d, c); err != nil {
				t.Errorf("%v\n%v", err, c.Graph)
			}
		})
	}
}
