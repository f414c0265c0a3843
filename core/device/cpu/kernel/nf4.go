package kernel

// NF4Block is the number of elements that share one scale.
const NF4Block = 64

// DecodeNF4 writes elements from, from+1, … of a weight of 4-bit codes to dst: table[code]·scale, rounded once. Codes lie two a byte,
// the element of even number in the high half; scales[0] belongs to the block of 64 elements that from is in, and so on.
func DecodeNF4(dst []float32, codes []byte, from int, scales []float32, table *[16]float32) {
	if len(dst) == 0 {
		return
	}
	first := from / NF4Block
	mustHave("scales of NF4", len(scales), (from+len(dst)-1)/NF4Block-first+1)
	mustHave("codes of NF4", 2*len(codes), from+len(dst))
	for len(dst) > 0 {
		n := min(NF4Block-from%NF4Block, len(dst))
		active.decode(dst[:n], codes[from/2:], from&1, scales[from/NF4Block-first], table)
		dst, from = dst[n:], from+n
	}
}

// decodePlain is loops.decode.
func decodePlain(dst []float32, codes []byte, odd int, scale float32, table *[16]float32) {
	if odd != 0 && len(dst) > 0 {
		dst[0] = table[codes[0]&15] * scale
		dst, codes = dst[1:], codes[1:]
	}
	for len(dst) >= 2 {
		c := codes[0]
		dst[0], dst[1] = table[c>>4]*scale, table[c&15]*scale
		dst, codes = dst[2:], codes[1:]
	}
	if len(dst) > 0 {
		dst[0] = table[codes[0]>>4] * scale
	}
}

// PackPanel writes w ≤ PanelWidth rows of n floats, ld apart, as columns: element (r, c) to dst[c*w+r]. Panels of a weight's rows, one
// behind the other, are what PanelsT takes.
func PackPanel(dst, rows []float32, ld, w, n int) {
	mustHave("rows of PackPanel", len(rows), (w-1)*ld+n)
	mustHave("dst of PackPanel", len(dst), w*n)
	active.transpose(dst, w, rows, ld, w, n)
}
