package kernel

import (
	"math"

	"hone/core/rng"
)

// Dropout sets dst[i] to x[i]/(1-p) where word first+i of the key's stream says keep, and to 0 elsewhere. A word keeps iff its
// upper 24 bits, read as a fraction, are at least p; that is an integer comparison with a threshold, since p·2^24 is exact.
// dst may be x. The result is the same for every instruction set and however the range is cut.
func Dropout(dst, x []float32, key rng.Key, first uint64, p float64) {
	mustHave("dst of Dropout", len(dst), len(x))
	dst = dst[:len(x)]
	keep, least := float32(1/(1-p)), uint32(math.Ceil(p*0x1p24))
	if head := min(int(-first&3), len(x)); head > 0 { // up to the next whole block of four words
		words := key.Block(first / 4)
		dropWords(dst[:head], x, words[first%4:], least, keep)
		dst, x, first = dst[head:], x[head:], first+uint64(head)
	}
	whole := len(x) &^ 3
	active.dropout(dst[:whole], x[:whole], key, first/4, least, keep)
	if whole < len(x) {
		words := key.Block((first + uint64(whole)) / 4)
		dropWords(dst[whole:], x[whole:], words[:], least, keep)
	}
}

func dropWords(dst, x []float32, words []uint32, least uint32, keep float32) {
	for i := range dst {
		if words[i]>>8 >= least {
			dst[i] = x[i] * keep
		} else {
			dst[i] = 0
		}
	}
}

func dropoutPlain(dst, x []float32, key rng.Key, block uint64, least uint32, keep float32) {
	for ; len(x) >= 4; block++ {
		w := key.Block(block)
		// A factor instead of a branch: which way it goes cannot be guessed. It is applied to kept values only, so that an
		// infinity or NaN that is dropped becomes 0.
		for i, v := range (*[4]float32)(x) {
			if w[i]>>8 < least {
				v = 0
			}
			dst[i] = v * keep
		}
		dst, x = dst[4:], x[4:]
	}
}
