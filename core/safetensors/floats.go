package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"hone/core/tensor"
)

// chunk is how many bytes are converted at a time: enough to make system calls rare, little enough to stay in the cache.
const chunk = 1 << 16

// pieces are buffers of one chunk. Models are read by many small calls; a new buffer in each would pile up as garbage of
// the size of the model.
var pieces = sync.Pool{New: func() any { return new([chunk]byte) }}

// ReadF32 reads a whole tensor of type F32, F16, BF16 or F64 as float32; dst has one place for every element.
// F64 is rounded to the nearest float32, the other types convert exactly.
func (f *File) ReadF32(name string, dst []float32) error {
	info, err := f.find(name)
	if err != nil {
		return err
	}
	if n := info.Shape.Elements(); n != len(dst) {
		return fmt.Errorf("%s: tensor %.200q of shape %v has %d elements, but %d are wanted", f.name, name, info.Shape, n, len(dst))
	}
	return f.readF32(info, dst, 0)
}

// ReadF32At reads len(dst) elements of a tensor, counted row by row from element from.
func (f *File) ReadF32At(name string, dst []float32, from int) error {
	info, err := f.find(name)
	if err != nil {
		return err
	}
	if n := info.Shape.Elements(); from < 0 || from > n || len(dst) > n-from {
		return fmt.Errorf("%s: tensor %.200q has %d elements, but %d from element %d on are wanted", f.name, name, n, len(dst), from)
	}
	return f.readF32(info, dst, from)
}

func (f *File) readF32(info Info, dst []float32, from int) error {
	var convert func(dst []float32, src []byte)
	width := 0
	switch info.DType {
	case "F32":
		width, convert = 4, fromF32
	case "F16":
		width, convert = 2, fromF16
	case "BF16":
		width, convert = 2, fromBF16
	case "F64":
		width, convert = 8, fromF64
	default:
		return fmt.Errorf("%s: tensor %.200q has type %s; only F32, F16, BF16 and F64 can be read as numbers", f.name, info.Name, info.DType)
	}
	off := info.Offset + int64(from)*int64(width)
	piece := pieces.Get().(*[chunk]byte)
	defer pieces.Put(piece)
	for len(dst) > 0 {
		n := min(len(dst), chunk/width)
		b := piece[:n*width]
		if err := readFull(f.r, b, off); err != nil {
			return fmt.Errorf("%s: tensor %.200q: %w", f.name, info.Name, err)
		}
		convert(dst[:n], b)
		dst = dst[n:]
		off += int64(len(b))
	}
	return nil
}

func fromF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func fromF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = tensor.F16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func fromBF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = tensor.BF16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func fromF64(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
	}
}
