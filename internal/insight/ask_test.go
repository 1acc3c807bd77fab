package insight_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

var sunday = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

const zone = `
example.com.        300 IN SOA ns.example.com. host.example.com. 1 3600 600 86400 300
example.com.        300 IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.com. 300 IN TXT "v=DMARC1; p=none; rua=mailto:rua@example.com"
`

func resolver(t *testing.T) dns.Resolver {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// filled is a store with 40 days of reports.
func filled(t *testing.T) store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var all []store.Arrival
	for ago := range 40 {
		day := sunday.AddDate(0, 0, -ago)
		rows := []store.Row{{SourceIP: netip.MustParseAddr("192.0.2.1"), Count: 100, DKIM: "pass", SPF: "pass", Disposition: "none", HeaderFrom: "example.com",
			AuthDKIM: []store.AuthDKIM{{Domain: "example.com", Selector: "s1", Result: "pass"}},
			AuthSPF:  []store.AuthSPF{{Domain: "example.com", Scope: "mfrom", Result: "pass"}}}}
		if ago < 3 || ago > 20 {
			rows = append(rows, store.Row{SourceIP: netip.MustParseAddr(fmt.Sprintf("198.51.100.%d", ago)), Count: 5, DKIM: "fail", SPF: "fail",
				Disposition: "none", HeaderFrom: "example.com"})
		}
		text := fmt.Sprint("report ", ago)
		hash := sha256.Sum256([]byte(text))
		all = append(all, store.Arrival{
			Raw: store.Raw{Hash: hash, At: day.Add(30 * time.Hour), Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }},
			Reports: []store.Report{{Kind: store.Aggregate, Reporter: "Big Mail", ReportID: fmt.Sprint(ago), Domain: "example.com", Begin: day,
				End: day.Add(24*time.Hour - time.Second), Content: hash, Document: []byte(`{"policy":{"domain":"example.com","p":"none"}}`),
				Rows: func(yield func(store.Row, error) bool) {
					for _, r := range rows {
						if !yield(r, nil) {
							return
						}
					}
				}}},
		})
	}
	if _, err := s.AddArrivals(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAStoreIsAskedForAllThatTheAnswerNeeds(t *testing.T) {
	a := insight.Asker{Store: filled(t), Table: senders.Known(), DNS: resolver(t), Trend: 28}
	p := insight.Period{From: sunday.AddDate(0, 0, -6), To: sunday}
	got, err := a.Ask(t.Context(), []string{"example.com", "never.example"}, p)
	if err != nil {
		t.Fatal(err)
	}
	d := got.Domains[0]
	if d.Now.Messages != 715 || d.Now.Passed != 700 || d.Before.Messages != 700 || len(d.Groups) != 4 || d.Groups[0].Class.Kind != senders.Passing {
		t.Errorf("%+v, before %+v, groups %+v", d.Now, d.Before, d.Groups)
	}
	if !d.Groups[1].New || d.Groups[0].New || !d.First.Equal(sunday.AddDate(0, 0, -39)) {
		t.Errorf("new: %t, %t; first %v", d.Groups[1].New, d.Groups[0].New, d.First)
	}
	if first := got.Days[0]; first.Unknown != 5 || first.Passed != 100 {
		t.Errorf("the first day of the trend: %+v", first)
	}
	if !d.Policy.Known || d.Policy.P != "none" || len(d.Policy.Seen) != 1 || len(d.Policy.Differs) != 0 {
		t.Errorf("policy %+v", d.Policy)
	}
	if len(d.Reporters) != 1 || d.Reporters[0].Name != "Big Mail" || len(d.Silent) != 0 {
		t.Errorf("reporters %+v, silent %+v", d.Reporters, d.Silent)
	}
	if s := got.Next(); s.ID != insight.StepPublish || s.Domain != "never.example" {
		t.Errorf("next: %+v", s)
	}
	if s := d.Next; s.ID != insight.StepQuarantine || s.Record == nil {
		t.Errorf("next of the domain: %+v", s)
	}
}
