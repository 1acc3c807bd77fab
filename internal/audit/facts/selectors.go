package facts

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// A candidate is a selector to try.
type candidate struct {
	name    string // A-labels, lower case
	guessed bool   // neither given nor seen

	what    string // was asked for when it could not be had
	failure error
}

// The selectors to try where nothing is known, those that most domains have first. Common are all that are tried in a hurry.
var (
	common = []string{"google", "selector1", "selector2", "default", "dkim", "s1", "s2", "k1", "mail"}
	usual  = []string{
		"dkim1", "dkim2", "k2", "k3", "email", "pm", "protonmail", "protonmail2", "protonmail3", "fm1", "fm2", "fm3", "mandrill", "mxvault",
		"smtp", "cm", "amazonses", "ses", "everlytickey1", "everlytickey2", "eversrv", "mailo", "postmark", "turbo-smtp", "mx", "mx1", "mx2",
		"s1024", "s2048", "mailchannels", "mta", "spf", "mail1", "mail2", "api", "key1", "key2", "x", "sm1", "sm2", "sig1", "zoho", "zmail",
		"selector3", "selector4",
	}
)

// mostNamed bounds the selectors that mail, reports and services suggest: anybody can sign with any.
const mostNamed = 100

// selectors are those to try, in order: given, held, seen, of the services that the domain uses, and what others use.
func (g *gatherer) selectors() []candidate {
	o := g.f.Options
	list := candidates{below: "_domainkey." + g.f.Domain, most: mostNamed, have: make(map[string]bool, manySelectors), all: make([]candidate, 0, manySelectors)}
	list.add(false, o.Selectors...)
	list.add(false, slices.Sorted(maps.Keys(o.Keys))...)
	list.add(false, o.Seen.Selectors...)
	list.add(true, g.ofServices()...)
	list.most += mostNamed
	list.add(true, common...)
	if !o.Few {
		list.add(true, usual...)
	}
	return list.all
}

// manySelectors is about how many are tried.
const manySelectors = 128

type candidates struct {
	below string
	all   []candidate
	most  int // in all
	have  map[string]bool
}

func (l *candidates) add(guessed bool, names ...string) {
	for _, name := range names {
		if len(l.all) >= l.most {
			return
		}
		full, err := dns.ToASCII(name + "." + l.below)
		if err != nil || !strings.HasSuffix(full, "."+l.below) {
			continue // no name that DNS can be asked for
		}
		if name = strings.TrimSuffix(full, "."+l.below); !l.have[name] {
			l.have[name] = true
			l.all = append(l.all, candidate{name: name, guessed: guessed})
		}
	}
}

// ofServices are the selectors that the services want which the domain receives by, or lets send.
func (g *gatherer) ofServices() []string {
	var names []string
	known := map[*senders.Service]bool{}
	add := func(s *senders.Service) {
		if s == nil || known[s] {
			return
		}
		known[s] = true
		for _, r := range s.Records {
			name, ok := strings.CutSuffix(r.Name, "._domainkey.{domain}")
			if ok && r.For == senders.ByDKIM && !strings.Contains(name, "{") {
				names = append(names, name)
			}
		}
	}
	for i := range g.f.MX.Hosts {
		add(g.f.Options.Table.Named(g.f.MX.Hosts[i].Name).Service)
	}
	for _, target := range g.f.SPF.Targets() {
		add(g.f.Options.Table.Include(target))
	}
	for _, source := range g.f.Options.Seen.Sources {
		i := slices.IndexFunc(g.f.Options.Table.Services(), func(s *senders.Service) bool { return s.Name == source.Service })
		if i >= 0 {
			add(g.f.Options.Table.Services()[i])
		}
	}
	slices.SortStableFunc(names, cmp.Compare[string])
	return names
}
