package dashboard

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/known"
	"github.com/gatepost-mail/gatepost/internal/audit/render"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/fetch"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/resolver"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

// CheckingIn asks for the page on which a domain is named.
type CheckingIn struct{}

// Checking is what can be checked.
type Checking struct {
	Domains []string `json:"domains"` // ours, that the access sees
}

// Checking lists our own domains, which are checked most often.
func (d *Desk) Checking(ctx context.Context, who *people.Access, _ *CheckingIn) (*Checking, error) {
	all, err := d.ours(ctx, who)
	if err != nil {
		return nil, err
	}
	const most = 50
	return &Checking{append([]string{}, all[:min(len(all), most)]...)}, nil
}

// DoCheckIn names a domain to be checked.
type DoCheckIn struct {
	Body struct {
		Domain string `json:"domain" required:"false" doc:"Any domain"`
	}
}

// DoCheck finds the page of a domain that was typed. An address or a URL stands for its domain.
func (d *Desk) DoCheck(_ context.Context, _ *people.Access, in *DoCheckIn) (*Done, error) {
	if in.Body.Domain == "" {
		return nil, invalid("domain", "Name a domain, such as example.com.")
	}
	name, err := audit.DomainName(in.Body.Domain)
	if misnamed := (*audit.Misnamed)(nil); errors.As(err, &misnamed) {
		name, err = misnamed.Domain, nil
	}
	if err != nil {
		return nil, invalid("domain", "“%s” is %s.", in.Body.Domain, err)
	}
	return &Done{To: "/check/" + url.PathEscape(name)}, nil
}

// CheckIn asks what a domain publishes wrongly.
type CheckIn struct {
	Subject string `path:"subject" doc:"Any domain" example:"example.com"`
}

// A Check is an audit of a domain, in the words of gatepost check.
type Check struct {
	render.Document
	Known    bool        `json:"known"`     // mail and reports were looked at, besides DNS
	Ours     bool        `json:"ours"`      // it is one of our domains, and there is more of it
	MayWrite bool        `json:"may_write"` // a letter can be written to its owner
	Areas    []AreaCount `json:"areas"`
	Command  string      `json:"command"` // that says the same
	Made     Made        `json:"made"`
	Mail     *NextStep   `json:"mail"` // what is to be mended of the domain's own mail before anything is made stricter; null: nothing

	View   *render.View `json:"-"`
	report *audit.Report
}

// An AreaCount says how much was found in an area.
type AreaCount struct {
	Area     string `json:"area"`
	Name     string `json:"name"`
	Errors   int    `json:"errors"`
	Warnings int    `json:"warnings"`
	Notes    int    `json:"notes"`
	Unknown  int    `json:"unknown"`
	There    bool   `json:"there"` // something of it is published
}

var areaNames = map[facts.Area]string{
	facts.SPF: "SPF", facts.DKIM: "DKIM", facts.DMARC: "DMARC", facts.MX: "MX", facts.TLS: "TLS", facts.DNSSEC: "DNSSEC", facts.DANE: "DANE",
	facts.STS: "MTA-STS", facts.TLSRPT: "TLS reports", facts.BIMI: "BIMI",
}

// Check audits any domain of the world. What mail and reports say of it, only those learn who may see it.
func (d *Desk) Check(ctx context.Context, who *people.Access, in *CheckIn) (*Check, error) {
	name, err := audit.DomainName(in.Subject)
	if err != nil {
		return nil, invalid("domain", "“%s” is %s.", in.Subject, err)
	}
	sees := who.Over(name) >= people.Viewer
	kept, err := d.audit(ctx, who, name, sees)
	if err != nil {
		return nil, err
	}
	c := d.Config()
	r := render.Result{Report: kept.Value}
	answer := &Check{
		Document: render.Of(r), Known: sees, Ours: sees && d.isOurs(name), Areas: areasOf(kept.Value), Command: "gatepost check " + name,
		Made: Made{kept.At, kept.Anew}, View: render.ViewOf(r), report: kept.Value,
	}
	if sees {
		answer.Command = "gatepost check --config FILE " + name
	}
	if answer.Ours {
		if answer.Mail, err = d.mendFirst(ctx, name); err != nil {
			return nil, err
		}
	}
	answer.MayWrite = who.Everywhere() >= people.Analyst && !d.isOurs(name) && c.Notice.Enabled()
	return answer, nil
}

// checkedDays are those whose mail is looked at beside what a domain publishes, as its own page does.
const checkedDays = 30

// mendFirst is the next step of a domain where that is to mend a source; nil where it is another.
func (d *Desk) mendFirst(ctx context.Context, name string) (*NextStep, error) {
	if d.Store == nil {
		return nil, nil
	}
	p, err := d.period(Days{checkedDays})
	if err != nil {
		return nil, err
	}
	a, _, err := d.answer(ctx, name, p)
	if err != nil {
		return nil, err
	}
	if s := step(&a.Domains[0]); s.ID == insight.StepMendSource {
		return &s, nil
	}
	return nil, nil
}

