package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/exceptions"
	"github.com/gatepost-mail/gatepost/internal/iprev"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/notice"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/story"
)

// DecisionIn asks for one message.
type DecisionIn struct {
	Reference string `path:"reference" doc:"What the SMTP reply calls the message; - where the ID alone tells"`
	ID        int64  `query:"id" minimum:"0" doc:"The ID of the decision, where there are several, or no reference"`
	Mend      bool   `query:"mend" doc:"Audit the domain, to say what it should publish"`
}

// A DecisionStory is what became of one message, and why.
type DecisionStory struct {
	Decision store.Decision      `json:"decision"`
	Name     string              `json:"name"` // by which, with its ID, it is asked for
	Path     string              `json:"path"`
	Story    []story.Chapter     `json:"story"`
	Client   ClientNames         `json:"client"`
	Rules    []policy.Described  `json:"rules"` // of this name, in the policy as it is now
	Policy   string              `json:"policy"`
	Reply    string              `json:"reply"` // what the sender's server was told, as the policy words it now; empty: nothing
	Blocked  bool                `json:"blocked"`
	Fault    *notice.Explanation `json:"fault"` // null: there is nothing that the sender could mend
	Mending  *Mending            `json:"mending"`
	Case     *CaseLine           `json:"case"`       // the last letter to the domain whose fault it is
	Excepted []ExceptionLine     `json:"exceptions"` // that let such mail in now
	Others   []DecisionLine      `json:"others"`     // other messages with this reference
	Can      bool                `json:"can_act"`    // whoever asks may make exceptions and have letters written
	Writes   bool                `json:"writes_letters"`
	Excepts  bool                `json:"can_be_excepted"` // an exception could let such mail in
}

// ClientNames are what the sending server is called.
type ClientNames struct {
	Pending bool     `json:"pending"` // they are being looked up
	Names   []string `json:"names"`   // that lead back to its address
	Claimed []string `json:"claimed"` // that do not
}

// A Mending is what a domain would have to publish.
type Mending struct {
	Pending bool            `json:"pending"` // it is being worked out
	Finding string          `json:"finding"` // the id of what is wrong; empty: nothing was found
	Seen    string          `json:"seen"`
	Records []MendingRecord `json:"records"`
}

// A MendingRecord is a record to publish.
type MendingRecord struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
	Old   string `json:"old"` // that goes; empty: none
}

// Title is what the page is called.
func (s *DecisionStory) Title() string {
	if s.Decision.Reference == "" {
		return "A message"
	}
	return "Message " + s.Decision.Reference
}

// Crumbs lead back.
func (s *DecisionStory) Crumbs() []Crumb { return []Crumb{{"Gate", "/gate"}} }

// Decision explains one message.
func (d *Desk) Decision(ctx context.Context, who *people.Access, in *DecisionIn) (*DecisionStory, error) {
	found, err := d.decisions(ctx, in)
	if err != nil {
		return nil, err
	}
	it := found[len(found)-1]
	if i := slices.IndexFunc(found, func(x store.Decision) bool { return x.ID == in.ID }); i >= 0 {
		it = found[i]
	}
	s := &DecisionStory{
		Decision: whole(it), Name: nameOf(it.Reference), Path: decisionPath(it.Reference, it.ID), Story: story.Tell(&it), Rules: []policy.Described{}, Policy: d.Config().Policy,
		Excepted: []ExceptionLine{}, Others: []DecisionLine{}, Can: who.Everywhere() >= people.Analyst, Writes: d.Config().Notice.Enabled(),
		Blocked: it.Verdict != string(policy.Accept), Excepts: strings.Contains(it.AuthorDomain, "."),
	}
	for i := range found {
		if found[i].ID != it.ID {
			other := Line(&found[i])
			other.Path = decisionPath(nameless, other.ID)
			s.Others = append(s.Others, other)
		}
	}
	if s.Client, err = d.client(ctx, it.ClientIP); err != nil {
		return nil, err
	}
	if err := d.explain(ctx, s, &it); err != nil {
		return nil, err
	}
	if s.Excepted, err = d.covering(ctx, &it); err != nil {
		return nil, err
	}
	if s.Fault != nil && in.Mend {
		s.Mending, err = d.mending(ctx, s.Fault, &it)
	}
	return s, err
}

// decisions are those with a reference, or the one with an ID.
func (d *Desk) decisions(ctx context.Context, in *DecisionIn) ([]store.Decision, error) {
	f := store.DecisionFilter{Reference: in.Reference, Limit: 20}
	if in.Reference == nameless {
		if in.ID < 1 {
			return nil, fmt.Errorf("decision without a name: %w", ErrNotFound)
		}
		f = store.DecisionFilter{After: in.ID - 1, Before: in.ID + 1, Limit: 1}
	}
	found, err := d.Store.Decisions(ctx, f)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("decision %q: %w", in.Reference, ErrNotFound)
	}
	return found, err
}

