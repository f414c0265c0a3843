//go:build !js

package webgpu

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hone/core/device/cpu"
	"hone/core/device/devicetest"
	"hone/core/golden"
)

// TestBrowser sends a program to a worker of a headless Chromium, which runs it on WebGPU (SwiftShader) and on the CPU
// device in WebAssembly, and compares both with what the CPU device gives here. The worker runs the whole suite too.
func TestBrowser(t *testing.T) {
	chromium := findChromium(t)
	sent := devicetest.Chain()
	program, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(site(t, program, "conformance", "build", "./wasm/conformance"))
	defer server.Close()

	text := visit(t, chromium, server.URL)
	var got struct {
		Error    string
		Devices  []string
		Results  map[string]devicetest.Results
		Cases    int
		Failures []string
		Seconds  map[string]float64
		Measured map[string]float64
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v in the worker's report %q", err, text)
	}
	if got.Error != "" {
		t.Fatal("worker: " + got.Error)
	}
	t.Logf("%q, %d cases in %v s, %v", got.Devices, got.Cases, got.Seconds, got.Measured)
	for _, f := range got.Failures {
		t.Error("in the worker: " + f)
	}
	if want := len(devicetest.Cases()); got.Cases != want {
		t.Errorf("the worker ran %d cases, the suite has %d", got.Cases, want)
	}

	host := cpu.New(0)
	defer host.Close()
	here, err := devicetest.Run(t.Context(), host, sent)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := devicetest.Reference(sent)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"webgpu", "cpu"} {
		if err := devicetest.Compare(got.Results[kind], reference, sent.Tolerance); err != nil {
			t.Errorf("%s in the worker, against the reference: %v", kind, err)
		}
		if err := devicetest.Near(got.Results[kind], here, sent.Tolerance); err != nil {
			t.Errorf("%s in the worker, against the CPU here: %v", kind, err)
		}
	}
}

// TestBrowserDriver runs this package's own tests for GOOS=js in the worker.
func TestBrowserDriver(t *testing.T) {
	chromium := findChromium(t)
	server := httptest.NewServer(site(t, nil, "webgpu.test", "test", "-c", "./core/device/webgpu"))
	defer server.Close()
	var got struct {
		Error, Output string
		Status        int
	}
	text := visit(t, chromium, server.URL+"/?program=webgpu.test")
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v in the worker's report %q", err, text)
	}
	if got.Error != "" || got.Status != 0 || !strings.Contains(got.Output, "--- PASS: TestLost") || !strings.Contains(got.Output, "--- PASS: TestDriverErrors") || !strings.Contains(got.Output, "--- PASS: TestEveryKernel") || !strings.Contains(got.Output, "--- PASS: TestModules") || !strings.Contains(got.Output, "--- PASS: TestCompileMessage") {
		t.Errorf("status %d %s\n%s", got.Status, got.Error, got.Output)
	}
	t.Log(got.Output)
}

func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := osexec.LookPath(name); err == nil {
			return path
		}
	}
	absent(t, fmt.Errorf("no Chromium is installed; the browser test needs one (package chromium)"))
	return ""
}

// site serves the worker's files, a Go program freshly built for it (by the given go command and its arguments), and
// what that program is to run.
func site(t *testing.T, sent []byte, name, command string, args ...string) http.Handler {
	t.Helper()
	root := golden.Root(t)
	wasm := filepath.Join(t.TempDir(), name+".wasm")
	build := osexec.Command("go", append([]string{command, "-o", wasm}, args...)...)
	build.Dir = root
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0", "GOEXPERIMENT=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go %s %v for the browser: %v\n%s", command, args, err, out)
	}
	goroot, err := osexec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(filepath.Join(root, "wasm", "conformance"))))
	for name, file := range map[string]string{
		"/" + name + ".wasm": wasm,
		"/webgpu.js":         filepath.Join(root, "core", "device", "webgpu", "driver_js.js"),
		"/wasm_exec.js":      filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js"),
	} {
		mux.HandleFunc(name, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	mux.HandleFunc("/case.json", func(w http.ResponseWriter, _ *http.Request) { w.Write(sent) })
	return mux
}

// visit opens the page in a browser with a profile of its own and waits for the worker's report.
func visit(t *testing.T, chromium, url string) string {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium),
		chromedp.Flag("headless", "new"),
		chromedp.NoSandbox,
		chromedp.Flag("enable-unsafe-webgpu", true),
		chromedp.Flag("use-webgpu-adapter", "swiftshader"),
		chromedp.Flag("disable-quic", true),
		chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Second)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...) // which makes the profile and removes it
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	err := chromedp.Do(ctx, chromedp.Navigate(url))
	var text string
	if err == nil {
		text, err = chromedp.Run(ctx, chromedp.Poll[string]("globalThis.result", chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(0)))
	}
	if err != nil {
		t.Fatalf("browser: %v", err)
	}
	return text
}
