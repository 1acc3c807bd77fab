package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// TLSIn asks how mail servers reached ours.
type TLSIn struct {
	Domain string `query:"domain" doc:"Only of this domain"`
	Days
}

// TLS is what TLS reports tell of the sessions of mail servers with those of our domains.
type TLS struct {
	Domain   string         `json:"domain"` // empty: of all that somebody sees
	Domains  []string       `json:"domains"`
	Period   insight.Period `json:"period"`
	Secured  int64          `json:"secured"` // sessions
	Failed   int64          `json:"failed"`
	Days     []TLSDay       `json:"days"` // each day of the period
	Policies []TLSPart      `json:"policies"`
	Hosts    []TLSPart      `json:"hosts"`
	Results  []TLSResult    `json:"results"` // what failed, the most sessions first; what is over last
	Failures []TLSFailLine  `json:"failures"`
	More     bool           `json:"more"` // there are more failures
	Made     Made           `json:"made"`
}

// A TLSDay counts the sessions of a day.
type TLSDay struct {
	Day     time.Time `json:"day"`
	Secured int64     `json:"secured"`
	Failed  int64     `json:"failed"`
}

// A TLSPart counts the sessions that have something in common: the kind of policy, or the receiving host.
type TLSPart struct {
	Name    string `json:"name"`
	Text    string `json:"text"` // in words
	Secured int64  `json:"secured"`
	Failed  int64  `json:"failed"`
}

// A TLSResult is a kind of failure (RFC 8460 4.3), what it means and how it is mended.
type TLSResult struct {
	Result   string    `json:"result"`
	Sessions int64     `json:"sessions"`
	Last     time.Time `json:"last"`  // the day that it was seen on last
	Since    int       `json:"since"` // days after that of which reports tell, and not of it
	Hosts    []string  `json:"hosts"` // where it happened
	Means    string    `json:"means"`
	Mend     string    `json:"mend"`
}

// Over tells whether it has likely ended.
func (r *TLSResult) Over() bool { return r.Since >= tlsOver }

// rank has what is over behind what is not.
func (r *TLSResult) rank() int {
	if r.Over() {
		return 1
	}
	return 0
}

// A TLSFailLine is what reporters told of sessions that failed alike.
type TLSFailLine struct {
	Result      string `json:"result"`
	Sessions    int64  `json:"sessions"`
	MX          string `json:"mx"`
	Helo        string `json:"helo"`
	SendingIP   string `json:"sending_ip"`
	ReceivingIP string `json:"receiving_ip"`
	Reason      string `json:"reason"`
	Information string `json:"information"`
}

const (
	tlsSuccess      = "success"
	mostTLSFailures = 50
	tlsOver         = 3 // days without a failure after which it counts as over: reports of one come in for two days
)

// Title is what the page is called.
func (t *TLS) Title() string { return "TLS" }

// Crumbs lead back.
func (t *TLS) Crumbs() []Crumb { return []Crumb{{"Reports", "/reports"}} }

// TLS tells how mail servers reached those of our domains.
func (d *Desk) TLS(ctx context.Context, who *people.Access, in *TLSIn) (*TLS, error) {
	if d.Store == nil {
		return nil, ErrNoStore
	}
	p, err := d.askedPeriod(who, in.Days)
	if err != nil {
		return nil, err
	}
	domains, err := d.ours(ctx, who)
	if err != nil {
		return nil, err
	}
	out := &TLS{Domains: append([]string{}, domains...), Period: p}
	q := store.Question{From: p.From, To: p.To, Verified: d.Config().Reports.VerifiedOnly}
	switch {
	case in.Domain != "":
		if out.Domain, err = dns.ToASCII(in.Domain); err != nil {
			return nil, invalid("domain", "That is no domain.")
		}
		if who.Over(out.Domain) < people.Viewer {
			return nil, fmt.Errorf("TLS of %s: %w", in.Domain, ErrNotFound)
		}
		q.Domains = []string{out.Domain}
	case who.Everywhere() < people.Viewer:
		q.Domains = domains
		if len(domains) == 0 { // the store would take it for all
			return out.sumUp(nil, nil), nil
		}
	}
	key, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	type counted struct {
		days     []store.TLSDay
		failures []store.TLSFailure
	}
	kept, err := keep.Get(ctx, d.Answers, "tls "+string(key), func(ctx context.Context) (c counted, err error) {
		if c.days, err = d.Store.TLSDays(ctx, q); err != nil {
			return c, err
		}
		c.failures, err = d.Store.TLSFailures(ctx, q, mostTLSFailures+1)
		return c, err
	})
	if err != nil {
		return nil, err
	}
	out.Made = Made{kept.At, kept.Anew}
	return out.sumUp(kept.Value.days, kept.Value.failures), nil
}

