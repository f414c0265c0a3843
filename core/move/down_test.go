package move

import (
	"strings"
	"testing"
)

func TestIsID(t *testing.T) {
	for id, want := range map[string]bool{
		"tiny/v0-20260131-120000":                      true,
		"tiny/v12-20260131-120000-k3f9ab":              true,
		"模型 1/v0-20260131-120000":                      true,
		"tiny/v-20260131-120000":                       false,
		"tiny/v0-20260131-120000-":                     false,
		"tiny/v0-20260131-120000-../x":                 false,
		"tiny/v0-20260131-120000/..":                   false,
		"../v0-20260131-120000":                        false,
		"a/b/v0-20260131-120000":                       false,
		`a\b/v0-20260131-120000`:                       false,
		"a\x00/v0-20260131-120000":                     false,
		"/v0-20260131-120000":                          false,
		"v0-20260131-120000":                           false,
		strings.Repeat("x", 201) + "/v0-20260131-1200": false,
		"": false,
	} {
		if IsID(id) != want {
			t.Errorf("IsID(%q) = %v", id, !want)
		}
	}
}
