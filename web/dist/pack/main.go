//go:build !js

// Command pack gathers what the page consists of, from all over the repository, and packs it to be embedded into the
// program. `make build` runs it, in the repository's folder, after it has built the programs for the browser.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"hone/core/bundle"
	"hone/web/dist"
)

func main() {
	p := dist.Packer{}
	wasm := flag.String("wasm", ".build/web", "folder of the programs for the browser")
	flag.StringVar(&p.Into, "into", "web/dist/site", "folder to pack into")
	flag.StringVar(&p.Cache, "cache", ".build/packed", "folder of what was compressed before")
	flag.IntVar(&p.Quality, "quality", 5, "of brotli, 0 to 11; the last step takes minutes and makes programs a sixth smaller")
	flag.Parse()
	if err := pack(p, *wasm); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(p dist.Packer, wasm string) error {
	files, err := gather(wasm)
	if err != nil {
		return err
	}
	r, err := p.Pack(files)
	if err != nil {
		return err
	}
	var size, packed int64
	for _, f := range r.Files {
		size += f.Size
		form := ""
		if len(f.Forms) > 0 {
			form = f.Forms[0]
		}
		content, err := r.Form(f, form)
		if err != nil {
			return err
		}
		packed += int64(len(content))
	}
	fmt.Printf("the page: %d files, %.1f MB, %.1f MB compressed, release %s\n", len(r.Files), float64(size)/1e6, float64(packed)/1e6, r.Hash)
	return nil
}

// gather gives all files of the page by the path that they are served under.
func gather(wasm string) (map[string][]byte, error) {
	files := map[string][]byte{}
	add := func(name, from string) error {
		if _, twice := files[name]; twice {
			return fmt.Errorf("two files want to be served as %s; the second is %s", name, from)
		}
		raw, err := os.ReadFile(from)
		files[name] = raw
		return err
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	single := map[string]string{
		"wasm_exec.js": filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js"),
		"webgpu.js":    "core/device/webgpu/driver_js.js",
	}
	const uplot = "node_modules/uplot"
	for name, from := range map[string]string{"uPlot.iife.min.js": "dist/uPlot.iife.min.js", "uPlot.min.css": "dist/uPlot.min.css", "uPlot.LICENSE.txt": "LICENSE"} {
		single[name] = path.Join(uplot, from)
	}
	for name, from := range single {
		if err := add(name, from); err != nil {
			if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(from, uplot) {
				err = fmt.Errorf("%w: `make deps` fetches it", err)
			}
			return nil, err
		}
	}
	for _, pattern := range []string{filepath.Join(wasm, "*.wasm"), "web/worker/*.js", "web/assets/*.js", "web/assets/*.css", "web/dist/offline.js", "web/dist/language.js"} {
		found, err := filepath.Glob(pattern)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("there is no %s", pattern)
		}
		if err != nil {
			return nil, err
		}
		for _, from := range found {
			if err := add(filepath.Base(from), from); err != nil {
				return nil, err
			}
		}
	}
	return files, addBundle(files)
}

// addBundle adds the bundled model and sets with a list of them.
func addBundle(files map[string][]byte) error {
	type entry struct {
		Path   string `json:"path"`
		Size   int    `json:"size"`
		SHA256 string `json:"sha256"`
	}
	var list []entry
	err := fs.WalkDir(bundle.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(bundle.FS(), name)
		if err != nil {
			return err
		}
		files["bundle/"+name] = raw
		sum := sha256.Sum256(raw)
		list = append(list, entry{name, len(raw), hex.EncodeToString(sum[:])})
		return nil
	})
	if err != nil {
		return err
	}
	raw, err := json.Marshal(list)
	files["bundle/manifest.json"] = raw
	return err
}
