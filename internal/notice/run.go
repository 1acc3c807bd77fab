package notice

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// The bounds of one run of the job, which goes on with the rest the next time.
const (
	mostProposals = 10
	mostLooked    = 200 // domains of messages that a rule stopped
	mostSent      = 20
	mostChecked   = 20
	ruleWeek      = 7 * day
)

// Run opens cases as the rules say, sends what was approved, and looks whether what is open was mended.
func (o *Office) Run(ctx context.Context, now time.Time) error {
	if !o.Config.Enabled() {
		return nil
	}
	return errors.Join(o.propose(ctx, now), o.sendAll(ctx, now), o.Recheck(ctx, now), o.tell(ctx, now))
}

// A group are the messages of a domain that a rule is about.
type group struct {
	domain string
	last   *store.Decision
	count  int64
}

// propose opens cases by the rules.
func (o *Office) propose(ctx context.Context, now time.Time) error {
	if len(o.Config.Rules) == 0 {
		return nil
	}
	all, err := o.Store.Decisions(ctx, store.DecisionFilter{Since: now.Add(-ruleWeek), Limit: mostDecisions})
	if err != nil {
		return err
	}
	opened, looked := 0, 0
	for i := range o.Config.Rules {
		r := &o.Config.Rules[i]
		for _, g := range turn(r.groups(all), now) {
			if looked++; opened >= mostProposals || looked > mostLooked || ctx.Err() != nil {
				return ctx.Err()
			}
			if _, err := o.writable(ctx, g.domain); err != nil {
				if noCase(err) {
					continue
				}
				return err
			}
			if known, err := o.known(ctx, g.domain, now); err != nil || known {
				if err != nil {
					return err
				}
				continue
			}
			opened++
			if err := o.openByRule(ctx, r, g, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// groups are the domains of which a rule stopped enough messages, those with the most first.
func (r *Rule) groups(all []store.Decision) []group {
	byDomain := map[string]*group{}
	for i := range all {
		d := &all[i]
		if !slices.Contains(r.Rules, d.Rule) {
			continue
		}
		domain, _ := FaultOf(d)
		if domain == "" || len(r.Domains) > 0 && !covers(r.Domains, domain) {
			continue
		}
		g := byDomain[domain]
		if g == nil {
			g = &group{domain: domain}
			byDomain[domain] = g
		}
		g.last = d
		g.count++
	}
	var enough []group
	for _, g := range byDomain {
		if g.count >= r.Messages {
			enough = append(enough, *g)
		}
	}
	slices.SortFunc(enough, func(a, b group) int {
		if a.count != b.count {
			return int(b.count - a.count)
		}
		return strings.Compare(a.domain, b.domain)
	})
	return enough
}

// turn has each of many domains come first some time: whoever forges thousands does not keep the others from their turn.
func turn(all []group, now time.Time) []group {
	if len(all) <= mostLooked {
		return all
	}
	h := fnv.New32a() // as good as chance, whatever the time between two runs
	h.Write([]byte(now.UTC().Format(time.RFC3339)))
	first := int(h.Sum32()>>1) % len(all)
	return slices.Concat(all[first:], all[:first])
}

// noCase tells that there is nothing, nobody or no reason to write.
func noCase(err error) bool {
	return errors.Is(err, ErrNoFault) || errors.Is(err, ErrUnseen) || errors.Is(err, ErrNobody) || errors.Is(err, ErrExcept) ||
		errors.Is(err, store.ErrNoticeHeld)
}

// byRule begins the name of an author that is none.
const byRule = "rule "

// isOwn tells whether an address is of the organization that a case is about. A domain names whom it likes, and its records say what it
// likes: no stranger gets that from us unless a person saw it.
func isOwn(n *store.Notice, address string) bool {
	return senders.OrganizationalDomain(domainOf(address)) == n.Organization
}

// known tells whether a domain has a case that is open, or was closed so lately that another would lead to nothing.
func (o *Office) known(ctx context.Context, domain string, now time.Time) (bool, error) {
	all, err := o.Store.Notices(ctx, store.NoticeFilter{Domain: domain, Limit: 1})
	if err != nil || len(all) == 0 {
		return false, err
	}
	return slices.Contains(store.OpenNotice, all[0].State) || now.Sub(all[0].Changed) < Quiet, nil
}

func (o *Office) openByRule(ctx context.Context, r *Rule, g group, now time.Time) error {
	author := byRule + r.Name
	n, opened, err := o.Propose(ctx, Subject{Domain: g.domain, Decision: g.last}, author, now)
	switch {
	case noCase(err):
		o.log().Debug("no case is opened", "domain", g.domain, "rule", r.Name, "why", err.Error())
		return nil
	case err != nil || !opened:
		return err
	}
	o.log().Info("case opened", "case", n.ID, "domain", n.Domain, "rule", r.Name, "fault", strings.Join(n.Faults, " "))
	if !r.Send || !slices.ContainsFunc(n.Draft.Recipients, func(to store.NoticeRecipient) bool { return isOwn(&n, to.Address) }) {
		return nil
	}
	_, err = o.Approve(ctx, n.ID, author, now)
	return err
}

// sendAll sends what was approved, until the limits are reached.
func (o *Office) sendAll(ctx context.Context, now time.Time) error {
	all, err := o.Store.Notices(ctx, store.NoticeFilter{States: []string{store.NoticeApproved}, Limit: mostDecisions})
	if err != nil {
		return err
	}
	slices.Reverse(all) // who waits the longest
	sent := 0
	for _, n := range all {
		if sent >= mostSent || ctx.Err() != nil {
			break
		}
		l, err := o.Deliver(ctx, n, now)
		switch {
		case errors.Is(err, store.ErrNoticeHeld):
		case l.State == store.LetterWaiting: // the mail server does not answer, or wants no more now
			return err
		case err != nil && l.State != store.LetterFailed:
			return err
		default:
			sent++
		}
	}
	return nil
}

// Recheck looks at the cases whose turn it is, and closes those whose faults are gone.
func (o *Office) Recheck(ctx context.Context, now time.Time) error {
	due, err := o.Store.Notices(ctx, store.NoticeFilter{States: store.OpenNotice, Before: now.Add(-time.Duration(o.Config.Recheck)), Limit: mostChecked})
	if err != nil {
		return err
	}
	for _, n := range due {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := o.Look(ctx, n, now); err != nil {
			return err
		}
	}
	return nil
}

// Look looks whether the faults of a case are gone, and tells whether it was closed for that. What could not be found out is not gone.
func (o *Office) Look(ctx context.Context, n store.Notice, now time.Time) (bool, error) {
	gone, err := o.mended(ctx, n, now)
	if err != nil {
		return false, err
	}
	if err := o.Store.CheckedNotice(ctx, n.ID, now); err != nil {
		return false, err
	}
	if gone {
		return true, o.close(ctx, n, now)
	}
	if now.Sub(n.Opened) < time.Duration(o.Config.Follow) {
		return false, nil
	}
	_, err = o.Store.MoveNotice(ctx, n.ID, store.OpenNotice, store.NoticeMove{
		State: store.NoticeClosed, Author: "recheck", Detail: fmt.Sprintf("not mended within %v", o.Config.Follow), At: now,
	})
	return false, ignoreState(err)
}

// ignoreState passes over that another was quicker.
func ignoreState(err error) error {
	if errors.Is(err, store.ErrNoticeState) {
		return nil
	}
	return err
}

// seenInMail begins the id of a fault that DNS does not show: it is gone when mail passes again.
const seenInMail = "mail:"

func (o *Office) mended(ctx context.Context, n store.Notice, now time.Time) (bool, error) {
	var servers []netip.Addr
	if ip, err := netip.ParseAddr(n.Draft.Server); err == nil {
		servers = append(servers, ip)
	}
	var r *audit.Report
	for _, id := range n.Faults {
		if fault, inMail := strings.CutPrefix(id, seenInMail); inMail {
			passes, err := o.passesAgain(ctx, n, fault, now)
			if err != nil || !passes {
				return false, err
			}
			continue
		}
		if r == nil {
			r = o.Audit(ctx, n.Domain, servers...)
		}
		if there(r, id) {
			return false, ctx.Err()
		}
	}
	return len(n.Faults) > 0, ctx.Err()
}

// there tells whether a finding is there, or may be: its area could not be looked at whole. A fault that another took the place of is not
// mended: who deletes a record that is wrong has none.
func there(r *audit.Report, id string) bool {
	area, _, _ := strings.Cut(id, "-")
	return r == nil || slices.ContainsFunc(r.Findings, func(f audit.Finding) bool {
		same := strings.HasPrefix(f.ID, area+"-")
		return f.ID == id || same && (f.Severity == check.Unknown || f.Severity == check.Error && faultOf[f.ID] != "")
	})
}

// passesAgain tells whether mail of a domain passed since the case was opened, and none failed for the same fault within a week.
func (o *Office) passesAgain(ctx context.Context, n store.Notice, fault string, now time.Time) (bool, error) {
	since := n.Opened
	if week := now.Add(-ruleWeek); since.Before(week) {
		since = week
	}
	all, err := o.Store.Decisions(ctx, store.DecisionFilter{Domain: n.Domain, Since: since, Limit: mostDecisions})
	if err != nil {
		return false, err
	}
	passed := false
	for i := range all {
		if _, f := FaultOf(&all[i]); f == fault {
			return false, nil
		}
		passed = passed || all[i].DMARC == "pass"
	}
	return passed, nil
}

// close ends a case that is mended, and the exceptions that were made for it.
func (o *Office) close(ctx context.Context, n store.Notice, now time.Time) error {
	_, err := o.Store.MoveNotice(ctx, n.ID, store.OpenNotice, store.NoticeMove{State: store.NoticeMended, Author: "recheck", Detail: "the fault is gone", At: now})
	if err != nil {
		return ignoreState(err)
	}
	ended, err := o.endExceptions(ctx, n, now)
	o.log().Info("mended", "case", n.ID, "domain", n.Domain, "fault", strings.Join(n.Faults, " "), "open_for", now.Sub(n.Opened), "exceptions_ended", ended)
	return err
}

// endExceptions ends those of the domain. One that lets in a network of which the case does not speak is left: it is about another server.
func (o *Office) endExceptions(ctx context.Context, n store.Notice, now time.Time) (ended int, err error) {
	all, err := o.Store.Exceptions(ctx)
	if err != nil {
		return 0, err
	}
	server, _ := netip.ParseAddr(n.Draft.Server)
	for _, e := range all {
		if e.Domain != n.Domain && e.Domain != "*."+n.Domain || !e.Until.After(now) || e.Created.After(now) {
			continue
		}
		if server.IsValid() && e.Network.IsValid() && !e.Network.Contains(server) {
			continue
		}
		if err := o.Store.ExtendException(ctx, e.ID, now); err != nil && !errors.Is(err, store.ErrNoException) {
			return ended, err
		}
		ended++
	}
	return ended, nil
}

// bare is an address without its name.
func bare(address string) string {
	a, err := mail.ParseAddress(address)
	if err != nil {
		return address
	}
	return a.Address
}
