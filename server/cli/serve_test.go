package cli

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestServeRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ args, says string }{
		{"--addr 0.0.0.0:7860", "certificate"},
		{"--addr :7860", "certificate"},
		{"--addr [::]:7860", "certificate"},
		{"--addr 192.168.1.2:7860", "certificate"},
		{"--addr example.org:80", "certificate"},
		{"--addr 7860", "127.0.0.1:7860 is wanted"},
		{"--addr " + taken.Addr().String(), "another program listens there"},
		{"--connect gpu.example", "an address such as https://gpu.example"},
		{"--connect ftp://gpu.example", "an address such as https://gpu.example"},
		{"--connect https://a;script-src", "an address such as https://gpu.example"},
		{"--connect https://*", "an address such as https://gpu.example"},
		{"stray", "stray"},
		{"--nonsense", "nonsense"},
	} {
		out, status := hone(t, t.TempDir(), append([]string{"serve"}, strings.Fields(c.args)...)...)
		if status != 1 || !strings.Contains(out, c.says) || strings.Contains(out, "Hone is at") {
			t.Errorf("serve %s: status %d, %q", c.args, status, out)
		}
	}
}

func TestServeTakesAFreePort(t *testing.T) {
	first, err := listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	port := func(l net.Listener) int {
		_, p, err := net.SplitHostPort(l.Addr().String())
		n, err2 := strconv.Atoi(p)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		return n
	}
	if a, b := port(first), port(second); a < defaultPort || b <= a || b > defaultPort+morePorts {
		t.Errorf("ports %d and %d", a, b)
	}
}

func TestSiteRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"site"}, {"site", "a", "b"}, {"site", dir}} {
		if out, status := hone(t, t.TempDir(), args...); status != 1 {
			t.Errorf("%v: status %d, %q", args, status, out)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder now has %v (%v)", entries, err)
	}
}
