package cli

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"runtime"

	"hone/core/quant"
	"hone/core/rng"
	"hone/core/tensor"
)

// blockLength is how many numbers are drawn for all random weights. It is prime, so that rows differ.
const blockLength = 1000003

// randomWeights makes weights of the given types on all cores, a few ahead of the calls, which ask for them in order.
// A value is normal with deviation 0.02, from one block of numbers that each weight enters at another place; for norms it is 1.
func randomWeights(types []tensor.Type, norm []bool) (next func() io.Reader) {
	block := make([]float32, blockLength)
	key := rng.NewKey(0, rng.Init, 0)
	for i := range block {
		block[i] = 0.02 * float32(key.Normal(uint64(i)))
	}
	ready := make(chan chan io.Reader, runtime.GOMAXPROCS(0))
	go func() {
		defer close(ready)
		for i, t := range types {
			one := make(chan io.Reader, 1)
			ready <- one // waits while there are enough ahead
			go func() {
				w := make([]float32, t.Elements())
				for j := range w {
					w[j] = 1
				}
				if !norm[i] {
					for at := -(i * 7919 % blockLength); at < len(w); at += blockLength {
						copy(w[max(at, 0):], block[max(-at, 0):])
					}
				}
				one <- weightReader(t, w)
			}()
		}
	}()
	return func() io.Reader { return <-<-ready }
}

// weightReader gives values as the bytes that a device is uploaded.
func weightReader(t tensor.Type, w []float32) io.Reader {
	if t.DType == tensor.NF4 {
		var buf bytes.Buffer
		quant.QuantizeNF4(w, t.Shape).WriteTo(&buf) // a bytes.Buffer never fails
		return &buf
	}
	raw := make([]byte, 4*len(w))
	for i, v := range w {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
	}
	return bytes.NewReader(raw)
}
