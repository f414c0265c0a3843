//go:build !js

package workertest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"hone/core/bundle"
	"hone/core/golden"
	"hone/core/wire"
)

// program is the trainer, built once for all tests of a package.
var program struct {
	once sync.Once
	dir  string
	err  error
}

// Main runs the tests of a package that uses Trainer, and removes what was built for them.
func Main(m *testing.M) {
	status := m.Run()
	if program.dir != "" {
		os.RemoveAll(program.dir)
	}
	os.Exit(status)
}

// TrainerWasm builds the trainer as it is delivered, once, and gives its path.
func TrainerWasm(t testing.TB) string {
	t.Helper()
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "trainer-*"); program.err != nil {
			return
		}
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(program.dir, "trainer.wasm"), "./wasm/trainer")
		build.Dir = golden.Root(t)
		build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0", "GOEXPERIMENT=")
		if out, err := build.CombinedOutput(); err != nil {
			program.err = fmt.Errorf("building the trainer: %w\n%s", err, out)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return filepath.Join(program.dir, "trainer.wasm")
}

// Trainer serves the trainer with what comes with it, and further files, and gives the address.
func Trainer(t testing.TB, more map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, bundle.FS()); err != nil {
		t.Fatal(err)
	}
	var list []wire.Blob
	err := fs.WalkDir(bundle.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(bundle.FS(), path)
		sum := sha256.Sum256(raw)
		list = append(list, wire.Blob{Path: path, Size: int64(len(raw)), SHA256: hex.EncodeToString(sum[:])})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(list)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "manifest.json"), raw, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"trainer.wasm": TrainerWasm(t), "bundle/": dir}
	maps.Copy(all, more)
	return Serve(t, all)
}

// Ask makes a request of the trainer in a tab, and fails the test when it is refused.
func Ask[R any](p *Page, r wire.Request) R {
	p.t.Helper()
	reply, refusal := Try[R](p, r)
	if refusal != "" {
		p.t.Fatalf("%s: %s", r.Name(), refusal)
	}
	return reply
}

// Try makes a request of the trainer in a tab. It gives the reply, or why it was refused.
func Try[R any](p *Page, r wire.Request) (reply R, refusal string) {
	p.t.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		p.t.Fatal(err)
	}
	got := Eval[struct {
		Error string
		Value json.RawMessage
	}](p, fmt.Sprintf("ask(%q, %s)", r.Name(), raw))
	if got.Error == "" && len(got.Value) > 0 {
		if err := json.Unmarshal(got.Value, &reply); err != nil {
			p.t.Fatalf("%s: %v in %s", r.Name(), err, got.Value)
		}
	}
	return reply, got.Error
}

// Put stores files in the tab's file system: by path, where the tests' server has them.
func (p *Page) Put(files map[string]string) {
	p.t.Helper()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if got := Eval[struct{ Error string }](p, fmt.Sprintf("put(%q, %q)", path, files[path])); got.Error != "" {
			p.t.Fatal(got.Error)
		}
	}
}

// PutFolder stores the files of a folder of testdata/golden, which the tests' server has below golden/.
func (p *Page) PutFolder(into, folder string) {
	p.t.Helper()
	entries, err := os.ReadDir(golden.Own(p.t, folder))
	if err != nil {
		p.t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		files[path.Join(into, e.Name())] = path.Join("golden", folder, e.Name())
	}
	p.Put(files)
}

// Take reads a file of the tab's file system.
func (p *Page) Take(path string) []byte {
	p.t.Helper()
	raw, err := base64.StdEncoding.DecodeString(Eval[string](p, fmt.Sprintf("take(%q)", path)))
	if err != nil {
		p.t.Fatal(err)
	}
	return raw
}

// Events are those that the tab has heard.
func (p *Page) Events() []wire.Frame {
	p.t.Helper()
	return Eval[[]wire.Frame](p, "events")
}

// Until waits for an event of that name, at place from or behind it, and gives its place among the events.
func (p *Page) Until(name string, from int, limit time.Duration) int {
	p.t.Helper()
	find := fmt.Sprintf("events.findIndex((e, i) => i >= %d && e.name === %q)", from, name)
	if !p.Wait(find+" >= 0 || failures.length > 0", limit) {
		p.t.Fatalf("no event %s comes in %v; there are %s", name, limit, Eval[string](p, "JSON.stringify(events.slice(-6)) + failures"))
	}
	at := Eval[int](p, find)
	if at < 0 {
		p.t.Fatalf("the worker failed: %s", Eval[string](p, "failures.join()"))
	}
	return at
}

// Figures are what the worker measures of itself.
type Figures struct {
	Heap   int64 // bytes that Go's heap holds after a collection
	Memory int64 // bytes that Go has taken of the browser, which it never gives back
	GPU    struct {
		CreateBuffer, CreateBindGroup, CreateComputePipeline int
		Dispatches, Replays, Copies                          int
		Encoding, Submitting                                 float64 // milliseconds
	}
}

// Measure asks for them.
func (p *Page) Measure() Figures {
	p.t.Helper()
	return Eval[Figures](p, "measure()")
}
