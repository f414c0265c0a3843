// Package auth says who may do what on a server: tokens with a scope and a user, the origins that a browser may come from, and
// how much one of them may ask for.
//
// A server on loopback that has never had a token trusts whoever reaches it, as the user Local. Everywhere else a request carries a
// token, and what a token's user owns is that user's alone.
package auth

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
)

// Local is the user of a server that has never had a token.
const Local = "local"

// Scope is how much a token allows; each includes the ones before it.
type Scope string

const (
	View  Scope = "view"  // look at one's own runs
	Run   Scope = "run"   // start, steer and delete them; send and take files
	Admin Scope = "admin" // those of all users, tokens, workers
)

var rank = map[Scope]int{View: 1, Run: 2, Admin: 3}

// ParseScope reads the name of a scope.
func ParseScope(s string) (Scope, error) {
	if rank[Scope(s)] == 0 {
		return "", fmt.Errorf("auth: a scope %.40q; there are view, run and admin", s)
	}
	return Scope(s), nil
}

// Identity is who a request comes from.
type Identity struct {
	User  string
	Scope Scope
	Token string // its public id; "" on a server without tokens
}

// May reports whether the identity's scope includes need.
func (i Identity) May(need Scope) bool { return rank[i.Scope] >= rank[need] && rank[need] > 0 }

// Need is an error, for the user, where May is false.
func (i Identity) Need(need Scope) error {
	if i.May(need) {
		return nil
	}
	return &Denied{Forbidden: true, Reason: fmt.Sprintf("this needs a token of scope %s, and yours has %s; `hone token add --scope %s` on the server makes one", need, i.Scope, need)}
}

// Denied refuses somebody. Its text is for the one who is refused and says nothing about others.
type Denied struct {
	Forbidden bool // known, but not allowed; otherwise not known
	Reason    string
}

func (d *Denied) Error() string { return d.Reason }

var userShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// CheckUser refuses names that could not be part of a path or of a subject in every system that a name gets to.
func CheckUser(name string) error {
	if !userShape.MatchString(name) {
		return fmt.Errorf("auth: a user %.60q; a name has 1 to 32 of a-z, 0-9, _ and -, and begins with a letter or digit", name)
	}
	return nil
}

// Exposure is how a server meets the world.
type Exposure struct {
	Address     string // host:port that it listens on
	TLS         bool   // it has a certificate
	BehindProxy bool   // a proxy in front of it has one
	Tokens      int    // that are valid
}

// Check refuses to open a server to other machines without encryption and tokens.
func (e Exposure) Check() error {
	host, _, err := net.SplitHostPort(e.Address)
	if err != nil {
		return fmt.Errorf("the address %.100q: %w; it is host:port, as in 127.0.0.1:8080", e.Address, err)
	}
	if Loopback(host) && !e.BehindProxy {
		return nil
	}
	var missing []error
	if !e.TLS && !e.BehindProxy {
		missing = append(missing, errors.New("a certificate (--tls_cert FILE --tls_key FILE; --behind_proxy where a proxy in front of it has one)"))
	}
	if e.Tokens == 0 {
		missing = append(missing, errors.New("a token (`hone token add --user NAME`)"))
	}
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s is open to other machines, which needs %w", e.Address, missing[0])
	}
	return fmt.Errorf("%s is open to other machines, which needs %w and %w", e.Address, missing[0], missing[1])
}

// Loopback reports whether a host without its port is this machine for itself.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
