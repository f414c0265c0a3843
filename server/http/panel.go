package http

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hone/core/recipe"
	"hone/core/wire"
	"hone/server/auth"
	"hone/server/jobs"
	"hone/web/panel"
	"hone/web/words"
)

// The panel is for who runs the server: at /<language>/server, with a token of scope admin, or on a server without tokens for
// whoever is on this machine. It has no script; what it does comes as forms, from its own pages alone.

const (
	sessionCookie = "hone_panel"
	sessionTime   = 12 * time.Hour
	mostSessions  = 1000
	formSize      = 16 << 10
)

// sessions are those who have shown a token, by what their cookie says.
type sessions struct {
	mu  sync.Mutex
	of  map[string]session
	own string // the check of forms on a server without tokens
}

type session struct {
	token string // its public id
	check string
	until time.Time
}

// panelPath reports whether a path is of the panel.
func panelPath(path string) bool {
	for _, l := range words.Languages {
		if rest, ok := strings.CutPrefix(path, "/"+string(l)+"/server"); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

func (a *API) mountPanel(mux *http.ServeMux) {
	a.sessions = sessions{of: map[string]session{}, own: rand.Text()}
	for _, l := range words.Languages {
		base := "/" + string(l) + "/server"
		mux.HandleFunc("GET "+base, a.panelPage(l, a.showPanel))
		mux.HandleFunc("GET "+base+"/log", a.panelPage(l, a.showLog))
		mux.HandleFunc("POST "+base+"/enter", a.enterPanel(base))
		mux.HandleFunc("POST "+base+"/{act}", a.panelAct(l))
	}
}

// visitor finds out who looks at the panel: the check of their forms, and the ID of their session where there is one.
func (a *API) visitor(r *http.Request) (check, id string, ok bool) {
	if a.Gate.Open {
		if who, err := a.Gate.Enter("", a.Gate.Address(r)); err == nil && who.May(auth.Admin) {
			return a.sessions.own, "", true
		}
	}
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", "", false
	}
	a.sessions.mu.Lock()
	defer a.sessions.mu.Unlock()
	s, ok := a.sessions.of[c.Value]
	if !ok || time.Now().After(s.until) || !a.Gate.Tokens.StillValid(s.token) {
		delete(a.sessions.of, c.Value)
		return "", "", false
	}
	return s.check, c.Value, true
}

func (a *API) frame(l words.Language, check, id string) panel.Frame {
	f := panel.Frame{Language: l, Base: "/" + string(l) + "/server", Check: check, Login: id != ""}
	if a.Assets != "" {
		f.Assets = "/" + a.Assets
	}
	return f
}

// panelPage shows a page to who may see it, and asks others for a token.
func (a *API) panelPage(l words.Language, show func(w http.ResponseWriter, r *http.Request, f panel.Frame)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		check, id, ok := a.visitor(r)
		f := a.frame(l, check, id)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			panel.Login(f).Render(r.Context(), w)
			return
		}
		f.Follow = r.URL.Query().Has("follow")
		show(w, r, f)
	}
}

// enterPanel takes a token and gives a cookie for it, which no script sees and no other site sends.
func (a *API) enterPanel(base string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.form(w, r) {
			return
		}
		who, err := a.Gate.Enter(r.PostForm.Get("token"), a.Gate.Address(r))
		if err == nil {
			err = who.Need(auth.Admin)
		}
		if err != nil {
			a.deny(w, r, err)
			return
		}
		id := rand.Text() + rand.Text()
		a.sessions.mu.Lock()
		for k, s := range a.sessions.of {
			if time.Now().After(s.until) || len(a.sessions.of) >= mostSessions {
				delete(a.sessions.of, k)
			}
		}
		a.sessions.of[id] = session{token: who.Token, check: rand.Text(), until: time.Now().Add(sessionTime)}
		a.sessions.mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil || a.Gate.Proxied, MaxAge: int(sessionTime.Seconds())})
		http.Redirect(w, r, base, http.StatusSeeOther)
	}
}

