package recipe

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Bytes is an amount of memory.
type Bytes int64

var sizeUnits = map[string]float64{
	"": 1, "b": 1,
	"k": 1 << 10, "kib": 1 << 10, "kb": 1e3,
	"m": 1 << 20, "mib": 1 << 20, "mb": 1e6,
	"g": 1 << 30, "gib": 1 << 30, "gb": 1e9,
	"t": 1 << 40, "tib": 1 << 40, "tb": 1e12,
}

// ParseBytes reads an amount such as 500MB, 1.5GiB, 8G or 123456. KB, MB, GB and TB are powers of ten; KiB, MiB, GiB, TiB and
// the single letters are powers of two. Upper and lower case are alike.
func ParseBytes(s string) (Bytes, error) {
	wrong := errors.New("an amount of memory is wanted, such as 500MB, 1.5GiB or 8G")
	s = strings.TrimSpace(s)
	end := strings.LastIndexAny(s, "0123456789.") + 1
	unit, ok := sizeUnits[strings.ToLower(strings.TrimSpace(s[end:]))]
	if !ok {
		return 0, wrong
	}
	number := strings.TrimSpace(s[:end])
	if strings.ContainsAny(number, "xXpP_") { // hexadecimal floats are not amounts
		return 0, wrong
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(x) || x < 0 {
		return 0, wrong
	}
	if x *= unit; x > 1<<53 {
		return 0, errors.New("that is more memory than there is")
	}
	return Bytes(x), nil
}
