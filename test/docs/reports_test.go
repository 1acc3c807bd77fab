package docs

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// reported puts into a store what two reporters would say of six weeks of a domain that has a newsletter since lately.
func reported(t *testing.T, s store.Store) {
	row := func(ip string, count int64, result, signer, envelope string) store.Row {
		r := store.Row{SourceIP: netip.MustParseAddr(ip), Count: count, DKIM: result, SPF: result, Disposition: "none", HeaderFrom: "example.com"}
		if result != "pass" {
			r.Disposition = "reject"
		}
		if signer != "" {
			r.AuthDKIM = []store.AuthDKIM{{Domain: signer, Selector: "k1", Result: "pass"}}
		}
		if envelope != "" {
			r.AuthSPF = []store.AuthSPF{{Domain: envelope, Scope: "mfrom", Result: "pass"}}
		}
		return r
	}
	var all []store.Arrival
	for day := time.Date(2026, 10, 12, 0, 0, 0, 0, time.UTC); day.Before(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)); day = day.AddDate(0, 0, 1) {
		for i, reporter := range []string{"Large Mail", "mail.example.net"} {
			if i == 1 && day.After(time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)) {
				continue // it fell silent
			}
			rows := []store.Row{row("192.0.2.1", int64(400-300*i+day.Day()), "pass", "example.com", "example.com")}
			if day.After(time.Date(2026, 11, 17, 0, 0, 0, 0, time.UTC)) {
				rows = append(rows, row("198.51.100.24", 60, "fail", "mcsv.net", "bounces.mcsv.net"), row("203.0.113.9", 3, "fail", "", ""))
			}
			text := fmt.Sprint(reporter, day)
			hash := sha256.Sum256([]byte(text))
			all = append(all, store.Arrival{
				Raw: store.Raw{Hash: hash, Size: int64(len(text)), At: day.Add(30 * time.Hour),
					Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }},
				Reports: []store.Report{{Kind: store.Aggregate, Reporter: reporter, ReportID: day.Format(time.DateOnly), Domain: "example.com", Begin: day,
					End: day.Add(24*time.Hour - time.Second), Content: hash, Document: []byte(`{"policy":{"domain":"example.com","p":"reject"}}`),
					Rows: func(yield func(store.Row, error) bool) {
						for _, r := range rows {
							if !yield(r, nil) {
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
	// The letter of the week before was sent.
	l, _, err := s.ClaimLetter(t.Context(), store.Letter{Name: "weekly", Period: "2026-W46", At: time.Date(2026, 11, 17, 7, 0, 4, 0, time.UTC)}, false)
	if err != nil {
		t.Fatal(err)
	}
	l.State = store.LetterSent
	if err := s.SettleLetter(t.Context(), l); err != nil {
		t.Fatal(err)
	}
}