// form reads a form of the panel's own pages.
func (a *API) form(w http.ResponseWriter, r *http.Request) bool {
	err := a.Gate.Origin(r)
	if site := r.Header.Get("Sec-Fetch-Site"); err == nil && site != "" && site != "same-origin" && site != "none" {
		err = &auth.Denied{Forbidden: true, Reason: "a page of another site may not send this"}
	}
	if err != nil {
		a.deny(w, r, err)
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, formSize)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "The form is not understood.")
		return false
	}
	return true
}

// panelAct does what a form asks for, and shows the panel again.
func (a *API) panelAct(l words.Language) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		check, id, ok := a.visitor(r)
		if !ok {
			refuse(w, http.StatusUnauthorized, "Enter with a token of scope admin first.")
			return
		}
		if !a.form(w, r) {
			return
		}
		if subtle.ConstantTimeCompare([]byte(r.PostForm.Get("check")), []byte(check)) != 1 {
			refuse(w, http.StatusForbidden, "This form is not of this panel, or is too old; open the panel again.")
			return
		}
		f := a.frame(l, check, id)
		secret, err := a.act(r, r.PathValue("act"), id)
		a.Log.Info("panel", "act", r.PathValue("act"), "user", r.PostForm.Get("user"), "run", r.PostForm.Get("run"), "error", err)
		if err == nil && secret == nil {
			http.Redirect(w, r, f.Base, http.StatusSeeOther)
			return
		}
		status := http.StatusOK
		if err != nil {
			if status = jobs.Status(err); status == http.StatusInternalServerError && !errors.Is(err, errAct) {
				err = errors.New("the server could not do this; its log says why")
			}
			f.Trouble = err.Error()
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		v := a.look(r.Context(), f)
		v.Secret = secret
		panel.Panel(v).Render(r.Context(), w)
	}
}

// errAct says that there is no such act, or that its values are wrong.
var errAct = errors.New("this is not understood")

func (a *API) act(r *http.Request, act, id string) (*panel.Secret, error) {
	ctx, b := r.Context(), a.Broker
	user, run := r.PostForm.Get("user"), r.PostForm.Get("run")
	desk := &jobs.Desk{Broker: b, Who: auth.Identity{User: user, Scope: auth.Admin}}
	ask := func(q wire.Request) error { _, err := desk.Ask(ctx, q.Name(), q, nil); return err }
	if user != "" {
		if err := auth.CheckUser(user); err != nil {
			return nil, &jobs.Refusal{Status: http.StatusBadRequest, Text: err.Error()}
		}
	}
	switch act {
	case "pause", "continue", "stop":
		return nil, ask(wire.Steer{Run: run, Do: act})
	case "resume":
		return nil, ask(wire.Resume{Run: run})
	case "delete":
		return nil, ask(wire.Delete{Path: "runs/" + run})
	case "kill":
		return nil, b.Kill(ctx, user, run)
	case "clear":
		_, _, err := b.Clear(ctx, user)
		return nil, err
	case "quota":
		return nil, a.setQuota(user, r.PostForm)
	case "token":
		made, secret, err := a.Gate.Tokens.Add(user, auth.Scope(r.PostForm.Get("scope")), 0)
		if err != nil {
			return nil, &jobs.Refusal{Status: http.StatusBadRequest, Text: err.Error()}
		}
		return &panel.Secret{User: made.User, Text: secret}, nil
	case "revoke":
		if err := a.Gate.Tokens.Revoke(r.PostForm.Get("token")); err != nil {
			return nil, &jobs.Refusal{Status: http.StatusNotFound, Text: err.Error()}
		}
		return nil, nil
	case "leave":
		a.sessions.mu.Lock()
		delete(a.sessions.of, id)
		a.sessions.mu.Unlock()
		return nil, nil
	}
	return nil, &jobs.Refusal{Status: http.StatusNotFound, Text: fmt.Sprintf("%v: %.40q", errAct, act)}
}

