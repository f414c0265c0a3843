package parts

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

func i64(n int64) string { return strconv.FormatInt(n, 10) }

type named struct {
	Name  string
	Count int64
}

// sorted lists a count by its size, the largest first.
func sorted(m map[string]int64) []named {
	var list []named
	for k, n := range m {
		list = append(list, named{k, n})
	}
	slices.SortFunc(list, func(a, b named) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return list
}

func names(m map[string]int64) string {
	var list []string
	for _, n := range sorted(m) {
		list = append(list, n.Name)
	}
	return strings.Join(list, ", ")
}

// grouped writes a number with a comma before every three digits, as both languages do.
func grouped(n int64) string {
	s := i64(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
