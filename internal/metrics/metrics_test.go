package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gatepost-mail/gatepost/dns"
)

func want(t *testing.T, m *Metrics, name, text string) {
	t.Helper()
	full := "gatepost_" + name
	got, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range got {
		if family.GetName() != full {
			continue
		}
		head := fmt.Sprintf("# HELP %s %s\n# TYPE %s %s\n", full, family.GetHelp(), full, strings.ToLower(family.GetType().String()))
		if err := testutil.GatherAndCompare(m.registry, strings.NewReader(head+text+"\n"), full); err != nil {
			t.Error(err)
		}
		return
	}
	t.Errorf("there is no %s", full)
}

func TestMessageIsCountedByVerdictRuleAndMode(t *testing.T) {
	m := New()
	reject := Message{Verdict: "reject", Rule: "spf-fail", Refused: true, Bytes: 100, Wait: time.Millisecond, SPF: "fail", DMARC: "fail"}
	m.Message(reject)
	m.Message(reject)
	reject.Monitor, reject.Refused = true, false
	m.Message(reject)
	m.Message(Message{Verdict: "accept", SPF: "pass", DKIM: "pass", DMARC: "pass", ARC: "none"})
	want(t, m, "messages_total", `gatepost_messages_total{mode="enforce",rule="",verdict="accept"} 1
gatepost_messages_total{mode="enforce",rule="spf-fail",verdict="reject"} 2
gatepost_messages_total{mode="monitor",rule="spf-fail",verdict="reject"} 1`)
	want(t, m, "messages_refused_total", "gatepost_messages_refused_total 2")
	want(t, m, "message_bytes_total", "gatepost_message_bytes_total 300")
	if got := testutil.ToFloat64(m.results[outcome{"spf", "fail"}]); got != 3 {
		t.Errorf("SPF fail: got %v, want 3", got)
	}
}

func TestWordThatNoStandardHasMakesNoSeries(t *testing.T) {
	m := New()
	before := testutil.CollectAndCount(m.registry, "gatepost_results_total")
	m.Message(Message{Verdict: "accept", SPF: "evil.example", DKIM: "softfail"})
	if after := testutil.CollectAndCount(m.registry, "gatepost_results_total"); after != before {
		t.Errorf("%d series, want the %d that were there", after, before)
	}
}

func TestRulesBeyondTheBoundShareASeries(t *testing.T) {
	m := New()
	for i := range 3 * maxDecisions {
		m.Message(Message{Verdict: "reject", Rule: fmt.Sprint(i)})
	}
	if n := testutil.CollectAndCount(m.messages); n != maxDecisions+1 {
		t.Errorf("%d series, want %d", n, maxDecisions+1)
	}
	if n := testutil.ToFloat64(m.messages.WithLabelValues("(other)", otherRule, "enforce")); n != 2*maxDecisions {
		t.Errorf("%v messages in the shared series, want %d", n, 2*maxDecisions)
	}
}

func TestConcurrentMessagesAreAllCounted(t *testing.T) {
	m := New()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 500 {
				m.Message(Message{Verdict: "mark", Rule: fmt.Sprint(i % 50)})
			}
		})
	}
	wg.Wait()
	var sum float64
	for _, c := range *m.rules.Load() {
		sum += testutil.ToFloat64(c)
	}
	if sum != 4000 {
		t.Errorf("%v messages, want 4000", sum)
	}
}

func TestSessionsLimitsAndReloads(t *testing.T) {
	m := New()
	m.SessionOpened()
	m.SessionOpened()
	m.SessionClosed()
	m.SessionRefused()
	m.Panic()
	m.LimitReached(LimitQueries)
	m.LimitReached(Limit(99))
	m.ExceptionUsed()
	m.Signed(2)
	m.Signed(0)
	m.Reloaded(errors.New("bad"))
	want(t, m, "sessions", "gatepost_sessions 1")
	want(t, m, "sessions_total", "gatepost_sessions_total 2")
	want(t, m, "sessions_refused_total", "gatepost_sessions_refused_total 1")
	want(t, m, "panics_total", "gatepost_panics_total 1")
	want(t, m, "exception_uses_total", "gatepost_exception_uses_total 1")
	want(t, m, "signatures_total", "gatepost_signatures_total 2")
	want(t, m, "unsigned_total", "gatepost_unsigned_total 1")
	want(t, m, "config_last_reload_successful", "gatepost_config_last_reload_successful 0")
	m.Reloaded(nil)
	want(t, m, "config_last_reload_successful", "gatepost_config_last_reload_successful 1")
	want(t, m, "config_reloads_total", "gatepost_config_reloads_total{result=\"failed\"} 1\ngatepost_config_reloads_total{result=\"ok\"} 1")
	for l, n := range map[Limit]float64{LimitQueries: 1, LimitSessions: 1, LimitTime: 0} {
		if got := testutil.ToFloat64(m.limits[l]); got != n {
			t.Errorf("limit %s: got %v, want %v", limitNames[l], got, n)
		}
	}
}

type resolverFunc func(ctx context.Context) error

func (f resolverFunc) Lookup(ctx context.Context, _ string, _ dns.Type) (dns.Answer, error) {
	return dns.Answer{Name: "x"}, f(ctx)
}

