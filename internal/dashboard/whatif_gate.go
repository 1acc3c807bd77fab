package dashboard

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/whatif"
)

// mostSenders is how many senders of one fate stand on the page; the tables for other programs have all.
const mostSenders = 50

// configured is what the policy is called that the configuration names.
const configured = "configured"

// WhatIfGateIn asks about another policy of the gate.
type WhatIfGateIn struct {
	Policy string `query:"policy" enum:"standard,strict,lockdown,configured," doc:"The policy that the gate would enforce: a preset, or the configured one; the next stricter one if empty"`
	Days
}

// WhatIfGate is what a policy of the gate would have done.
type WhatIfGate struct {
	whatif.Policy
	Choices []Choice `json:"choices"` // the policies that can be asked about
	Mode    string   `json:"mode"`    // of the gate as it is: enforce or monitor
	Made    Made     `json:"made"`

	Writes bool `json:"-"` // who asks may have letters written, and make exceptions
}

// A Choice is a policy that can be asked about.
type Choice struct {
	Name  string `json:"name"`
	Text  string `json:"text"`
	Asked bool   `json:"asked"`
}

// WhatIfGate answers whom a policy would have blocked, as gatepost simulate policy does.
func (d *Desk) WhatIfGate(ctx context.Context, who *people.Access, in *WhatIfGateIn) (*WhatIfGate, error) {
	p, err := d.period(in.Days)
	if err != nil {
		return nil, err
	}
	c := d.Config()
	name := in.Policy
	if name == "" {
		name = stricter(c)
	}
	if name != configured && !slices.Contains(policy.Names(), name) { // a file is only taken from the configuration
		return nil, invalid("policy", "Choose one of the policies: %s, or the configured one.", strings.Join(policy.Names(), ", "))
	}
	key := fmt.Sprintf("gate what-if %s %s %s %d", name, c.Policy, insight.Date(p.To), p.Len())
	if err := d.mayAsk(who, key); err != nil {
		return nil, err
	}
	kept, err := keep.Get(keep.Long(ctx), d.Answers, key, func(ctx context.Context) (*whatif.Policy, error) {
		inForce, err := policy.Named(c.Policy)
		if err != nil {
			return nil, err
		}
		would := inForce
		if name != configured {
			if would, err = policy.Preset(name); err != nil {
				return nil, err
			}
		}
		return (&whatif.Asker{Store: d.Store}).Policy(ctx, whatif.PolicyChange{Period: p, Policy: would, InForce: inForce})
	})
	if err != nil {
		return nil, err
	}
	return &WhatIfGate{Policy: *kept.Value, Choices: choices(c, name), Mode: c.Mode, Made: Made{kept.At, kept.Anew}, Writes: who.Everywhere() >= people.Analyst}, nil
}

// stricter is the policy that is asked about first: the one in force where it only watches, and otherwise the next after it.
func stricter(c *config.Config) string {
	all := policy.Names()
	i := slices.Index(all, c.Policy)
	if c.Mode == config.Monitor && i < 0 {
		return configured
	}
	if c.Mode == config.Monitor {
		return c.Policy
	}
	return all[min(i+1, len(all)-1)]
}

func choices(c *config.Config, asked string) (all []Choice) {
	for _, name := range policy.Names() {
		text := name
		if name == c.Policy {
			text += ", which is in force"
		}
		all = append(all, Choice{name, text, name == asked})
	}
	if !slices.Contains(policy.Names(), c.Policy) {
		all = append(all, Choice{configured, "the policy file of the configuration", asked == configured})
	}
	return all
}

// Title is that of the page.
func (w *WhatIfGate) Title() string { return "What if the gate were stricter" }

// Crumbs are the pages above.
func (w *WhatIfGate) Crumbs() []Crumb { return []Crumb{{"Gate", "/gate"}} }

// Blocked are the first of the senders whose mail would be blocked, and how many there are.
func (w *WhatIfGate) Blocked() Fates {
	return w.those(func(s *whatif.Sender) int64 { return s.Blocked })
}

// Undecided are likewise those of whose mail it cannot be told.
func (w *WhatIfGate) Undecided() Fates {
	return w.those(func(s *whatif.Sender) int64 {
		if s.Blocked > 0 {
			return 0
		}
		return s.Undecided
	})
}

// LetIn are likewise those whose mail would be let in again.
func (w *WhatIfGate) LetIn() Fates {
	return w.those(func(s *whatif.Sender) int64 {
		if s.Blocked+s.Undecided > 0 {
			return 0
		}
		return s.NoLonger
	})
}

// NewlyBlocked is how many senders would lose mail that was let in.
func (w *WhatIfGate) NewlyBlocked() int {
	return w.those(func(s *whatif.Sender) int64 { return s.Newly }).All
}

// Fates are senders of which the same becomes.
type Fates struct {
	Senders []Fate // the first
	All     int
}

// A Fate is what would become of a sender's mail.
type Fate struct {
	whatif.Sender
	Count int64 // of the messages of which it becomes
}

func (w *WhatIfGate) those(count func(*whatif.Sender) int64) (f Fates) {
	for i := range w.Senders {
		n := count(&w.Senders[i])
		if n == 0 {
			continue
		}
		if f.All++; f.All <= mostSenders {
			f.Senders = append(f.Senders, Fate{w.Senders[i], n})
		}
	}
	return f
}

// Name is what the sender is called; a message need not have an Author Domain.
func (f Fate) Name() string {
	if f.Domain == "" {
		return "no Author Domain"
	}
	return f.Domain
}

// Named tells whether there is a domain to write to, or to make an exception for.
func (f Fate) Named() bool { return strings.Contains(f.Domain, ".") }

// Rule is the one that would block most of it.
func (f Fate) Rule() string {
	if len(f.Rules) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(f.Rules[0].Rule, " or ")
	return first
}

// Exception is where one is made for the sender.
func (f Fate) Exception() string {
	q := url.Values{"domain": {f.Domain}}
	if len(f.IPs) > 0 {
		ip := f.IPs[0]
		q.Set("network", netip.PrefixFrom(ip, ip.BitLen()).String())
	}
	return "/gate/exceptions/new?" + q.Encode()
}

// Tables has the senders and the rules.
func (w *WhatIfGate) Tables() []Table {
	return []Table{{
		Name: "senders", Columns: []string{"sender", "messages", "blocked", "newly", "let in again", "undecided", "rules", "results", "addresses", "first", "last"},
		Rows: func(yield func([]string) bool) {
			for _, s := range w.Senders {
				if !yield([]string{s.Domain, count(s.Messages), count(s.Blocked), count(s.Newly), count(s.NoLonger), count(s.Undecided), rulesOf(s.Rules), s.Why,
					addressList(s.IPs), s.First.Format(time.DateOnly), s.Last.Format(time.DateOnly)}) {
					return
				}
			}
		},
	}, {
		Name: "rules", Columns: []string{"rule", "action", "messages", "newly"},
		Rows: func(yield func([]string) bool) {
			for _, r := range w.Rules {
				if !yield([]string{r.Rule, string(r.Action), count(r.Messages), count(r.Newly)}) {
					return
				}
			}
		},
	}, {
		Name: "lacks", Columns: []string{"what is not kept", "messages"},
		Rows: func(yield func([]string) bool) {
			for _, l := range w.Lacks {
				if !yield([]string{l.Name, count(l.Messages)}) {
					return
				}
			}
		},
	}}
}

func rulesOf(all []whatif.RuleCount) string {
	var names []string
	for _, r := range all {
		names = append(names, r.Rule)
	}
	return strings.Join(names, " / ")
}