func (d *Desk) isOurs(name string) bool {
	c := d.Config()
	return slices.Contains(c.Reports.Domains, name) || slices.Contains(c.Watch.Domains, name)
}

// areasOf counts the findings of the areas that were looked at.
func areasOf(r *audit.Report) []AreaCount {
	counts := []AreaCount{}
	for _, a := range facts.Areas {
		of := AreaCount{Area: string(a), Name: areaNames[a], There: published(r.Facts, a)}
		for i := range r.Findings {
			if r.Findings[i].Area == a {
				of.add(r.Findings[i].Severity)
			}
		}
		looked := true
		switch a {
		case facts.TLS:
			looked = r.Facts.Options.Connect
		case facts.DNSSEC, facts.DANE:
			looked = !r.Facts.Options.Offline
		}
		if looked || of.Errors+of.Warnings+of.Notes+of.Unknown > 0 {
			counts = append(counts, of)
		}
	}
	return counts
}

// published tells whether there is something of an area: of what is not published, nothing to mend is no praise.
func published(f *facts.Facts, a facts.Area) bool {
	switch a {
	case facts.SPF:
		return f.SPF.Record != nil
	case facts.DKIM:
		return len(f.DKIM.Selectors) > 0
	case facts.DMARC:
		return len(f.DMARC.Texts) > 0
	case facts.MX:
		return len(f.MX.Hosts) > 0
	case facts.STS:
		return len(f.STS.Texts) > 0
	case facts.TLSRPT:
		return len(f.TLSRPT.Texts) > 0
	case facts.BIMI:
		return len(f.BIMI.Texts) > 0
	}
	return true
}

func (a *AreaCount) add(s check.Severity) {
	switch s {
	case check.Error:
		a.Errors++
	case check.Warning:
		a.Warnings++
	case check.Unknown:
		a.Unknown++
	default:
		a.Notes++
	}
}

// Sound tells whether there is nothing to mend in it.
func (a AreaCount) Sound() bool { return a.Errors+a.Warnings+a.Unknown == 0 }

// AreaName is what people call an area.
func (c *Check) AreaName(a facts.Area) string { return areaNames[a] }

// Title is the domain.
func (c *Check) Title() string { return c.Domain }

// Crumbs lead back to the box.
func (c *Check) Crumbs() []Crumb { return []Crumb{{"Check", "/check"}} }

// Tables are the findings, and the records as they are.
func (c *Check) Tables() []Table {
	return []Table{
		{"findings", []string{"severity", "id", "subject", "title", "detail", "publish", "reference"}, func(yield func([]string) bool) {
			for _, f := range c.Findings {
				if !yield([]string{f.Severity, f.ID, f.Subject, f.Title, f.Detail, f.Fix, f.Reference}) {
					return
				}
			}
		}},
		{"records", []string{"record", "text"}, func(yield func([]string) bool) {
			for _, r := range c.Published() {
				if !yield([]string{r.What, r.Text}) {
					return
				}
			}
		}},
	}
}

// A PublishedText is a record as it is.
type PublishedText struct{ What, Text string }

// Published are the records in an order; those that were not found have no text.
func (c *Check) Published() []PublishedText {
	all := []PublishedText{{"MX", strings.Join(c.Records.MX, ", ")}, {"SPF", c.Records.SPF}, {"DMARC", c.Records.DMARC}}
	var selectors []string
	for s := range c.Records.DKIM {
		selectors = append(selectors, s)
	}
	slices.Sort(selectors)
	for _, s := range selectors {
		all = append(all, PublishedText{"DKIM " + s, c.Records.DKIM[s]})
	}
	if len(selectors) == 0 {
		all = append(all, PublishedText{"DKIM", ""})
	}
	return append(all, PublishedText{"MTA-STS", c.Records.STS}, PublishedText{"TLS-RPT", c.Records.TLSRPT})
}

// Files are what gatepost check can print.
func (c *Check) Files() []File {
	var all []File
	for _, f := range []struct {
		format     render.Format
		ext, media string
	}{
		{render.Text, "txt", "text/plain; charset=utf-8"}, {render.Markdown, "md", "text/markdown; charset=utf-8"},
		{render.JSON, "json", "application/json"}, {render.SARIF, "sarif", "application/sarif+json"},
	} {
		all = append(all, File{string(f.format), c.Domain + "." + f.ext, f.media, func(w io.Writer) error {
			out := render.New(w, f.format, render.Options{})
			return errors.Join(out.Add(render.Result{Report: c.report}), out.Close())
		}})
	}
	return all
}

