package optim

import (
	"math"
	"testing"
)

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		k    int
		want float64
	}{
		{Schedule{"constant", 2, 5, 10}, 0, 2},
		{Schedule{"constant_with_warmup", 2, 4, 10}, 0, 0},
		{Schedule{"constant_with_warmup", 2, 4, 10}, 1, 0.5},
		{Schedule{"constant_with_warmup", 2, 4, 10}, 9, 2},
		{Schedule{"linear", 1, 0, 4}, 0, 1},
		{Schedule{"linear", 1, 0, 4}, 3, 0.25},
		{Schedule{"linear", 1, 0, 4}, 9, 0},
		{Schedule{"cosine", 1, 2, 10}, 6, 0.5},
		{Schedule{"cosine", 1, 2, 10}, 2, 1},
		{Schedule{"cosine", 1, 2, 2}, 2, 1},
	} {
		got, err := c.s.At(c.k)
		if err != nil || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v at %d: %v, %v; want %v", c.s, c.k, got, err, c.want)
		}
	}
	if _, err := (Schedule{Type: "step"}).At(0); err == nil {
		t.Error("an unknown type is accepted")
	}
}
