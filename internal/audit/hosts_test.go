package audit

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/dnstest"
	"github.com/gatepost-mail/gatepost/internal/smtptest"
)

const oneServer = `
example.com. IN MX 10 mx.example.com.
example.com. IN TXT "v=spf1 mx -all"
mx.example.com. IN A 192.0.2.1
`

func zoned(t *testing.T, zone string) dns.Resolver {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func find(r *Report, id string) *Finding {
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == id })
	if i < 0 {
		return nil
	}
	return &r.Findings[i]
}

func TestMailServersAreSpokenToOnlyWhereThatWasAskedFor(t *testing.T) {
	world := &smtptest.World{}
	Run(t.Context(), "example.com", facts.Options{Resolver: zoned(t, oneServer), Dial: world})
	if got := world.Dialed(); len(got) > 0 {
		t.Errorf("connected to %v", got)
	}
}

func TestMailServersAreSpokenToOnceHoweverManyFixesAreTried(t *testing.T) {
	cert := smtptest.NewAuthority(t).Issue(t, smtptest.Leaf{Names: []string{"mx.example.com"}})
	world := &smtptest.World{Servers: map[string]string{"192.0.2.1:25": smtptest.Start(t, smtptest.Options{Certificate: &cert})}}
	zone := oneServer + "example.com. IN MX 0 .\nexample.com. IN MX 30 mx.example.com.\nexample.com. IN MX 40 gone.example.com.\n"
	r := Run(t.Context(), "example.com", facts.Options{Resolver: zoned(t, zone), Dial: world, Connect: true})
	if len(r.Publish) < 3 {
		t.Errorf("only %v is to be published", r.Publish)
	}
	if got := world.Dialed(); len(got) != 2 { // once for the best TLS, once for an old one
		t.Errorf("connected to %v", got)
	}
}

func TestAddressesWithinANetworkAreNotConnectedToUnlessAllowed(t *testing.T) {
	const zone = `
example.com. IN MX 10 mx.example.com.
mx.example.com. IN A 127.0.0.1
mx.example.com. IN A 10.0.0.1
mx.example.com. IN A 169.254.169.254
mx.example.com. IN AAAA ::1
mx.example.com. IN AAAA ::ffff:10.0.0.1
mx.example.com. IN AAAA 64:ff9b::7f00:1
`
	world := &smtptest.World{}
	o := facts.Options{Resolver: zoned(t, zone), Dial: world, Connect: true}
	r := Run(t.Context(), "example.com", o)
	if got := world.Dialed(); len(got) > 0 {
		t.Errorf("connected to %v", got)
	}
	unknown := find(r, "tls-unknown")
	if unknown == nil || !strings.Contains(unknown.Detail, "not one of the internet") {
		t.Errorf("it is not told: %v", unknown)
	}
	if find(r, "tls-no-starttls") != nil {
		t.Error("something is said of a server that was not connected to")
	}
	o.AllowPrivate = true
	Run(t.Context(), "example.com", o)
	if got := world.Dialed(); len(got) != 2 || got[0] != "127.0.0.1:25" {
		t.Errorf("where it is allowed, connected to %v", got)
	}
}

func TestTheNextAddressIsTriedWhereOneDoesNotAnswer(t *testing.T) {
	cert := smtptest.NewAuthority(t).Issue(t, smtptest.Leaf{Names: []string{"mx.example.com"}})
	world := &smtptest.World{Servers: map[string]string{"[2001:db8::1]:25": smtptest.Start(t, smtptest.Options{Certificate: &cert})}}
	zone := oneServer + "mx.example.com. IN AAAA 2001:db8::1\n"
	r := Run(t.Context(), "example.com", facts.Options{Resolver: zoned(t, zone), Dial: world, Connect: true})
	if len(r.Facts.TLS.Servers) != 1 || r.Facts.TLS.Servers[0].Err != nil || !r.Facts.TLS.Servers[0].Secure() {
		t.Errorf("%+v", r.Facts.TLS)
	}
	if find(r, "tls-unknown") != nil {
		t.Error("the server answered at its second address, and is called unknown")
	}
}

func TestManyMailServersMakeABoundedAmountOfWork(t *testing.T) {
	var zone strings.Builder
	for i := range 300 {
		fmt.Fprintf(&zone, "example.com. IN MX %d mx%d.example.com.\nmx%d.example.com. IN A 192.0.2.%d\n", i, i, i, i%250)
		for n := range 15 {
			fmt.Fprintf(&zone, "%d.2.0.192.in-addr.arpa. IN PTR host%d-%d.example.net.\n", i%250, i, n)
		}
	}
	world := &smtptest.World{}
	counted := &count{Resolver: zoned(t, zone.String())}
	f := facts.Gather(t.Context(), "example.com", facts.Options{Resolver: counted, Dial: world, Connect: true})
	if n := len(world.Dialed()); n == 0 || n > 20 {
		t.Errorf("%d connections", n)
	}
	if n := counted.n.Load(); n > 500 {
		t.Errorf("%d questions", n)
	}
	if f.Unknown(facts.MX) || f.Unknown(facts.DANE) {
		t.Errorf("the questions were used up: %v", f.Failures)
	}
}

// A count counts questions.
type count struct {
	dns.Resolver
	n atomic.Int32
}

func (c *count) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	c.n.Add(1)
	return c.Resolver.Lookup(ctx, name, typ)
}

func TestANameThatAMasterFileCouldMisreadIsNotPutIntoAFix(t *testing.T) {
	zone := `
example.com. IN MX 10 mail.example.com.
mail.example.com. IN CNAME a\;b\".example.net.
a\;b\".example.net. IN A 192.0.2.1
`
	r := Run(t.Context(), "example.com", facts.Options{Resolver: zoned(t, zone)})
	f := find(r, "mx-cname")
	if f == nil || len(f.Changes) > 0 {
		t.Errorf("%+v", f)
	}
}

