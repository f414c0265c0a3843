package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	userAgent    = "hone/0.1"
	attempts     = 5               // without a byte gained, until a request is given up
	maxAttempts  = 1000            // in all: a server that gives a byte at a time is no server
	longestWait  = 2 * time.Minute // that is waited because a hub asks for it
	listingLimit = 64 << 20        // bytes of a list of files
	firstWait    = 500 * time.Millisecond
	spareWait    = 10 * time.Second // for an answer where there is something without it
)

// client speaks HTTP with one hub.
type client struct {
	e    *environment
	hub  string
	base *url.URL
	http *http.Client
}

// trail is what the answers on the way to a file said about it.
type trail struct {
	seen                 bool
	etag, linked, commit string // ETag, X-Linked-Etag and X-Repo-Commit of the hub's own answer, the first one
}

type trailKey struct{}

func newClient(e *environment, hub string) (*client, error) {
	base, err := e.endpoint(hub)
	if err != nil {
		return nil, err
	}
	c := &client{e: e, hub: hub, base: base}
	h := *e.http
	h.CheckRedirect = c.redirect
	c.http = &h
	return c, nil
}

// redirect lets a request follow to where the hub keeps its files. The token stays with the hub.
func (c *client) redirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirects")
	}
	first := via[0].URL
	if first.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("redirected from https to %s", req.URL.Redacted())
	}
	if req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
		req.Header.Del("Authorization")
		req.Header.Del("Cookie")
	}
	if t, ok := req.Context().Value(trailKey{}).(*trail); ok && req.Response != nil {
		t.see(req.Response.Header)
	}
	return nil
}

func (t *trail) see(h http.Header) {
	if t.seen {
		return
	}
	plain := func(name string) string { return strings.Trim(strings.TrimPrefix(h.Get(name), "W/"), `"`) }
	*t = trail{true, plain("ETag"), plain("X-Linked-Etag"), plain("X-Repo-Commit")}
}

// answer is a response whose body ends with an error when nothing comes for too long.
type answer struct {
	*http.Response
	trail  *trail
	cancel context.CancelFunc
	timer  *time.Timer
	stall  time.Duration
}

func (a *answer) Read(p []byte) (int, error) {
	n, err := a.Body.Read(p)
	a.timer.Reset(a.stall)
	return n, err
}

func (a *answer) Close() {
	a.Body.Close()
	a.timer.Stop()
	a.cancel()
}

// get makes one request. A status other than 200 and 206 is a *status.
func (c *client) get(ctx context.Context, address string, header http.Header) (*answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stall := c.e.stall
	if c.e.spare {
		stall = min(stall, spareWait)
	}
	a := &answer{trail: &trail{}, stall: stall, cancel: func() { cancel(nil) }}
	a.timer = time.AfterFunc(a.stall, func() { cancel(fmt.Errorf("nothing came for %v", a.stall)) })
	req, err := http.NewRequestWithContext(context.WithValue(ctx, trailKey{}, a.trail), http.MethodGet, address, nil)
	if err != nil {
		a.timer.Stop()
		a.cancel()
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", userAgent)
	c.e.authorise(c.hub, req.Header)
	a.Response, err = c.http.Do(req)
	if err != nil {
		a.timer.Stop()
		a.cancel()
		if cause := context.Cause(ctx); cause != nil && cause != context.Canceled {
			err = cause
		}
		return nil, &broken{err}
	}
	a.trail.see(a.Header)
	if a.StatusCode == http.StatusOK || a.StatusCode == http.StatusPartialContent {
		return a, nil
	}
	defer a.Close()
	s := &status{code: a.StatusCode, kind: a.Header.Get("X-Error-Code"), message: a.Header.Get("X-Error-Message"), wait: retryAfter(a.Header.Get("Retry-After"))}
	if s.message == "" {
		s.message = messageIn(a)
	}
	return nil, s
}

// messageIn takes the sentence out of an answer such as {"error": "…"} or {"Code": 404, "Message": "…"}.
func messageIn(r io.Reader) string {
	raw, _ := io.ReadAll(io.LimitReader(r, 4096))
	var m struct {
		Error   any
		Message string
	}
	if json.Unmarshal(raw, &m) != nil {
		return ""
	}
	if s, ok := m.Error.(string); ok && m.Message == "" {
		m.Message = s
	}
	return short(m.Message)
}

// short makes foreign text fit for a sentence.
func short(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)), " ")
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// status is an answer that brings no file.
type status struct {
	code          int
	kind, message string
	wait          time.Duration
}

func (s *status) Error() string {
	text := fmt.Sprintf("status %d %s", s.code, http.StatusText(s.code))
	if s.message != "" {
		text += ": " + s.message
	}
	return text
}

// broken is a connection that failed before or during an answer.
type broken struct{ cause error }

// Error leaves out what Go says of the request: the address is long, and the hub is named beside it.
func (b *broken) Error() string {
	var dns *net.DNSError
	if errors.As(b.cause, &dns) && dns.IsNotFound {
		return "there is no host " + dns.Name + ", or no network"
	}
	var request *url.Error
	if errors.As(b.cause, &request) {
		return request.Err.Error()
	}
	return b.cause.Error()
}
func (b *broken) Unwrap() error { return b.cause }

