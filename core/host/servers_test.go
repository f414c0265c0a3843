package host

import (
	"slices"
	"testing"

	"hone/core/wire"
)

// Runs go by themselves to one server at most: the last that its user has agreed to. What is said of another takes nothing back.
func TestAgree(t *testing.T) {
	h := open(t, t.TempDir())
	const first, second = "https://a.example", "https://b.example"
	for i, c := range []struct {
		url    string
		agreed bool
		want   []string
	}{
		{first, true, []string{first}},
		{second, false, []string{first}},
		{second, true, []string{second}},
		{second, false, nil},
	} {
		ask[struct{}](h, wire.Agree{On: wire.Server{URL: c.url, Token: "t"}, Agreed: c.agreed})
		var got []string
		for _, k := range ask[wire.Host](h, wire.Hello{}).Servers {
			if k.Agreed {
				got = append(got, k.URL)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d: agreed is %v, want %v", i, got, c.want)
		}
	}
}
