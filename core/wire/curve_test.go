package wire

import (
	"fmt"
	"testing"
)

// A curve has each step once, in order, whatever was told twice, done again or given up.
func TestCurve(t *testing.T) {
	var c Curve
	for i, x := range []struct {
		e    Event
		news bool
		want string
	}{
		{Started{}, false, "[] []"},
		{Stepped{Step: 1}, true, "[1] []"},
		{Stepped{Step: 2}, true, "[1 2] []"},
		{Evaluated{Step: 2}, true, "[1 2] [2]"},
		{Stepped{Step: 2}, false, "[1 2] [2]"},
		{Evaluated{Step: 1}, false, "[1 2] [2]"},
		{Stepped{Step: 3}, true, "[1 2 3] [2]"},
		{Started{StartStep: 1, Told: 3}, false, "[1 2 3] [2]"}, // by a server, which tells a step once
		{Started{StartStep: 1}, true, "[1] []"},
		{Progress{Step: 9}, false, "[1] []"},
		{Stepped{Step: 5}, true, "[1 5] []"},
		{Evaluated{Step: 5}, true, "[1 5] [5]"},
		{Rewound{Step: 4}, true, "[1] []"},
	} {
		if news := c.Take(x.e); news != x.news {
			t.Errorf("%d: %T%+v is news: %t", i, x.e, x.e, news)
		}
		points, held := []int{}, []int{}
		for _, p := range c.Points {
			points = append(points, p.Step)
		}
		for _, e := range c.Held {
			held = append(held, e.Step)
		}
		if got := fmt.Sprint(points, " ", held); got != x.want {
			t.Errorf("%d: behind %T%+v there is %s, want %s", i, x.e, x.e, got, x.want)
		}
	}
}
