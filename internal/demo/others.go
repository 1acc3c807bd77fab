package demo

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/watch"
	"github.com/gatepost-mail/gatepost/report/failure"
	"github.com/gatepost-mail/gatepost/report/tlsrpt"
)

// The sessions with the company's mail servers that each of two reporters counts on a day.
var sessions = []int64{180, 90}

// failed are those more that each counts on a day on which mx2 offered no TLS.
var failed = []int64{40, 20}

// tls are the TLS reports about a day.
func (m *maker) tls(ago int) (all []intake.Item, err error) {
	for at, n := range sessions {
		r := &reporters[at]
		p := tlsrpt.Policy{Type: "no-policy-found", Domain: "example.com", Successful: n + int64(m.random.IntN(20))}
		if ago <= tlsBroken && ago > tlsBroken-3 {
			p.Failed = failed[at]
			p.Failures = []tlsrpt.Failure{{ResultType: "starttls-not-supported", SendingMTAIP: netip.MustParseAddr(r.ip),
				ReceivingMXHostname: "mx2.example.com", ReceivingIP: netip.MustParseAddr("192.0.2.21"), Sessions: p.Failed}}
		}
		t := tlsrpt.Report{OrganizationName: r.name, ContactInfo: "smtp-tls@" + r.domain,
			ReportID: m.day(ago).Format(time.DateOnly) + "-" + r.domain, Begin: m.day(ago),
			End: m.day(ago).Add(24*time.Hour - time.Second), Policies: []tlsrpt.Policy{p}}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if err := t.Write(z); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		all = append(all, m.item(r, t.Filename(r.domain, "")+".gz", ago, packed.Bytes()))
	}
	return all, nil
}

// failures are the failure reports about a day: of the first of the wave's addresses on each of four days, and of the CRM once.
func (m *maker) failures(ago int) ([]intake.Item, error) {
	r := &reporters[2]
	ip, from, subject := netip.Addr{}, "", ""
	first := 0
	for on, n := range wave {
		if waveBegins-on == ago && on >= 3 && on < 7 {
			ip, from, subject = stranger(first), "accounts@billing.example.com", "Your invoice is overdue"
		}
		first += n
	}
	if ago == 5 {
		ip, from, subject = netip.MustParseAddr("203.0.113.40"), "sales@example.com", "Your quotation"
	}
	if !ip.IsValid() {
		return nil, nil
	}
	_, author, _ := strings.Cut(from, "@")
	at := m.day(ago).Add(11*time.Hour + 20*time.Minute)
	delivery := "delivered"
	if ago <= newPolicy {
		delivery = "spam"
	}
	x := failure.Report{
		Reporter: r.name, ReporterEmail: "dmarc-reports@" + r.domain, ReportID: fmt.Sprintf("%d@%s", at.Unix(), r.domain),
		Date: at.Add(time.Minute), FeedbackType: "auth-failure", UserAgent: "CopperMX/4", ArrivalDate: at, SourceIP: ip,
		ReportedDomains: []string{"example.com"},
		AuthFailure:     "dmarc", IdentityAlignment: []string{"dkim", "spf"}, DeliveryResult: delivery,
		AuthenticationResults: []string{"mx." + r.domain + "; dmarc=fail header.from=" + author},
		OriginalHeader: fmt.Sprintf("From: %s\r\nTo: somebody@%s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%d@mailer.example>\r\n",
			from, r.domain, subject, at.Format(time.RFC1123Z), at.Unix()),
	}
	var mail bytes.Buffer
	if err := x.Write(&mail, failure.Mail{To: "dmarc@example.com", NoAlignedSignature: true, NoAlignedSPF: true}); err != nil {
		return nil, err
	}
	return []intake.Item{m.item(r, x.ReportID+".eml", ago, mail.Bytes())}, nil
}

// looks are the days on which the records of the company are looked at: a few, and those on which something changed.
var looks = []int{Days - 1, 75, 60, newKey, 40, oldKeyGone, 28, newPolicy, 14, 7, 0}

// records looks at what the company publishes, as the gate does.
func (m *maker) records(ctx context.Context) error {
	for _, ago := range looks {
		zone, err := past(ago)
		if err != nil {
			return err
		}
		// Selectors cannot be listed: reports tell of them.
		know := func(_ context.Context, domain string, o *facts.Options) error {
			selectors := map[string][]string{"example.com": {ownKey(ago), "selector1", "k2"}, "example.org": {"s2026b", "shoptoken1"}}
			o.Seen.Selectors = append(o.Seen.Selectors, selectors[domain]...)
			return nil
		}
		every := watch.Config{Every: signing.Duration(6 * time.Hour)}
		r := &watch.Runner{Config: every, Domains: Domains, Store: m.store, Resolver: zone, Know: know}
		if err := r.Run(ctx, m.day(ago).Add(8*time.Hour)); err != nil {
			return err
		}
	}
	return nil
}
