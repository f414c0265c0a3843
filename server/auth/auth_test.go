package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestTokens(t *testing.T) {
	dir := t.TempDir()
	tokens, err := OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	made, secret, err := tokens.Add("ada", Run, 0)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "tokens.json"))
	if err != nil || strings.Contains(string(raw), secret[len(secret)-20:]) {
		t.Fatalf("the file holds the secret (%v)", err)
	}
	if st, _ := os.Stat(filepath.Join(dir, "tokens.json")); st.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", st.Mode())
	}
	// Another process, as a running server is one, sees what a command changes.
	server, err := OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	who, err := server.Who(secret)
	if err != nil || who != (Identity{"ada", Run, made.ID}) {
		t.Fatalf("%+v, %v", who, err)
	}
	for _, wrong := range []string{secret + "x", secret[:len(secret)-1], "hone_" + made.ID + "_", "hone__", "x", strings.Repeat("y", 1<<16)} {
		var d *Denied
		if _, err := server.Who(wrong); !errors.As(err, &d) || d.Forbidden {
			t.Errorf("%.40q: %v", wrong, err)
		}
	}
	if err := tokens.Revoke(made.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Who(secret); err == nil || server.StillValid(made.ID) {
		t.Error("a revoked token is let in")
	}
	if err := tokens.Revoke("nobody"); err == nil {
		t.Error("a token that there is not was revoked")
	}
	for _, user := range []string{"", "../x", "A", "a b", "a.b", strings.Repeat("a", 33), "-a", "a/b"} {
		if _, _, err := tokens.Add(user, Run, 0); err == nil {
			t.Errorf("user %q", user)
		}
	}
}

// Commands that change the file at once lose nothing of each other.
func TestTokensAtOnce(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			tokens, err := OpenTokens(dir)
			if err == nil {
				_, _, err = tokens.Add("ada", View, 0)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	tokens, _ := OpenTokens(dir)
	if n, err := tokens.Valid(); n != 8 || err != nil {
		t.Errorf("%d tokens, %v", n, err)
	}
}

// A damaged file lets nobody in.
func TestTokensDamaged(t *testing.T) {
	dir := t.TempDir()
	tokens, err := OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := tokens.Add("ada", Admin, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tokens.json"), []byte(`[{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Who(secret); err == nil {
		t.Error("let in")
	}
	if _, err := NewGate(tokens, true, DefaultRates).Enter("", "127.0.0.1"); err == nil {
		t.Error("an open server lets in although its file of tokens cannot be read")
	}
}

func TestExposure(t *testing.T) {
	for _, c := range []struct {
		e    Exposure
		want string
	}{
		{Exposure{Address: "127.0.0.1:80"}, ""},
		{Exposure{Address: "[::1]:80"}, ""},
		{Exposure{Address: "localhost:80"}, ""},
		{Exposure{Address: ":80"}, "certificate"},
		{Exposure{Address: "0.0.0.0:80", TLS: true}, "token"},
		{Exposure{Address: "192.0.2.1:80", Tokens: 1}, "certificate"},
		{Exposure{Address: "192.0.2.1:80", Tokens: 1, TLS: true}, ""},
		{Exposure{Address: "192.0.2.1:80", Tokens: 1, BehindProxy: true}, ""},
		{Exposure{Address: "127.0.0.1:80", BehindProxy: true}, "token"}, // a proxy brings the world to loopback
		{Exposure{Address: "nonsense"}, "host:port"},
	} {
		err := c.e.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.e, err, c.want)
		}
	}
}

func TestGate(t *testing.T) {
	tokens, err := OpenTokens(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer tokens.Close()
	g := NewGate(tokens, true, Rates{Token: 1, Address: 1, Burst: 30})
	if who, err := g.Enter("", "a"); err != nil || who.User != Local || !who.May(Admin) {
		t.Fatalf("%+v, %v", who, err)
	}
	first, _, err := tokens.Add("ada", View, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Enter("", "a"); err == nil {
		t.Error("an open server that has a token now lets in without one")
	}
	last, _, err := tokens.Add("bob", Admin, 0)
	if err == nil {
		err = errors.Join(tokens.Revoke(last.ID), tokens.Revoke(first.ID))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Enter("", "a"); Status(err) != 401 {
		t.Errorf("an open server lets everybody in when its last token is revoked: %v", err)
	}
	_, secret, err := tokens.Add("ada", View, 0)
	if err != nil {
		t.Fatal(err)
	}
	request := func(origin, authorization string) int {
		r := httptest.NewRequest("GET", "https://hone.example/link", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		r.Header.Set("Authorization", authorization)
		who, err := g.Request(r)
		if err == nil {
			err = who.Need(View)
		}
		if err == nil {
			return http.StatusOK
		}
		return Status(err)
	}
	for _, c := range []struct {
		origin, authorization string
		want                  int
	}{
		{"", "Bearer " + secret, 200},
		{"https://hone.example", "bearer " + secret, 200},
		{"https://evil.example", "Bearer " + secret, 403},
		{"null", "Bearer " + secret, 403},
		{"https://hone.example.evil.example", "Bearer " + secret, 403},
		{"", "Basic " + secret, 401},
		{"", "", 401},
	} {
		if got := request(c.origin, c.authorization); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	who, err := g.Enter(secret, "b")
	if err != nil || who.May(Run) || Status(who.Need(Run)) != 403 {
		t.Errorf("%+v, %v", who, err)
	}
	for range 40 {
		_, err = g.Enter(secret, "c")
	}
	if !errors.Is(err, ErrTooMany) || Status(err) != 429 {
		t.Errorf("after 40 requests: %v", err)
	}
	for range 25 {
		_, err = g.Enter("hone_wrong_x", "d")
	}
	if !errors.Is(err, ErrTooMany) {
		t.Errorf("after 25 wrong tokens: %v", err)
	}
	if _, bob, err := tokens.Add("bob", View, 0); err != nil {
		t.Fatal(err)
	} else if who, err := g.Enter(bob, "d"); err != nil || who.User != "bob" {
		t.Errorf("a valid token, where others have failed: %+v, %v", who, err)
	}
	if _, err := g.Enter(secret, "e"); !errors.Is(err, ErrTooMany) { // its token's bucket is empty from whatever address
		t.Errorf("%v", err)
	}
}

func TestAddress(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "[2001:db8::1]:5"
	r.Header.Set("X-Forwarded-For", "198.51.100.1, 203.0.113.9")
	if got := (&Gate{}).Address(r); got != "2001:db8::/64" {
		t.Error(got) // what a client says of itself is not believed
	}
	if got := (&Gate{Proxied: true}).Address(r); got != "203.0.113.9" {
		t.Error(got)
	}
}

// A quota is the user's: the largest that one of the valid tokens says.
func TestQuota(t *testing.T) {
	tokens, err := OpenTokens(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer tokens.Close()
	var last Token
	for _, n := range []int64{0, 5, 9} {
		if last, _, err = tokens.Add("ada", View, n); err != nil {
			t.Fatal(err)
		}
	}
	if got := tokens.Quota("ada"); got != 9 {
		t.Errorf("ada may keep %d bytes", got)
	}
	if got := tokens.Quota("bob"); got != 0 {
		t.Errorf("bob may keep %d bytes of his own", got)
	}
	if err := tokens.Revoke(last.ID); err != nil {
		t.Fatal(err)
	}
	if got := tokens.Quota("ada"); got != 5 {
		t.Errorf("without the token of 9, ada may keep %d bytes", got)
	}
}
