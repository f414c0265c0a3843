package kernel

// PackInPlace rearranges a weight W [out,in] into panels that Gemm reads without copying, in the same memory: rows 32p … 32p+31
// become the panel p, transposed, so that element (r, c) of W lies at 32p·in + c·w + r-32p, w the panel's width (32, or what is
// left of the rows for the last). scratch has at least PanelWidth·in floats; nil lets the function allocate it.
func PackInPlace[E float32 | uint16](weight []E, out, in int, scratch []E) {
	mustHave("weight to pack", len(weight), out*in)
	eachPanel(out, in, scratch, func(at, w int, tmp []E) {
		transpose(tmp, w, weight[at:], in, w, in)
		copy(weight[at:], tmp)
	})
}

// UnpackInPlace undoes PackInPlace.
func UnpackInPlace[E float32 | uint16](weight []E, out, in int, scratch []E) {
	mustHave("weight to unpack", len(weight), out*in)
	eachPanel(out, in, scratch, func(at, w int, tmp []E) {
		transpose(tmp, in, weight[at:], w, in, w)
		copy(weight[at:], tmp)
	})
}

// transpose is loops.transpose for both widths.
func transpose[E float32 | uint16](dst []E, ldd int, src []E, lds, rows, cols int) {
	switch d := any(dst).(type) {
	case []float32:
		active.transpose(d, ldd, any(src).([]float32), lds, rows, cols)
	case []uint16:
		transposePlain(d, ldd, any(src).([]uint16), lds, rows, cols)
	}
}

func eachPanel[E float32 | uint16](out, in int, scratch []E, f func(at, w int, tmp []E)) {
	if need := min(out, PanelWidth) * in; len(scratch) < need {
		scratch = make([]E, need)
	}
	for r := 0; r < out; r += PanelWidth {
		w := min(PanelWidth, out-r)
		f(r*in, w, scratch[:w*in])
	}
}
