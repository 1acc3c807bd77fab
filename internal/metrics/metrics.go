// Package metrics counts what the gate does, for Prometheus.
//
//	m := metrics.New()
//	m.Message(metrics.Message{Verdict: "reject", Rule: "spf-fail", Refused: true, Wait: wait})
//	resolver = m.Resolver(resolver)
//	http.Handle("/metrics", m.Handler())
//
// A label is a word of a standard, of ours, or of the administrator's configuration; nothing that a message holds becomes one, so
// that no sender can make series. A nil *Metrics counts nothing.
package metrics

import (
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the counters of one gate, in a registry of their own. All methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	messages  *prometheus.CounterVec
	rules     atomic.Pointer[map[decision]prometheus.Counter]
	rulesLock sync.Mutex
	results   map[outcome]prometheus.Counter
	refused   prometheus.Counter
	duration  prometheus.Histogram
	wait      prometheus.Histogram
	bytes     prometheus.Counter

	sessions        prometheus.Gauge
	sessionsTotal   prometheus.Counter
	sessionsRefused prometheus.Counter
	panics          prometheus.Counter
	limits          [limitKinds]prometheus.Counter

	lookups  prometheus.Histogram
	answers  [answerKinds]prometheus.Counter
	cacheHit [2]prometheus.Counter // missed, hit

	exceptionUses prometheus.Counter
	signed        prometheus.Counter
	unsigned      prometheus.Counter

	intake reportCounters
	web    webCounters

	reloads       [2]prometheus.Counter // failed, ok
	reloadSuccess prometheus.Gauge
	reloadTime    prometheus.Gauge

	sources atomic.Pointer[Sources]
}

// The bounds of the histograms, in seconds. A message that needs no look-up takes less than a millisecond; DNS may take twenty
// seconds. An answer from the cache falls into the first two of dnsBuckets.
var (
	messageBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 60}
	dnsBuckets     = []float64{.0001, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
)

// New makes a registry with every series that can be known beforehand at zero, so that the first event is seen as a rise.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.build(), &pull{m})

	m.messages = m.counters("messages_total", "Messages decided on, by verdict, rule and mode.", "verdict", "rule", "mode")
	m.rules.Store(&map[decision]prometheus.Counter{})
	m.results = m.resultCounters()
	m.refused = m.counter("messages_refused_total", "Messages that the mail server was told to refuse or defer.")
	m.duration = m.histogram("message_duration_seconds", "Time from MAIL FROM to the verdict.", messageBuckets)
	m.wait = m.histogram("message_wait_seconds", "Time that the mail server waited for the verdict after the end of the message.", messageBuckets)
	m.bytes = m.counter("message_bytes_total", "Bytes of header and body taken in.")

	m.sessions = m.gauge("sessions", "Connections of mail servers that are open.")
	m.sessionsTotal = m.counter("sessions_total", "Connections of mail servers taken.")
	m.sessionsRefused = m.counter("sessions_refused_total", "Connections that found no free slot.")
	m.panics = m.counter("panics_total", "Faults of the program that ended a session.")
	limits := m.counters("limits_reached_total", "Limits that a message or a mail server reached.", "limit")
	for k := range limitKinds {
		m.limits[k] = limits.WithLabelValues(limitNames[k])
	}

	m.lookups = m.histogram("dns_lookup_duration_seconds", "Time that a DNS look-up took, answers from the cache included.", dnsBuckets)
	answers := m.counters("dns_lookups_total", "DNS look-ups by what came of them.", "result")
	for k := range answerKinds {
		m.answers[k] = answers.WithLabelValues(answerNames[k])
	}
	cache := m.counters("dns_cache_total", "Questions to the DNS cache, by whether it knew the answer.", "result")
	m.cacheHit = [2]prometheus.Counter{cache.WithLabelValues("miss"), cache.WithLabelValues("hit")}

	m.exceptionUses = m.counter("exception_uses_total", "Messages that an exception let in.")
	m.signed = m.counter("signatures_total", "Signatures put on outgoing messages.")
	m.unsigned = m.counter("unsigned_total", "Outgoing messages that should have been signed and were not.")

	m.intake = m.reportCounters()
	m.web = m.webCounters()

	reloads := m.counters("config_reloads_total", "Attempts to read the configuration again.", "result")
	m.reloads = [2]prometheus.Counter{reloads.WithLabelValues("failed"), reloads.WithLabelValues("ok")}
	m.reloadSuccess = m.gauge("config_last_reload_successful", "Whether the configuration was good when last read.")
	m.reloadTime = m.gauge("config_last_reload_success_timestamp_seconds", "When the configuration was last read and good.")
	m.reloadSuccess.Set(1)
	m.reloadTime.Set(float64(time.Now().Unix()))
	return m
}

// namespace begins every name but those of the Go runtime and the process.
const namespace = "gatepost"

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(g)
	return g
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

// build is what this program is.
func (m *Metrics) build() prometheus.Collector {
	labels := prometheus.Labels{"version": "unknown", "commit": "", "go": ""}
	if info, ok := debug.ReadBuildInfo(); ok {
		labels["go"] = info.GoVersion
		if info.Main.Version != "" {
			labels["version"] = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				labels["commit"] = s.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say which program this is.", ConstLabels: labels,
	}, func() float64 { return 1 })
}

// maxScrapes bounds how many readers are answered at once.
const maxScrapes = 4

// Handler answers Prometheus. It does not say why a source failed: that is in the log of who owns it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes, Timeout: 10 * time.Second,
	})
}

// Gatherer gives the registry to who reads the numbers within the program.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }
