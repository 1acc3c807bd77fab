package senders

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func sig(domain, selector, result string, count int64) Signature {
	return Signature{Domain: domain, Selector: selector, Result: result, Count: count}
}

func known(s Signature) Signature { s.Elsewhere = true; return s }

func spfr(domain, result string, count int64) SPFResult {
	return SPFResult{Domain: domain, Scope: "mfrom", Result: result, Count: count}
}

func proof(id string) Match { return Match{Service: Known().Service(id), By: byPTR, Proof: true} }

// passed and failed are results with and without a pass.
func passed(dkim, spf string, n int64) []Result { return []Result{{dkim, spf, "none", n}} }
func failed(disposition string, n int64) []Result {
	return []Result{{"fail", "fail", disposition, n}}
}

var classes = []struct {
	name       string
	source     Source
	kind       Kind
	fault      Fault
	reason     string // part of it
	advice     string // part of it; "-" for none
	confidence int    // at least
}{
	// Yours and passing.
	{"own server, both pass", Source{
		Results: passed("pass", "pass", 100), DKIM: []Signature{sig("example.com", "s1", "pass", 100)}, SPF: []SPFResult{spfr("example.com", "pass", 100)},
		PTR: []string{"mail.example.com"},
	}, Passing, NoFault, "DKIM and SPF pass for example.com from mail.example.com", "-", 90},
	{"service with its own envelope, DKIM alone", Source{
		Results: passed("pass", "fail", 100), DKIM: []Signature{sig("example.com", "k2", "pass", 100), sig("mcsv.net", "k2", "pass", 100)},
		SPF: []SPFResult{spfr("mail77.mcsv.net", "pass", 100)}, Service: proof("mailchimp"),
	}, Passing, NoFault, "DKIM passes for example.com from Mailchimp", "-", 90},
	{"SPF alone", Source{
		Results: passed("fail", "pass", 10), SPF: []SPFResult{spfr("bounce.example.com", "pass", 10)}, PTR: []string{"mx.provider.example"},
	}, Passing, NotSigned, "no signature of example.com", "Sign its mail", 80},
	{"SPF alone from a service says how to sign there", Source{
		Results: passed("fail", "pass", 10), SPF: []SPFResult{spfr("example.com", "pass", 10)}, Service: proof("microsoft-365"), Own: Own{Authorised: Yes},
	}, Passing, NotSigned, "SPF passes", "selector1._domainkey.example.com CNAME", 80},
	{"SPF passes while a signature fails", Source{
		Results: passed("fail", "pass", 10), SPF: []SPFResult{spfr("example.com", "pass", 10)}, DKIM: []Signature{sig("example.com", "s1", "fail", 10)},
	}, Passing, DKIMFails, "SPF passes", "s1._domainkey.example.com", 80},
	{"own host that SPF does not list, signing", Source{
		Results: passed("pass", "fail", 10), DKIM: []Signature{sig("example.com", "s1", "pass", 10)}, SPF: []SPFResult{spfr("example.com", "softfail", 10)},
		PTR: []string{"mail2.example.com"},
	}, Passing, SPFNotListed, "SPF softfail: the address is not in the record of example.com", "list it in the SPF record", 90},
	{"a few of very many fail", Source{
		Results: append(passed("pass", "pass", 990), failed("none", 10)...), DKIM: []Signature{sig("example.com", "s1", "pass", 990)},
	}, Passing, NoFault, "", "-", 90},
	{"a service through a carrier", Source{
		Results: passed("pass", "fail", 5), DKIM: []Signature{sig("example.com", "intercom", "pass", 5)},
		Service: Match{Service: Known().Service("intercom"), By: byDKIM, Proof: true, Through: Known().Service("amazon-ses")},
	}, Passing, NoFault, "Intercom (through Amazon SES)", "-", 90},

	// Yours but misconfigured.
	{"SendGrid's signature alone", Source{
		Results: failed("none", 50), DKIM: []Signature{sig("sendgrid.net", "smtpapi", "pass", 50)}, SPF: []SPFResult{spfr("sendgrid.net", "pass", 50)},
		Service: proof("sendgrid"),
	}, Misconfigured, DKIMUnaligned, "DKIM passes for sendgrid.net, not for example.com: set up domain authentication", "s1._domainkey.example.com CNAME s1.domainkey.", 55},
	{"SendGrid's signature alone, and the domain uses it", Source{
		Results: failed("none", 50), DKIM: []Signature{sig("sendgrid.net", "smtpapi", "pass", 50)}, Service: proof("sendgrid"),
		Own: Own{Services: []string{"sendgrid"}},
	}, Misconfigured, DKIMUnaligned, "From Twilio SendGrid: DKIM passes for sendgrid.net", "twilio.com/docs", 90},
	{"a service's envelope alone", Source{
		Results: failed("none", 5), SPF: []SPFResult{spfr("bounces.mailer.example", "pass", 5)}, Service: proof("klaviyo"),
	}, Misconfigured, SPFUnaligned, "SPF passes for the envelope bounces.mailer.example, which does not align", "Klaviyo", 55},
	{"a service that can't align", Source{
		Results: failed("none", 5), DKIM: []Signature{sig("intuit.com", "s", "pass", 5)}, Service: proof("intuit"),
	}, Misconfigured, CannotAlign, "can't align", "Send with another service", 55},
	{"key missing", Source{
		Results: failed("none", 9), DKIM: []Signature{sig("example.com", "s1", "fail", 9), sig("amazonses.com", "x", "pass", 9)}, Service: proof("amazon-ses"),
	}, Misconfigured, DKIMFails, "selector s1, while that of amazonses.com passes: the message was not changed", "token1", 85},
	{"signature fails at the own host", Source{
		Results: failed("none", 9), DKIM: []Signature{sig("example.com", "s1", "fail", 9)}, PTR: []string{"mail.example.com"},
	}, Misconfigured, DKIMFails, "signature of example.com fails, selector s1: the key is missing or the message was changed", "s1._domainkey.example.com", 85},
	{"key that can't be used", Source{
		Results: failed("none", 9), DKIM: []Signature{sig("example.com", "s1", "permerror", 9)}, PTR: []string{"mail.example.com"},
	}, Misconfigured, DKIMKey, "selector s1: the key is missing or broken", "Compare", 85},
	{"key that could not be had", Source{
		Results: failed("none", 9), DKIM: []Signature{sig("example.com", "s1", "temperror", 9)}, PTR: []string{"mail.example.com"},
	}, Misconfigured, DKIMTemporary, "could not get the key", "name servers", 85},
	{"SPF softfail of a network of ours", Source{
		Results: failed("none", 9), SPF: []SPFResult{spfr("example.com", "softfail", 9)},
		Own: Own{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
	}, Misconfigured, SPFNotListed, "SPF softfail: the address is not in the record of example.com", "list it in the SPF record of example.com", 90},
	{"SPF record that can't be evaluated", Source{
		Results: failed("none", 9), SPF: []SPFResult{spfr("example.com", "permerror", 9)}, PTR: []string{"mail.example.com"},
	}, Misconfigured, SPFBroken, "permerror", "gatepost spf", 85},
	{"SPF record that could not be had", Source{
		Results: failed("none", 9), SPF: []SPFResult{spfr("example.com", "temperror", 9)}, PTR: []string{"mail.example.com"},
	}, Misconfigured, SPFTemporary, "temperror", "name servers", 85},
	{"own host and nothing else", Source{
		Results: failed("none", 9), PTR: []string{"printer.office.example.com"},
	}, Misconfigured, Unauthenticated, "Nothing authenticates, though the address is your own host's, printer.office.example.com", "Sign its mail", 85},
	{"listed in SPF, with another's envelope", Source{
		Results: failed("none", 9), SPF: []SPFResult{spfr("shop-software.example", "pass", 9)}, Own: Own{Authorised: Yes}, PTR: []string{"web1.hoster.example"},
	}, Misconfigured, SPFUnaligned, "lists the address; SPF passes for the envelope shop-software.example", "envelope below", 75},
	{"Google Workspace before DKIM is set up", Source{
		Results: failed("none", 9), DKIM: []Signature{sig("example-com.20230601.gappssmtp.com", "20230601", "pass", 9)}, Service: proof("google-workspace"),
	}, Misconfigured, DKIMProviderDefault, "the name that the provider gave example.com", "google._domainkey.example.com", 85},
	{"Microsoft 365 before DKIM is set up", Source{
		Results: failed("none", 9), DKIM: []Signature{sig("example.onmicrosoft.com", "selector1-example-onmicrosoft-com", "pass", 9)}, Service: proof("microsoft-365"),
		Own: Own{Services: []string{"microsoft-365"}},
	}, Misconfigured, DKIMProviderDefault, "example.onmicrosoft.com", "selector1._domainkey.example.com", 85},
	{"strict alignment", Source{
		Results: failed("none", 9), DKIM: []Signature{sig("mail.example.com", "s1", "pass", 9)}, PTR: []string{"mail.example.com"},
	}, Misconfigured, StrictAlignment, "adkim=s", "relaxed alignment", 85},
	{"some pass and some don't", Source{
		Results: append(passed("pass", "pass", 60), failed("none", 40)...),
		DKIM:    []Signature{sig("example.com", "s1", "pass", 60), sig("example.com", "s0", "fail", 40)}, PTR: []string{"mail.example.com"},
	}, Misconfigured, DKIMFails, "60 of 100 messages from mail.example.com pass", "s0._domainkey.example.com", 75},
	{"your gateway without SPF", Source{
		Results: failed("none", 9), SPF: []SPFResult{spfr("example.com", "fail", 9)}, Service: proof("mimecast"), Own: Own{Services: []string{"mimecast"}},
	}, Misconfigured, SPFNotListed, "From Mimecast", "Mimecast", 85},

	// Forwarders.
	{"a known forwarder, the signature kept", Source{
		Results: passed("pass", "fail", 3), DKIM: []Signature{sig("example.com", "s1", "pass", 3)}, Service: proof("pobox"),
	}, Forwarded, NoFault, "the signature of example.com still passes", "-", 85},
	{"a known forwarder, the signature broken", Source{
		Results: failed("reject", 3), DKIM: []Signature{sig("example.com", "s1", "fail", 3)}, Service: proof("groups-io"),
	}, Forwarded, NoFault, "Groups.io is a forwarder", "-", 85},
	{"a mailing list, by the reporter's word", Source{
		Results: failed("none", 20), Reasons: []Reason{{"mailing_list", "", 18}}, PTR: []string{"lists.club.example"},
		SPF: []SPFResult{spfr("lists.club.example", "pass", 20)}, DKIM: []Signature{sig("example.com", "s1", "fail", 20)},
	}, Forwarded, NoFault, "reporters call it a mailing list", "-", 80},
	{"ARC, by the reporter's word", Source{
		Results: failed("none", 20), Reasons: []Reason{{"local_policy", "arc=pass as.1.example=pass", 20}}, PTR: []string{"mx.school.example"},
	}, Forwarded, NoFault, "ARC", "-", 80},
	{"the signature stays good from a foreign network", Source{
		Results: passed("pass", "fail", 4), DKIM: []Signature{known(sig("example.com", "s1", "pass", 4))}, SPF: []SPFResult{spfr("example.com", "softfail", 4)},
		PTR: []string{"mx.school.example"},
	}, Forwarded, NoFault, "SPF softfail", "-", 70},
	{"the envelope rewritten by SRS", Source{
		Results: passed("pass", "fail", 4), DKIM: []Signature{sig("example.com", "s1", "pass", 4)},
		Envelopes: []Count{{"SRS0=HHH=TT=example.com=alice@forward.example", 4}}, PTR: []string{"mx.forward.example"},
	}, Forwarded, NoFault, "SRS", "-", 80},
	{"SRS and a broken signature", Source{
		Results:   failed("none", 4),
		Envelopes: []Count{{"srs1=HHH=other.example==HHH=TT=example.com=a@forward.example", 4}}, PTR: []string{"mx.forward.example"},
	}, Forwarded, NoFault, "SRS", "-", 55},
	{"a key in use, broken on its way", Source{
		Results: failed("none", 4), DKIM: []Signature{known(sig("example.com", "s1", "fail", 4))}, PTR: []string{"mx.school.example"},
	}, Forwarded, NoFault, "changes it: the signature of example.com by selector s1 fails, and passes from other addresses", "-", 60},
	{"a recipient's gateway", Source{
		Results: passed("pass", "fail", 8), DKIM: []Signature{sig("example.com", "s1", "pass", 8)}, SPF: []SPFResult{spfr("example.com", "fail", 8)},
		Service: proof("proofpoint"),
	}, Forwarded, NoFault, "Proofpoint passes on", "-", 75},
	{"Gmail passing on", Source{
		Results: passed("pass", "fail", 8), DKIM: []Signature{sig("example.com", "s1", "pass", 8)}, SPF: []SPFResult{spfr("gmail.com", "pass", 8)},
		Service: proof("google-workspace"),
	}, Forwarded, NoFault, "Google Workspace passes on", "-", 75},

	// Unknown.
	{"nothing counted", Source{}, Unclear, NoFault, "No messages", "-", 0},
	{"a stranger's own SPF and signature", Source{
		Results: failed("reject", 7), DKIM: []Signature{sig("bulk.example", "x", "pass", 7)}, SPF: []SPFResult{spfr("bulk.example", "pass", 7)},
		PTR: []string{"mail.bulk.example"}, HeaderFroms: 9,
	}, Unclear, DKIMUnaligned, "nothing shows whose it is", "If it is yours", 0},
	{"a rented machine", Source{
		Results: failed("reject", 7), Named: true, PTR: []string{"ec2-192-0-2-7.compute-1.amazonaws.com"}, Service: proof("amazon-ec2"), Days: 9, Span: 30,
	}, Unclear, Unauthenticated, "nothing shows whose it is", "If it is yours", 0},
	{"a personal Gmail account", Source{
		Results: failed("none", 2), DKIM: []Signature{sig("gmail.com", "20230601", "pass", 2)}, Service: proof("gmail"),
	}, Unclear, DKIMUnaligned, "nothing shows that it sends for you", "If it is yours", 0},
	{"another tenant of Microsoft 365", Source{
		Results: failed("none", 2), DKIM: []Signature{sig("contoso.onmicrosoft.com", "selector1", "pass", 2)}, Service: proof("microsoft-365"),
	}, Unclear, DKIMUnaligned, "nothing shows that it sends for you", "If it is yours", 0},
	{"a service that only the envelope claims", Source{
		Results: failed("reject", 2), Envelopes: []Count{{"sendgrid.net", 2}}, Service: Match{Service: Known().Service("sendgrid"), By: byEnvelope},
	}, Unclear, Unauthenticated, "claims to be Twilio SendGrid, though nothing proves it", "", 0},
	{"a customer of a service who pretends to be all of you", Source{
		Results: failed("reject", 90), DKIM: []Signature{sig("sendgrid.net", "s", "pass", 90)}, Service: proof("sendgrid"), HeaderFroms: 6,
	}, Unclear, DKIMUnaligned, "nothing shows", "", 0},
	{"a scanner behind a DSL line", Source{
		Results: failed("reject", 40), SPF: []SPFResult{spfr("example.com", "fail", 40)}, Named: true, PTR: []string{"p4fd01234.dip0.t-ipconnect.example"},
		HeaderFroms: 1, Days: 22, Span: 30,
	}, Unclear, SPFNotListed, "SPF fail", "If it is yours", 0},
	{"a scanner in its first days", Source{
		Results: failed("reject", 4), SPF: []SPFResult{spfr("example.com", "fail", 4)}, Named: true, PTR: []string{"dsl-192-0-2-7.isp.example"},
		HeaderFroms: 1, Days: 2, Span: 30,
	}, Unclear, SPFNotListed, "SPF fail", "If it is yours", 0},
	{"an old mail server without a name, in all your domains", Source{
		Results: failed("reject", 400), SPF: []SPFResult{spfr("example.com", "fail", 400)}, Named: true, HeaderFroms: 5, Days: 28, Span: 30,
	}, Unclear, SPFNotListed, "", "If it is yours", 0},
	{"the same, in the network that your mail comes from", Source{
		Results: failed("reject", 400), SPF: []SPFResult{spfr("example.com", "fail", 400)}, Named: true, HeaderFroms: 5, Days: 1, Span: 30, ASN: 64500,
		Own: Own{ASNs: []uint32{64500}},
	}, Unclear, SPFNotListed, "", "If it is yours", 0},
	{"the same, in the country that your mail comes from", Source{
		Results: failed("reject", 400), SPF: []SPFResult{spfr("example.com", "fail", 400)}, Named: true, HeaderFroms: 5, Days: 1, Span: 30, ASN: 64501, Country: "DE",
		Own: Own{ASNs: []uint32{64500}, Countries: []string{"DE"}},
	}, Unclear, SPFNotListed, "", "If it is yours", 0},
	{"names that DNS did not tell", Source{
		Results: failed("reject", 4), SPF: []SPFResult{spfr("example.com", "fail", 4)}, HeaderFroms: 9, Days: 1, Span: 30,
	}, Unclear, SPFNotListed, "", "If it is yours", 0},
	{"a copied signature, from nowhere", Source{
		Results: failed("reject", 4), DKIM: []Signature{known(sig("example.com", "s1", "fail", 4))}, Named: true, HeaderFroms: 9, Days: 1, Span: 30,
	}, Unclear, DKIMFails, "", "If it is yours", 0},
	{"results that no standard knows", Source{
		Results: []Result{{"Pass", "passed", "none", 5}, {"pass ", "PASS", "none", 5}},
		DKIM:    []Signature{sig("example.com", "s1", "Pass", 5)}, SPF: []SPFResult{spfr("example.com", "hardfail", 5)},
	}, Unclear, DKIMFails, "", "If it is yours", 0},
	{"a HELO name of ours", Source{
		Results: failed("none", 5), SPF: []SPFResult{{"mail.example.com", "helo", "pass", 5}},
	}, Unclear, Unauthenticated, "", "", 0},

	// Abuse.
	{"a bot", Source{
		Results: failed("reject", 6), SPF: []SPFResult{spfr("example.com", "fail", 6)}, Named: true, HeaderFroms: 4, Days: 1, Span: 30,
		PTR: []string{"dyn-192-0-2-7.isp.example"},
	}, Abuse, Unauthenticated, "it wrote in the name of 4 domains; 6 of 6 messages were refused; it was seen on 1 day of 30; SPF fail for example.com", "Nothing to mend", 80},
	{"a bot without a name, abroad", Source{
		Results: failed("quarantine", 6), SPF: []SPFResult{spfr("example.com", "softfail", 6)}, Named: true, HeaderFroms: 1, Days: 1, Span: 30,
		ASN: 64511, Country: "AQ", Own: Own{ASNs: []uint32{64500}, Countries: []string{"DE"}},
	}, Abuse, Unauthenticated, "the address has no name", "Nothing to mend", 80},
	{"a bot with a name that is not confirmed", Source{
		Results: failed("reject", 6), SPF: []SPFResult{spfr("example.com", "fail", 6)}, Named: true, HeaderFroms: 8, Days: 2, Span: 30,
		Unconfirmed: []string{"mail.example.com"},
	}, Abuse, Unauthenticated, "not confirmed", "Nothing to mend", 80},
}

func TestClasses(t *testing.T) {
	for _, c := range classes {
		t.Run(c.name, func(t *testing.T) {
			s := c.source
			s.Domain = "example.com"
			if !s.IP.IsValid() {
				s.IP = netip.MustParseAddr("192.0.2.7")
			}
			got := Classify(&s)
			if got.Kind != c.kind || got.Fault != c.fault {
				t.Errorf("got %s %q, want %s %q\n%+v", got.Kind, got.Fault, c.kind, c.fault, got)
			}
			if !strings.Contains(got.Reason, c.reason) || !strings.HasSuffix(got.Reason, ".") {
				t.Errorf("got the reason %q, want one with %q", got.Reason, c.reason)
			}
			if c.advice == "-" && got.Advice != "" || c.advice != "-" && !strings.Contains(got.Advice, c.advice) {
				t.Errorf("got the advice %q, want one with %q", got.Advice, c.advice)
			}
			if got.Confidence < c.confidence {
				t.Errorf("got the confidence %d, want %d or more", got.Confidence, c.confidence)
			}
			for range 3 {
				if again := Classify(shuffled(&s)); again != got {
					t.Errorf("in another order:\n%+v\nwant\n%+v", again, got)
				}
			}
		})
	}
}

func TestEveryKindAndFaultHasACase(t *testing.T) {
	kinds, faults := map[Kind]bool{}, map[Fault]bool{}
	for _, c := range classes {
		kinds[c.kind], faults[c.fault] = true, true
	}
	if len(kinds) != 5 || len(faults) != 14 {
		t.Errorf("%d kinds of 5, %d faults of 14", len(kinds), len(faults))
	}
}

func shuffled(s *Source) *Source {
	v := reflect.New(reflect.TypeFor[Source]()).Elem()
	v.Set(reflect.ValueOf(*s))
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Len() > 1 {
			list := reflect.MakeSlice(f.Type(), f.Len(), f.Len())
			for to, from := range rand.Perm(f.Len()) {
				list.Index(to).Set(f.Index(from))
			}
			f.Set(list)
		}
	}
	out := v.Interface().(Source)
	return &out
}

