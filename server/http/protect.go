package http

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"hone/core/hub"
)

// Policy is the content security policy of the page and its workers: nothing inline, no eval, nothing from elsewhere; it
// speaks with its own server, the hubs, and the origins given.
func Policy(connect ...string) string {
	for _, h := range hub.Hosts {
		connect = append(connect, "https://"+h)
	}
	return "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' " + strings.Join(connect, " ") +
		"; img-src 'self' data: blob:; style-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'"
}

// policy is that of a server with these options.
func (o Options) policy() string { return Policy(append(originsOf(o.Hubs), o.Connect...)...) }

// framing is the part of a policy that holds in a header only.
const framing = "; frame-ancestors 'none'"

// protect sets what holds for every answer.
func (s *Server) protect(h http.Header) {
	h.Set("Content-Security-Policy", s.policy+framing)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// fetched lets only the page's own fetch through: foreign bytes are never shown as a page, run as a script, or read by
// another site. Browsers say what a request is for; programs say nothing, and take files as they like.
func fetched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site, dest := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Dest")
		if site != "" && site != "same-origin" || dest != "" && dest != "empty" {
			refuse(w, http.StatusForbidden, "This address is for the page's own use: it gives no %s to %s.", dest, site)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		h.Set("Content-Disposition", "attachment")
		next.ServeHTTP(w, r)
	})
}

// loopbackName knows the names of this machine for itself, with or without a port. A name that somebody else has given to
// this address (DNS rebinding) is none of them.
func loopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// originsOf gives scheme and host of addresses.
func originsOf(addresses []*url.URL) []string {
	var origins []string
	for _, u := range addresses {
		if o := u.Scheme + "://" + u.Host; !slices.Contains(origins, o) {
			origins = append(origins, o)
		}
	}
	return origins
}
