package quant

import (
	"math"
	"slices"
	"strings"
	"testing"

	"hone/core/rng"
	"hone/core/tensor"
)

// normals are n values as a trained weight has them.
func normals(n int, seed uint64) []float32 {
	key := rng.NewKey(seed, rng.Init, 0)
	w := make([]float32, n)
	for i := range w {
		w[i] = float32(key.Normal(uint64(i)) * 0.02)
	}
	return w
}

// plainNF4 is the definition, one value at a time: the oracle for the fast ways.
func plainNF4(w []float32) (codes []byte, absmax []float32) {
	mids := midpoints(NF4Table[:])
	for at := 0; at < len(w); at += BlockSize {
		block := w[at:min(at+BlockSize, len(w))]
		var m float32
		for _, v := range block {
			m = max(m, abs(v))
		}
		absmax = append(absmax, m)
		for i, v := range block {
			code := byte(zeroCode)
			if m != 0 {
				x := float32(v * float32(1/m))
				code = 0
				for _, mid := range mids {
					if x > mid {
						code++
					}
				}
			}
			if i%2 == 0 {
				codes = append(codes, code<<4|zeroCode)
			} else {
				codes[len(codes)-1] = codes[len(codes)-1]&0xf0 | code
			}
		}
	}
	return codes, absmax
}

func TestNearestCode(t *testing.T) {
	mids := midpoints(NF4Table[:])
	check := func(x float32) {
		want := uint32(0)
		for _, m := range mids {
			if x > m {
				want++
			}
		}
		if got := nearestCode(x); got != want {
			t.Fatalf("%v has code %d, want %d", x, got, want)
		}
	}
	var points []float32
	points = append(points, mids...)
	points = append(points, NF4Table[:]...)
	for i := range 33 {
		points = append(points, float32(i)/16-1)
	}
	for _, p := range points {
		lo, hi := p, p
		for range 50 {
			check(lo)
			check(hi)
			lo, hi = math.Nextafter32(lo, -2), math.Nextafter32(hi, 2)
		}
	}
	for b := uint32(0); b <= math.Float32bits(1.000001); b += 4099 {
		check(math.Float32frombits(b))
		check(-math.Float32frombits(b))
	}
	for i := 1; i < len(mids); i++ {
		if mids[i]-mids[i-1] <= 1.0/16 {
			t.Errorf("thresholds %d and %d are %v apart: a cell of the grid could hold both", i-1, i, mids[i]-mids[i-1])
		}
	}
}

func TestNearestScale(t *testing.T) {
	if DefaultMap[zeroAbsmax] != 0 || DefaultMap[255] != 1 {
		t.Fatalf("the map has %v at %d and ends with %v", DefaultMap[zeroAbsmax], zeroAbsmax, DefaultMap[255])
	}
	for i, m := range mapThresholds {
		if got := nearestScale(m); got != byte(i) {
			t.Errorf("threshold %d goes to %d, want the lower place", i, got)
		}
		if got := nearestScale(math.Nextafter32(m, 2)); got != byte(i+1) {
			t.Errorf("just above threshold %d comes %d", i, got)
		}
	}
	for i, v := range DefaultMap {
		if got := nearestScale(v); got != byte(i) {
			t.Errorf("entry %d goes to %d", i, got)
		}
	}
	if nearestScale(-1.0001) != 0 || nearestScale(1.0001) != 255 {
		t.Error("values a rounding outside of the map leave it")
	}
}

// Every length, so every kind of tail, gives what the definition gives, in one piece and in many.
func TestLengthsAndPieces(t *testing.T) {
	w := normals(5*BlockSize+3, 1)
	for n := 0; n <= len(w); n++ {
		q := QuantizeNF4(w[:n], tensor.Shape{n})
		codes, absmax := plainNF4(w[:n])
		if string(q.Codes) != string(codes) || len(q.Absmax) != len(absmax) {
			t.Fatalf("%d values: the codes differ from the definition's", n)
		}
		if q.Bytes() != tensor.Of(tensor.NF4, n).Bytes() {
			t.Fatalf("%d values take %d bytes, tensor.Type says %d", n, q.Bytes(), tensor.Of(tensor.NF4, n).Bytes())
		}
		z, err := NewQuantizer(tensor.Shape{n})
		if err != nil {
			t.Fatal(err)
		}
		for at, step := 0, 1; at < n; step = step%97 + 13 {
			end := min(at+step, n)
			if err := z.Append(w[at:end]); err != nil {
				t.Fatal(err)
			}
			at = end
		}
		p, err := z.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if string(p.Codes) != string(q.Codes) || string(p.Absmax) != string(q.Absmax) || p.Offset != q.Offset || !slices.Equal(p.NestedAbsmax, q.NestedAbsmax) {
			t.Fatalf("%d values in pieces give another weight", n)
		}
	}
}

