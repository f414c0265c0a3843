package cpu

import (
	"syscall/js"
	"time"
)

// breath is how long the worker is deaf at most while a program runs: WebAssembly has one thread, and messages such as pause come in
// only while it rests.
const breath = 40 * time.Millisecond

// breathing gives what the pool calls between pieces of work: it lets the browser's event loop run when it is time. A message to
// oneself comes back at once, while a timer waits four milliseconds.
func breathing() (rest, end func()) {
	var last time.Time
	back := make(chan struct{}, 1)
	channel := js.Global().Get("MessageChannel").New()
	arrived := js.FuncOf(func(js.Value, []js.Value) any { back <- struct{}{}; return nil })
	channel.Get("port1").Set("onmessage", arrived)
	rest = func() {
		if time.Since(last) < breath {
			return
		}
		channel.Get("port2").Call("postMessage", 0)
		<-back
		last = time.Now()
	}
	return rest, func() {
		channel.Get("port1").Call("close")
		arrived.Release()
	}
}
