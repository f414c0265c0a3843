package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"syscall"

	"hone/core/hub"
	"hone/core/recipe"
	"hone/server/http"
	"hone/web"
	"hone/web/dist"
)

func init() {
	register(command{name: "serve", args: "[flags]", short: "Serve the page, which trains in the browser, to this machine", run: serve})
	register(command{name: "site", args: "DIR", short: "Write the page as files for any web host", run: site})
}

// defaultPort is the first that is tried where no address is given, and how many behind it.
const (
	defaultPort = 7860
	morePorts   = 20
)

func serve(e env, args []string) error {
	var address string
	var open, verbose bool
	var j jobFlags
	o := http.Options{Hubs: hub.Endpoints(), Mirrors: hub.Mirrors()}
	flag := func(p *bool) func(string) error {
		return func(v string) (err error) { *p, err = strconv.ParseBool(v); return err }
	}
	positional, help, err := e.parse(args, append([]recipe.Flag{
		{Name: "addr", Value: "HOST:PORT", Default: fmt.Sprintf("127.0.0.1:%d, or the next port that is free", defaultPort), Help: "where to listen; an address that other machines reach needs TLS and tokens", Set: text(&address)},
		connectFlag(&o),
		{Name: "models", Value: "DIR", Help: "give out the models below this directory, at /models/: one download for a whole class; whoever reaches the server reads them, without a token", Set: text(&o.Models)},
		{Name: "open", Bool: true, Default: "false", Help: "show the page in the desktop's browser, where there is a desktop", Set: flag(&open)},
		{Name: "verbose", Bool: true, Default: "false", Help: "log every request, not only those that failed", Set: flag(&verbose)},
	}, j.flags()...), "serve [flags]\n\nServes the page, until Ctrl-C. The page trains in the browser: models, rows and results stay there, unless a run is sent here: those are\ndone by workers of this machine (--workers), and by `hone worker` elsewhere.")
	if err != nil || help {
		return err
	}
	if len(positional) > 0 {
		return fmt.Errorf("serve: %q is not understood; it takes flags alone", positional[0])
	}
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	o.Log = slog.New(slog.NewTextHandler(e.err, &slog.HandlerOptions{Level: level}))
	l, err := j.listen(e.ctx, address)
	if err != nil {
		return err
	}
	defer l.Close()
	lost, why := endWhenLost(&e)
	j.lost = lost
	end, err := j.open(e, &o)
	if err != nil {
		return err
	}
	defer end()
	if o.Page, o.Release, err = page(); err != nil && (o.API == nil || !errors.Is(err, dist.ErrNone)) {
		return err
	}
	server, err := http.New(o)
	if err != nil {
		return err
	}
	at := j.scheme() + l.Addr().String()
	fmt.Fprintf(e.out, "Hone is at %s\nCtrl-C ends it.\n", at)
	if open {
		show(e.ctx, at)
	}
	return why(server.Serve(e.ctx, j.secure(l)))
}

func site(e env, args []string) error {
	o := http.Options{Hubs: hub.Endpoints(), Mirrors: hub.Mirrors()}
	positional, help, err := e.parse(args, []recipe.Flag{connectFlag(&o)}, "site DIR [flags]\n\nWrites the page as files: they work on any web host, below any path, and after the first visit without a network.")
	if err != nil || help {
		return err
	}
	if len(positional) != 1 {
		return errors.New("usage: hone site DIR [flags]")
	}
	if o.Page, o.Release, err = page(); err != nil {
		return err
	}
	if err := http.WriteSite(o, positional[0]); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "the page is in %s; give that folder to any web host\n", near(positional[0]))
	return nil
}

// hostShape is what may stand in a content security policy.
var hostShape = regexp.MustCompile(`^[A-Za-z0-9.-]+(:\d+)?$|^\[[0-9a-fA-F:]+\](:\d+)?$`)

func connectFlag(o *http.Options) recipe.Flag {
	return recipe.Flag{Name: "connect", Value: "URL", Help: "let the page speak with this server beside the hubs; may be given several times", Set: func(v string) error {
		u, err := url.Parse(v)
		if err != nil || !hostShape.MatchString(u.Host) || u.Scheme != "https" && u.Scheme != "http" {
			return errors.New("an address such as https://gpu.example is wanted")
		}
		o.Connect = append(o.Connect, u.Scheme+"://"+u.Host, map[string]string{"https": "wss", "http": "ws"}[u.Scheme]+"://"+u.Host)
		return nil
	}}
}

// page is the page that this program was built with.
func page() (http.Page, *dist.Release, error) {
	release, err := dist.Open()
	return func(ctx context.Context, w io.Writer, p http.Place) error {
		return web.Page(web.Place(p)).Render(ctx, w)
	}, release, err
}

// listen takes the address, or without one the first free port from the default on.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	if address != "" {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("--addr %s: %w; an address such as 127.0.0.1:%d is wanted", address, err, defaultPort)
		}
		l, err := config.Listen(ctx, "tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("--addr %s: another program listens there; name another port, or none, which takes one that is free", address)
		}
		return l, err
	}
	var l net.Listener
	var err error
	for port := defaultPort; port <= defaultPort+morePorts; port++ {
		l, err = config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
	}
	return nil, fmt.Errorf("ports %d to %d are all taken; name one with --addr", defaultPort, defaultPort+morePorts)
}

// show opens the page in the desktop's browser, if there is one. That it does not work is no failure: the address is on the
// screen.
func show(ctx context.Context, address string) {
	if os.Getenv("CI") != "" {
		return
	}
	name := "xdg-open"
	switch {
	case runtime.GOOS == "darwin":
		name = "open"
	case os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return
	}
	c := exec.CommandContext(ctx, name, address)
	if c.Start() == nil {
		go c.Wait()
	}
}
