package dashboard

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/whatif"
	"github.com/gatepost-mail/gatepost/spf"
)

// longestRecord is how many bytes of an SPF record are tried: more than one that receivers would take.
const longestRecord = 2000

// WhatIfIn asks what can be asked of a domain. What a form had is filled in again.
type WhatIfIn struct {
	Domain     string `path:"domain" doc:"The domain"`
	Policy     string `query:"policy" doc:"Filled into the form"`
	Subdomains string `query:"sp" doc:"Likewise"`
	DKIM       string `query:"adkim" doc:"Likewise"`
	SPF        string `query:"aspf" doc:"Likewise"`
	Record     string `query:"record" doc:"Likewise"`
	Days
}

// WhatIf is what can be asked of a domain, and what it publishes as it is.
type WhatIf struct {
	Domain  string     `json:"domain"`
	Policy  string     `json:"policy"`  // that applies; empty: none, or nobody knows
	DMARC   string     `json:"dmarc"`   // the record as it is published; empty: there is none, or DNS did not answer
	SPF     string     `json:"spf"`     // likewise
	Problem string     `json:"problem"` // a sentence: why it is not known what is published; empty if it is
	Ask     []Question `json:"ask"`     // what is worth asking
}

// A Question is one whose answer is a page.
type Question struct {
	Text string `json:"text"`
	Path string `json:"path"`
}

// WhatIf tells what can be asked of a domain.
func (d *Desk) WhatIf(ctx context.Context, who *people.Access, in *WhatIfIn) (*WhatIf, error) {
	p, err := d.period(Days{})
	if err != nil {
		return nil, err
	}
	record, err := d.publishedSPF(ctx, in.Domain)
	if errors.Is(err, keep.ErrPending) {
		return nil, err
	}
	unanswered := err != nil
	answer, _, err := d.answer(ctx, in.Domain, p)
	if err != nil {
		return nil, err
	}
	policy := &answer.Domains[0].Policy
	out := &WhatIf{Domain: in.Domain, Policy: policy.P, DMARC: policy.Published, SPF: record, Problem: policy.Problem, Ask: []Question{}}
	if unanswered || !policy.Known {
		out.Problem = "DNS did not answer, so that it is not known what is published."
	}
	out.ask()
	return out, nil
}

// ask offers what the domain's owner is likely to ask next.
func (w *WhatIf) ask() {
	for _, p := range []string{"quarantine", "reject"} {
		if w.Policy == "reject" || w.Policy == p {
			continue
		}
		w.Ask = append(w.Ask, Question{fmt.Sprintf("What would p=%s lose?", p), whatIfPath(w.Domain, "dmarc") + "?policy=" + p})
	}
	for _, end := range []string{"~all", "?all", "+all"} {
		if rest, ok := strings.CutSuffix(w.SPF, end); ok {
			w.Ask = append(w.Ask, Question{"Whom would the SPF record stop if it ended in -all?",
				whatIfPath(w.Domain, "spf") + "?record=" + url.QueryEscape(rest+"-all")})
		}
	}
}

// publishedSPF is the record of a domain; empty where there is not exactly one.
func (d *Desk) publishedSPF(ctx context.Context, domain string) (string, error) {
	kept, err := keep.Get(ctx, d.Answers, "domain "+domain+" spf", func(ctx context.Context) (string, error) {
		found, err := d.DNS.Lookup(ctx, domain, dns.TypeTXT)
		if err != nil && !dns.IsVoid(err) {
			return "", err
		}
		records := slices.DeleteFunc(slices.Clone(found.TXT), func(txt string) bool { return !spf.IsRecord(txt) })
		if len(records) != 1 {
			return "", nil
		}
		return records[0], nil
	})
	return kept.Value, err
}

func domainPath(domain string) string { return "/domains/" + url.PathEscape(domain) }

func whatIfPath(domain, of string) string { return domainPath(domain) + "/what-if/" + of }

