package http

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"hone/core/link"
	"hone/core/wire"
	"hone/server/auth"
)

// An administrator says in the panel what a user may keep: it holds from the next request on, and when the server is started again.
func TestPanelSetsQuota(t *testing.T) {
	o := openOffice(t)
	ada, err := link.Dial(t.Context(), link.Options{URL: o.server.URL, Token: o.ada})
	if err != nil {
		t.Fatal(err)
	}
	defer ada.Close()
	b := o.administrator(t)
	i := intruder{t, o}
	if status, text := b.acts("quota", "user", "ada", "bytes", " 1.5 MB "); status != 200 || !strings.Contains(text, `value="1500000"`) {
		t.Fatalf("%d %s", status, text)
	}
	if host, err := wire.Ask[wire.Host](t.Context(), ada, wire.Hello{}, nil); err != nil || host.Storage.Quota != 1_500_000 {
		t.Errorf("a link that is open hears of %d, %v", host.Storage.Quota, err)
	}
	put := func(token string) int {
		status, _ := i.asks("PUT", "/files/"+strings.Repeat("cd", 32)+"?size=2000000&offset=0", token, "x")
		return status
	}
	if status := put(o.ada); status != 507 {
		t.Errorf("a file beyond the quota: %d", status)
	}
	if status := put(o.bob); status != 200 {
		t.Errorf("the same file of somebody else: %d", status)
	}
	again, err := auth.OpenTokens(o.dir)
	if err != nil || again.Quota("ada") != 1_500_000 || again.Quota("bob") != 0 {
		t.Errorf("started again: %d and %d, %v", again.Quota("ada"), again.Quota("bob"), err)
	}
	for _, bad := range []string{"much", "-5", "0", "1e99 GB"} {
		if status, text := b.acts("quota", "user", "ada", "bytes", bad); status != 400 || !strings.Contains(text, "The quota of ada") {
			t.Errorf("%q: %d", bad, status)
		}
	}
	if status, _ := b.acts("quota", "user", "../ada", "bytes", "1GB"); status != 400 {
		t.Errorf("../ada: %d", status)
	}
	if status, _ := b.acts("quota", "bytes", "1GB"); status != 400 {
		t.Errorf("nobody's quota: %d", status)
	}
	if status, _ := b.does("/en/server/quota", url.Values{"check": {b.check}, "user": {"ada"}, "bytes": {"1TB"}}, "Origin", "https://evil.example"); status != 403 {
		t.Errorf("a form of another site: %d", status)
	}
	if status, _ := b.does("/en/server/quota", url.Values{"user": {"ada"}, "bytes": {"1TB"}}); status != 403 {
		t.Errorf("a form without its check: %d", status)
	}
	for _, bad := range []string{"many", "0", "-1", "1.5"} {
		if status, text := b.acts("quota", "user", "bob", "runs", bad); status != 400 || !strings.Contains(text, "The unfinished runs of bob") {
			t.Errorf("%q runs: %d", bad, status)
		}
	}
	if status, text := b.acts("quota", "user", "bob", "runs", "1"); status != 200 || !strings.Contains(text, `value="1"`) {
		t.Errorf("%d %s", status, text)
	}
	bob, err := link.Dial(t.Context(), link.Options{URL: o.server.URL, Token: o.bob})
	if err != nil {
		t.Fatal(err)
	}
	defer bob.Close()
	start := wire.Start{Priority: wire.Usual, Recipe: json.RawMessage(`{"model":"a/b","dataset":["a/b"],"max_steps":1}`)}
	if _, err := bob.Ask(t.Context(), start.Name(), start, nil); err != nil {
		t.Errorf("the first run: %v", err)
	}
	if _, err := bob.Ask(t.Context(), start.Name(), start, nil); wire.StatusOf(err) != 429 {
		t.Errorf("a second run: %v", err)
	}
	if q := o.tokens.Quota("ada"); q != 1_500_000 {
		t.Errorf("after all that it is %d", q)
	}
	if status, _ := b.acts("quota", "user", "ada", "bytes", ""); status != 200 || put(o.ada) != 200 {
		t.Errorf("an empty field does not leave it to the server: %d", status)
	}
	if _, text := b.does("/zh/server", nil); !strings.Contains(text, "立即生效") {
		t.Error("there is no word about it in Chinese")
	}
}
