//go:build !js && !cgo

package webgpu

import (
	"context"
	"errors"
)

func openDriver(context.Context, bool) (driver, error) {
	return nil, errors.New("webgpu: this binary was built without cgo, which the native WebGPU binding needs; build with CGO_ENABLED=1 and a C compiler, or use the CPU device")
}