// whole has lists where JSON would have null.
func whole(d store.Decision) store.Decision {
	d.Recipients, d.SPF, d.DKIM = orEmpty(d.Recipients), orEmpty(d.SPF), orEmpty(d.DKIM)
	return d
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// client looks up what a server is called.
func (d *Desk) client(ctx context.Context, ip netip.Addr) (ClientNames, error) {
	none := ClientNames{Names: []string{}, Claimed: []string{}}
	if !ip.IsValid() || d.DNS == nil {
		return none, nil
	}
	kept, err := keep.Get(ctx, d.Answers, "gate client "+ip.String(), func(ctx context.Context) (ClientNames, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		r := iprev.Look(ctx, d.DNS, ip)
		c := ClientNames{Names: orEmpty(r.Names), Claimed: []string{}}
		for _, name := range r.Published {
			if !slices.Contains(r.Names, name) {
				c.Claimed = append(c.Claimed, name)
			}
		}
		return c, nil
	})
	if errors.Is(err, keep.ErrPending) {
		none.Pending = true
		return none, nil
	}
	return kept.Value, err
}

// explain adds what the rule says, what the sender was told, and what the sender could mend.
func (d *Desk) explain(ctx context.Context, s *DecisionStory, it *store.Decision) error {
	p, err := d.policy(ctx)
	switch {
	case err == nil && it.Rule != "":
		s.Rules = slices.DeleteFunc(p.Describe(it.Rule), func(r policy.Described) bool { return string(r.Action) != it.Verdict })
	case errors.Is(err, keep.ErrPending):
		return err
	}
	stopped := it.Done == string(policy.Reject) || it.Done == string(policy.Defer)
	if stopped && len(s.Rules) == 1 && s.Rules[0].Code != "" {
		v := policy.Say(policy.Action(it.Verdict), it.Rule, s.Rules[0].Code, it.Reason)
		s.Reply = v.WithReference(it.Reference, d.Config().HelpURL).Reply
	}
	if !s.Blocked && len(it.Watched) == 0 && it.Exception == 0 {
		return nil
	}
	fault, ok := notice.Languages().Explain(it)
	if !ok {
		return nil
	}
	s.Fault = &fault
	cases, err := d.Store.Notices(ctx, store.NoticeFilter{Domain: fault.Domain, Limit: 1})
	if err == nil && len(cases) > 0 {
		line := caseLine(&cases[0])
		s.Case = &line
	}
	return err
}

// covering are the exceptions that would let such a message in now, as far as the decision tells.
func (d *Desk) covering(ctx context.Context, it *store.Decision) ([]ExceptionLine, error) {
	all, err := d.Store.Exceptions(ctx)
	if err != nil {
		return nil, err
	}
	now, lines := d.now(), []ExceptionLine{}
	for i := range all {
		x := &all[i]
		if now.After(x.Until) || !exceptions.IsFor(x, it.AuthorDomain) {
			continue
		}
		signed := slices.ContainsFunc(it.DKIM, func(s store.Signature) bool { return s.Result == "pass" && s.SDID == x.SDID })
		if x.Network.IsValid() && x.Network.Contains(it.ClientIP.Unmap()) || x.SDID != "" && signed {
			lines = append(lines, exceptionLine(x, now))
		}
	}
	return lines, nil
}

// mendingTime bounds an audit of a stranger's domain.
const mendingTime = time.Minute

// mending works out what a domain would have to publish.
func (d *Desk) mending(ctx context.Context, fault *notice.Explanation, it *store.Decision) (*Mending, error) {
	key := fmt.Sprintf("gate mending %s %s", fault.Domain, it.ClientIP)
	kept, err := keep.Get(ctx, d.Answers, key, func(ctx context.Context) (*audit.Report, error) {
		ctx, cancel := context.WithTimeout(ctx, mendingTime)
		defer cancel()
		look, err := letters.Audit(letters.Options{Config: d.Config(), Store: d.Store, DNS: d.DNS, Log: d.Log})
		if err != nil {
			return nil, err
		}
		var servers []netip.Addr
		if it.ClientIP.IsValid() {
			servers = append(servers, it.ClientIP)
		}
		return look(ctx, fault.Domain, servers...), nil
	})
	m := &Mending{Records: []MendingRecord{}}
	if errors.Is(err, keep.ErrPending) {
		m.Pending = true
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	f := notice.Finding(it, kept.Value)
	if f == nil {
		return m, nil
	}
	m.Finding, m.Seen = f.ID, f.Detail
	for _, c := range f.Changes {
		if c.New != "" && c.Type != publish.File {
			m.Records = append(m.Records, MendingRecord{Name: c.Name, Type: c.Type, Value: c.New, Old: c.Old})
		}
	}
	return m, nil
}
