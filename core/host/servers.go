package host

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hone/core/link"
	"hone/core/wire"
)

// link connects to a server, with the token that is known of it where none is given.
func (h *Host) link(ctx context.Context, s wire.Server, event func(wire.Frame), state func(link.State)) (*link.Client, error) {
	if s.Token == "" {
		s.Token = h.known()[s.URL].Token
	}
	return link.Dial(ctx, link.Options{URL: s.URL, Token: s.Token, HTTP: h.options.HTTP, Event: event, State: state})
}

// reachTime is a little more than a link takes to find out that one try to connect fails, so that the reason is told.
const reachTime = 25 * time.Second

// reaching bounds how long a server may take to let somebody in. A link by itself tries on and on, which is for runs that are there.
func (h *Host) reaching(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, cmp.Or(h.options.Reach, reachTime))
}

// reach connects to a server for something that is done now or not at all.
func (h *Host) reach(ctx context.Context, s wire.Server) (*link.Client, error) {
	ctx, stop := h.reaching(ctx)
	defer stop()
	return h.link(ctx, s, nil, nil)
}

// filesOf is the way to the files of a server, with the token that is known of it where none is given.
func (h *Host) filesOf(s wire.Server) link.Files {
	if s.Token == "" {
		s.Token = h.known()[s.URL].Token
	}
	return link.Files{URL: s.URL, Token: s.Token, HTTP: h.options.HTTP}
}

// knownServer is what is kept of a server that the user has used.
type knownServer struct {
	Token  string    `json:"token"`
	Agreed bool      `json:"agreed"` // see wire.Agree
	Used   time.Time `json:"used"`
}

func (h *Host) serversPath() string { return filepath.Join(h.dir, hidden, "servers.json") }

// known are the servers that the user has used, by their URL.
func (h *Host) known() map[string]knownServer {
	all := map[string]knownServer{}
	h.servers.Lock()
	defer h.servers.Unlock()
	readFile(h.serversPath(), &all)
	return all
}

// remember keeps a server with its token; agreed, if given, is what the user says about it. Only one server can be the one where
// runs go by themselves.
func (h *Host) remember(s wire.Server, agreed *bool) error {
	if _, err := link.Address(s.URL); err != nil {
		return err
	}
	h.servers.Lock()
	defer h.servers.Unlock()
	all := map[string]knownServer{}
	readFile(h.serversPath(), &all)
	k := all[s.URL]
	if k.Used = time.Now().UTC(); s.Token != "" {
		k.Token = s.Token
	}
	if agreed != nil {
		for url, other := range all {
			other.Agreed = other.Agreed && !*agreed
			all[url] = other
		}
		k.Agreed = *agreed
	}
	all[s.URL] = k
	if err := os.MkdirAll(filepath.Dir(h.serversPath()), 0o700); err != nil {
		return err
	}
	return replaceFile(h.serversPath(), all)
}

// knownServers are they for a greeting, the last used first.
func (h *Host) knownServers() (list []wire.Known) {
	all := h.known()
	for url, k := range all {
		list = append(list, wire.Known{URL: url, Agreed: k.Agreed})
	}
	slices.SortFunc(list, func(a, b wire.Known) int { return all[b.URL].Used.Compare(all[a.URL].Used) })
	return list
}
