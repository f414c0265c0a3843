package http

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestModelsOfThisMachine(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	put := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, at string) {
		t.Helper()
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(outside, "secret"), "secret")
	put(filepath.Join(dir, "Qwen/tiny/config.json"), "{}")
	put(filepath.Join(dir, "Qwen/tiny/model.safetensors"), "0123456789")
	put(filepath.Join(dir, "Qwen/tiny/.hidden"), "hidden")
	put(filepath.Join(dir, ".cache/x/config.json"), "{}")
	put(filepath.Join(dir, "blobs/1"), "blob")
	put(filepath.Join(dir, "linked/config.json"), "{}")
	link("../blobs/1", filepath.Join(dir, "linked/inside"))
	link(filepath.Join(outside, "secret"), filepath.Join(dir, "linked/outside"))
	link(outside, filepath.Join(dir, "linked/folder"))
	o := options(t)
	o.Models = dir
	s := newServer(t, o)

	var list struct{ Models []model }
	r := ask(s, "GET", "/models/", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty")
	if text := body(t, r); json.Unmarshal([]byte(text), &list) != nil || len(list.Models) != 2 {
		t.Fatalf("the list: %s", text)
	}
	if m := list.Models[0]; m.Name != "Qwen/tiny" || m.Size != 12 || len(m.Files) != 2 || m.Files[1].Path != "model.safetensors" || m.Files[1].Size != 10 {
		t.Errorf("the list has %+v", m)
	}
	if m := list.Models[1]; m.Name != "linked" || len(m.Files) != 2 || m.Files[1].Path != "inside" || m.Files[1].Size != 4 {
		t.Errorf("the list has %+v", m)
	}

	r = ask(s, "GET", "/models/Qwen/tiny/model.safetensors", "Range", "bytes=4-")
	if got := body(t, r); r.StatusCode != http.StatusPartialContent || got != "456789" || r.Header.Get("ETag") != list.Models[0].Files[1].Tag || r.Header.Get("ETag") == "" || r.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("a part: %d %q %v", r.StatusCode, got, r.Header)
	}
	if r := ask(s, "GET", "/models/linked/inside"); body(t, r) != "blob" {
		t.Error("a link inside the directory is not followed")
	}
	for _, path := range []string{
		"linked/outside", "linked/folder/secret", "linked/folder", "Qwen/tiny/.hidden", ".cache/x/config.json", "Qwen", "Qwen/tiny/", "nothing",
		"%2e%2e/secret", "..%2fsecret", "Qwen/..%2f..%2f..%2fetc/passwd", "%2Fetc/passwd", "Qwen%5c..%5c", "Qwen/tiny/model.safetensors%00",
	} {
		if r := ask(s, "GET", "/models/"+path); r.StatusCode == 200 || strings.Contains(body(t, r), "secret\n") {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	if r := ask(s, "GET", "/models/", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "empty"); r.StatusCode != http.StatusForbidden {
		t.Errorf("another site: %d", r.StatusCode)
	}
	o.Models = filepath.Join(dir, "Qwen", "tiny")
	if _, err := New(o); err == nil || !strings.HasSuffix(err.Error(), "is a model itself; give the folder that it lies in, whose models are then all given out: --models "+filepath.Join(dir, "Qwen")) {
		t.Errorf("a model: %v", err)
	}
	o.Models = filepath.Join(dir, "nowhere")
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "--models") {
		t.Errorf("a directory that is not there: %v", err)
	}
}
