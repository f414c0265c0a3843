package webgpu

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"syscall/js"
	"testing"

	"github.com/cogentcore/webgpu/wgpu"

	"hone/core/device/devicetest"
	"hone/core/tensor"
	"hone/shaders"
)

// These tests run in a worker of a headless browser: TestBrowserDriver builds and drives them. Many let something fail on a device that is
// there, and would wait a second each time for the word that it is lost.
func init() { js.Global().Get("honeWebGPU").Set("patience", 200) }

// TestValue asks that the objects which the binding keeps to itself are found.
func TestValue(t *testing.T) {
	d := open(t).drv.(*browserDriver)
	id, err := d.createBuffer("test", 16, storage)
	if err != nil {
		t.Fatal(err)
	}
	for want, v := range map[string]string{
		"GPUDevice": value(d.dev).Get("constructor").Get("name").String(),
		"GPUBuffer": value(d.buffers.get(int32(id)).Buffer).Get("constructor").Get("name").String(),
	} {
		if v != want {
			t.Errorf("the object is a %s, want a %s", v, want)
		}
	}
}

// TestGrowingHeap uploads while Go's memory grows, which detaches every view of it that JavaScript holds.
func TestGrowingHeap(t *testing.T) {
	d := open(t)
	var keep [][]byte
	want := make([]byte, 3*chunk+12)
	for i := range want {
		want[i] = byte(i * 7)
	}
	for range 12 {
		keep = append(keep, make([]byte, 8<<20))
		b, err := d.Upload(t.Context(), tensor.Of(tensor.I32, len(want)/4), bytes.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		keep = append(keep, make([]byte, 8<<20))
		var got bytes.Buffer
		if err := d.Download(t.Context(), b, &got); err != nil {
			t.Fatal(err)
		}
		b.Release()
		if !slices.Equal(got.Bytes(), want) {
			t.Fatal("what comes back is not what was sent")
		}
	}
	runtime.KeepAlive(keep)
}

// TestModules has the browser's compiler look at every kernel that the conformance suite uses, in both variants.
func TestModules(t *testing.T) {
	drv := open(t).drv.(*browserDriver)
	look := func(source string) error {
		return drv.scope(func() error {
			m, err := drv.dev.CreateShaderModule(&wgpu.ShaderModuleDescriptor{WGSLDescriptor: &wgpu.ShaderModuleWGSLDescriptor{Code: source}})
			if err == nil {
				m.Release()
			}
			return err
		})
	}
	if look("fn main() { let x: u32 = 1.5; }") == nil {
		t.Error("wrong WGSL is not refused")
	}
	kernels := suiteKernels()
	for _, k := range kernels {
		source, err := shaders.Source(k.shader, k.variant)
		if err == nil {
			err = look(source)
		}
		if err != nil {
			t.Errorf("%s: %v", kernelKey(k), err)
		}
	}
	t.Logf("%d kernels", len(kernels))
}

// TestLost takes the device away under a program.
func TestLost(t *testing.T) {
	d := open(t)
	c := devicetest.Chain()
	if _, err := devicetest.Run(t.Context(), d, c); err != nil {
		t.Fatal(err)
	}
	e, err := d.Compile(t.Context(), c.Graph)
	if err != nil {
		t.Fatal(err)
	}
	d.drv.(*browserDriver).helper.Get("device").Call("destroy")
	if _, err := devicetest.Run(t.Context(), d, c); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("a run on a lost device gives the error %v", err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// TestCompileMessage asks that a kernel which does not compile is told of with its line.
func TestCompileMessage(t *testing.T) {
	d := open(t).drv
	err := d.scope(func() error {
		_, err := d.createPipeline("bad", "@compute @workgroup_size(1)\nfn main() {\n  let x: i32 = 1.5;\n}\n", nil)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "line 3") || !strings.Contains(err.Error(), "let x: i32 = 1.5;") {
		t.Errorf("the error is %v", err)
	}
}
