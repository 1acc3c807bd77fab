package metrics

import (
	"maps"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Message is what there is to count of one message.
type Message struct {
	Verdict  string // accept, mark, quarantine, reject, defer
	Rule     string // the administrator's name for what decided; empty if no rule did
	Monitor  bool   // the verdict was not carried out, since the gate or the rule only watches
	Refused  bool   // the mail server was told to refuse or defer
	Bytes    int64
	Duration time.Duration // since MAIL FROM
	Wait     time.Duration // since the end of the message

	// Results are words of RFC 8601; empty where a method was not asked.
	SPF, DKIM, ARC, DMARC string
}

// A decision is what the messages of one series have in common.
type decision struct {
	verdict, rule string
	monitor       bool
}

// maxDecisions bounds the series, whatever is done with the rules over the years that a gate runs: those beyond it share one.
const (
	maxDecisions = 1000
	otherRule    = "(other)"
)

// Message counts a message that was decided on.
func (m *Metrics) Message(x Message) {
	if m == nil {
		return
	}
	m.decided(decision{x.Verdict, x.Rule, x.Monitor}).Inc()
	if x.Refused {
		m.refused.Inc()
	}
	m.bytes.Add(float64(max(x.Bytes, 0)))
	m.duration.Observe(x.Duration.Seconds())
	m.wait.Observe(x.Wait.Seconds())
	m.result("spf", x.SPF)
	m.result("dkim", x.DKIM)
	m.result("arc", x.ARC)
	m.result("dmarc", x.DMARC)
}

// decided finds a counter without a lock and without allocating; the map is replaced whole when a decision is new.
func (m *Metrics) decided(d decision) prometheus.Counter {
	if c, ok := (*m.rules.Load())[d]; ok {
		return c
	}
	m.rulesLock.Lock()
	defer m.rulesLock.Unlock()
	present := *m.rules.Load()
	if c, ok := present[d]; ok {
		return c
	}
	if len(present) >= maxDecisions {
		return m.messages.WithLabelValues("(other)", otherRule, mode(d.monitor))
	}
	c := m.messages.WithLabelValues(strings.ToValidUTF8(d.verdict, "?"), strings.ToValidUTF8(d.rule, "?"), mode(d.monitor))
	more := maps.Clone(present)
	more[d] = c
	m.rules.Store(&more)
	return c
}

func mode(monitor bool) string {
	if monitor {
		return "monitor"
	}
	return "enforce"
}

// An outcome is a result of one method.
type outcome struct{ method, result string }

// The words that a result can be (RFC 8601 2.7).
var resultWords = []string{"pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror"}

func (m *Metrics) resultCounters() map[outcome]prometheus.Counter {
	v := m.counters("results_total", "Results of SPF (of MAIL FROM), DKIM (the best signature), ARC and DMARC.", "method", "result")
	all := map[outcome]prometheus.Counter{}
	for _, method := range []string{"spf", "dkim", "arc", "dmarc"} {
		for _, word := range resultWords {
			if word == "softfail" && method != "spf" {
				continue
			}
			all[outcome{method, word}] = v.WithLabelValues(method, word)
		}
	}
	return all
}

func (m *Metrics) result(method, word string) {
	if c, ok := m.results[outcome{method, word}]; ok {
		c.Inc()
	}
}

// ExceptionUsed counts a message that an exception let in.
func (m *Metrics) ExceptionUsed() {
	if m != nil {
		m.exceptionUses.Inc()
	}
}

// Signed counts the signatures put on one outgoing message; none means that it should have been signed and was not.
func (m *Metrics) Signed(signatures int) {
	switch {
	case m == nil:
	case signatures > 0:
		m.signed.Add(float64(signatures))
	default:
		m.unsigned.Inc()
	}
}