// Dequantising any range gives the same as the range of the whole, and the values are near the originals.
func TestDequantizeRanges(t *testing.T) {
	n := 3*NestedSize*BlockSize + 77 // several nested blocks, an odd tail
	w := normals(n, 2)
	q := QuantizeNF4(w, tensor.Shape{n})
	all := make([]float32, n)
	q.Dequantize(all, 0)
	scales := make([]float32, len(q.Absmax))
	q.Scales(scales, 0)
	var wrong, power float64
	for i, v := range all {
		code := q.Codes[i/2] >> (4 * (1 - i%2)) & 15
		if want := float32(NF4Table[code] * scales[i/BlockSize]); v != want {
			t.Fatalf("element %d is %v, its code and scale make %v", i, v, want)
		}
		wrong += float64(v-w[i]) * float64(v-w[i])
		power += float64(w[i]) * float64(w[i])
	}
	// A normal weight in NF4 with blocks of 64 loses about 1/110 of its power.
	if ratio := wrong / power; ratio < 0.007 || ratio > 0.011 {
		t.Errorf("the error has %.4f of the power, want about 0.009", ratio)
	}
	key := rng.NewKey(3, rng.Init, 0)
	for i := range uint64(500) {
		from := key.Intn(2*i, n+1)
		part := make([]float32, key.Intn(2*i+1, min(n-from, 300)+1))
		q.Dequantize(part, from)
		if !slices.Equal(part, all[from:from+len(part)]) {
			t.Fatalf("%d elements from %d differ from those of the whole", len(part), from)
		}
	}
	some := make([]float32, 300)
	q.Scales(some, 200)
	if !slices.Equal(some, scales[200:500]) {
		t.Error("scales from block 200 differ from those of the whole")
	}
}

func TestZeros(t *testing.T) {
	w := make([]float32, 2*BlockSize+1)
	w[3] = float32(math.Copysign(0, -1))
	q := QuantizeNF4(w, tensor.Shape{len(w)})
	for i, c := range q.Codes {
		if c != 0x77 {
			t.Errorf("byte %d of codes is %#x, want 0x77", i, c)
		}
	}
	for i, c := range q.Absmax {
		if c != 127 {
			t.Errorf("block scale %d is %d, want 127", i, c)
		}
	}
	got := make([]float32, len(w))
	q.Dequantize(got, 0)
	for i, v := range got {
		if v != 0 {
			t.Errorf("element %d is %v", i, v)
		}
	}
	// One block of zeros among others has codes of 7 too.
	copy(w, normals(BlockSize, 4))
	if q = QuantizeNF4(w, tensor.Shape{len(w)}); q.Codes[0] == 0x77 || q.Codes[40] != 0x77 {
		t.Errorf("codes %#x and %#x", q.Codes[0], q.Codes[40])
	}
}

// A single block has no spread of scales: its scale is kept exactly.
func TestOneBlock(t *testing.T) {
	w := normals(BlockSize, 5)
	q := QuantizeNF4(w, tensor.Shape{8, 8})
	_, absmax := plainNF4(w)
	if q.Absmax[0] != 127 || q.NestedAbsmax[0] != 0 || q.scale(0) != absmax[0] {
		t.Errorf("place %d, nested scale %v, scale %v; want 127, 0, %v", q.Absmax[0], q.NestedAbsmax[0], q.scale(0), absmax[0])
	}
}

