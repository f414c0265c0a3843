//go:build soak && !js

package e2e_test

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"hone/web/worker/workertest"
)

// A run begins at a server that is not the page's own: the page's server lets it speak there (--connect), that one takes pages of
// this address (--origin) with a token. What was learnt comes home when it is done. The browser had the page before, from a server
// without --connect, and keeps it for use without a network: it is offered the one that may speak there.
func TestEndToEndElsewhere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	home := l.Addr().String() // free in a moment, and known to the other server before
	l.Close()
	data := t.TempDir()
	token := regexp.MustCompile(`(?m)^hone_\S+$`).FindString(output(t, data, "token", "add", "--user", "ada", "--data_dir", data))
	away, _ := serving(t, "--data_dir", data, "--device", "cpu", "--behind_proxy", "--origin", "http://"+home)
	own := []string{"--addr", home, "--workers", "0", "--data_dir", t.TempDir()}
	address, stop := serving(t, own...)
	p := open(t, workertest.Start(t), address+"/en/")
	defer p.Close()
	p.until(2*time.Minute, "kept for use without a network", controlled)
	stop()
	serving(t, append(own, "--connect", away)...)
	workertest.Eval[bool](p.Page, "(globalThis.left = true, location.reload(), true)")
	p.until(2*time.Minute, "the page that may speak with the other server", `globalThis.left === undefined && document.getElementById("update")?.hidden === false`)
	workertest.Eval[bool](p.Page, `(document.querySelector("#update button").click(), globalThis.left = true)`)
	p.until(time.Minute, "taken", `globalThis.left === undefined && document.getElementById("update")?.hidden`)
	p.ready()
	p.fill("set-per_device_train_batch_size", "4")
	p.fill("set-max_steps", "6")
	p.fill("set-val_dataset_sample", "4")
	p.fill("place-url", away)
	p.press("place-look")
	p.until(soon, "refused without a token", `/token/i.test(document.querySelector("#place .error")?.textContent)`)
	p.fill("place-token", token)
	p.press("place-look")
	p.until(soon, "a list of what leaves", `document.getElementById("place-leaves")`)
	p.press("place-start")
	p.until(soon, "at the server", fmt.Sprintf(`document.getElementById("place-is").textContent.includes(%q)`, strings.TrimPrefix(away, "http://")))
	p.finished(3 * time.Minute)
	p.press("place-back")
	p.until(soon, "back", `document.getElementById("place-is").textContent.includes("this browser")`)
	p.noFailure()

	dir, logged, args := p.newest()
	want, adapter := wholeRun(t, args)
	same(t, logged, want, 1e-6) // on the same CPU
	sameWeights(t, p.adapter(dir, 6), adapter, 1e-6)
}
