package cli

import (
	"regexp"
	"strconv"
	"testing"
)

// planLine takes the bytes of a line out of what hone plan prints.
func planLine(t *testing.T, out, name string) int64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` .* (\d+) bytes`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("the plan has no line %q:\n%s", name, out)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
