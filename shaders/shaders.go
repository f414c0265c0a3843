// Package shaders holds the kernels of the WebGPU devices, one WGSL file an operator, and the small preprocessor that
// makes their variants: shared parts are imported, alternatives are chosen by flags, and tile and workgroup sizes come
// from a generated header of constants (override constants are out of reach of the Go binding).
//
// The WGSL here keeps to what every implementation in use accepts: f32, u32, no subgroups, no f16, no constant
// expressions in array sizes. Shapes are in the uniform at binding 0, so one pipeline serves all of them.
package shaders

import "embed"

//go:embed *.wgsl
var files embed.FS

// Source gives the WGSL of a kernel ("matmul" is matmul.wgsl) in one variant.
func Source(name string, v Variant) (string, error) { return expand(files, name, v) }
