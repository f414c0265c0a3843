package kernel

import "math"

// RoPEAngles fills a row of the table that RoPE reads: sine and cosine of position·invFreq[i] (Su et al., "RoFormer", eq. 34). The
// angle is a product in float32, as in PyTorch; its sine is exact to the last bit or so however large it is.
func RoPEAngles(sin, cos, invFreq []float32, position int32) {
	mustHave("a row of RoPE's table", min(len(sin), len(cos)), len(invFreq))
	for i, f := range invFreq {
		s, c := math.Sincos(float64(float32(position) * f))
		sin[i], cos[i] = float32(s), float32(c)
	}
}

// RoPE turns the heads of one row x by a row of the table: elements i and i+n of a head of 2n, n = len(sin), by angle i; sign -1
// turns them back. y may be x.
func RoPE(y, x, sin, cos []float32, sign float32) {
	mustHave("y of RoPE", len(y), len(x))
	mustHave("cosines of RoPE", len(cos), len(sin))
	if len(sin) == 0 || len(x)%(2*len(sin)) != 0 {
		panic("kernel: RoPE over a row that is no whole number of heads")
	}
	active.rotate(y[:len(x)], x, sin, cos, sign)
}

func rotatePlain(y, x, sin, cos []float32, sign float32) {
	half := len(sin)
	cos = cos[:half]
	for ; len(x) >= 2*half; x, y = x[2*half:], y[2*half:] {
		x0, x1, y0, y1 := x[:half], x[half:2*half], y[:half], y[half:2*half]
		for i, s := range sin {
			s *= sign
			a, b, c := x0[i], x1[i], cos[i]
			y0[i] = float32(a*c) - float32(b*s)
			y1[i] = float32(b*c) + float32(a*s)
		}
	}
}

// RoPEInterleaved is RoPE with the elements 2i and 2i+1 of a head in the place of i and i+n, as ChatGLM pairs them.
func RoPEInterleaved(y, x, sin, cos []float32, sign float32) {
	mustHave("y of RoPEInterleaved", len(y), len(x))
	mustHave("cosines of RoPEInterleaved", len(cos), len(sin))
	if len(sin) == 0 || len(x)%(2*len(sin)) != 0 {
		panic("kernel: RoPEInterleaved over a row that is no whole number of heads")
	}
	for n := 2 * len(sin); len(x) > 0; x, y = x[n:], y[n:] {
		for i, s := range sin {
			s *= sign
			a, b, c := x[2*i], x[2*i+1], cos[i]
			y[2*i] = float32(a*c) - float32(b*s)
			y[2*i+1] = float32(b*c) + float32(a*s)
		}
	}
}