func domainCrumbs(domain string) []Crumb {
	return []Crumb{{"Domains", "/domains"}, {domain, domainPath(domain)}}
}

func whatIfCrumbs(domain string) []Crumb {
	return append(domainCrumbs(domain), Crumb{"What if", domainPath(domain) + "/what-if"})
}

// Title is that of the page.
func (w *WhatIf) Title() string { return "What if" }

// Crumbs are the pages above.
func (w *WhatIf) Crumbs() []Crumb { return domainCrumbs(w.Domain) }

// WhatIfDMARCIn asks about another DMARC policy. What is empty stays as it is published.
type WhatIfDMARCIn struct {
	Domain     string `path:"domain" doc:"The domain"`
	Policy     string `query:"policy" enum:"quarantine,reject" required:"true" doc:"The policy, p"`
	Subdomains string `query:"sp" enum:"none,quarantine,reject," doc:"That for subdomains, sp"`
	DKIM       string `query:"adkim" enum:"r,s," doc:"How DKIM is to align"`
	SPF        string `query:"aspf" enum:"r,s," doc:"How SPF is to align"`
	Days
}

// WhatIfDMARC is what a policy would have done.
type WhatIfDMARC struct {
	whatif.DMARC
	Made Made `json:"made"`
}

// WhatIfDMARC answers what would have been lost by a policy, as gatepost simulate dmarc does.
func (d *Desk) WhatIfDMARC(ctx context.Context, who *people.Access, in *WhatIfDMARCIn) (*WhatIfDMARC, error) {
	p, err := d.period(in.Days)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name, value string
		words       []string
	}{{"policy", in.Policy, []string{"quarantine", "reject"}}, {"sp", in.Subdomains, []string{"", "none", "quarantine", "reject"}},
		{"adkim", in.DKIM, []string{"", "r", "s"}}, {"aspf", in.SPF, []string{"", "r", "s"}}} {
		if !slices.Contains(f.words, f.value) {
			return nil, invalid(f.name, "Choose what %s is to be.", f.name)
		}
	}
	change := whatif.DMARCChange{Domain: in.Domain, Period: p, Policy: dmarc.Disposition(in.Policy), Subdomains: dmarc.Disposition(in.Subdomains),
		DKIM: in.DKIM, SPF: in.SPF}
	key := fmt.Sprintf("domain %s what-if dmarc %s/%s/%s/%s %s %d", in.Domain, in.Policy, in.Subdomains, in.DKIM, in.SPF, insight.Date(p.To), p.Len())
	kept, err := tried(ctx, d, who, key, in.Domain, func(ctx context.Context, a *whatif.Asker) (*whatif.DMARC, error) { return a.DMARC(ctx, change) })
	if err != nil {
		return nil, err
	}
	return &WhatIfDMARC{*kept.Value, Made{kept.At, kept.Anew}}, nil
}

// tried has a question about a domain answered by what was seen.
func tried[T any](ctx context.Context, d *Desk, who *people.Access, key, domain string, ask func(context.Context, *whatif.Asker) (T, error)) (keep.Kept[T], error) {
	if err := d.mayAsk(who, key); err != nil {
		return keep.Kept[T]{}, err
	}
	kept, err := keep.Get(keep.Long(ctx), d.Answers, key, func(ctx context.Context) (T, error) {
		a, err := d.asker()
		if err != nil {
			var none T
			return none, err
		}
		return ask(ctx, &whatif.Asker{Insight: a, Store: d.Store})
	})
	switch {
	case errors.Is(err, whatif.ErrNoReports):
		return kept, invalid("", "No report in the store is about %s yet, so that there is nothing to try it on. Publish a DMARC record with rua=, and reports come within two days.", domain)
	case errors.Is(err, whatif.ErrDNS):
		return kept, invalid("", "DNS did not answer what %s publishes. Try again in a minute.", domain)
	}
	return kept, err
}

// Title is that of the page.
func (w *WhatIfDMARC) Title() string { return "What if " + w.Asked() }

