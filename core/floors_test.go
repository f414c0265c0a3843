// Package core_test holds the house to its plan: which package may import which.
package core_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// floors is the one order of the house, bottom to top. A package imports only packages that stand before it. A new
// package gets its place here; the order is what keeps the seams where they are, so moving one is a decision.
var floors = []string{
	// 0: bytes, numbers and kernels; nothing here knows a model
	"shaders", "core/tensor", "core/rng", "core/quant", "core/golden",
	// 1: the graph and its operators
	"core/ir", "core/op",
	// 1: reading and describing: files, text, settings, messages
	"core/safetensors", "core/gguf", "core/tokenizer", "core/chat/jinja", "core/chat", "core/data", "core/table", "core/recipe", "core/wire", "core/link",
	// 2: what a program runs on
	"core/device", "core/device/devicetest", "core/device/cpu/kernel", "core/device/cpu", "core/device/webgpu",
	// 3: models, what moves their weights, and what is attached to them; a model never knows its tuner
	"core/nn", "core/optim", "core/peft",
	// 4: what is kept
	"core/atomicfile", "core/filelock", "core/checkpoint", "core/hub", "core/hub/hubtest", "core/export", "core/bundle/world", "core/bundle", "core/bundle/worldgen",
	// 5: what is done
	"core/generate", "core/eval", "core/train", "core/run", "core/move", "core/host",
	// 6: the page
	"web/worker", "web/worker/workertest", "web/words", "web/parts", "web/studio", "web/studio/studiotest", "web/assets", "web/panel", "web", "web/webtest", "web/dist", "web/dist/pack",
	// 7: the programs
	"server/auth", "server/badnetwork", "server/jobs", "server/http", "server/cli", "server",
	"wasm/conformance", "wasm/trainer", "wasm/data",
}

// nativeOnly are the packages of core that need not exist in the browser: programs that only `make` runs. (The native
// WebGPU driver is a file, not a package.)
var nativeOnly = []string{"core/bundle/worldgen"}

// maxLines is where a file has more than one subject.
const maxLines = 600

// goPackage is what the test reads of `go list -json`.
type goPackage struct {
	ImportPath string
	Name       string
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
	Deps       []string
}

// platforms are the two homes of the code.
var platforms = map[string][]string{
	"native":  nil,
	"browser": {"GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0"},
}

func TestFloorsOrder(t *testing.T) {
	for platform, env := range platforms {
		t.Run(platform, func(t *testing.T) {
			for _, p := range list(t, env) {
				name := short(p.ImportPath)
				at := slices.Index(floors, name)
				if at < 0 {
					t.Errorf("%s has no place in the list of floors (core/floors_test.go)", name)
					continue
				}
				for _, i := range p.Imports {
					if !ours(i) {
						continue
					}
					if to := slices.Index(floors, short(i)); to >= at {
						t.Errorf("%s imports %s, which stands above it", name, short(i))
					}
				}
			}
		})
	}
}

func TestFloorsBrowser(t *testing.T) {
	browser := map[string]goPackage{}
	for _, p := range list(t, platforms["browser"]) {
		browser[p.ImportPath] = p
	}
	for _, p := range list(t, platforms["native"]) {
		name := short(p.ImportPath)
		if !strings.HasPrefix(name, "core/") || slices.Contains(nativeOnly, name) {
			continue
		}
		if len(browser[p.ImportPath].GoFiles) == 0 {
			t.Errorf("%s has no file for GOOS=js: all of core but the native driver builds for the browser", name)
		}
	}
}

// The page speaks of recipes and events; what they run on is not its business, not even through another package.
func TestFloorsWebKnowsNoDevice(t *testing.T) {
	for _, p := range list(t, nil) {
		if name := short(p.ImportPath); name != "web" && !strings.HasPrefix(name, "web/") || strings.HasPrefix(name, "web/worker") {
			continue
		}
		for _, d := range p.Deps {
			if ours(d) && strings.HasPrefix(short(d), "core/device") {
				t.Errorf("%s depends on %s", short(p.ImportPath), short(d))
			}
		}
	}
}

func TestFloorsNames(t *testing.T) {
	banned := []string{"util", "utils", "common", "helper", "helpers", "misc"}
	for _, p := range list(t, nil) {
		for _, part := range append(strings.Split(short(p.ImportPath), "/"), p.Name) {
			if slices.Contains(banned, part) {
				t.Errorf("package %s (%s): %q does not say what it is for", p.Name, short(p.ImportPath), part)
			}
		}
	}
	for path := range sources(t) {
		if base := strings.TrimSuffix(filepath.Base(path), ".go"); slices.Contains(banned, strings.TrimSuffix(base, "_test")) {
			t.Errorf("%s: the name does not say what it is for", path)
		}
	}
}

func TestFloorsFileLength(t *testing.T) {
	for path, text := range sources(t) {
		if n := bytes.Count(text, []byte("\n")); n > maxLines && !bytes.Contains(text, []byte("\n// Code generated ")) &&
			!bytes.HasPrefix(text, []byte("// Code generated ")) {
			t.Errorf("%s has %d lines, more than %d: it has more than one subject", path, n, maxLines)
		}
	}
}

// list gives the module's own packages that have non-test files on a platform. Whether they compile is for others to
// say: -e keeps the order checked while one of them does not.
func list(t *testing.T, env []string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,GoFiles,CgoFiles,Imports,Deps", "./...")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		if len(p.GoFiles)+len(p.CgoFiles) == 0 {
			continue // tests alone, or nothing on this platform
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		t.Fatal("go list names no package: the test looks at nothing")
	}
	return packages
}

func ours(path string) bool { return path == "hone" || strings.HasPrefix(path, "hone/") }

func short(path string) string { return strings.TrimPrefix(path, "hone/") }

// sources gives the Go files of the house with their text, by path from the module's root.
func sources(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, top := range []string{"core", "server", "web", "wasm", "shaders"} {
		root := filepath.Join("..", top)
		if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
				return err
			}
			text, err := os.ReadFile(path)
			files[strings.TrimPrefix(filepath.ToSlash(path), "../")] = text
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) == 0 {
		t.Fatal("no Go file found: the test looks at nothing")
	}
	return files
}
