package http

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hone/server/auth"
)

// gauges are read when somebody asks: the engine knows them, so nothing is counted twice and nothing is lost with the process.
type gauges struct {
	a                                    *API
	runs, workers, busy, links, up, used *prometheus.Desc
}

func newGauges(a *API) *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("hone_"+name, help, labels, nil)
	}
	return &gauges{a: a,
		runs:    desc("runs", "Runs by what they are doing: queued, running, paused, stopped, failed, done.", "status"),
		workers: desc("workers", "Workers that are there."),
		busy:    desc("workers_busy", "Workers that have a run."),
		links:   desc("links", "Open links of pages and command lines."),
		up:      desc("engine_up", "1 if the job engine is reached."),
		used:    desc("state_bytes", "Bytes of all runs' States."),
	}
}

// Describe is of prometheus.Collector.
func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.runs, g.workers, g.busy, g.links, g.up, g.used} {
		to <- d
	}
}

// Collect is of prometheus.Collector.
func (g *gauges) Collect(to chan<- prometheus.Metric) {
	set := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	g.a.mu.Lock()
	set(g.links, float64(g.a.total))
	g.a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	counts, bytes, err := g.a.Broker.Count(ctx)
	if err == nil {
		for status, n := range counts {
			set(g.runs, float64(n), status)
		}
		set(g.used, float64(bytes))
	}
	if all, e := g.a.Broker.Workers(ctx); e == nil {
		busy := 0
		for _, w := range all {
			if w.Run != "" {
				busy++
			}
		}
		set(g.workers, float64(len(all)))
		set(g.busy, float64(busy))
	}
	up := 0.0
	if g.a.Broker.Ready() && err == nil {
		up = 1
	}
	set(g.up, up)
}

// metrics gives the figures for Prometheus, to administrators.
func (a *API) metrics() http.HandlerFunc {
	r := prometheus.NewRegistry()
	r.MustRegister(newGauges(a), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	h := promhttp.HandlerFor(r, promhttp.HandlerOpts{})
	return func(w http.ResponseWriter, req *http.Request) {
		if _, ok := a.enter(w, req, auth.Admin); ok {
			h.ServeHTTP(w, req)
		}
	}
}
