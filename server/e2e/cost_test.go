//go:build !js

package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cdp "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"hone/web/worker/workertest"
)

// Limits of what the page may cost.
const (
	pageBytes = 5_000_000              // without the bundled model and the part for big formats
	readyTime = time.Second            // from the last byte to a page that can be used
	longTask  = 100 * time.Millisecond // on the main thread while training

	line = 50_000_000 / 8 // bytes a second: a browser compiles what arrives while the rest is under way, which no loopback shows
)

// counter hands requests on to the program and counts what comes back, over one line of so many bytes a second.
type counter struct {
	mu    sync.Mutex
	bytes map[string]int64 // by path
	last  map[string]time.Time
	free  time.Time // when the line is
}

func (c *counter) front(t *testing.T, address string) string {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		r.Body = &counted{r.Body, c, r.Request.URL.Path}
		return nil
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

type counted struct {
	io.ReadCloser
	to   *counter
	path string
}

func (r *counted) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	c := r.to
	c.mu.Lock()
	if now := time.Now(); c.free.Before(now) {
		c.free = now
	}
	c.free = c.free.Add(time.Duration(n) * time.Second / line)
	arrives := c.free
	c.mu.Unlock()
	time.Sleep(time.Until(arrives))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes[r.path] += int64(n)
	c.last[r.path] = time.Now()
	return n, err
}

// TestBenchPage measures the page as its user meets it: `make bench-web` runs it.
func TestBenchPage(t *testing.T) {
	if os.Getenv("HONE_BENCH") == "" {
		t.Skip("a measurement: make bench-web runs it")
	}
	address, _ := serving(t)
	c := &counter{bytes: map[string]int64{}, last: map[string]time.Time{}}
	front := c.front(t, address)
	b := workertest.Start(t)
	p := &tab{b.Visit("about:blank"), t}
	defer p.Close()
	watch := `globalThis.longTasks = []; new PerformanceObserver((l) => l.getEntries().forEach((e) => longTasks.push({ start: e.startTime, took: e.duration }))).observe({ type: "longtask", buffered: true });`
	if _, err := chromedp.Call(p.Context(), cdp.AddScriptToEvaluateOnNewDocument, cdp.AddScriptToEvaluateOnNewDocumentParams{Source: watch}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(p.Context(), chromedp.Navigate(front+"/en/")); err != nil {
		t.Fatal(err)
	}
	p.ready()
	var marks struct{ Origin, Ready, Drawn, Stepped float64 }
	read := func() {
		raw := workertest.Eval[json.RawMessage](p.Page, "({ origin: performance.timeOrigin, ready: honeMarks.ready, drawn: honeMarks.drawn, stepped: honeMarks.stepped || 0 })")
		if err := json.Unmarshal(raw, &marks); err != nil {
			t.Fatal(err)
		}
	}
	read()
	readyAt := time.UnixMicro(int64((marks.Origin + marks.Ready) * 1000))

	c.mu.Lock()
	var total int64
	var downloaded time.Time
	var lines []string
	for name, n := range c.bytes {
		if strings.Contains(name, "/bundle/") || path.Base(name) == "data.wasm" || c.last[name].After(readyAt) {
			continue // what the service worker fetches for later, too
		}
		total += n
		lines = append(lines, fmt.Sprintf("%9d  %s", n, path.Base(name)))
		if c.last[name].After(downloaded) {
			downloaded = c.last[name]
		}
	}
	c.mu.Unlock()
	slices.Sort(lines)
	slices.Reverse(lines)
	t.Logf("bytes transferred until the page is ready, at %d Mbit/s, without the model:\n%s\n%9d  in all (limit %d)", line*8/1_000_000, strings.Join(lines, "\n"), total, pageBytes)
	if total > pageBytes {
		t.Errorf("the page weighs %d bytes, more than %d", total, pageBytes)
	}
	took := readyAt.Sub(downloaded)
	t.Logf("the trainer is ready %v after navigation began, which is %v after the last byte (limit %v), and all of the page is drawn %v later",
		time.Duration(marks.Ready*1e6).Round(time.Millisecond), took.Round(time.Millisecond), readyTime, time.Duration((marks.Drawn-marks.Ready)*1e6).Round(time.Millisecond))
	if took > readyTime {
		t.Errorf("ready %v after the last byte, more than %v", took, readyTime)
	}

	p.until(2*time.Minute, "kept for use without a network", controlled) // whose fetches are no part of training
	pressed := workertest.Eval[float64](p.Page, "performance.now()")
	p.press("train-now")
	p.until(10*time.Minute, "some steps", stepped(12))
	read()
	first := marks.Stepped - pressed
	t.Logf("first loss %v after the button was pressed; by one who presses it as soon as the page is ready, %v after navigation began",
		time.Duration(first*1e6).Round(time.Millisecond), time.Duration((marks.Ready+first)*1e6).Round(time.Millisecond))
	var tasks []struct{ Start, Took float64 }
	if err := json.Unmarshal(workertest.Eval[json.RawMessage](p.Page, "longTasks"), &tasks); err != nil {
		t.Fatal(err)
	}
	longest := 0.0
	for _, x := range tasks {
		if x.Start > marks.Stepped {
			longest = max(longest, x.Took)
		}
	}
	t.Logf("longest task of the main thread while training: %.0f ms (limit %v)", longest, longTask)
	if longest > float64(longTask.Milliseconds()) {
		t.Errorf("a task of the main thread took %.0f ms while training", longest)
	}
	p.press("stop")
}
