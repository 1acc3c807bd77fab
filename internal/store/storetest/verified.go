package storetest

import (
	"encoding/json"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// Who may report about one domain could otherwise change the figures of another, by a policy of that in the same report.
func tlsVerified(t *testing.T, open Place) {
	s := open(t)
	send := func(id, token string, domains ...string) {
		r := store.Report{Kind: store.TLS, Reporter: "Example Inc.", ReportID: id, Domain: domains[0], Begin: noon, End: noon, Content: [32]byte{1},
			Document: json.RawMessage(`{"kind":"tls"}`)}
		for _, domain := range domains {
			r.TLS = append(r.TLS, store.TLSPolicy{Domain: domain, Type: "sts", Successful: 1})
		}
		from := raw(id + token)
		from.DMARC, from.TokenDomain = "pass", token
		arrive(t, s, store.Arrival{Raw: from, Reports: []store.Report{r}})
	}
	sessions := func(domain string) (n int64) {
		days, err := s.TLSDays(t.Context(), store.Question{Domains: []string{domain}, From: noon.AddDate(0, 0, -1), To: noon.AddDate(0, 0, 1), Verified: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range days {
			n += d.Sessions
		}
		return n
	}
	send("own", "example.com", "example.com", "mail.Example.com")
	send("other", "example.com", "example.com", "example.org")
	if own, other := sessions("example.com"), sessions("example.org"); own != 1 || other != 0 {
		t.Errorf("%d and %d sessions are verified, want 1 and 0", own, other)
	}
	send("other", "example.org example.com", "example.com", "example.org")
	if own, other := sessions("example.com"), sessions("example.org"); own != 2 || other != 1 {
		t.Errorf("sent to both: %d and %d sessions are verified, want 2 and 1", own, other)
	}
}