func TestTheOnlyMailServerIsNotTakenAway(t *testing.T) {
	for id, zone := range map[string]string{
		"mx-nxdomain":        "example.com. IN MX 10 gone.example.com.\n",
		"mx-no-address":      "example.com. IN MX 10 mx.example.com.\nmx.example.com. IN TXT x\n",
		"mx-private-address": "example.com. IN MX 10 mx.example.com.\nmx.example.com. IN A 10.0.0.1\n",
		"mx-loopback":        "example.com. IN MX 10 mx.example.com.\nexample.com. IN MX 20 mx2.example.com.\nmx.example.com. IN A 127.0.0.1\nmx2.example.com. IN A 10.0.0.1\n",
		"mx-unregistered":    "example.com. IN MX 10 mx.free.com.\n",
	} {
		f := find(Run(t.Context(), "example.com", facts.Options{Resolver: zoned(t, zone)}), id)
		if f == nil || len(f.Changes) > 0 || f.Advice == "" {
			t.Errorf("%s: %+v", id, f)
		}
	}
}

func TestANameInASuffixThatDoesNotExistIsNotFreeToTake(t *testing.T) {
	r := Run(t.Context(), "example.com", facts.Options{Resolver: zoned(t, "example.com. IN MX 10 mx.office.local.\n")})
	if find(r, "mx-unregistered") != nil || find(r, "mx-nxdomain") == nil {
		t.Error(told(r.Findings))
	}
}

func TestADomainThatDoesNotSendIsToPublishANullMX(t *testing.T) {
	r := Run(t.Context(), "example.com", facts.Options{Resolver: zoned(t, "example.com. IN A 192.0.2.1\nexample.com. IN TXT \"v=spf1 -all\"\n")})
	if f := find(r, "mx-missing"); f == nil || f.Fix != "0 ." {
		t.Errorf("%+v", f)
	}
}

func TestACertificateThatTLSARecordsNameIsNoWarning(t *testing.T) {
	k := readCase(t, "dane-usage")
	k.files["smtp"] = "192.0.2.1 mx.example.com self\n"
	found := k.run(t, "clean")
	i := slices.IndexFunc(found, func(f Finding) bool { return f.ID == "tls-certificate-chain" })
	if i < 0 || found[i].Severity != "info" {
		t.Errorf("%s", told(found))
	}
}

func TestARecordIsNotMadeOneForMailWhereTheServerHasAnotherCertificate(t *testing.T) {
	k := readCase(t, "dane-usage")
	k.files["smtp"] = "192.0.2.1 other.example.com\n"
	found := k.run(t, "fault")
	i := slices.IndexFunc(found, func(f Finding) bool { return f.ID == "dane-usage" })
	if i < 0 || len(found[i].Changes) > 0 {
		t.Errorf("%s", told(found))
	}
}

func TestBogusIsToldFromAFailureByAResolverThatChecksAndOneThatDoesNot(t *testing.T) {
	server := dnstest.Start(t, oneServer+`
org. IN SOA ns.example. host.example. 1 3600 600 86400 60
example.com. IN DS 1 13 2 abababababababababababababababababababababababababababababababab
`)
	server.Fail("org", dnstest.Authentic)
	server.Fail("example.com", dnstest.Bogus)
	server.Fail("mx.example.com", dnstest.ServFail) // for everybody
	o := dns.ClientOptions{Servers: []string{server.Addr}, Timeout: 5 * time.Second, Rounds: 1}
	checked := dns.NewClient(o)
	o.CheckingDisabled = true
	r := Run(context.Background(), "example.com", facts.Options{Resolver: checked, Unchecked: dns.NewClient(o)})
	if f := find(r, "dnssec-bogus"); f == nil || f.Subject != "example.com" {
		t.Errorf("%s", told(r.Findings))
	}
	r = Run(context.Background(), "example.com", facts.Options{Resolver: checked})
	if find(r, "dnssec-bogus") != nil {
		t.Error("without a resolver that does not check, nobody can tell")
	}
	if find(r, "dnssec-unsigned") != nil {
		t.Error("it is called unsigned")
	}
}

func TestAServerThatMakesNoSenseIsUnknown(t *testing.T) {
	world := &smtptest.World{Servers: map[string]string{
		"192.0.2.1:25": smtptest.Raw(t, func(c net.Conn) { c.Write([]byte("\x00\x01garbage\r\n")) }),
	}}
	r := Run(t.Context(), "example.com", facts.Options{Resolver: zoned(t, oneServer), Dial: world, Connect: true})
	if find(r, "tls-unknown") == nil {
		t.Errorf("it is not unknown: %s", told(r.Findings))
	}
	for _, f := range r.Findings {
		if f.Area == facts.TLS && f.ID != "tls-unknown" {
			t.Errorf("%s is said of it", f.ID)
		}
	}
}

func TestTLSARecordsThatNobodyBelievesDoNotMismatch(t *testing.T) {
	k := readCase(t, "dane-mismatch")
	k.files["fault.zone"] = strings.Replace(k.files["fault.zone"], "authentic: example.com", "only-authentic: org", 1) +
		"org. IN SOA ns.example. host.example. 1 3600 600 86400 60\n"
	found := k.run(t, "fault")
	if has(found, "dane-mismatch") || !has(found, "dane-without-dnssec") {
		t.Error(told(found))
	}
}

func TestAnUnsignedDomainIsToldOnceWhereItsMailServersAreItsOwn(t *testing.T) {
	k := readCase(t, "dnssec-unsigned")
	if found := k.run(t, "fault"); has(found, "dnssec-mx-unsigned") {
		t.Error(told(found))
	}
}
