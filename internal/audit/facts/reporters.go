package facts

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
)

// A ReportAddress is one that reports are to go to, and whether they get there (RFC 9990 4).
type ReportAddress struct {
	Tag  string // rua or ruf
	Text string // as it is written, with its size limit
	URI  dmarc.URI
	Err  error  // why it is no address
	Host string // the domain of the address, or the host of the URL; empty where it is none

	External bool     // another organization's, which must say that it wants the reports
	Consent  Asked    // the texts by which it does
	Agreed   bool     // one of them is a record
	Astray   []string // addresses that it names in place of this one, and that lie at another host
	Deaf     string   // why no mail gets there; empty where it does, or where that is not known
}

// maxReports bounds how many addresses of one tag are read, and maxReportHosts how many domains are asked about.
const (
	maxReports     = 32
	maxReportHosts = 8
)

// reporters looks at those who are to get reports.
func (g *gatherer) reporters(ctx context.Context) {
	d := &g.f.DMARC
	if d.Record == nil {
		return
	}
	for _, name := range []string{"rua", "ruf"} {
		tag, ok := d.Record.Tag(name)
		if !ok {
			continue
		}
		n := 0
		for text := range strings.SplitSeq(tag.Value, ",") {
			if n++; n > maxReports {
				break
			}
			d.Reports = append(d.Reports, readReport(name, strings.Trim(text, " \t")))
		}
	}
	hosts := map[string]*ReportAddress{}
	for i := range d.Reports {
		r := &d.Reports[i]
		if r.Host == "" {
			continue
		}
		first := hosts[r.Host]
		if first == nil {
			if len(hosts) == maxReportHosts {
				continue
			}
			hosts[r.Host] = r
			g.reporter(ctx, r)
			first = r
		}
		r.External, r.Consent = first.External, first.Consent
		r.readConsent()
		if r.URI.Scheme == "mailto" {
			r.Deaf = g.deaf(ctx, r.Host)
		}
	}
}

var (
	errSlashes = errors.New("a mail address has no slashes before it: mailto:name@example.com")
	errBytes   = errors.New("an address is printable ASCII without spaces")
	errHost    = errors.New("what stands behind the @ is no domain")
)

func readReport(tag, text string) ReportAddress {
	r := ReportAddress{Tag: tag, Text: text}
	if r.URI, r.Err = dmarc.ParseURI(text); r.Err != nil {
		return r
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			r.Err = errBytes
			return r
		}
	}
	host := ""
	if r.URI.Scheme == "mailto" {
		address := r.URI.Address()
		if strings.HasPrefix(address, "/") {
			r.Err = errSlashes
			return r
		}
		host = address[strings.LastIndexByte(address, '@')+1:]
	} else if u, err := url.Parse(r.URI.Text); err == nil {
		host = u.Hostname()
	}
	ascii, err := dns.ToASCII(host)
	if err != nil || !strings.Contains(ascii, ".") {
		r.Err = errHost
		return r
	}
	r.Host = ascii
	return r
}

// reporter asks the other side whether it wants the reports.
func (g *gatherer) reporter(ctx context.Context, r *ReportAddress) {
	org, err := dmarc.OrganizationalDomain(ctx, g.r, r.Host, dmarc.Options{})
	if err != nil {
		g.fail(DMARC, r.Host, "Organizational Domain", err)
		return
	}
	if g.f.DMARC.Organizational == "" || org == g.f.DMARC.Organizational {
		return
	}
	r.External = true
	r.Consent = g.ask(ctx, DMARC, g.f.Domain+"._report._dmarc."+r.Host, dns.TypeTXT)
}

// readConsent reads what the other side says: that it wants the reports, and perhaps at which address instead.
func (r *ReportAddress) readConsent() {
	for _, text := range r.Consent.TXT {
		record, _ := dmarc.Inspect(text)
		if record == nil {
			continue
		}
		r.Agreed = true
		instead := record.AggregateURIs
		if r.Tag == "ruf" {
			instead = record.FailureURIs
		}
		for _, u := range instead {
			if other := readReport(r.Tag, u.Text); other.Host != r.Host {
				r.Astray = append(r.Astray, u.Text)
			}
		}
	}
}

// deaf says why mail to a domain gets nowhere.
func (g *gatherer) deaf(ctx context.Context, domain string) string {
	mx := g.ask(ctx, DMARC, domain, dns.TypeMX)
	switch {
	case mx.Unknown():
		return ""
	case len(mx.MX) == 1 && mx.MX[0].Host == "":
		return "it has a null MX, and takes no mail"
	case mx.Found():
		return ""
	case errors.Is(mx.Err, dns.ErrNXDomain):
		return "it does not exist"
	}
	a, aaaa := g.ask(ctx, DMARC, domain, dns.TypeA), g.ask(ctx, DMARC, domain, dns.TypeAAAA)
	if a.Absent() && aaaa.Absent() {
		return "it has neither an MX nor an address"
	}
	return ""
}
