package device

import (
	"slices"
	"testing"
)

func TestPoolShares(t *testing.T) {
	var p Pool
	if got := p.Fit([]int64{10, 30, 20}); !slices.Equal(got, []int{2, 0, 1}) {
		t.Errorf("the first program uses buffers %v", got)
	}
	if got := p.Fit([]int64{5, 40}); !slices.Equal(got, []int{1, 0}) {
		t.Errorf("the second program uses buffers %v", got)
	}
	if want := []int64{40, 20, 10}; !slices.Equal(p.Sizes, want) {
		t.Errorf("the buffers have %v bytes, want %v", p.Sizes, want)
	}
	slots, feeds, workspace := SharedBytes(Cost{Slots: []int64{10, 30, 20}, Feeds: 3, Workspace: 7}, Cost{Slots: []int64{5, 40}, Feeds: 4, Workspace: 5})
	if slots != 70 || feeds != 7 || workspace != 7 {
		t.Errorf("together %d, %d, %d bytes; want 70, 7, 7", slots, feeds, workspace)
	}
}
