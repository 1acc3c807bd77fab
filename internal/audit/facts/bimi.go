package facts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gatepost-mail/gatepost/bimi"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/fetch"
)

// BIMIFacts are what is known of a domain's logo.
type BIMIFacts struct {
	TXT    Asked        // the texts at default._bimi
	Texts  []string     // those that claim to be a record; one is right
	Record *bimi.Record // of the first; nil where it is none
	Err    error        // why it is none

	Logo        Fetched      // where l= is a URL to be fetched
	LogoFaults  []bimi.Fault // where it was had
	Evidence    Fetched      // where a= is
	Certificate *bimi.Evidence
	CertErr     error        // why Evidence, where it was had, is no certificate
	CertFaults  []bimi.Fault // of Certificate
}

// Fetched is what came of asking a web server for a file.
type Fetched struct {
	URL  string // empty if nothing was asked for
	Body []byte
	Err  error // why there is no file, for certain; what is not known is among the failures
	Had  bool
}

const (
	fetchTime   = 20 * time.Second
	mostFetched = 512 << 10
	redirects   = 3
)

// bimi asks for the record.
func (g *gatherer) bimi(ctx context.Context) {
	b := &g.f.BIMI
	b.TXT = g.ask(ctx, BIMI, bimi.Selector+"._bimi."+g.f.Domain, dns.TypeTXT)
	for _, text := range b.TXT.TXT {
		if bimi.IsRecord(text) && len(b.Texts) < mostTexts {
			b.Texts = append(b.Texts, text)
		}
	}
	if len(b.Texts) > 0 {
		b.Record, b.Err = bimi.Parse(b.Texts[0])
	}
}

// bimiFiles fetches the logo and its certificate.
func (g *gatherer) bimiFiles(ctx context.Context) {
	b := &g.f.BIMI
	if b.Record == nil || g.f.Options.Web == nil {
		return
	}
	g.all(ctx,
		func(ctx context.Context) { b.Logo = g.fetch(ctx, BIMI, "logo", b.Record.Logo) },
		func(ctx context.Context) { b.Evidence = g.fetch(ctx, BIMI, "certificate", b.Record.Evidence) },
	)
	if b.Logo.Had {
		b.LogoFaults = bimi.CheckLogo(b.Logo.Body)
	}
	if !b.Evidence.Had {
		return
	}
	if b.Certificate, b.CertErr = bimi.ParseEvidence(b.Evidence.Body); b.CertErr == nil {
		b.CertFaults = b.Certificate.Check(bimi.Expect{
			Domain: g.f.Domain, Organizational: g.f.Organizational, Logo: b.Logo.Body, Roots: g.f.Options.MarkRoots, Now: g.f.At,
		})
	}
}

// fetch gets a file by https. That a server says no, has a certificate that is not good or leads elsewhere than to https is certain;
// whatever else goes wrong may go right the next time.
func (g *gatherer) fetch(ctx context.Context, area Area, what, address string) Fetched {
	if address == "" || bimi.CheckURL(address) != nil {
		return Fetched{}
	}
	f := Fetched{URL: address}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	var certain, temporary error
	f.Body, certain, temporary = get(ctx, g.f.Options.Web, address)
	switch {
	case certain != nil:
		f.Err = certain
	case temporary != nil:
		g.fail(area, address, what, temporary)
	default:
		f.Had = true
	}
	return f
}

var errLedElsewhere = errors.New("it leads to a place that is not of https, or from one to the next without end")

func get(ctx context.Context, web http.RoundTripper, address string) (body []byte, certain, temporary error) {
	client := fetch.Client(web, redirects)
	bounded := client.CheckRedirect
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if bounded(r, via) != nil || bimi.CheckURL(r.URL.String()) != nil {
			return errLedElsewhere
		}
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("it is not a URL"), nil
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, whatIsCertain(err), err
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests:
		return nil, nil, fmt.Errorf("the web server answers with status %d", answer.StatusCode)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the web server answers with status %d", answer.StatusCode), nil
	}
	body, err = io.ReadAll(io.LimitReader(answer.Body, mostFetched+1))
	if len(body) > mostFetched {
		return nil, fmt.Errorf("it has more than %d bytes", mostFetched), nil
	}
	return body, nil, err
}

// whatIsCertain tells what will be the same the next time.
func whatIsCertain(err error) error {
	unverified := (*tls.CertificateVerificationError)(nil)
	switch {
	case errors.Is(err, errLedElsewhere):
		return errLedElsewhere
	case errors.As(err, &unverified):
		return errors.New("the certificate of the web server is not good for it")
	}
	return nil
}
