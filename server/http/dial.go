package http

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// errPrivate is a name that leads into a network which is not public.
var errPrivate = errors.New("its address is not public")

// DialHubs connects to public addresses and to hubs of the user's own, see hub.Dial.
func DialHubs(own []*url.URL) func(ctx context.Context, network, address string) (net.Conn, error) {
	h := &hubs{own: map[string]*url.URL{}}
	for _, u := range own {
		h.own[u.Host] = u
	}
	return h.dialer()
}

// dialer connects to hubs. What counts is the address that is dialled, after the name was looked up: a public one, unless
// the host is one of the user's own or the proxy of the environment (which looks names up by itself).
func (h *hubs) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: headerTime, KeepAlive: 30 * time.Second}
	guarded := *plain
	guarded.Control = publicOnly
	trusted := map[string]bool{}
	for _, u := range h.own {
		trusted[dialled(u)] = true
	}
	for _, scheme := range []string{"http", "https"} {
		probe := &http.Request{URL: &url.URL{Scheme: scheme, Host: "huggingface.co"}}
		if u, err := http.ProxyFromEnvironment(probe); err == nil && u != nil {
			trusted[dialled(u)] = true
		}
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if trusted[address] {
			return plain.DialContext(ctx, network, address)
		}
		return guarded.DialContext(ctx, network, address)
	}
}

// dialled is host and port of an address.
func dialled(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// publicOnly is called with the address that is about to be dialled.
func publicOnly(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", errPrivate, address)
	}
	if !public(to.Addr()) {
		return fmt.Errorf("%w: %s", errPrivate, to.Addr())
	}
	return nil
}

// reserved are the ranges that IsGlobalUnicast and IsPrivate let through and that lead to no public host (IANA's registries of
// special-purpose addresses). 198.18.0.0/15 is not among them: programs that tunnel a machine's whole traffic use it for
// every name.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// translated are IPv6 addresses that stand for the IPv4 address in their last four bytes (NAT64).
var translated = netip.MustParsePrefix("64:ff9b::/96")

// public says whether an address is one of the open network.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if translated.Contains(ip) {
		raw := ip.As16()
		ip = netip.AddrFrom4([4]byte(raw[12:]))
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, r := range reserved {
		if r.Contains(ip) {
			return false
		}
	}
	return true
}
