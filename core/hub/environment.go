package hub

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

var hubNames = map[string]string{HuggingFace: "Hugging Face", ModelScope: "ModelScope"}

// environment is what options and environment variables add up to.
type environment struct {
	Options
	hubs    []string // in the order in which to look
	home    string
	offline bool // no hub is asked, since the environment says so, or who asks
	spare   bool // what is asked for is here, too, perhaps in an older state: a hub that does not answer is not waited for
}

// Home is the directory of what was downloaded or put there by hand: HONE_HOME, otherwise hone in the user's cache directory.
func Home() (string, error) { return homeOf(os.Getenv) }

func homeOf(getenv func(string) string) (string, error) {
	if dir := getenv("HONE_HOME"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no directory for downloads: %w; HONE_HOME names one", err)
	}
	return filepath.Join(dir, "hone"), nil
}

func newEnvironment(o Options) (*environment, error) {
	e := &environment{Options: o}
	if e.getenv == nil {
		e.getenv = os.Getenv
	}
	if e.stall == 0 {
		e.stall = time.Minute
	}
	if e.sleep == nil {
		e.sleep = sleep
	}
	if e.free == nil {
		e.free = freeSpace
	}
	if e.link == nil {
		e.link = os.Link
	}
	if e.http == nil {
		e.http = &http.Client{Transport: transport()}
	}
	var err error
	if e.home, err = homeOf(e.getenv); err != nil {
		return nil, err
	}
	for _, name := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HONE_OFFLINE"} {
		e.offline = e.offline || truthy(e.getenv(name))
	}
	switch strings.ToLower(o.Hub) {
	case HuggingFace, "huggingface":
		e.hubs = []string{HuggingFace}
	case ModelScope, "modelscope":
		e.hubs = []string{ModelScope}
	case "", "auto":
		hf := e.getenv("HF_ENDPOINT") != "" || truthy(e.getenv("USE_HF"))
		ms := e.getenv("MODELSCOPE_ENDPOINT") != "" || e.getenv("MODELSCOPE_DOMAIN") != "" || truthy(e.getenv("USE_MODELSCOPE_HUB"))
		switch {
		case hf && !ms:
			e.hubs = []string{HuggingFace}
		case ms && !hf:
			e.hubs = []string{ModelScope}
		default:
			e.hubs = []string{HuggingFace, ModelScope}
		}
	default:
		return nil, fmt.Errorf("hub %q: it is hf (Hugging Face) or ms (ModelScope)", o.Hub)
	}
	return e, nil
}

// transport gives up sooner than usual on a host that does not answer at all: a machine without a network should hear so soon.
func transport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok || runtime.GOOS == "js" { // the browser connects by itself
		return http.DefaultTransport
	}
	t = t.Clone()
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	if Dial != nil {
		t.DialContext = Dial
	}
	return t
}

// Dial, if it is set before the first request, connects to hubs. A program that fetches names which others gave it lets it refuse
// addresses in private networks, wherever a redirect leads.
var Dial func(ctx context.Context, network, address string) (net.Conn, error)

func truthy(s string) bool {
	switch strings.ToLower(s) {
	case "1", "true", "yes", "on":
		return true
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (e *environment) notice(format string, args ...any) {
	if e.Notice != nil {
		e.Notice(fmt.Sprintf(format, args...))
	}
}

// endpoint is the address of a hub.
func (e *environment) endpoint(hub string) (*url.URL, error) {
	s, variable := cmp.Or(e.getenv("HF_ENDPOINT"), "https://huggingface.co"), "HF_ENDPOINT"
	if hub == ModelScope {
		variable = "MODELSCOPE_ENDPOINT"
		s = cmp.Or(e.getenv("MODELSCOPE_ENDPOINT"), e.getenv("MODELSCOPE_DOMAIN"), "https://www.modelscope.cn")
		if !strings.Contains(s, "://") {
			s = "https://" + s
		}
	}
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%s is %q; it must be an address such as https://huggingface.co", variable, s)
	}
	return u, nil
}

// authorise adds the user's token for a hub, if there is one. Only requests to the hub itself get it.
func (e *environment) authorise(hub string, h http.Header) {
	token := e.token(hub)
	if token == "" {
		return
	}
	h.Set("Authorization", "Bearer "+token)
	if hub == ModelScope { // its older interface knows the token by this cookie
		h.Set("Cookie", (&http.Cookie{Name: "m_session_id", Value: token}).String())
	}
}

// token looks where huggingface_hub and modelscope look.
func (e *environment) token(hub string) string {
	if hub == ModelScope {
		return clean(e.getenv("MODELSCOPE_API_TOKEN"))
	}
	if t := clean(cmp.Or(e.getenv("HF_TOKEN"), e.getenv("HUGGING_FACE_HUB_TOKEN"))); t != "" {
		return t
	}
	path := e.getenv("HF_TOKEN_PATH")
	if path == "" {
		home := e.getenv("HF_HOME")
		if home == "" {
			cache := e.getenv("XDG_CACHE_HOME")
			if cache == "" {
				user := cmp.Or(e.getenv("HOME"), e.getenv("USERPROFILE"))
				if user == "" {
					return ""
				}
				cache = filepath.Join(user, ".cache")
			}
			home = filepath.Join(cache, "huggingface")
		}
		path = filepath.Join(home, "token")
	}
	raw, err := os.ReadFile(path)
	if err != nil || len(raw) > 4096 {
		return ""
	}
	return clean(string(raw))
}

// Anonymous lets this process ask hubs as nobody from now on, whatever tokens its user has.
func Anonymous() error {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MODELSCOPE_API_TOKEN"} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	return os.Setenv("HF_TOKEN_PATH", os.DevNull) // in the place of the file that a login leaves
}

// clean keeps a token from breaking a header.
func clean(token string) string {
	token = strings.TrimSpace(token)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return token
}
