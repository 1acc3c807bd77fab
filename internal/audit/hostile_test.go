package audit

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

const bomb = "bomb.example"

// hostile is a domain that has an answer to every question: one that makes us ask more, and that is wrong in as many ways as can be mended.
type hostile struct {
	mu      sync.Mutex
	asked   int
	fetched map[string]int // by URL
	padding int            // bytes of each key record
	onFetch func()
}

func (h *hostile) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	h.mu.Lock()
	h.asked++
	h.mu.Unlock()
	a := dns.Answer{Name: name, TTL: 1}
	selector, below, _ := strings.Cut(name, "._domainkey.")
	switch {
	case typ == dns.TypeTXT && name == "_mta-sts."+bomb:
		a.TXT = []string{"v=STSv1; id=!"}
	case typ == dns.TypeTXT && name == "default._bimi."+bomb:
		a.TXT = []string{"v=BIMI1; l=https://victim.example.net/logo.svg; a=https://victim.example.net/logo.pem"}
	case typ == dns.TypeTXT && below == bomb && len(selector) != 12: // those of 12 letters are asked to find out what any name is answered
		a.TXT = []string{"k=rsa; g=; q=; s=x; t=x; zz=" + strings.Repeat("x", h.padding) + "; p="}
	case typ == dns.TypeTXT && !strings.Contains(name, "_"):
		a.TXT = []string{"v=spf1"}
		for i := range 60 {
			a.TXT[0] += fmt.Sprintf(" include:p%d.%s", i, bomb)
		}
	case typ == dns.TypeMX && name == bomb:
		for i := range 20 {
			a.MX = append(a.MX, dns.MX{Preference: uint16(i), Host: fmt.Sprintf("mx%d.%s", i, bomb)})
		}
	case typ == dns.TypeA && name != "mx0."+bomb && strings.HasPrefix(name, "mx"):
		return a, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNXDomain}
	case typ == dns.TypeA:
		a.Addrs = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	default:
		return a, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNoData}
	}
	return a, nil
}

func (h *hostile) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fetched == nil {
		h.fetched = map[string]int{}
	}
	h.fetched[r.URL.String()]++
	if h.onFetch != nil {
		h.onFetch()
	}
	body := io.NopCloser(strings.NewReader("version: STSv1\n"))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain"}}, Body: body}, nil
}

func withFixes(r *Report) int {
	n := 0
	for _, f := range r.Findings {
		if len(f.Changes) > 0 {
			n++
		}
	}
	return n
}

func TestADomainWithHundredsOfFaultsMakesUsFetchAFileOnceAndTryAFewFixes(t *testing.T) {
	h := &hostile{padding: 100}
	r := Run(t.Context(), bomb, facts.Options{Resolver: h, Web: h})
	if len(r.Findings) < 3*mostTried {
		t.Fatalf("there are only %d findings", len(r.Findings))
	}
	if n := withFixes(r); n == 0 || n > mostTried {
		t.Errorf("%d fixes were tried and found good", n)
	}
	if len(h.fetched) < 3 {
		t.Errorf("only %v were fetched", h.fetched)
	}
	for url, n := range h.fetched {
		if n > 1 {
			t.Errorf("%s was fetched %d times", url, n)
		}
	}
	if h.asked > 1000 {
		t.Errorf("%d questions", h.asked)
	}
}

func TestNoFixIsTriedOnceTheTimeIsUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := &hostile{onFetch: cancel}
	if r := Run(ctx, bomb, facts.Options{Resolver: h, Web: h}); len(r.Findings) < mostTried || withFixes(r) > 0 || len(r.Publish) > 0 {
		t.Errorf("of %d findings, %d have fixes", len(r.Findings), withFixes(r))
	}
}

func TestWhatIsKeptOfADomainIsBounded(t *testing.T) {
	h := &hostile{padding: 60_000}
	r := Run(t.Context(), bomb, facts.Options{Resolver: h})
	kept := 0
	for _, s := range r.Facts.DKIM.Selectors {
		kept += len(s.Text)
	}
	if kept > 1<<20 {
		t.Errorf("%d bytes of key records were kept", kept)
	}
	if !r.Facts.Unknown(facts.DKIM) && len(r.Facts.DKIM.Selectors) < r.Facts.DKIM.Tried {
		t.Errorf("of %d selectors, %d are told, and that the others could not be had is not", r.Facts.DKIM.Tried, len(r.Facts.DKIM.Selectors))
	}
}

func TestQuestionsWithoutDNSSECAreAskedOnceForAllFixes(t *testing.T) {
	h, second := &hostile{padding: 100}, &hostile{}
	Run(t.Context(), bomb, facts.Options{Resolver: failing{h}, Unchecked: second})
	if second.asked == 0 || second.asked > 200 {
		t.Errorf("%d questions", second.asked)
	}
}

// failing has no answer for mail servers.
type failing struct{ *hostile }

func (f failing) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if strings.HasPrefix(name, "mx") {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
	}
	return f.hostile.Lookup(ctx, name, typ)
}

func TestNoRecordOfManyKilobytesIsOffered(t *testing.T) {
	for padding, offered := range map[int]bool{1000: true, 5000: false} {
		r := Run(t.Context(), bomb, facts.Options{Resolver: &hostile{padding: padding}})
		found := false
		for _, f := range r.Findings {
			if f.Area != facts.DKIM {
				continue
			}
			found = found || len(f.Changes) > 0
			if !offered && (f.Fix != "" || len(f.Changes) > 0) {
				t.Errorf("%s at %s offers %d bytes", f.ID, f.Subject, len(f.Fix))
			}
		}
		if found != offered {
			t.Errorf("with %d bytes, that something is offered is %t", padding, found)
		}
	}
}
