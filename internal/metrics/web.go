package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// webBuckets are in seconds: a page takes a few milliseconds, an answer that is waited for by a program up to half a minute.
var webBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .15, .25, .5, 1, 2.5, 5, 10, 30}

// webCounters are of the dashboard.
type webCounters struct {
	requests *prometheus.CounterVec
	duration prometheus.Histogram
}

func (m *Metrics) webCounters() webCounters {
	return webCounters{
		requests: m.counters("web_requests_total", "Requests by HTTP, by route and class of status.", "route", "status"),
		duration: m.histogram("web_request_duration_seconds", "Time that an answer by HTTP took, streams left out.", webBuckets),
	}
}

// longestRequest is what takes longer: a stream, which says nothing of how quick we are.
const longestRequest = 30 * time.Second

// Web counts a request to a route, which is one of those that the program has, and not what somebody asked for.
func (m *Metrics) Web(route string, status int, took time.Duration) {
	if m == nil {
		return
	}
	if route == "" {
		route = "none"
	}
	m.web.requests.WithLabelValues(route, strconv.Itoa(status/100)+"xx").Inc()
	if took <= longestRequest {
		m.web.duration.Observe(took.Seconds())
	}
}
