package quant

import (
	"math"
	"slices"
)

// NF4Table gives the value of each 4-bit code: quantiles of the standard normal distribution, scaled to [-1, 1], with an exact
// zero at code 7 (Dettmers et al., "QLoRA", 2023, appendix E; the digits are those of bitsandbytes).
var NF4Table = [16]float32{
	-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
	-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
	0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
	0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
}

const (
	zeroCode   = 7   // the NF4 code whose value is 0
	zeroAbsmax = 127 // the place of 0 in DefaultMap
)

// DefaultMap is the signed dynamic map that 8-bit block scales index, as bitsandbytes computes it. It is shared: never write to it.
var DefaultMap = dynamicMap()

// dynamicMap builds the map (Dettmers, "8-bit approximations for parallelism in deep learning", 2015; the function
// create_dynamic_map of bitsandbytes): for i = 0..6 the midpoints of 2^i equal parts of [0.1, 1] times 10^(i-6), with both
// signs, and 0 and 1. Every operation rounds to float32, so that the last bits are those of published checkpoints.
func dynamicMap() *[256]float32 {
	values := make([]float32, 0, 256)
	scale := [7]float32{1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1}
	for i, s := range scale {
		ends := endPoints(1<<i + 1)
		for j := range 1 << i {
			mid := (ends[j] + ends[j+1]) / 2
			v := float32(mid * s)
			values = append(values, v, -v)
		}
	}
	values = append(values, 0, 1)
	slices.Sort(values)
	return (*[256]float32)(values)
}

// endPoints cuts [0.1, 1] by n points as PyTorch's linspace does on a processor with a fused multiply-add: the lower half counts
// up from 0.1, the upper half down from 1.
//
// The fused operation is done in float64, where it is exact before the one rounding to float32: step has 24 significant bits and
// is at least 0.9/64 > 2^-7, so its last bit is worth at least 2^-30; the factor is a whole number of at most 64, so the product is
// a multiple of 2^-30 below 1; 0.1 in float32 is a multiple of 2^-27. Sums of such numbers below 2 fit into 53 bits.
func endPoints(n int) []float32 {
	const low, high = float32(0.1), float32(1)
	step := (high - low) / float32(n-1)
	points := make([]float32, n)
	for j := range points {
		if j < n/2 {
			points[j] = float32(float64(step)*float64(j) + float64(low))
		} else {
			points[j] = float32(float64(high) - float64(step)*float64(n-1-j))
		}
	}
	return points
}

// midpoints gives the float32 thresholds between neighbours of a sorted table: a value above number i has a code above i.
func midpoints(table []float32) []float32 {
	mids := make([]float32, len(table)-1)
	for i := range mids {
		mids[i] = (table[i] + table[i+1]) / 2
	}
	return mids
}

var mapThresholds = (*[255]float32)(midpoints(DefaultMap[:]))

// nearestScale is the place in DefaultMap that is nearest to x; a tie goes to the lower place.
func nearestScale(x float32) byte {
	// Eight halvings; before each, the answer lies in [at, at+2*step).
	at := 0
	for step := 128; step > 0; step >>= 1 {
		if x > mapThresholds[at+step-1] {
			at += step
		}
	}
	return byte(at)
}

// grid answers which NF4 code is nearest with one look-up and one comparison: it cuts [-1, 1] into 32 cells of 1/16, which is less
// than the least distance of two thresholds, so that a cell holds at most one. Places beyond 32 stay unused; 64 of them save the
// bounds check.
var grid = newGrid()

type cell struct {
	threshold float32 // the code is one higher above it
	code      uint32  // the code below it
}

func newGrid() *[64]cell {
	var g [64]cell
	mids := midpoints(NF4Table[:])
	for i := range g {
		c := cell{threshold: float32(math.Inf(1)), code: 15}
		left := float32(i)/16 - 1
		for k, m := range mids {
			if m >= left {
				c = cell{m, uint32(k)}
				break
			}
		}
		g[i] = c
	}
	return &g
}

// nearestCode is the NF4 code nearest to x, which lies in [-1, 1] give or take a rounding; a tie goes to the lower code.
func nearestCode(x float32) uint32 {
	c := &grid[uint32(int32((x+1)*16))&63]
	if x > c.threshold {
		return c.code + 1
	}
	return c.code
}
