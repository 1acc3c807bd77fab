package whatif_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/whatif"
	"github.com/gatepost-mail/gatepost/spf"
)

type changed struct {
	ip, envelope           string
	now, then              spf.Code
	term                   string
	messages, lost, gained int64
	kind                   senders.Kind
}

func changes(a *whatif.SPF) (all []changed) {
	for _, c := range a.Changes {
		all = append(all, changed{c.IP.String(), c.Envelope, c.Now, c.Then, c.Term, c.Messages, c.Lost, c.Gained, c.Kind})
	}
	return all
}

func TestAnAddressThatARecordLeavesOutIsCounted(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		report(t, s, 10, reporters, mail...)
		got, err := asker(t, s, zone).SPF(t.Context(), whatif.SPFChange{Domain: "example.com", Period: month,
			Record: "v=spf1 ip4:192.0.2.2 ip4:198.51.100.4 ~all"})
		if err != nil {
			t.Fatal(err)
		}
		// The record is asked for 192.0.2.1 (2000), for bounce.example.com, which redirects to it (200), and for 198.51.100.4 (40). The
		// other envelopes, lists.example.net, mailer.example.org and news.example.com, do not ask it.
		equal(t, "messages, asked, same, undecided", []int64{got.Messages, got.Asked, got.Same, got.Undecided}, []int64{2480, 2240, 200, 0})
		equal(t, "changes", changes(got), []changed{
			// Signed, so that DMARC goes on to pass.
			{"192.0.2.1", "example.com", spf.Pass, spf.SoftFail, "~all", 2000, 0, 0, senders.Passing},
			{"198.51.100.4", "example.com", spf.Fail, spf.Pass, "ip4:198.51.100.4", 40, 0, 40, senders.Unclear},
		})
		equal(t, "fewer", got.Fewer, whatif.Kinds{Messages: 2000, Yours: 2000})
		equal(t, "more", got.More, whatif.Kinds{Messages: 40, Unknown: 40})
		equal(t, "lost", got.Lost, whatif.Kinds{})
		equal(t, "gained", got.Gained, whatif.Kinds{Messages: 40, Unknown: 40})
		equal(t, "now", got.Now, "v=spf1 ip4:192.0.2.1 ip4:192.0.2.2 -all")
	})
}

func TestWhatPassesBySPFAloneIsLostToDMARC(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		report(t, s, 10, reporters, mail...)
		got, err := asker(t, s, zone).SPF(t.Context(), whatif.SPFChange{Domain: "example.com", Period: month, Record: "v=spf1 ip4:192.0.2.1 -all"})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "changes", changes(got), []changed{{"192.0.2.2", "bounce.example.com", spf.Pass, spf.Fail, "-all", 200, 200, 0, senders.Misconfigured}})
		equal(t, "lost", got.Lost, whatif.Kinds{Messages: 200, Yours: 200})
		// The record of bounce.example.com, below the domain whose reports tell of it.
		got, err = asker(t, s, zone).SPF(t.Context(), whatif.SPFChange{Domain: "bounce.example.com", Period: month, Record: "v=spf1 -all"})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "asked, lost", []int64{got.Asked, got.Lost.Yours}, []int64{200, 200})
		equal(t, "reported", got.Reported, []string{"example.com"})
	})
}

// failing is a resolver that cannot get one name.
type failing struct {
	dns.Resolver
	name string
}

func (f failing) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if name == f.name {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
	}
	return f.Resolver.Lookup(ctx, name, typ)
}

func TestWhatDNSDoesNotTellIsUndecided(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		report(t, s, 10, reporters, mail...)
		a := asker(t, s, zone)
		a.Insight.DNS = failing{a.Insight.DNS, "_spf.example.org"}
		got, err := a.SPF(t.Context(), whatif.SPFChange{Domain: "example.com", Period: month, Record: "v=spf1 ip4:192.0.2.1 include:_spf.example.org -all"})
		if err != nil {
			t.Fatal(err)
		}
		// 192.0.2.1 passes before the include; 200 + 40 do not.
		equal(t, "same, undecided, changed", []int64{got.Same, got.Undecided, int64(len(got.Changes))}, []int64{2000, 240, 0})
		if len(got.Notes) == 0 || !strings.Contains(got.Notes[0], "DNS did not answer") || got.AllFailed() {
			t.Errorf("%q, all failed: %t", got.Notes, got.AllFailed())
		}
		got, err = a.SPF(t.Context(), whatif.SPFChange{Domain: "example.com", Period: month, Record: "v=spf1 include:_spf.example.org -all"})
		if err != nil || !got.AllFailed() {
			t.Errorf("%v, %+v", err, got)
		}
	})
}