// Asked is the policy that was asked about, as its tags say.
func (w *WhatIfDMARC) Asked() string {
	r, err := dmarc.Parse(w.Record.Value)
	if err != nil {
		return "another policy"
	}
	return "p=" + string(r.Policy)
}

// Crumbs are the pages above.
func (w *WhatIfDMARC) Crumbs() []Crumb { return whatIfCrumbs(w.Domain) }

// Senders is how many would lose messages.
func (w *WhatIfDMARC) Senders() (n int) {
	for i := range w.Sources {
		if w.Sources[i].Lost > 0 {
			n++
		}
	}
	return n
}

// Losers are those sources of one kind.
type Losers struct {
	Title, About string
	Sources      []Loser // the first of them
	All          int
	Messages     int64
}

// A Loser is a source of which messages would be lost.
type Loser struct{ whatif.Loser }

// Advice is how to mend it, without the address of the guide, which stands beside it as a link.
func (l Loser) Advice() string { return strings.TrimSuffix(l.Mend, " See "+l.Docs+".") }

// Hosts tells whether its addresses say more than its name.
func (l Loser) Hosts() bool { return len(l.IPs) > 1 || len(l.IPs) == 1 && l.IPs[0].String() != l.Name }

// mostOfKind is how many sources of one kind stand on the page.
const mostOfKind = 20

// ByKind are the sources by whose they are, the domain's own first.
func (w *WhatIfDMARC) ByKind() []Losers {
	all := []Losers{
		{Title: "Yours", About: "Mend these before the policy is published: it is your own mail."},
		{Title: "Forwarders", About: "Others pass your mail on, and change it on the way. A DKIM signature that survives is all that you can do for it."},
		{Title: "Unknown", About: "Nothing shows whose they are. Say on the page of each whether it is yours."},
		{Title: "Likely abuse", About: "They write in your name, and this is the mail that the policy is for."},
	}
	for _, l := range w.Sources {
		of := &all[kindPlace(l.Kind)]
		if of.All++; of.All <= mostOfKind {
			of.Sources = append(of.Sources, Loser{l})
		}
		of.Messages += l.Lost
	}
	return slices.DeleteFunc(all, func(l Losers) bool { return l.All == 0 })
}

// kindPlace is where sources of a kind stand: yours, forwarders, unknown, abuse.
func kindPlace(k senders.Kind) int {
	switch k {
	case senders.Misconfigured, senders.Passing:
		return 0
	case senders.Forwarded:
		return 1
	case senders.Abuse:
		return 3
	}
	return 2
}

// kindWord says whose a source is.
func kindWord(k senders.Kind) string {
	return [...]string{"yours", "forwarder", "unknown", "likely abuse"}[kindPlace(k)]
}

// Tables has the sources.
func (w *WhatIfDMARC) Tables() []Table {
	return []Table{{
		Name: "senders", Columns: []string{"sender", "whose", "messages", "lost", "lost already", "undecided", "why", "to mend", "addresses"},
		Rows: func(yield func([]string) bool) {
			for _, l := range w.Sources {
				var causes []string
				for _, c := range l.Causes {
					causes = append(causes, c.Text)
				}
				if !yield([]string{l.Name, kindWord(l.Kind), count(l.Messages), count(l.Lost), count(l.Already), count(l.Undecided), strings.Join(causes, " / "), l.Mend,
					addressList(l.IPs)}) {
					return
				}
			}
		},
	}}
}

func addressList(ips []netip.Addr) string {
	var all []string
	for _, ip := range ips {
		all = append(all, ip.String())
	}
	return strings.Join(all, " ")
}

// WhatIfSPFIn asks about another SPF record.
type WhatIfSPFIn struct {
	Domain string `path:"domain" doc:"The domain"`
	Record string `query:"record" required:"true" maxLength:"2000" doc:"The record, from v=spf1 on"`
	Days
}