// audits keeps what was found, apart from other answers: a domain whose name servers are slow keeps no page waiting.
type audits struct {
	mu      sync.Mutex
	answers *keep.Keeper
	waiting map[string]bool // keys of those that are asked for
	asked   quota
	busy    int // messages that are being analyzed

	config *config.Config // that the rest is of
	known  *known.Source
}

// Bounds of what people make us ask the world.
const (
	auditsAtOnce  = 4
	auditsWaiting = 24
	auditsKept    = 100
	auditTime     = 45 * time.Second
	askedAMinute  = 20
)

// audit has a domain audited in the background.
func (d *Desk) audit(ctx context.Context, who *people.Access, name string, known bool) (keep.Kept[*audit.Report], error) {
	key, all := "public "+name, known && who.Everywhere() >= people.Viewer
	switch {
	case all:
		key = "all " + name
	case known:
		key = "known " + name
	}
	answers, err := d.audits.begin(who, key, time.Now())
	if err != nil {
		return keep.Kept[*audit.Report]{}, err
	}
	kept, err := keep.Get(ctx, answers, key, func(ctx context.Context) (*audit.Report, error) {
		defer d.audits.end(key)
		ctx, cancel := context.WithTimeout(ctx, auditTime)
		defer cancel()
		return d.run(ctx, name, known, all)
	})
	if !errors.Is(err, keep.ErrPending) && !kept.Anew {
		d.audits.end(key)
	}
	return kept, err
}

// begin lets somebody ask for an audit, unless they ask for too many, or all do.
func (a *audits) begin(who *people.Access, key string, now time.Time) (*keep.Keeper, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answers == nil {
		a.answers = keep.New(keep.Options{Room: auditsKept, Workers: auditsAtOnce, Longest: auditTime + 15*time.Second})
		a.waiting = map[string]bool{}
	}
	if err := a.allow(who, key, now); err != nil {
		return nil, err
	}
	if !a.waiting[key] && len(a.waiting) >= auditsWaiting {
		return nil, &Busy{"Many domains are being checked just now. Try again in a minute."}
	}
	a.waiting[key] = true
	return a.answers, nil
}

func (a *audits) end(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, key)
}

// allow counts what somebody asks for. Whoever looks again at the same does not ask for more.
func (a *audits) allow(who *people.Access, what string, now time.Time) error {
	if !a.asked.take(who, what, askedAMinute, now) {
		return &Busy{"That was a lot within a minute. Try again in a moment."}
	}
	return nil
}

// someOther stands for a domain whose name is not for whoever may see only some.
const someOther = "another of the domains here"

// run audits a domain, with what is known of it here if it may be told, and with the names of others if all may be told.
func (d *Desk) run(ctx context.Context, name string, known, all bool) (*audit.Report, error) {
	o, err := d.auditOptions()
	if err != nil {
		return nil, err
	}
	if known {
		source, err := d.knownSource()
		if err != nil {
			return nil, err
		}
		if err := source.Add(ctx, name, &o); err != nil {
			return nil, err
		}
		for hash := range o.OtherKeys {
			if !all {
				o.OtherKeys[hash] = someOther
			}
		}
	}
	return audit.Run(ctx, name, o), nil
}

// auditOptions say how any domain is audited: its mail servers are not spoken to, and only web servers of the public internet are.
func (d *Desk) auditOptions() (facts.Options, error) {
	asker, err := d.asker()
	if err != nil {
		return facts.Options{}, err
	}
	c := d.Config().Resolver
	o := facts.Options{Resolver: d.DNS, Table: asker.Table, Now: d.now(), Web: d.Web}
	if o.Offline = c.Zone != "" && len(c.Servers) == 0; o.Offline {
		return o, nil
	}
	o.Unchecked = unchecked(c)
	if o.Web == nil {
		o.Web = fetch.New(fetch.Options{Resolver: d.DNS})
	}
	return o, nil
}

func unchecked(c config.Resolver) dns.Resolver {
	if c.Zone != "" {
		return nil
	}
	return resolver.Unchecked(c.Servers)
}

// knownSource knows what mail, reports and our own keys say, as the configuration in force has it.
func (d *Desk) knownSource() (*known.Source, error) {
	c := d.Config()
	d.audits.mu.Lock()
	defer d.audits.mu.Unlock()
	if d.audits.known != nil && d.audits.config == c {
		return d.audits.known, nil
	}
	keys, err := presentKeys(c.KeyDir())
	if err != nil {
		return nil, err
	}
	source, err := letters.Known(letters.Options{Config: c, Store: d.Store, DNS: d.DNS}, keys)
	if err != nil {
		return nil, err
	}
	d.audits.config, d.audits.known = c, source
	return source, nil
}

// presentKeys opens a key directory, and makes none.
func presentKeys(path string) (*signing.Directory, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return signing.OpenDirectory(path)
}

// Explained is where a finding is explained.
func (c *Check) Explained(id string) string { return render.PageOf(id) }