// sumUp adds sessions up by day, kind of policy, host and result.
func (t *TLS) sumUp(days []store.TLSDay, failures []store.TLSFailure) *TLS {
	t.Days, t.Failures = []TLSDay{}, []TLSFailLine{}
	for day := t.Period.From; !day.After(t.Period.To); day = day.AddDate(0, 0, 1) {
		t.Days = append(t.Days, TLSDay{Day: day})
	}
	policies, hosts, results := map[string]*TLSPart{}, map[string]*TLSPart{}, map[string]*TLSResult{}
	for _, d := range days {
		secured, failed := d.Sessions, int64(0)
		if d.Result != tlsSuccess {
			secured, failed = 0, d.Sessions
		}
		t.Secured += secured
		t.Failed += failed
		if i := int(d.Day.Sub(t.Period.From) / (24 * time.Hour)); i >= 0 && i < len(t.Days) {
			t.Days[i].Secured += secured
			t.Days[i].Failed += failed
		}
		partOf(policies, d.PolicyType).add(secured, failed)
		if d.MX != "" {
			partOf(hosts, d.MX).add(secured, failed)
		}
		if failed == 0 {
			continue
		}
		r := results[d.Result]
		if r == nil {
			means := tlsMeanings[d.Result]
			if means.means == "" {
				means = tlsMeanings[""]
			}
			r = &TLSResult{Result: d.Result, Hosts: []string{}, Means: means.means, Mend: means.mend}
			results[d.Result] = r
		}
		r.Sessions += failed
		if d.Day.After(r.Last) {
			r.Last = d.Day
		}
		if d.MX != "" && !slices.Contains(r.Hosts, d.MX) && len(r.Hosts) < mostTLSHosts {
			r.Hosts = append(r.Hosts, d.MX)
		}
	}
	for _, p := range policies {
		p.Text = cmp.Or(policyWords[p.Name], "A kind of policy that is not known.")
	}
	t.Policies, t.Hosts, t.Results = tlsParts(policies), tlsParts(hosts), []TLSResult{}
	for _, r := range results {
		for _, d := range t.Days {
			if d.Day.After(r.Last) && d.Secured+d.Failed > 0 {
				r.Since++
			}
		}
		t.Results = append(t.Results, *r)
	}
	slices.SortFunc(t.Results, func(a, b TLSResult) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(b.Sessions, a.Sessions), cmp.Compare(a.Result, b.Result))
	})
	t.More = len(failures) > mostTLSFailures
	for _, f := range failures[:min(len(failures), mostTLSFailures)] {
		t.Failures = append(t.Failures, TLSFailLine{
			Result: f.Result, Sessions: f.Sessions, MX: f.ReceivingMX, Helo: f.Helo, SendingIP: f.SendingIP, ReceivingIP: f.ReceivingIP, Reason: f.Reason,
			Information: f.Information,
		})
	}
	return t
}

// mostTLSHosts is how many hosts are shown: reporters name them.
const mostTLSHosts = 50

func partOf(all map[string]*TLSPart, name string) *TLSPart {
	if all[name] == nil {
		all[name] = &TLSPart{Name: name}
	}
	return all[name]
}

func (p *TLSPart) add(secured, failed int64) {
	p.Secured += secured
	p.Failed += failed
}

