package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"hone/core/recipe"
	"hone/server/auth"
	"hone/server/http"
	"hone/server/jobs"
)

// jobFlags are those of a server that does runs for users elsewhere.
type jobFlags struct {
	dir, nats         string
	workers           int
	cert, key         string
	proxy             bool
	origins           []string
	file, user        recipe.Bytes
	unfinished        int
	worker            workerFlags
	asked             bool // something was said about jobs: then they are no extra that may be missing
	certificate       tls.Certificate
	tokens            *auth.Tokens
	exposed, loopback bool
	lost              func(error) // see jobs.Options
}

func (j *jobFlags) flags() []recipe.Flag {
	j.dir, j.workers, j.worker.device = defaultDataDir(), 1, "auto"
	j.file, j.user = recipe.Bytes(jobs.DefaultLimits.File), recipe.Bytes(jobs.DefaultLimits.User)
	flags := []recipe.Flag{
		{Name: "nats", Value: "URL", Help: "an engine of your own for the jobs; without it, one runs inside of this program", Set: text(&j.nats)},
		{Name: "workers", Value: "N", Default: "1", Help: "processes on this machine that do runs, each with the device to itself; 0: none", Set: count(&j.workers)},
		{Name: "max_upload", Value: "SIZE", Default: "20GiB", Help: "the largest file that a user may send", Set: bytesFlag(&j.file)},
		{Name: "quota", Value: "SIZE", Default: "50GiB", Help: "what a user may keep here, unless `hone token add --quota` says otherwise", Set: bytesFlag(&j.user)},
	}
	j.unfinished = jobs.DefaultUnfinished
	flags = append(flags, recipe.Flag{Name: "max_runs", Value: "N", Default: strconv.Itoa(jobs.DefaultUnfinished), Help: "how many runs of one user may wait, go on or be paused at the same time", Set: func(v string) error {
		if err := count(&j.unfinished)(v); err != nil || j.unfinished > 0 {
			return err
		}
		return errors.New("at least 1 is wanted")
	}})
	flags[0].Group = "Runs for others"
	flags = append(flags, dataDirFlag(&j.dir))
	flags = append(flags, j.worker.flags()...)
	for i := range flags {
		set := flags[i].Set
		flags[i].Set = func(v string) error { j.asked = true; return set(v) }
	}
	return append(flags,
		recipe.Flag{Name: "tls_cert", Group: "Other machines", Value: "FILE", Help: "the certificate, in PEM, with those it hangs on", Set: text(&j.cert)},
		recipe.Flag{Name: "tls_key", Value: "FILE", Help: "its key", Set: text(&j.key)},
		recipe.Flag{Name: "behind_proxy", Bool: true, Default: "false", Help: "a proxy in front has the certificate; the last entry of its X-Forwarded-For is believed", Set: func(v string) (err error) { j.proxy, err = strconv.ParseBool(v); return err }},
		recipe.Flag{Name: "origin", Value: "URL", Help: "let pages of this site send runs here; may be given several times", Set: func(v string) error {
			u, err := url.Parse(v)
			if err != nil || !hostShape.MatchString(u.Host) || u.Scheme != "https" && u.Scheme != "http" || u.Path != "" && u.Path != "/" {
				return errors.New("an origin such as https://page.example is wanted")
			}
			j.origins = append(j.origins, u.Scheme+"://"+u.Host)
			return nil
		}})
}

func bytesFlag(p *recipe.Bytes) func(string) error {
	return func(v string) (err error) { *p, err = recipe.ParseBytes(v); return err }
}

// listen opens the port, once it is clear that it may be opened.
func (j *jobFlags) listen(ctx context.Context, address string) (net.Listener, error) {
	var err error
	if (j.cert == "") != (j.key == "") {
		return nil, errors.New("--tls_cert and --tls_key go together")
	}
	if j.cert != "" {
		if j.certificate, err = tls.LoadX509KeyPair(j.cert, j.key); err != nil {
			return nil, fmt.Errorf("--tls_cert %s: %w", j.cert, err)
		}
	}
	if host, _, err := net.SplitHostPort(address); address != "" && err == nil {
		j.loopback = auth.Loopback(host)
		x := auth.Exposure{Address: address, TLS: j.cert != "", BehindProxy: j.proxy}
		if j.exposed = !j.loopback || j.proxy; j.exposed {
			if j.tokens, err = auth.OpenTokens(j.dir); err != nil {
				return nil, err
			}
			if x.Tokens, err = j.tokens.Valid(); err != nil {
				return nil, err
			}
		}
		if err := x.Check(); err != nil {
			return nil, fmt.Errorf("--addr %w", err)
		}
	} else if j.proxy {
		return nil, errors.New("--behind_proxy: --addr is missing: where does the proxy find this server?")
	}
	return listen(ctx, address)
}

func (j *jobFlags) scheme() string {
	if j.cert != "" {
		return "https://"
	}
	return "http://"
}

// secure puts TLS around a listener. HTTP/2 has no websockets of the kind that is served here.
func (j *jobFlags) secure(l net.Listener) net.Listener {
	if j.cert == "" {
		return l
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{j.certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
}

// open opens the engine, starts the workers, and gives the server what it needs of both. end lets the workers save and give back
// their runs first.
func (j *jobFlags) open(e env, o *http.Options) (end func(), err error) {
	b, files, err := j.engine(e, o.Log)
	if err != nil {
		if j.asked || j.exposed {
			return nil, err
		}
		o.Log.Warn("runs cannot be sent here; the page works without", "error", err)
		return func() {}, nil
	}
	gate := auth.NewGate(j.tokens, !j.exposed, auth.DefaultRates)
	gate.Origins, gate.Proxied = j.origins, j.proxy
	o.API = &http.API{Gate: gate, Broker: b, Files: files, Log: o.Log}
	sweeping, stop := context.WithCancel(e.ctx)
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		for sweeping.Err() == nil {
			if err := b.Sweep(sweeping); err != nil && sweeping.Err() == nil {
				o.Log.Warn("looking after the queue failed; it is tried again", "error", err)
			}
			if err := files.Sweep(); err != nil {
				o.Log.Warn("looking after unfinished uploads failed; it is tried again", "error", err)
			}
			select {
			case <-sweeping.Done():
			case <-time.After(30 * time.Second):
			}
		}
	}()
	wait := superviseWorkers(e.ctx, j.workers, b.Address, j.dir, j.worker, o.Log)
	return func() {
		stop()
		<-swept
		if e.ctx.Err() != nil {
			wait()
		}
		j.tokens.Close()
		b.Close()
	}, nil
}

func (j *jobFlags) engine(e env, log *slog.Logger) (*jobs.Broker, *jobs.Files, error) {
	var err error
	if j.tokens == nil {
		if j.tokens, err = auth.OpenTokens(j.dir); err != nil {
			return nil, nil, err
		}
	}
	b, err := jobs.Open(e.ctx, jobs.Options{DataDir: j.dir, NATS: j.nats, Lease: j.worker.lease, Unfinished: j.unfinished, UnfinishedOf: j.tokens.Runs, Log: log, Lost: j.lost})
	if err != nil {
		return nil, nil, err
	}
	files, err := jobs.NewFiles(b, filepath.Join(j.dir, "uploads"), jobs.Limits{File: int64(j.file), User: int64(j.user), Files: jobs.DefaultLimits.Files, Free: jobs.DefaultLimits.Free})
	if err != nil {
		b.Close()
		return nil, nil, err
	}
	files.QuotaOf = j.tokens.Quota
	return b, files, nil
}
