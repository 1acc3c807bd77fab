package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/internal/metrics"
)

// reached is how often each limit was, as the metrics tell.
func reached(t *testing.T, m *metrics.Metrics) map[string]float64 {
	t.Helper()
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "gatepost_limits_reached_total" {
			continue
		}
		for _, metric := range f.GetMetric() {
			counts[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
		}
	}
	return counts
}

func TestEveryLimitThatIsReachedIsCounted(t *testing.T) {
	m := metrics.New()
	d := open(t, Options{Metrics: m, MaxSessions: 2, IdleTimeout: 300 * time.Millisecond}, func(s *Settings) {
		s.Limits.Fields, s.MaxMessages = 12, 2
	})
	many := [][2]string{{"From", " a@example.com"}}
	for range 20 {
		many = append(many, [2]string{"X-Field", " x"})
	}
	signed := [][2]string{{"From", " a@example.com"}}
	for range 11 {
		signed = append(signed, [2]string{"DKIM-Signature", " v=1; d=none.example; s=s1"})
	}
	d.deliver(t, mail{header: many})
	d.deliver(t, mail{header: signed})
	s := d.connect(t, nil)
	greet(t, s, mail{})
	for range 3 {
		transmit(t, s, mail{})
	}
	s.Close()
	idle := d.connect(t, nil) // and silent from now on
	defer idle.Close()
	eventually(t, "the end of the silent one", func() bool { return reached(t, m)["idle"] >= 1 })
	first, second := d.connect(t, nil), d.connect(t, nil)
	defer first.Close()
	defer second.Close()
	eventually(t, "a full gate", func() bool { return reached(t, m)["sessions"] >= 1 })
	for _, limit := range []string{"header", "signatures", "messages"} {
		if n := reached(t, m)[limit]; n != 1 {
			t.Errorf("%s: counted %v times, want once", limit, n)
		}
	}
}

func TestMetricsCountWhatWasDecided(t *testing.T) {
	m := metrics.New()
	d := open(t, Options{Metrics: m}, nil)
	d.deliver(t, mail{})
	d.deliver(t, mail{ip: "192.0.2.9"})
	d.deliver(t, mail{ip: "192.0.2.9", macros: map[milter.MacroName]string{milter.MacroAuthAuthen: "alice"}})
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			if f.GetName() != "gatepost_messages_total" || metric.GetCounter().GetValue() == 0 {
				continue
			}
			words := ""
			for _, l := range metric.GetLabel() {
				words += l.GetName() + "=" + l.GetValue() + " "
			}
			got = append(got, words)
		}
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{"rule=spf-softfail verdict=reject", "rule=authenticated verdict=accept"} {
		if !strings.Contains(all, want) {
			t.Errorf("no series with %s in\n%s", want, all)
		}
	}
}
