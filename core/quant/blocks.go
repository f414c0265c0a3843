package quant

import (
	"encoding/binary"
	"math"

	"hone/core/tensor"
)

// GGMLBlock is the number of consecutive values of a row that share a scale in Q8_0 and Q4_0, llama.cpp's simple formats
// (ggml-quants: quantize_row_q8_0_ref, quantize_row_q4_0_ref).
const GGMLBlock = 32

// Bytes of a block: a half-precision scale and the codes.
const (
	Q8_0Bytes = 2 + GGMLBlock
	Q4_0Bytes = 2 + GGMLBlock/2
)

// AppendQ8_0 appends the blocks of x, whose length is a multiple of GGMLBlock: code = round(x / d), d = absmax / 127.
func AppendQ8_0(dst []byte, x []float32) []byte {
	for ; len(x) > 0; x = x[GGMLBlock:] {
		absmax := float32(0)
		for _, v := range x[:GGMLBlock] {
			absmax = max(absmax, float32(math.Abs(float64(v))))
		}
		d := absmax / 127
		inverse := float32(0)
		if d != 0 {
			inverse = 1 / d
		}
		dst = binary.LittleEndian.AppendUint16(dst, tensor.F32ToF16(d))
		for _, v := range x[:GGMLBlock] {
			dst = append(dst, byte(int8(math.Round(float64(v*inverse)))))
		}
	}
	return dst
}

// FromQ8_0 is the value of each code: code · d.
func FromQ8_0(dst []float32, blocks []byte) {
	for ; len(dst) > 0; dst, blocks = dst[GGMLBlock:], blocks[Q8_0Bytes:] {
		d := tensor.F16ToF32(binary.LittleEndian.Uint16(blocks))
		for i, q := range blocks[2:Q8_0Bytes] {
			dst[i] = float32(int8(q)) * d
		}
	}
}

// AppendQ4_0 appends the blocks of x, whose length is a multiple of GGMLBlock. The value of the largest magnitude gets the
// code 0, which stands for -8: d = that value / -8, code = x/d + 8. The first half of a block lies in the low nibbles.
func AppendQ4_0(dst []byte, x []float32) []byte {
	for ; len(x) > 0; x = x[GGMLBlock:] {
		extreme := float32(0)
		for _, v := range x[:GGMLBlock] {
			if math.Abs(float64(v)) > math.Abs(float64(extreme)) {
				extreme = v
			}
		}
		d := extreme / -8
		inverse := float32(0)
		if d != 0 {
			inverse = 1 / d
		}
		dst = binary.LittleEndian.AppendUint16(dst, tensor.F32ToF16(d))
		code := func(v float32) byte { return byte(min(15, int8(v*inverse+8.5))) }
		for i := range GGMLBlock / 2 {
			dst = append(dst, code(x[i])|code(x[i+GGMLBlock/2])<<4)
		}
	}
	return dst
}

// FromQ4_0 is the value of each code: (code - 8) · d.
func FromQ4_0(dst []float32, blocks []byte) {
	for ; len(dst) > 0; dst, blocks = dst[GGMLBlock:], blocks[Q4_0Bytes:] {
		d := tensor.F16ToF32(binary.LittleEndian.Uint16(blocks))
		for i, q := range blocks[2:Q4_0Bytes] {
			dst[i] = float32(int(q&15)-8) * d
			dst[i+GGMLBlock/2] = float32(int(q>>4)-8) * d
		}
	}
}
