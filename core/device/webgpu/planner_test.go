package webgpu

import (
	"testing"

	"hone/core/device"
	"hone/core/device/devicetest"
)

// counting counts the kernels that a driver is asked to compile.
type counting struct {
	driver
	pipelines int
}

func (c *counting) createPipeline(label, wgsl string, storage []access) (pipelineID, error) {
	c.pipelines++
	return c.driver.createPipeline(label, wgsl, storage)
}

// TestWarm asks that what a planner has compiled is compiled ahead of time, once, and that the program then runs with it.
func TestWarm(t *testing.T) {
	d := open(t)
	d.Caps()
	c := &counting{driver: d.drv}
	d.drv = c
	planner := d.Planner()
	p := devicetest.Chain()
	if _, err := planner.Compile(t.Context(), p.Graph); err != nil {
		t.Fatal(err)
	}
	if c.pipelines != 0 {
		t.Fatalf("the planner compiles %d kernels on the device", c.pipelines)
	}
	for range 2 {
		if err := device.Warmer(d).Warm(planner); err != nil {
			t.Fatal(err)
		}
	}
	warmed := c.pipelines
	if err := devicetest.Check(t.Context(), d, p); err != nil {
		t.Error(err)
	}
	if warmed == 0 || c.pipelines != warmed {
		t.Errorf("%d kernels are compiled ahead of time, and %d when the program is", warmed, c.pipelines-warmed)
	}
}