// Magnitudes at both ends of float32 neither overflow nor turn zeros into something else.
func TestExtremeMagnitudes(t *testing.T) {
	for _, size := range []float32{math.MaxFloat32, 1e38, 1e-37, 0x1p-127, 0x1p-128, 1e-40, math.SmallestNonzeroFloat32} {
		w := make([]float32, 3*BlockSize+3)
		for i := range w {
			w[i] = size * NF4Table[i%16]
		}
		q := QuantizeNF4(w, tensor.Shape{len(w)})
		got := make([]float32, len(w))
		q.Dequantize(got, 0)
		for i := range got {
			// All blocks share one scale, which is stored exactly; the codes hold the values up to rounding near zero.
			if diff := math.Abs(float64(got[i]) - float64(w[i])); !(diff <= 1e-6*float64(size)+math.SmallestNonzeroFloat32) {
				t.Errorf("size %v: element %d is %v, want %v", size, i, got[i], w[i])
			}
		}
	}
}

func TestNotFinite(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		w := normals(200, 6)
		w[130] = bad
		z, err := NewQuantizer(tensor.Shape{10, 20})
		if err != nil {
			t.Fatal(err)
		}
		if err := z.Append(w); err == nil || !strings.Contains(err.Error(), "element 130 is") {
			t.Errorf("%v: error %v, want one that names element 130", bad, err)
		}
		got := make([]float32, len(w))
		q := QuantizeNF4(w, tensor.Shape{10, 20})
		q.Dequantize(got, 0)
		for i, v := range got {
			if v == v {
				t.Fatalf("%v: element %d is %v, want NaN in the whole weight", bad, i, v)
			}
		}
		if err := q.check(); err == nil || !strings.Contains(err.Error(), "not finite") {
			t.Errorf("%v: the reader would take this weight (%v)", bad, err)
		}
	}
}

func TestQuantizerCounts(t *testing.T) {
	z, err := NewQuantizer(tensor.Shape{2, 50})
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Append(make([]float32, 99)); err != nil {
		t.Fatal(err)
	}
	if _, err := z.Finish(); err == nil || !strings.Contains(err.Error(), "only 99 of its 100") {
		t.Errorf("one value too few: %v", err)
	}
	if err := z.Append(make([]float32, 2)); err == nil || !strings.Contains(err.Error(), "more than its 100") {
		t.Errorf("one value too many: %v", err)
	}
	for _, s := range []tensor.Shape{{-1}, {1 << 40, 1 << 40}, {math.MaxInt}} {
		if _, err := NewQuantizer(s); err == nil {
			t.Errorf("shape %v is taken", s)
		}
	}
}

func TestBitsPerParameter(t *testing.T) {
	q := QuantizeNF4(make([]float32, 1<<20), tensor.Shape{1024, 1024})
	if bits := float64(q.Bytes()) * 8 / (1 << 20); math.Abs(bits-4.127) > 0.0005 {
		t.Errorf("%.4f bits a parameter, want 4.127", bits)
	}
	if q.Bytes() != tensor.Of(tensor.NF4, 1024, 1024).Bytes() {
		t.Errorf("%d bytes, tensor.Type says %d", q.Bytes(), tensor.Of(tensor.NF4, 1024, 1024).Bytes())
	}
}

func BenchmarkQuantize(b *testing.B) {
	w := normals(1<<20, 7)
	for b.Loop() {
		QuantizeNF4(w, tensor.Shape{1 << 20})
	}
	b.ReportMetric(float64(b.N)*(1<<20)/b.Elapsed().Seconds()/1e6, "Mvalues/s")
}

func BenchmarkDequantize(b *testing.B) {
	q := QuantizeNF4(normals(1<<20, 8), tensor.Shape{1 << 20})
	dst := make([]float32, 1<<20)
	for b.Loop() {
		q.Dequantize(dst, 0)
	}
	b.ReportMetric(float64(b.N)*(1<<20)/b.Elapsed().Seconds()/1e6, "Mvalues/s")
}

// The order of summation matters for the last bit only, whatever the length.
func TestMean(t *testing.T) {
	for _, n := range []int{1, 7, 8, 31, 32, 33, 511, 512, 513, 600_001} {
		w := normals(n, 15)
		exact := 0.0
		for i := range w {
			w[i] = abs(w[i])
			exact += float64(w[i])
		}
		exact /= float64(n)
		if got := mean(w); math.Abs(float64(got)-exact) > 3e-7*exact {
			t.Errorf("mean of %d values is %v, want %v", n, got, exact)
		}
	}
	if got := mean([]float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}); got != math.MaxFloat32 {
		t.Errorf("mean of the largest numbers is %v", got)
	}
}