// tlsParts are in order: those that failed most, then the largest.
func tlsParts(all map[string]*TLSPart) []TLSPart {
	list := []TLSPart{}
	for _, p := range all {
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b TLSPart) int {
		return cmp.Or(cmp.Compare(b.Failed, a.Failed), cmp.Compare(b.Secured, a.Secured), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(len(list), mostTLSHosts)]
}

// policyWords are the policies that a report can be about (RFC 8460 4.4).
var policyWords = map[string]string{
	"sts":             "MTA-STS: senders ask for a certificate that fits the host's name, or do not deliver.",
	"tlsa":            "DANE: senders hold the certificate against the TLSA records of the host.",
	"no-policy-found": "No policy: senders encrypt if they can, and deliver in any case.",
}

// tlsMeanings are the kinds of failures, in words (RFC 8460 4.3).
var tlsMeanings = map[string]struct{ means, mend string }{
	"starttls-not-supported": {"The host did not offer STARTTLS, so that the session could not be encrypted.",
		"Switch TLS on in the mail server of the host. Where it is on, look whether a firewall or a filter in front of it takes STARTTLS out of the answer to EHLO."},
	"certificate-host-mismatch": {"The certificate is for other names than that of the host.",
		"Get a certificate whose names include the host as MX records name it, or let the MX record name the host that the certificate is for."},
	"certificate-expired": {"The certificate of the host has expired.",
		"Renew it, and have the mail server read it: most read a renewed certificate only when they are reloaded."},
	"certificate-not-trusted": {"The certificate does not lead to an authority that the sender trusts.",
		"Send the whole chain, with the certificates in between, and have it issued by an authority that others trust."},
	"validation-failure": {"The certificate could not be validated, for a reason that has no word of its own.",
		"Look at the reason code and the address that the reporter gives, and try it: gatepost check DOMAIN."},
	"tlsa-invalid": {"The TLSA records of the host and its certificate do not go together, or the records are wrong.",
		"Publish the record of the key in use, with that of the next one beside it before it is changed; gatepost check DOMAIN says which record fits which certificate."},
	"dnssec-invalid": {"The sender could not validate DNS: the signatures of the zone do not hold.",
		"Look at the chain of the zone, from its DS record at the parent to the signatures of the records: they may have expired."},
	"dane-required": {"The sender asks for DANE, and the host has no TLSA record that can be used.",
		"Publish TLSA records in a signed zone, or ask the sender why it must have them."},
	"sts-policy-fetch-error": {"The MTA-STS policy could not be fetched.",
		"See that https://mta-sts.DOMAIN/.well-known/mta-sts.txt answers at once, with a certificate for that name and without a redirect."},
	"sts-policy-invalid": {"The MTA-STS policy cannot be read.",
		"Mend the file: version, mode, mx, max_age. gatepost check DOMAIN says which line is wrong; gatepost record mta-sts prints a good one."},
	"sts-webpki-invalid": {"The MTA-STS policy was served with a certificate that does not hold for mta-sts.DOMAIN.",
		"Renew the certificate of the web server, for that name."},
	"": {"The reporter does not say what failed, or in a word that no standard has.", "Ask the reporter; its address stands in the report."},
}

// Tables has the days, the parts and the failures.
func (t *TLS) Tables() []Table {
	part := func(name, column string, all []TLSPart) Table {
		return Table{Name: name, Columns: []string{column, "secured", "failed"}, Rows: func(yield func([]string) bool) {
			for _, p := range all {
				if !yield([]string{p.Name, count(p.Secured), count(p.Failed)}) {
					return
				}
			}
		}}
	}
	return []Table{{Name: "days", Columns: []string{"day", "secured", "failed"}, Rows: func(yield func([]string) bool) {
		for _, d := range t.Days {
			if !yield([]string{d.Day.Format(time.DateOnly), count(d.Secured), count(d.Failed)}) {
				return
			}
		}
	}}, part("policies", "policy", t.Policies), part("hosts", "host", t.Hosts), {
		Name: "results", Columns: []string{"result", "sessions"},
		Rows: func(yield func([]string) bool) {
			for _, r := range t.Results {
				if !yield([]string{r.Result, count(r.Sessions)}) {
					return
				}
			}
		},
	}, {
		Name: "failures", Columns: []string{"result", "sessions", "receiving host", "helo", "sending address", "receiving address", "reason", "information"},
		Rows: func(yield func([]string) bool) {
			for _, f := range t.Failures {
				if !yield([]string{f.Result, count(f.Sessions), f.MX, f.Helo, f.SendingIP, f.ReceivingIP, f.Reason, f.Information}) {
					return
				}
			}
		},
	}}
}

// A TLSBar is a day in a picture that is a thousand wide and a hundred high.
type TLSBar struct {
	TLSDay
	X, Width         int
	SecuredY, FailY  int
	SecuredH, FailsH int
}

const (
	chartWidth  = 1000
	chartHeight = 100
)

// Bars are the days as a picture has them. What there is of failures shows, however little.
func (t *TLS) Bars() []TLSBar {
	most := int64(1)
	for _, d := range t.Days {
		most = max(most, d.Secured+d.Failed)
	}
	step := float64(chartWidth) / float64(max(len(t.Days), 1))
	var all []TLSBar
	for i, d := range t.Days {
		b := TLSBar{TLSDay: d, X: int(float64(i) * step), Width: max(1, int(step*0.8))}
		b.SecuredH = int(float64(d.Secured) * chartHeight / float64(most))
		b.FailsH = int(float64(d.Failed) * chartHeight / float64(most))
		if d.Failed > 0 {
			b.FailsH = max(b.FailsH, 3)
			b.SecuredH = min(b.SecuredH, chartHeight-b.FailsH)
		}
		b.SecuredY = chartHeight - b.SecuredH
		b.FailY = b.SecuredY - b.FailsH
		all = append(all, b)
	}
	return all
}