func (a *API) showPanel(w http.ResponseWriter, r *http.Request, f panel.Frame) {
	panel.Panel(a.look(r.Context(), f)).Render(r.Context(), w)
}

// look gathers what the panel shows. What cannot be read is left out, and the panel says that something is wrong.
func (a *API) look(ctx context.Context, f panel.Frame) panel.View {
	v := panel.View{Frame: f, Now: time.Now(), Engine: a.Broker.Ready()}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	v.Free, v.Where = a.Files.Free()
	keep := func(err error) {
		if err != nil && v.Trouble == "" {
			a.Log.Warn("the panel could not read everything", "error", err)
			v.Trouble = v.T(words.PanelEngine)
		}
	}
	workers, err := a.Broker.Workers(ctx)
	keep(err)
	for _, w := range workers {
		v.Workers = append(v.Workers, panel.Worker{Name: w.Name, Device: w.Device, Memory: w.Memory, Run: w.Run, Since: w.Since})
	}
	runs, err := a.Broker.All(ctx)
	keep(err)
	for _, r := range runs {
		v.Runs = append(v.Runs, runOf(r))
	}
	tokens, err := a.Gate.Tokens.List()
	keep(err)
	for _, t := range tokens {
		v.Tokens = append(v.Tokens, panel.Token{ID: t.ID, User: t.User, Scope: string(t.Scope), Used: t.LastUsed, Revoked: t.Revoked})
	}
	users, err := a.Broker.Users(ctx)
	keep(err)
	quotas, err := a.Gate.Tokens.Quotas()
	keep(err)
	for _, t := range tokens {
		if !t.Revoked {
			users = append(users, t.User)
		}
	}
	users = slices.AppendSeq(users, maps.Keys(quotas))
	slices.Sort(users)
	for _, name := range slices.Compact(users) {
		used, err := a.Broker.Used(ctx, name)
		keep(err)
		v.Users = append(v.Users, panel.User{Name: name, Used: used, Quota: a.Files.Quota(name), Runs: a.Broker.Unfinished(name), Said: sizeText(quotas[name].Bytes), SaidRuns: countText(quotas[name].Runs)})
	}
	return v
}

// setQuota takes what an administrator says that a user may have.
func (a *API) setQuota(user string, form url.Values) error {
	var q auth.Quota
	if text := strings.TrimSpace(form.Get("bytes")); text != "" {
		n, err := recipe.ParseBytes(text)
		if err == nil && n == 0 {
			err = errors.New("it is 1 byte or more; who may keep nothing has no token")
		}
		if err != nil {
			return &jobs.Refusal{Status: http.StatusBadRequest, Text: fmt.Sprintf("The quota of %s: %v", user, err)}
		}
		q.Bytes = int64(n)
	}
	if text := strings.TrimSpace(form.Get("runs")); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return &jobs.Refusal{Status: http.StatusBadRequest, Text: fmt.Sprintf("The unfinished runs of %s: a whole number is wanted, 1 or more", user)}
		}
		q.Runs = n
	}
	if user == "" {
		return &jobs.Refusal{Status: http.StatusBadRequest, Text: "Whose quota?"}
	}
	return a.Gate.Tokens.SetQuota(user, q)
}

func countText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// sizeText writes a size as recipe.ParseBytes reads it, without loss; nothing is "".
func sizeText(n int64) string {
	if n == 0 {
		return ""
	}
	for _, u := range []struct {
		name  string
		bytes int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}} {
		if n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func runOf(r *jobs.Record) panel.Run {
	return panel.Run{User: r.User, ID: r.ID, Status: r.Status, Reason: r.Reason, Worker: r.Worker, Priority: wire.PriorityName(r.Priority), Step: r.Now(), Steps: r.Steps, Attempts: r.Attempt, Bytes: r.State.Bytes()}
}
