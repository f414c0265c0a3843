package quant

import "fmt"

// Dequantize writes the values of the elements from, from+1, … to dst. It panics when the weight has fewer.
func (q *NF4) Dequantize(dst []float32, from int) {
	if n := q.Elements(); from < 0 || from > n || len(dst) > n-from {
		panic(fmt.Sprintf("quant: %d elements from %d on of a weight of shape %v", len(dst), from, q.Shape))
	}
	for len(dst) > 0 {
		block, skip := from/BlockSize, from%BlockSize
		table := scaled(q.scale(block))
		codes := q.Codes[block*(BlockSize/2):]
		if skip == 0 && len(dst) >= BlockSize {
			decodeBlock((*[BlockSize]float32)(dst), (*[BlockSize / 2]byte)(codes), &table)
			from += BlockSize
			dst = dst[BlockSize:]
			continue
		}
		n := min(BlockSize-skip, len(dst))
		for i := range dst[:n] {
			c := codes[(skip+i)/2]
			if (skip+i)%2 == 0 {
				c >>= 4
			}
			dst[i] = table[c&15]
		}
		from += n
		dst = dst[n:]
	}
}

// Scales writes the float32 scales of the blocks firstBlock, firstBlock+1, … to dst. It panics when the weight has fewer.
func (q *NF4) Scales(dst []float32, firstBlock int) {
	if q.Plain != nil {
		copy(dst, q.Plain[firstBlock:firstBlock+len(dst)])
		return
	}
	if n := len(q.Absmax); firstBlock < 0 || firstBlock > n || len(dst) > n-firstBlock {
		panic(fmt.Sprintf("quant: %d blocks from %d on of a weight of shape %v", len(dst), firstBlock, q.Shape))
	}
	m := q.scaleMap()
	for i, code := range q.Absmax[firstBlock : firstBlock+len(dst)] {
		nested := q.NestedAbsmax[(firstBlock+i)/NestedSize]
		dst[i] = float32(m[code]*nested) + q.Offset // the conversion keeps the two roundings apart
	}
}

func (q *NF4) scale(block int) float32 {
	var a [1]float32
	q.Scales(a[:], block)
	return a[0]
}

// scaled multiplies the sixteen values once for a whole block.
func scaled(a float32) (table [16]float32) {
	for i, v := range NF4Table {
		table[i] = float32(v * a)
	}
	return table
}

// decodeBlock works on arrays, for which the compiler needs no bounds checks.
func decodeBlock(dst *[BlockSize]float32, codes *[BlockSize / 2]byte, table *[16]float32) {
	for i := range BlockSize / 2 {
		c := codes[i]
		dst[2*i] = table[c>>4]
		dst[2*i+1] = table[c&15]
	}
}
