// Package rng draws random numbers from a counter instead of a hidden state: the same (seed, purpose, step, index) gives
// the same number on every machine, in any order. So a run that is resumed or moved draws what the unmoved one draws.
// The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
package rng

import "math"

// Purpose keeps apart the streams that one seed feeds. Values are written to checkpoints: never renumber them.
type Purpose uint32

const (
	Init     Purpose = 1 // initial values of weights and adapters; step is a number given to the tensor
	Shuffle  Purpose = 2 // order of the rows; step is the epoch
	Split    Purpose = 3 // which rows are held out
	Dropout  Purpose = 4 // masks; step counts micro-batches
	Sampling Purpose = 5 // tokens drawn when generating; step is the position
	Corpus   Purpose = 6 // texts that programs of this repository make up
	NEFTune  Purpose = 7 // noise on embeddings; step counts micro-batches
	Sample   Purpose = 8 // which rows of a data set are taken; step is its number
	Mixing   Purpose = 9 // which data set the next row comes from; step 0, and the rows of set i at step i+1
)

// Key is the key and the upper half of the counter: what stays fixed while index runs.
type Key struct{ Seed, Step uint64 }

// NewKey makes the key of one stream: the draws for one purpose at one step.
func NewKey(seed uint64, purpose Purpose, step uint64) Key {
	// The purpose goes into the seed through an odd constant, so that streams differ in every round.
	return Key{seed ^ uint64(purpose)*0x9E3779B97F4A7C15, step}
}

// Block gives the four 32-bit words number index of the stream.
func (k Key) Block(index uint64) [4]uint32 {
	const m0, m1, w0, w1 = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85
	c0, c1, c2, c3 := uint32(index), uint32(index>>32), uint32(k.Step), uint32(k.Step>>32)
	k0, k1 := uint32(k.Seed), uint32(k.Seed>>32)
	for range 10 {
		p0, p1 := uint64(m0)*uint64(c0), uint64(m1)*uint64(c2)
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
		k0, k1 = k0+w0, k1+w1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// Uint32 is word i of the stream.
func (k Key) Uint32(i uint64) uint32 { return k.Block(i / 4)[i%4] }

// Uniform is number i of the stream, in [0, 1), with 24 random bits: exact in float32.
func (k Key) Uniform(i uint64) float32 { return float32(k.Uint32(i)>>8) * 0x1p-24 }

// Normal is number i of a standard normal stream (Box-Muller over the words of block i).
func (k Key) Normal(i uint64) float64 {
	w := k.Block(i)
	u1 := (float64(w[0]) + 1) * 0x1p-32 // in (0, 1]
	u2 := (float64(w[1])) * 0x1p-32
	return math.Sqrt(-2*math.Log(u1)) * math.Cos(2*math.Pi*u2)
}

// Intn is number i of the stream, uniform in [0, n), n > 0, without the bias of a plain remainder up to n = 2^32.
func (k Key) Intn(i uint64, n int) int {
	w := k.Block(i)
	return int((uint64(w[0])<<32 | uint64(w[1])) % uint64(n))
}

// Permutation orders 0..n-1 at random (Fisher-Yates).
func (k Key) Permutation(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := k.Intn(uint64(i), i+1)
		p[i], p[j] = p[j], p[i]
	}
	return p
}