func TestLookUpsAreCountedByWhatCameOfThem(t *testing.T) {
	m := New()
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		err  error
		ctx  context.Context
		kind int
	}{
		{nil, context.Background(), answerFound},
		{&dns.Error{Kind: dns.ErrNXDomain}, context.Background(), answerNoDomain},
		{&dns.Error{Kind: dns.ErrNoData}, context.Background(), answerNoData},
		{&dns.Error{Kind: dns.ErrServFail}, context.Background(), answerServFail},
		{&dns.Error{Kind: dns.ErrTimeout}, context.Background(), answerTimeout},
		{&dns.Error{Kind: dns.ErrTimeout, Err: context.Canceled}, canceled, answerCanceled},
		{&dns.Error{Kind: dns.ErrBadName}, context.Background(), answerOther},
	} {
		r := m.Resolver(resolverFunc(func(context.Context) error { return c.err }))
		if a, err := r.Lookup(c.ctx, "x", dns.TypeA); err != c.err || a.Name != "x" {
			t.Errorf("got %v, %v, want what the resolver said, %v", a, err, c.err)
		}
		if n := testutil.ToFloat64(m.answers[c.kind]); n != 1 {
			t.Errorf("%v: counted %v times as %s", c.err, n, answerNames[c.kind])
		}
	}
	m.DNSCache(true)
	m.DNSCache(false)
	want(t, m, "dns_cache_total", "gatepost_dns_cache_total{result=\"hit\"} 1\ngatepost_dns_cache_total{result=\"miss\"} 1")
}

func TestSourcesAreAskedWhenPrometheusReads(t *testing.T) {
	m := New()
	key := Key{Domain: "example.com", Selector: "s1", Algorithm: "rsa-sha256", State: "signing", Published: true}
	m.Attach(Sources{
		Journal: func() Journal {
			return Journal{Bytes: 4096, Segments: 2, Pending: 7, InMemory: 2, Committed: 9, Dropped: 1, Lost: 4, StoreFailures: 3, JournalFailures: 6}
		},
		Exceptions: func() Exceptions { return Exceptions{Active: 5, Ending: 1} },
		Keys:       func() []Key { return []Key{key, key} }, // a fault elsewhere must not spoil the rest
	})
	for name, value := range map[string]string{
		"journal_bytes": "4096", "journal_segments": "2", "journal_pending": "7", "journal_dropped_total": "1",
		"store_failures_total": "3", "journal_in_memory": "2", "journal_lost_total": "4", "journal_failures_total": "6", "store_committed_total": "9", "store_up": "0", "exceptions": "5", "exceptions_ending": "1",
	} {
		want(t, m, name, "gatepost_"+name+" "+value)
	}
	labels := `{algorithm="rsa-sha256",domain="example.com",selector="s1",state="signing"} 1`
	want(t, m, "key_state", "gatepost_key_state"+labels)
	want(t, m, "key_published", "gatepost_key_published"+labels)
}

func TestHandlerPrintsEverySeries(t *testing.T) {
	m := New()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{`gatepost_results_total{method="dmarc",result="fail"} 0`, "gatepost_build_info{", "go_goroutines", "gatepost_panics_total 0"} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("%s is not in\n%s", line, w.Body)
		}
	}
	if problems, err := testutil.GatherAndLint(m.registry); err != nil || len(problems) > 0 {
		t.Errorf("names: %v %v", problems, err)
	}
}

func TestRequestsAreCountedByRouteAndClass(t *testing.T) {
	m := New()
	m.Web("GET /domains", 200, 20*time.Millisecond)
	m.Web("GET /domains", 204, 20*time.Millisecond)
	m.Web("", 404, time.Millisecond)
	m.Web("GET /gate/events", 200, time.Hour)
	want(t, m, "web_requests_total", `gatepost_web_requests_total{route="GET /domains",status="2xx"} 2
gatepost_web_requests_total{route="GET /gate/events",status="2xx"} 1
gatepost_web_requests_total{route="none",status="4xx"} 1`)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if !strings.Contains(w.Body.String(), "gatepost_web_request_duration_seconds_count 3\n") {
		t.Error("a stream is taken for a slow answer")
	}
}

func TestNilCountsNothing(t *testing.T) {
	var m *Metrics
	m.Message(Message{})
	m.SessionOpened()
	m.SessionClosed()
	m.SessionRefused()
	m.Panic()
	m.LimitReached(LimitTime)
	m.ExceptionUsed()
	m.Signed(1)
	m.Reloaded(nil)
	m.DNSCache(true)
	m.Web("GET /domains", 200, 0)
	m.Attach(Sources{})
	if r := resolverFunc(nil); m.Resolver(r) == nil {
		t.Error("the resolver is gone")
	}
}

func TestCountingAMessageAllocatesNothing(t *testing.T) {
	m := New()
	x := Message{Verdict: "accept", Rule: "r", Bytes: 4096, SPF: "pass", DKIM: "pass", ARC: "none", DMARC: "pass"}
	m.Message(x)
	if n := testing.AllocsPerRun(100, func() { m.Message(x) }); n != 0 {
		t.Errorf("%v allocations a message, want none", n)
	}
	r := m.Resolver(resolverFunc(func(context.Context) error { return nil }))
	if n := testing.AllocsPerRun(100, func() { r.Lookup(context.Background(), "example.com", dns.TypeTXT) }); n != 0 {
		t.Errorf("%v allocations a look-up, want none", n)
	}
}

func BenchmarkMessage(b *testing.B) {
	m := New()
	x := Message{Verdict: "accept", Rule: "r", Bytes: 4096, Wait: time.Millisecond, SPF: "pass", DKIM: "pass", ARC: "none", DMARC: "pass"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Message(x)
		}
	})
}

var _ prometheus.Collector = (*pull)(nil)
