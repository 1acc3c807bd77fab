package whatif_test

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
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
	"github.com/gatepost-mail/gatepost/internal/whatif"
)

var (
	sunday = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	month  = insight.Period{From: sunday.AddDate(0, 0, -29), To: sunday}
)

const zone = `
example.com.              300 IN SOA ns.example.com. host.example.com. 1 3600 600 86400 300
example.com.              300 IN TXT "v=spf1 ip4:192.0.2.1 ip4:192.0.2.2 -all"
example.com.              300 IN MX 10 mx.example.com.
_dmarc.example.com.       300 IN TXT "v=DMARC1; p=none; rua=mailto:rua@example.com"
bounce.example.com.       300 IN TXT "v=spf1 redirect=example.com"
news.example.com.         300 IN A 192.0.2.9
lists.example.net.        300 IN TXT "v=spf1 ip4:203.0.113.5 -all"
`

func resolver(t *testing.T, zone string) dns.Resolver {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// engines are the stores that everything is tried on.
func engines(t *testing.T, test func(t *testing.T, s store.Store)) {
	open := func(t *testing.T, address string) store.Store {
		s, err := store.Open(t.Context(), address, store.Options{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, filepath.Join(t.TempDir(), "gatepost.db"))) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, pgtest.Database(t))) })
}

func asker(t *testing.T, s store.Store, zone string) *whatif.Asker {
	return &whatif.Asker{Store: s, Insight: &insight.Asker{Store: s, Table: senders.Known(), DNS: resolver(t, zone), Trend: 30,
		Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
}

// A line is what each report of a day says of a source.
type line struct {
	ip          string
	count       int64
	from        string // example.com if empty
	dkim, spf   string // as evaluated: fail if empty
	disposition string // none if empty
	signer      string // "example.com pass"
	envelope    string // "bounce.example.com fail"
	reason      string
}

func (l line) row() store.Row {
	or := func(s, other string) string {
		if s == "" {
			return other
		}
		return s
	}
	r := store.Row{SourceIP: netip.MustParseAddr(l.ip), Count: l.count, HeaderFrom: or(l.from, "example.com"), DKIM: or(l.dkim, "fail"),
		SPF: or(l.spf, "fail"), Disposition: or(l.disposition, "none")}
	if domain, result, ok := strings.Cut(l.signer, " "); ok {
		r.AuthDKIM = []store.AuthDKIM{{Domain: domain, Selector: "s1", Result: result}}
	}
	if domain, result, ok := strings.Cut(l.envelope, " "); ok {
		r.AuthSPF = []store.AuthSPF{{Domain: domain, Scope: "mfrom", Result: result}}
	}
	if l.reason != "" {
		r.Reasons = []store.Reason{{Type: l.reason}}
	}
	return r
}

// report stores a report of each of the last days, by each reporter.
func report(t *testing.T, s store.Store, days int, reporters []string, lines ...line) {
	t.Helper()
	var all []store.Arrival
	for ago := range days {
		for _, reporter := range reporters {
			day := sunday.AddDate(0, 0, -ago)
			text := fmt.Sprint(reporter, ago, lines)
			hash := sha256.Sum256([]byte(text))
			all = append(all, store.Arrival{
				Raw: store.Raw{Hash: hash, At: day.Add(30 * time.Hour), Size: int64(len(text)),
					Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }},
				Reports: []store.Report{{Kind: store.Aggregate, Reporter: reporter, ReportID: fmt.Sprint(ago, hash), Domain: "example.com", Begin: day,
					End: day.Add(24*time.Hour - time.Second), Content: hash, Document: []byte(`{"policy":{"domain":"example.com","p":"none"}}`),
					Rows: func(yield func(store.Row, error) bool) {
						for _, l := range lines {
							if !yield(l.row(), nil) {
								return
							}
						}
					}}},
			})
		}
	}
	if _, err := s.AddArrivals(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%s\ngot  %+v\nwant %+v", what, got, want)
	}
}