// WhatIfSPF is what a record would answer.
type WhatIfSPF struct {
	whatif.SPF
	Made Made `json:"made"`
}

// WhatIfSPF answers for whom a record would answer otherwise, as gatepost simulate spf does.
func (d *Desk) WhatIfSPF(ctx context.Context, who *people.Access, in *WhatIfSPFIn) (*WhatIfSPF, error) {
	p, err := d.period(in.Days)
	if err != nil {
		return nil, err
	}
	switch {
	case in.Record == "":
		return nil, invalid("record", "Write the SPF record that is to be tried, like v=spf1 mx -all.")
	case len(in.Record) > longestRecord:
		return nil, invalid("record", "The record has %d bytes; no more than %d are tried.", len(in.Record), longestRecord)
	}
	if _, err := spf.Parse(in.Record); err != nil {
		return nil, invalid("record", "The record cannot be read: %v.", err)
	}
	change := whatif.SPFChange{Domain: in.Domain, Period: p, Record: in.Record}
	key := fmt.Sprintf("domain %s what-if spf %x %s %d", in.Domain, sha256.Sum256([]byte(in.Record)), insight.Date(p.To), p.Len())
	kept, err := tried(ctx, d, who, key, in.Domain, func(ctx context.Context, a *whatif.Asker) (*whatif.SPF, error) {
		answer, err := a.SPF(ctx, change)
		if err == nil && answer.AllFailed() {
			return nil, fmt.Errorf("%s: %w", in.Domain, whatif.ErrDNS)
		}
		return answer, err
	})
	if err != nil {
		return nil, err
	}
	return &WhatIfSPF{*kept.Value, Made{kept.At, kept.Anew}}, nil
}

// Title is that of the page.
func (w *WhatIfSPF) Title() string { return "What if the SPF record were another" }

// Crumbs are the pages above.
func (w *WhatIfSPF) Crumbs() []Crumb { return whatIfCrumbs(w.Domain) }

// Changes are addresses that would have another result in the same way.
type Changes struct {
	Title, About string
	Addresses    []Address // the first of them
	All          int
}

// An Address is one that would have another result.
type Address struct{ whatif.SPFSource }

// Whose says whose it is.
func (a Address) Whose() string { return kindWord(a.Kind) }

// ByWay are the addresses by what would become of them.
func (w *WhatIfSPF) ByWay() []Changes {
	all := []Changes{
		{Title: "Would pass no more", About: "Whoever of these is yours belongs into the record."},
		{Title: "Would pass", About: "Whoever of these is not yours does not belong into the record."},
		{Title: "Would fail otherwise", About: "They pass neither by the one record nor by the other."},
	}
	for _, c := range w.SPF.Changes {
		of := &all[2]
		switch spf.Pass {
		case c.Now:
			of = &all[0]
		case c.Then:
			of = &all[1]
		}
		if of.All++; of.All <= mostOfKind {
			of.Addresses = append(of.Addresses, Address{c})
		}
	}
	return slices.DeleteFunc(all, func(c Changes) bool { return c.All == 0 })
}

// Addresses is how many would pass no more.
func (w *WhatIfSPF) Addresses() (n int) {
	seen := map[netip.Addr]bool{}
	for _, c := range w.SPF.Changes {
		if c.Now == spf.Pass && !seen[c.IP] {
			seen[c.IP] = true
			n++
		}
	}
	return n
}

// Tables has the addresses.
func (w *WhatIfSPF) Tables() []Table {
	return []Table{{
		Name: "changes", Columns: []string{"address", "name", "whose", "envelope", "now", "then", "term", "messages", "lost", "gained"},
		Rows: func(yield func([]string) bool) {
			for _, c := range w.SPF.Changes {
				if !yield([]string{c.IP.String(), c.Name, kindWord(c.Kind), c.Envelope, string(c.Now), string(c.Then), c.Term, count(c.Messages), count(c.Lost),
					count(c.Gained)}) {
					return
				}
			}
		},
	}}
}
