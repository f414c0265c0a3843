package studio

import (
	"strconv"
	"testing"
)

// TestInbox asks for what several say, each in its order, though it is read more slowly.
func TestInbox(t *testing.T) {
	b := NewInbox()
	const each = 1000
	for _, who := range []string{"a", "b"} {
		go func() {
			for i := range each {
				b.Put(who + strconv.Itoa(i))
			}
		}()
	}
	next, done := map[byte]int{}, make(chan bool)
	go b.Each(func(text string) {
		if want := strconv.Itoa(next[text[0]]); text[1:] != want {
			t.Errorf("%s comes where %c%s is due", text, text[0], want)
		}
		if next[text[0]]++; next['a']+next['b'] == 2*each {
			close(done)
		}
	})
	<-done
}
