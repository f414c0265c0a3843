package kernel

// PackInPlace rearranges a weight W [out,in] into panels that Gemm reads without copying, in the same memory: rows 32p … 32p+31
// become the panel p, transposed, so that element (r, c) of W lies at 32p·in + c·w + r-32p, w the panel's width (32, or what is
// left of the rows for the last). scratch has at least PanelWidth·in floats; nil lets the function allocate it.
func PackInPlace(weight []float32, out, in int, scratch []float32) {
	mustHave("weight to pack", len(weight), out*in)
	eachPanel(out, in, scratch, func(at, w int, tmp []float32) {
		active.transpose(tmp, w, weight[at:], in, w, in)
		copy(weight[at:], tmp)
	})
}

// UnpackInPlace undoes PackInPlace.
func UnpackInPlace(weight []float32, out, in int, scratch []float32) {
	mustHave("weight to unpack", len(weight), out*in)
	eachPanel(out, in, scratch, func(at, w int, tmp []float32) {
		active.transpose(tmp, in, weight[at:], w, in, w)
		copy(weight[at:], tmp)
	})
}

func eachPanel(out, in int, scratch []float32, f func(at, w int, tmp []float32)) {
	if need := min(out, PanelWidth) * in; len(scratch) < need {
		scratch = make([]float32, need)
	}
	for r := 0; r < out; r += PanelWidth {
		w := min(PanelWidth, out-r)
		f(r*in, w, scratch[:w*in])
	}
}
