package studio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"hone/core/wire"
	"hone/web/parts"
	"hone/web/words"
)

// originOf is the address of a server as it is asked for: what the user typed without a path, by https where nothing is said.
func originOf(typed string) string {
	typed = strings.TrimSpace(typed)
	if !strings.Contains(typed, "://") {
		typed = "https://" + typed
	}
	u, err := url.Parse(typed)
	if err != nil || u.Host == "" {
		return typed // the host says what is wrong with it
	}
	return u.Scheme + "://" + u.Host
}

// suggestServer puts into the field what is near: the server used last, or the one of the page.
func (t *Studio) suggestServer(s *parts.State) {
	if s.Place.URL != "" {
		return
	}
	if len(s.Host.Servers) > 0 {
		s.Place.URL = s.Host.Servers[0].URL
	} else if u, err := url.Parse(t.url); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		s.Place.URL = u.Scheme + "://" + u.Host
	}
}

// server is the one that was looked at, with the token that was given.
func (t *Studio) server() wire.Server {
	t.mu.Lock()
	defer t.mu.Unlock()
	return wire.Server{URL: t.s.Place.URL, Token: t.token}
}

// elsewhere does something that has to do with a server, and shows how far it has come.
func (t *Studio) elsewhere(hint string, do func(ctx context.Context) error) {
	ctx, done := t.begin("place", words.MoveConnecting)
	err := do(ctx)
	if !done() || err == nil {
		return
	}
	if page := originOf(t.url); hint != "" && hint != page && strings.Contains(err.Error(), "cannot be reached") {
		t.mu.Lock()
		err = fmt.Errorf("%w. %s", err, t.s.T(words.PlaceHint, hint, page))
		t.mu.Unlock()
	}
	t.trouble("place", err)
}

// moving shows how far a move has come.
func (t *Studio) moving(name string, data json.RawMessage) {
	var m wire.Moving
	if name != "moving" || json.Unmarshal(data, &m) != nil {
		return
	}
	t.change(func(s *parts.State) {
		if s.Busy["place"] == "" {
			return
		}
		switch m.Doing {
		case "connecting":
			s.Busy["place"] = s.T(words.MoveConnecting)
		case "hashing":
			s.Busy["place"] = s.T(words.MoveHashing)
		case "stopping":
			s.Busy["place"] = s.T(words.MoveStopping)
		case "sending":
			s.Busy["place"] = s.T(words.MoveSending, parts.Bytes(m.Done), parts.Bytes(m.Total))
		case "fetching":
			s.Busy["place"] = s.T(words.MoveFetching, parts.Bytes(m.Done), parts.Bytes(m.Total))
		}
	})
}

// goes is what would go to the server that is looked at: the run that the page shows, or the next one.
func goes(s *parts.State) (r wire.Survey, err error) {
	r.On.URL = s.Place.URL
	if s.Run.ID != "" && s.Run.State != parts.Done {
		r.Run = s.Run.ID
	} else if s.Settings["model"] != "" && s.Settings["dataset"] != "" {
		r.Recipe, err = recipeJSON(s)
	}
	return r, err
}

// leaves says the same in a word, to compare it with.
func leaves(s *parts.State) string {
	r, err := goes(s)
	return fmt.Sprintf("%s %s %s %v", r.On.URL, r.Run, r.Recipe, err)
}

// doubt drops a survey of something else than what would go there now. The lock is held.
func doubt(s *parts.State) {
	if s.Place.Survey != nil && s.Place.Of != leaves(s) {
		s.Place.Survey, s.Place.Changed = nil, true
	}
}

// forgetPlace forgets what was asked of a server: it was about something else.
func forgetPlace(s *parts.State) { s.Place = parts.Whereabouts{URL: s.Place.URL} }

// listed is what goes to the server as the user has been shown it; nothing else is sent.
func (t *Studio) listed() (r wire.Survey, ok bool) {
	t.change(doubt)
	t.mu.Lock()
	defer t.mu.Unlock()
	r, err := goes(t.s)
	r.On.Token = t.token
	return r, err == nil && t.s.Place.Survey != nil && t.s.Place.Of == leaves(t.s)
}

// placeLook asks a server what it offers, and the host what would go there.
func (t *Studio) placeLook(address, token string) {
	address = originOf(address)
	t.change(func(s *parts.State) { s.Place = parts.Whereabouts{URL: address} })
	t.mu.Lock()
	t.token = token
	r, err := goes(t.s)
	r.On.Token = token
	of := leaves(t.s)
	t.mu.Unlock()
	t.elsewhere(address, func(ctx context.Context) error {
		if err != nil {
			return err
		}
		v, err := wire.Ask[wire.Surveyed](ctx, t.o.Link, r, t.moving)
		if err == nil {
			t.change(func(s *parts.State) { s.Place.Survey, s.Place.Of = &v, of })
		}
		return err
	})
}

// placeGo lets the run go on at the server that was looked at.
func (t *Studio) placeGo() {
	r, ok := t.listed()
	if !ok || r.Run == "" {
		return
	}
	t.elsewhere(r.On.URL, func(ctx context.Context) error {
		_, err := wire.Ask[wire.RunName](ctx, t.o.Link, wire.Move{Run: r.Run, On: r.On}, t.moving)
		return err
	})
}

// placeBack brings the run back; lost: its server is not asked.
func (t *Studio) placeBack(lost bool) {
	t.mu.Lock()
	id := t.s.Run.ID
	t.mu.Unlock()
	t.elsewhere("", func(ctx context.Context) error {
		_, err := wire.Ask[wire.RunName](ctx, t.o.Link, wire.Move{Run: id, Away: lost}, t.moving)
		return err
	})
}

// placeStart begins a run at the server that was looked at.
func (t *Studio) placeStart() {
	r, ok := t.listed()
	if !ok || r.Recipe == nil {
		return
	}
	t.elsewhere(r.On.URL, func(ctx context.Context) error {
		name, err := wire.Ask[wire.RunName](ctx, t.o.Link, wire.Start{Recipe: r.Recipe, On: &r.On}, t.moving)
		if err == nil {
			t.hello(false)
			t.show(name.Run)
		}
		return err
	})
}

// placeAttach shows a run of the server that was looked at.
func (t *Studio) placeAttach(id string) {
	on := t.server()
	t.elsewhere(on.URL, func(ctx context.Context) error {
		_, err := wire.Ask[wire.RunName](ctx, t.o.Link, wire.Attach{On: on, Run: id}, nil)
		if err == nil {
			t.hello(false)
			t.show(id)
		}
		return err
	})
}

// placeAgree keeps what the user says about a server: whether runs may go there by themselves, or another token.
func (t *Studio) placeAgree(on wire.Server, agreed bool) {
	_, err := wire.Ask[struct{}](t.ctx, t.o.Link, wire.Agree{On: on, Agreed: agreed}, nil)
	t.trouble("place", err)
	t.hello(false)
}

// placeToken gives the server of the run another token.
func (t *Studio) placeToken(token string) {
	t.mu.Lock()
	on, agreed := wire.Server{URL: t.s.Run.On, Token: token}, false
	for _, k := range t.s.Host.Servers {
		agreed = agreed || k.URL == on.URL && k.Agreed
	}
	t.mu.Unlock()
	t.placeAgree(on, agreed)
}