func TestWhatSpeaksForTheDomainKeepsASourceFromBeingAbuse(t *testing.T) {
	bot := func() Source {
		return Source{
			Domain: "example.com", IP: netip.MustParseAddr("192.0.2.7"), Results: failed("reject", 60), SPF: []SPFResult{spfr("example.com", "fail", 60)},
			Named: true, HeaderFroms: 12, Days: 1, Span: 30, ASN: 64511, Country: "AQ", Own: Own{ASNs: []uint32{64500}, Countries: []string{"DE"}},
		}
	}
	s := bot()
	if c := Classify(&s); c.Kind != Abuse {
		t.Fatalf("got %+v", c)
	}
	for name, change := range map[string]func(*Source){
		"one message passes":       func(s *Source) { s.Results = append(s.Results, Result{"pass", "fail", "none", 1}) },
		"a name of the domain's":   func(s *Source) { s.PTR = []string{"old.example.com"} },
		"a server's name":          func(s *Source) { s.PTR = []string{"mx1.hoster.example"} },
		"a network of yours":       func(s *Source) { s.Own.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")} },
		"listed in SPF":            func(s *Source) { s.Own.Authorised = Yes },
		"a service":                func(s *Source) { s.Service = proof("mailgun") },
		"a signature of yours":     func(s *Source) { s.DKIM = []Signature{sig("example.com", "s1", "fail", 1)} },
		"any signature":            func(s *Source) { s.DKIM = []Signature{sig("other.example", "s1", "pass", 1)} },
		"reporters call it a list": func(s *Source) { s.Reasons = []Reason{{"mailing_list", "", 1}} },
		"it goes on for days":      func(s *Source) { s.Days = 12 },
		"DNS did not answer":       func(s *Source) { s.Named = false },
		"your provider's network":  func(s *Source) { s.ASN = 64500 },
	} {
		s := bot()
		change(&s)
		if c := Classify(&s); c.Kind == Abuse {
			t.Errorf("%s: got %+v", name, c)
		}
	}
}

func TestWhatAStrangerCanMakeNeverMakesASourceYours(t *testing.T) {
	for name, s := range map[string]Source{
		"names that are not confirmed": {Unconfirmed: []string{"mail.example.com"}},
		"claims of a service":          {Service: Match{Service: Known().Service("mailchimp"), By: byEnvelope}},
		"SPF of an own domain":         {SPF: []SPFResult{spfr("evil.example", "pass", 9)}},
		"a lookalike domain":           {DKIM: []Signature{sig("example.com.evil.example", "s1", "pass", 9), sig("notexample.com", "s1", "pass", 9)}},
		"a lookalike tenant":           {DKIM: []Signature{sig("example-com.20230601.gappssmtp.com.evil.example", "s", "pass", 9)}},
		"a failing signature":          {DKIM: []Signature{sig("example.com", "s1", "fail", 9)}},
		"another signature that fails": {DKIM: []Signature{sig("example-com.20230601.gappssmtp.com", "s1", "fail", 9)}},
		"your name as another's tenant": {DKIM: []Signature{sig("example.onmicrosoft.com", "selector1-example-onmicrosoft-com", "pass", 9)},
			Service: proof("microsoft-365"), HeaderFroms: 9},
		"a public suffix":         {DKIM: []Signature{sig("com", "s1", "pass", 9)}, SPF: []SPFResult{spfr("com", "pass", 9)}},
		"no domain at all":        {DKIM: []Signature{sig("", "", "pass", 9), sig("..", "", "pass", 9)}},
		"a rented machine":        {Service: proof("vultr")},
		"words that are not pass": {Results: []Result{{"Pass", "pass!", "none", 9}}},
	} {
		s.Domain, s.IP = "example.com", netip.MustParseAddr("192.0.2.7")
		s.Results = append(s.Results, failed("none", 9)...)
		if c := Classify(&s); c.Kind == Passing || c.Kind == Misconfigured {
			t.Errorf("%s: got %+v", name, c)
		}
	}
}

func TestAnAdministratorsWordGoesBeforeAllAndIsSaid(t *testing.T) {
	s := Source{Domain: "example.com", IP: netip.MustParseAddr("192.0.2.7"), Results: failed("none", 5), PTR: []string{"mail.example.com"}}
	s.Mark = &Mark{Kind: Forwarded, By: "anna", Note: "the club's list"}
	c := Classify(&s)
	if c.Kind != Forwarded || c.Overruled != Misconfigured || c.Confidence != 100 || c.Advice != "" ||
		!strings.HasPrefix(c.Reason, "Marked as forwarder by anna (the club's list); without that it would be yours but misconfigured: ") {
		t.Errorf("got %+v", c)
	}
	s.Mark = &Mark{Kind: Misconfigured}
	if c := Classify(&s); c.Kind != Misconfigured || c.Overruled != "" || c.Fault != Unauthenticated || !strings.HasPrefix(c.Reason, "Marked as yours but misconfigured, as the evidence has it: ") {
		t.Errorf("got %+v", c)
	}
}

func TestNamesOfSubscribers(t *testing.T) {
	ip := netip.MustParseAddr("192.0.2.77")
	for name, want := range map[string]bool{
		"192-0-2-77.isp.example": true, "77.2.0.192.dyn.isp.example": true, "host-192-0-2-77.isp.example": true, "c000024d.isp.example": true,
		"pool-77.isp.example": true, "dsl.isp.example": true, "p192000002077.isp.example": true, "client77.isp.example": true,
		"static-192-0-2-77.isp.example": false, "mail.isp.example": false, "a8-23.smtp-out.amazonses.com": false, "mx-192-0-2-77.isp.example": false,
		"o1.mailer.example": false, "isp.example": false, "dynamics.example.org": false, "mout-p-101.mailbox.org": false,
	} {
		if got := looksDynamic(name, ip); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if !looksDynamic("2001-db8-0-1-0-0-0-1.isp.example", netip.MustParseAddr("2001:db8:0:1::1")) &&
		!looksDynamic("20010db8000000010000000000000001.isp.example", netip.MustParseAddr("2001:db8:0:1::1")) {
		t.Error("an IPv6 address in a name is not seen")
	}
}

func FuzzClassify(f *testing.F) {
	f.Add("example.com", "example.com", "s1", "pass", "forwarded", "SRS0=a=b=example.com=x@y.example", "1-2-3-4.dyn.isp.example", int64(5))
	f.Add("", "..", "\x00", "Pass", "local_policy", "@", "", int64(-1))
	f.Fuzz(func(t *testing.T, domain, signer, selector, result, reason, envelope, ptr string, n int64) {
		s := Source{
			Domain: domain, IP: netip.MustParseAddr("192.0.2.7"), Results: []Result{{result, "fail", "reject", n}, {"fail", result, "none", 1}},
			DKIM: []Signature{{signer, selector, result, n, n%2 == 0}}, SPF: []SPFResult{{signer, "mfrom", result, n}},
			Envelopes: []Count{{envelope, n}}, Reasons: []Reason{{reason, envelope, n}}, PTR: []string{ptr}, Named: true, Days: 1, Span: 30,
			HeaderFroms: int(n % 10),
		}
		c := Classify(&s)
		if c.Reason == "" || c.Confidence < 0 || c.Confidence > 100 || len(c.Reason)+len(c.Advice) > 4000 {
			t.Errorf("got %+v", c)
		}
		if c.Kind == Passing && result != "pass" {
			t.Errorf("%q passes: %+v", result, c)
		}
		if c != Classify(&s) {
			t.Error("another class the second time")
		}
	})
}