// retryAfter reads a number of seconds or a date.
func retryAfter(s string) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < 1<<30 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// again says whether the same request may succeed later, and after which wait.
func again(err error, failures int) (time.Duration, bool) {
	wait := firstWait << min(failures, 6)
	wait += time.Duration(rand.Int64N(int64(wait)/4 + 1)) // so that many who were cut off together do not come back together
	var s *status
	if errors.As(err, &s) {
		switch s.code {
		case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return max(wait, s.wait), true
		}
		return 0, false
	}
	var b *broken
	if !errors.As(err, &b) {
		return 0, false
	}
	if errors.As(err, new(*noWay)) {
		return 0, false
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return wait, failures < 1 // a host that does not exist, or no network at all
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return wait, failures < 2 // nobody there, rather than somebody who is busy
	}
	return wait, true
}

// retry calls attempt until it succeeds, fails for good, or has failed too often without a gain.
func (c *client) retry(ctx context.Context, attempt func() (gained bool, err error)) error {
	failures := 0
	for range maxAttempts {
		gained, err := attempt()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if gained {
			failures = 0
		}
		if c.e.spare {
			return err
		}
		wait, ok := again(err, failures)
		if failures++; !ok || failures >= attempts {
			return err
		}
		if wait > longestWait {
			return fmt.Errorf("%w; it asks to wait %v: try again then", err, wait.Round(time.Second))
		}
		if wait > 10*time.Second {
			c.e.notice("%s asks to wait %v (%v)", hubNames[c.hub], wait.Round(time.Second), err)
		}
		if err := c.e.sleep(ctx, wait); err != nil {
			return err
		}
	}
	return errors.New("the connection breaks again and again; try later: what has come is kept")
}

// getJSON reads a JSON answer of modest size.
func (c *client) getJSON(ctx context.Context, address string, into any) error {
	return c.retry(ctx, func() (bool, error) {
		a, err := c.get(ctx, address, http.Header{"Accept": {"application/json"}})
		if err != nil {
			return false, err
		}
		defer a.Close()
		raw, err := io.ReadAll(io.LimitReader(a, listingLimit+1))
		if err != nil {
			return false, &broken{err}
		}
		if len(raw) > listingLimit {
			return false, fmt.Errorf("its answer is longer than %d MiB", listingLimit>>20)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return false, fmt.Errorf("its answer is not the JSON that is expected: %w", err)
		}
		return true, nil
	})
}

// understand turns what went wrong into a sentence with the hub's name and what to do about it.
func (c *client) understand(err error, id, revision string) error {
	where := hubNames[c.hub]
	if h := c.base.Host; h != "huggingface.co" && h != "www.modelscope.cn" {
		where += " (" + h + ")"
	}
	var s *status
	var b *broken
	has := c.e.token(c.hub) != ""
	switch {
	case errors.As(err, &s) && s.code == http.StatusNotFound && (s.kind == "RevisionNotFound" || strings.Contains(strings.ToLower(s.message), "revision")):
		return failf(errDenied, "%s has no revision %s of %s; leave it out for the default branch", where, revision, id)
	case errors.As(err, &s) && (s.kind == "GatedRepo" || s.code == http.StatusForbidden):
		text := fmt.Sprintf("%s refuses %s: it is gated or private (%v). Accept its conditions on its page", where, id, s)
		if has {
			return failf(errGated, "%s with the account of your token", text)
		}
		return failf(errGated, "%s, then %s", text, tokenAdvice(c.hub))
	case errors.As(err, &s) && s.code == http.StatusUnauthorized && has:
		return failf(errDenied, "%s does not accept the token for %s (%v); %s, or %s", where, id, s, tokenAdvice(c.hub), either("unset it", "leave it out"))
	case errors.As(err, &s) && s.code == http.StatusUnauthorized && c.hub == HuggingFace && s.kind != "":
		// Hugging Face answers so for what does not exist, too, unless it knows who asks.
		return failf(errNotFound, "%s is not on %s, or private there (then %s)", id, where, tokenAdvice(c.hub))
	case errors.As(err, &s) && s.code == http.StatusUnauthorized:
		return failf(errDenied, "%s wants a token for %s (%v), or has nothing of that name; %s", where, id, s, tokenAdvice(c.hub))
	case errors.As(err, &s) && s.code == http.StatusNotFound:
		return failf(errNotFound, "%s is not on %s", id, where)
	case errors.As(err, &b):
		return failf(errUnreachable, "%s cannot be reached: %v", where, b)
	case errors.As(err, &s) && s.code == http.StatusTooManyRequests && s.wait <= longestWait:
		return fmt.Errorf("%s, %s: %w; try again in a few minutes: what has come is kept", where, id, err)
	case errors.As(err, &s) && s.code >= 500:
		return fmt.Errorf("%s, %s: %w; the hub itself has trouble: try again later, what has come is kept", where, id, err)
	}
	return fmt.Errorf("%s, %s: %w", where, id, err)
}
