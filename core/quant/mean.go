package quant

import "math/bits"

// The mean of the block scales is subtracted from all of them, so its last bit shows in every weight. PyTorch adds float32 numbers
// of one row as vectors of eight, four vectors side by side, in a cascade of partial sums (cascade_sum in its SumKernel.cpp, the
// AVX2 build on one thread). Adding in the same order gives the offsets of the reference weights (up to 450 blocks) bit for bit;
// another machine, or a GPU, adds in another order.
const (
	sumLanes  = 8
	sumWidth  = 4 * sumLanes
	sumLevels = 4
)

// mean is the float32 mean of values, of which there is at least one.
func mean(x []float32) float32 {
	m := cascadeSum(x) / float32(len(x))
	if !finite(m) { // the sum is beyond float32, the mean of finite numbers never is
		sum := 0.0
		for _, v := range x {
			sum += float64(v)
		}
		m = float32(sum / float64(len(x)))
	}
	return m
}

func cascadeSum(x []float32) float32 {
	rows := len(x) / sumWidth
	part := cascade(x, rows)
	at := rows * sumWidth
	for ; at+sumLanes <= len(x); at += sumLanes { // whole vectors that fill no row go to the first one
		for lane, v := range x[at : at+sumLanes] {
			part[lane] += v
		}
	}
	var sum float32
	for _, v := range x[at:] {
		sum += v
	}
	for lane := range sumLanes {
		v := part[lane]
		for other := lane + sumLanes; other < sumWidth; other += sumLanes {
			v += part[other]
		}
		sum += v
	}
	return sum
}

// cascade adds the first rows of sumWidth numbers column by column. A level of partial sums is emptied into the next after every
// 2^power rounds, so that no sum grows large beside what is added to it.
func cascade(x []float32, rows int) [sumWidth]float32 {
	power := 4
	if rows > 1 {
		power = max(power, bits.Len(uint(rows-1))/sumLevels)
	}
	mask := 1<<power - 1
	var acc [sumLevels][sumWidth]float32
	for row := range rows {
		for c, v := range x[row*sumWidth : (row+1)*sumWidth] {
			acc[0][c] += v
		}
		done := row + 1
		for level := 1; level < sumLevels && done&mask == 0; level++ {
			addInto(&acc[level], &acc[level-1])
			acc[level-1] = [sumWidth]float32{}
			done >>= power
		}
	}
	for level := 1; level < sumLevels; level++ {
		addInto(&acc[0], &acc[level])
	}
	return acc[0]
}

func addInto(sum, more *[sumWidth]float32) {
	for c, v := range more {
		sum[c] += v
	}
}
