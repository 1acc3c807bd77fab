package address

import (
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
)

func zone(t *testing.T, text string) dns.Resolver {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(text), "test")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

const published = `
$ORIGIN .
_dmarc.example.net.   TXT "v=DMARC1; p=none"
_dmarc.asks.example.  TXT "v=DMARC1; p=reject; rua=mailto:a@asks.example!10m; fo=1; x=\"odd\\"
_dmarc.silent.example. TXT "v=DMARC1;p=quarantine"
_smtp._tls.asks.example. TXT "v=TLSRPTv1; rua=mailto:a@asks.example"
asks.example._report._dmarc.reports.example.net. TXT "v=DMARC1"
mail.silent.example. A 192.0.2.1
`

func TestPublicationSaysWhatIsMissing(t *testing.T) {
	b := open(t, Options{})
	for domain, c := range map[string]struct {
		records []string // for, name, text, with ADDRESS in the place of the address; ! for what is there
		notes   []string
	}{
		"new.example": {records: []string{
			"dmarc _dmarc.new.example v=DMARC1; p=none; rua=mailto:ADDRESS",
			"authorization new.example._report._dmarc.reports.example.net v=DMARC1;",
			"tlsrpt _smtp._tls.new.example v=TLSRPTv1; rua=mailto:ADDRESS",
		}},
		"asks.example": {records: []string{
			`dmarc _dmarc.asks.example v=DMARC1; p=reject; rua=mailto:a@asks.example!10m,mailto:ADDRESS; fo=1; x="odd\`,
			"!authorization asks.example._report._dmarc.reports.example.net v=DMARC1;",
		}, notes: []string{"asks for TLS reports already"}},
		"silent.example": {records: []string{
			"dmarc _dmarc.silent.example v=DMARC1; p=quarantine; rua=mailto:ADDRESS",
			"authorization silent.example._report._dmarc.reports.example.net v=DMARC1;",
			"tlsrpt _smtp._tls.silent.example v=TLSRPTv1; rua=mailto:ADDRESS",
		}},
		"mail.silent.example": {records: []string{
			"authorization mail.silent.example._report._dmarc.reports.example.net v=DMARC1;",
			"tlsrpt _smtp._tls.mail.silent.example v=TLSRPTv1; rua=mailto:ADDRESS",
		}, notes: []string{"publish the address of silent.example there"}},
		"example.net": {records: []string{ // the same Organizational Domain
			"dmarc _dmarc.example.net v=DMARC1; p=none; rua=mailto:ADDRESS",
			"tlsrpt _smtp._tls.example.net v=TLSRPTv1; rua=mailto:ADDRESS",
		}},
	} {
		p, err := b.Publish(t.Context(), zone(t, published), domain, dmarc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range p.Records {
			line := strings.ReplaceAll(r.For+" "+r.Name+" "+r.Text, p.Address, "ADDRESS")
			if r.Published {
				line = "!" + line
			}
			got = append(got, line)
			answer, err := zone(t, r.Zone()).Lookup(t.Context(), r.Name, dns.TypeTXT)
			if err != nil || answer.TXT[0] != r.Text {
				t.Errorf("%s is read back as %q, %v", r.Zone(), answer.TXT, err)
			}
		}
		if strings.Join(got, "\n") != strings.Join(c.records, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", domain, strings.Join(got, "\n"), strings.Join(c.records, "\n"))
		}
		if len(p.Notes) != len(c.notes) || len(c.notes) > 0 && !strings.Contains(p.Notes[0], c.notes[0]) {
			t.Errorf("%s: notes %q, want %q", domain, p.Notes, c.notes)
		}
	}
}

// What is published as it was said needs no more.
func TestPublicationEnds(t *testing.T) {
	b := open(t, Options{})
	text := ""
	for range 2 {
		p, err := b.Publish(t.Context(), zone(t, text), "new.example", dmarc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Records {
			if r.Published != (text != "") {
				t.Errorf("%s: published is %v", r.Zone(), r.Published)
			}
		}
		for _, r := range p.Records {
			text += r.Zone() + "\n"
		}
	}
}

func TestPublicationWithoutDNSGivesTheAddressAndTheTags(t *testing.T) {
	b := open(t, Options{})
	p, err := b.Publish(t.Context(), dns.NewClient(dns.ClientOptions{Servers: []string{"127.0.0.1:1"}}), "new.example", dmarc.Options{})
	if err != nil || len(p.Notes) != 3 || !strings.HasPrefix(p.RUA, "rua=mailto:rua+") || !strings.HasPrefix(p.RUF, "ruf=mailto:rua+") {
		t.Errorf("%+v, %v", p, err)
	}
	if len(p.Records) != 1 || p.Records[0].For != ForAuthorization {
		t.Errorf("%+v: with a DMARC record that nobody knows, none is proposed in its place", p.Records)
	}
}
