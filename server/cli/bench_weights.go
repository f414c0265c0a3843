package cli

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"

	"hone/core/quant"
	"hone/core/tensor"
)

// weightReader gives values as the bytes that a device is uploaded.
func weightReader(t tensor.Type, w []float32) io.Reader {
	var buf bytes.Buffer
	if t.DType == tensor.NF4 {
		quant.QuantizeNF4(w, t.Shape).WriteTo(&buf) // a bytes.Buffer never fails
		return &buf
	}
	raw := make([]byte, 0, 4*len(w))
	for _, v := range w {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return bytes.NewReader(raw)
}
