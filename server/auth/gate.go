package auth

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Gate lets requests in.
type Gate struct {
	Tokens   *Tokens
	Open     bool     // whoever reaches the server is Local until it gets its first token: loopback alone
	Origins  []string // scheme://host[:port] of other sites whose pages may speak with this server
	Proxied  bool     // the last entry of X-Forwarded-For is the client's address
	perToken *limiter
	perPeer  *limiter
	failures *limiter
}

// Rates are requests a second, with the burst that is let through at once.
type Rates struct {
	Token, Address rate.Limit
	Burst          int
}

// DefaultRates let a page and a large upload through and stop a flood.
var DefaultRates = Rates{Token: 200, Address: 400, Burst: 400}

// NewGate makes the gate of a server that has these tokens; without any it is open, which only Exposure.Check may allow.
func NewGate(t *Tokens, open bool, r Rates) *Gate {
	return &Gate{Tokens: t, Open: open, perToken: newLimiter(r.Token, r.Burst), perPeer: newLimiter(r.Address, r.Burst),
		failures: newLimiter(0.2, 20)} // wrong tokens: guessing 256 bits is hopeless, but it need not fill the log
}

// ErrTooMany says that somebody asks more than is good for others.
var ErrTooMany = errors.New("too many requests; wait a moment")

// Enter checks a secret from an address.
func (g *Gate) Enter(secret, address string) (Identity, error) {
	if !g.perPeer.allow(address) {
		return Identity{}, ErrTooMany
	}
	if g.Open {
		never, err := g.Tokens.Never()
		if err != nil {
			return Identity{}, err
		}
		if never {
			return Identity{User: Local, Scope: Admin}, nil
		}
		// Tokens were made since: from now on they are wanted.
	}
	who, err := g.Tokens.Who(secret)
	if err != nil {
		if !g.failures.allow(address) { // that others behind the same address fail is nothing to who has a token
			return Identity{}, ErrTooMany
		}
		return Identity{}, err
	}
	if !g.Allow(who) {
		return Identity{}, ErrTooMany
	}
	return who, nil
}

// Allow counts one more request of somebody who has been let in.
func (g *Gate) Allow(who Identity) bool { return g.perToken.allow(who.User + " " + who.Token) }

// StillValid reports whether somebody who was let in would be let in again: the token was not revoked since, or there is still none on a
// server that is open.
func (g *Gate) StillValid(who Identity) bool {
	if who.Token != "" {
		return g.Tokens.StillValid(who.Token)
	}
	never, err := g.Tokens.Never()
	return err == nil && g.Open && never
}

// Request checks a request with its token in the header Authorization.
func (g *Gate) Request(r *http.Request) (Identity, error) {
	if err := g.Origin(r); err != nil {
		return Identity{}, err
	}
	return g.Enter(Bearer(r), g.Address(r))
}

// Bearer is the token in a request's header.
func Bearer(r *http.Request) string {
	kind, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

// Address is the client's, without its port. Of IPv6 it is the network, since a client has many addresses in it.
func (g *Gate) Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if all := r.Header.Values("X-Forwarded-For"); g.Proxied && len(all) > 0 {
		last := all[len(all)-1]
		host = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap(); ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

// Origin refuses pages of other sites. Programs that are no browsers name no origin.
func (g *Gate) Origin(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	for _, o := range g.Origins {
		if strings.EqualFold(o, origin) {
			return nil
		}
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return nil
	}
	return &Denied{Forbidden: true, Reason: "a page of another site may not speak with this server; --origin allows one"}
}

// Status is the HTTP status of an error of the gate.
func Status(err error) int {
	var d *Denied
	switch {
	case errors.Is(err, ErrTooMany):
		return http.StatusTooManyRequests
	case errors.As(err, &d) && d.Forbidden:
		return http.StatusForbidden
	case errors.As(err, &d):
		return http.StatusUnauthorized
	}
	return http.StatusInternalServerError
}

// limiter has a bucket for each key.
type limiter struct {
	rate  rate.Limit
	burst int
	mu    sync.Mutex
	of    map[string]*rate.Limiter
	swept time.Time
}

// maxBuckets bounds what a flood of addresses can take of memory.
const maxBuckets = 1 << 16

func newLimiter(r rate.Limit, burst int) *limiter {
	return &limiter{rate: r, burst: burst, of: map[string]*rate.Limiter{}}
}

func (l *limiter) bucket(key string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); len(l.of) >= maxBuckets || now.Sub(l.swept) > time.Minute {
		l.swept = now
		for k, b := range l.of { // a full bucket remembers nothing
			if b.Tokens() >= float64(l.burst) {
				delete(l.of, k)
			}
		}
		if len(l.of) >= maxBuckets {
			clear(l.of)
		}
	}
	b := l.of[key]
	if b == nil {
		b = rate.NewLimiter(l.rate, l.burst)
		l.of[key] = b
	}
	return b
}

func (l *limiter) allow(key string) bool { return l.bucket(key).Allow() }
