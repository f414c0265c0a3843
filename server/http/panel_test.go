package http

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"hone/core/link"
	"hone/core/wire"
	"hone/server/auth"
)

var checkShape = regexp.MustCompile(`name="check" value="([A-Z0-9]+)"`)

// browser is somebody's, with its cookies.
type browser struct {
	t     *testing.T
	at    string
	http  *http.Client
	check string
}

// does opens a page, or sends a form, and gives what is shown at the end.
func (b *browser) does(path string, form url.Values, header ...string) (int, string) {
	b.t.Helper()
	method, body := "GET", ""
	if form != nil {
		method, body = "POST", form.Encode()
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.at+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.at)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if m := checkShape.FindSubmatch(text); m != nil {
		b.check = string(m[1])
	}
	return res.StatusCode, string(text)
}

// acts sends a form of the panel.
func (b *browser) acts(act string, pairs ...string) (int, string) {
	b.t.Helper()
	form := url.Values{"check": {b.check}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.does("/en/server/"+act, form)
}

func (o *office) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, at: o.server.URL, http: &http.Client{Jar: jar}}
}

// administrator is a browser that has entered the panel.
func (o *office) administrator(t *testing.T) *browser {
	t.Helper()
	_, admin, err := o.tokens.Add("root", auth.Admin, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := o.browser(t)
	if status, text := b.does("/en/server/enter", url.Values{"token": {admin}}); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	return b
}

// Who runs the server enters with a token, sees everything, and does what there is to do; nobody else does.
func TestPanel(t *testing.T) {
	o := openOffice(t)
	ada, err := link.Dial(t.Context(), link.Options{URL: o.server.URL, Token: o.ada})
	if err != nil {
		t.Fatal(err)
	}
	defer ada.Close()
	run := o.startTiny(t, ada, o.ada, 100_000)
	o.hire(t)
	made, admin, err := o.tokens.Add("root", auth.Admin, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := o.browser(t)
	if status, text := b.does("/en/server", nil); status != 401 || !strings.Contains(text, `type="password"`) || strings.Contains(text, run) {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := b.acts("stop", "user", "ada", "run", run); status != 401 {
		t.Errorf("a form of somebody who has not entered: %d", status)
	}
	for _, token := range []string{"", "hone_x_y", o.ada} {
		if status, _ := b.does("/en/server/enter", url.Values{"token": {token}}); status != 401 && status != 403 {
			t.Errorf("entering with %q: %d", token, status)
		}
	}
	if status, _ := b.does("/en/server/enter", url.Values{"token": {admin}}, "Origin", "https://evil.example"); status != 403 {
		t.Errorf("entering from another site: %d", status)
	}
	state := func() string {
		list, err := wire.Ask[wire.RunList](t.Context(), ada, wire.Runs{}, nil)
		if err != nil || len(list.Runs) > 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		if len(list.Runs) == 0 {
			return "gone"
		}
		return list.Runs[0].Status
	}
	becomes := func(want string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); state() != want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the run is %s, not %s", state(), want)
			}
		}
	}
	becomes("running") // and so its worker has said that it is there
	status, text := b.does("/en/server/enter", url.Values{"token": {admin}})
	for _, want := range []string{run, "ada", "CPU", "This server", "root"} {
		if status != 200 || !strings.Contains(text, want) {
			t.Errorf("%d, no %q", status, want)
		}
	}
	if strings.Contains(text, admin) || strings.Contains(text, o.ada) {
		t.Error("the panel shows a token")
	}
	if _, text := b.does("/zh/server", nil); !strings.Contains(text, "本服务器") {
		t.Error("there is no panel in Chinese")
	}

	good := b.check
	b.check = "WRONG"
	if status, _ := b.acts("stop", "user", "ada", "run", run); status != 403 {
		t.Errorf("a form without its check: %d", status)
	}
	b.check = good
	if status, _ := b.does("/en/server/stop", url.Values{"check": {good}, "user": {"ada"}, "run": {run}}, "Origin", "https://evil.example"); status != 403 {
		t.Errorf("a form of another site: %d", status)
	}

	for _, a := range []struct{ act, then string }{{"pause", "paused"}, {"continue", "running"}, {"stop", "stopped"}, {"resume", "running"}, {"kill", "stopped"}} {
		if status, text := b.acts(a.act, "user", "ada", "run", run); status != 200 {
			t.Fatalf("%s: %d %s", a.act, status, text)
		}
		becomes(a.then)
	}
	if status, text := b.does("/en/server/log?user=ada&run="+url.QueryEscape(run), nil); status != 200 || !strings.Contains(text, "killed by who runs the server") || !strings.Contains(text, "finished") {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := b.does("/en/server/log?user=bob&run="+url.QueryEscape(run), nil); status != 404 {
		t.Errorf("the log of a run that is not: %d", status)
	}
	if status, text := b.acts("kill", "user", "ada", "run", run); status != 409 || !strings.Contains(text, "is stopped") {
		t.Errorf("killing what is over: %d", status)
	}
	if status, _ := b.acts("clear", "user", "ada"); status != 200 {
		t.Errorf("clearing: %d", status)
	}
	becomes("gone")
	if used, err := o.api.Broker.Used(t.Context(), "ada"); used != 0 || err != nil {
		t.Errorf("%d bytes are left, %v", used, err)
	}

	status, text = b.acts("token", "user", "eve", "scope", "view")
	secret := regexp.MustCompile(`<code id="secret">(hone_[^<]+)</code>`).FindStringSubmatch(text)
	if status != 200 || secret == nil {
		t.Fatalf("%d %s", status, text)
	}
	if who, err := o.tokens.Who(secret[1]); err != nil || who.User != "eve" || who.Scope != auth.View {
		t.Errorf("%+v, %v", who, err)
	}
	if status, _ := b.acts("token", "user", "../eve", "scope", "view"); status != 400 {
		t.Errorf("a token for ../eve: %d", status)
	}
	if status, _ := b.acts("dance"); status != 404 {
		t.Errorf("an act that there is not: %d", status)
	}
	if status, _ := b.acts("revoke", "token", made.ID); status != 401 {
		t.Errorf("after one's own token is revoked the panel shows %d", status)
	}
}
