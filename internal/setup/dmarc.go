package setup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// A Step is one of the way to p=reject.
type Step struct {
	Number int // from 1
	On     time.Time
	Policy string // in words
	When   string // what must be seen before
	What   string // what it does
	Change publish.Change
}

// A Later is something else that is to be done once there was time to see how it goes.
type Later struct {
	On   time.Time
	What string
	When string // what must be seen before
	Do   []publish.Change
}

// A stage is a policy on the way. RFC 9989 has no pct: a policy on trial is t=y, which has receivers act one level lower. Those that go
// by RFC 7489 do not know it, and act on p alone: what must be seen before a stage on trial is what the policy itself asks for.
type stage struct {
	p     dmarc.Disposition
	trial bool
	after int // days from the first
	when  string
	what  string
}

var stages = []stage{
	{dmarc.DispositionNone, false, 0, "", "Nothing is refused. Reports begin to tell who sends in the name of the domain."},
	{dmarc.DispositionQuarantine, true, 28,
		"Reports of four weeks, from several large receivers. Every source that is yours passes DMARC, by DKIM wherever mail is passed on; what fails is nobody's that you know (gatepost sources list).",
		"Nothing changes at receivers that know t=y; older ones put what fails into the spam folder. Mailing lists begin to rewrite From, so that you see what that does."},
	{dmarc.DispositionQuarantine, false, 42,
		"Two weeks without a complaint, and without a source of yours that fails in the reports.",
		"What fails goes into the spam folder, where it can still be found."},
	{dmarc.DispositionReject, true, 70,
		"Four weeks in which no mail of yours was found in a spam folder for DMARC's sake. Your people's mail to lists and to addresses that forward arrives, signed.",
		"Receivers that know t=y still quarantine; older ones refuse what fails."},
	{dmarc.DispositionReject, false, 84,
		"Two weeks without a complaint. Nothing in the reports fails that is yours. A domain whose people write to mailing lists may well stay at quarantine (RFC 9989 7.4).",
		"What fails is refused."},
}

func (s *stage) String() string {
	if s.trial {
		return "p=" + string(s.p) + "; t=y"
	}
	return "p=" + string(s.p)
}

// stageOf is how far a record has come.
func stageOf(record string) int {
	r, err := dmarc.Parse(record)
	if err != nil {
		return 0
	}
	for i := len(stages) - 1; i > 0; i-- {
		if stages[i].p == r.Policy && stages[i].trial == r.Testing {
			return i
		}
	}
	return 0
}

// at gives a record with the policy of a stage, and everything else as it was.
func (s *stage) at(record string) (string, error) {
	text, err := dmarc.Set(record, "p", string(s.p))
	if err != nil {
		return "", err
	}
	if text, err = dmarc.Unset(text, "pct"); err != nil { // gone with RFC 9989; older readers would act on a share of the mail
		return "", err
	}
	if s.trial {
		return dmarc.Set(text, "t", "y")
	}
	return dmarc.Unset(text, "t")
}

// dmarc says what becomes of mail that is not authenticated, and who hears of it.
func (m *maker) dmarc() error {
	name := "_dmarc." + m.Domain
	r := Record{Change: publish.Change{Name: name, Type: "TXT"}, For: ForDMARC, Why: "It says what becomes of mail in the domain's name that is not authenticated, and who gets reports of it."}
	f := m.present.at(name, "TXT")
	for _, text := range f.values {
		switch {
		case !dmarc.IsRecord(text):
		case r.Old == "":
			r.Old = text
		default:
			m.add(Record{Change: publish.Change{Name: name, Type: "TXT", Old: text}, For: ForDMARC, Why: "Of several records none counts (RFC 9989 4.10)."})
		}
	}
	text, first := r.Old, 0
	if text == "" {
		text = "v=DMARC1"
	} else {
		first = stageOf(text)
	}
	if step := m.a.Step - 1; step > first || step >= 0 && m.a.Back {
		if step < first {
			m.note(fmt.Sprintf("The policy has come to %s already: step %d makes it weaker.", &stages[first], m.a.Step))
		}
		first = step
	}
	if !m.a.Sends {
		first = len(stages) - 1
	}
	text, err := m.reporting(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if r.New, err = stages[first].at(text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if strings.Contains(r.Old, "pct=") && !strings.Contains(r.New, "pct=") {
		m.note("pct= is taken out of the DMARC record: RFC 9989 has none, and only older receivers went by it. They act on all mail from then on.")
	}
	switch {
	case f.unknown != nil:
		r.Held, r.Old = "what is there could not be looked at: "+f.unknown.Error(), ""
	case f.alias != "":
		r.Held = "the name is an alias for " + f.alias + ", so that the record belongs there"
	}
	m.add(r)
	for _, other := range m.a.others() {
		m.place(Record{
			Change: publish.Change{Name: authorisation(m.Domain, other), Type: "TXT", New: "v=DMARC1;"}, For: ForReport, Elsewhere: other,
			Why: "Reports go to another organization only where that one says so (RFC 9990 4).",
		})
	}
	if m.a.Sends && !strings.Contains(r.New, "rua=") {
		m.note("Nobody gets reports, so that nobody will know when the policy can be made stronger: name an address with --reports.")
	}
	return m.way(r.New, first)
}

// reporting gives a record that sends reports to the addresses too. A new one has them behind the policy.
func (m *maker) reporting(text string) (string, error) {
	if len(m.a.Reports) == 0 {
		return text, nil
	}
	var uris []string
	if record, err := dmarc.Parse(text); err == nil {
		for _, u := range record.AggregateURIs {
			uris = append(uris, u.Text)
		}
	}
	before := len(uris)
	for _, address := range m.a.Reports {
		if !slices.Contains(uris, "mailto:"+address) {
			uris = append(uris, "mailto:"+address)
		}
	}
	if len(uris) == before {
		return text, nil
	}
	return dmarc.Set(text, "rua", strings.Join(uris, ","))
}

// way writes down the record of each step from here on.
func (m *maker) way(text string, first int) error {
	if !m.a.Sends {
		return nil
	}
	old := ""
	for i := first; i < len(stages); i++ {
		s := &stages[i]
		next, err := s.at(text)
		if err != nil {
			return err
		}
		step := Step{
			Number: i + 1, On: m.a.Start.AddDate(0, 0, s.after-stages[first].after), Policy: s.String(), When: s.when, What: s.what,
			Change: publish.Change{Name: "_dmarc." + m.Domain, Type: "TXT", Old: old, New: next},
		}
		if i == first {
			step.When = ""
		}
		m.Way, old = append(m.Way, step), next
	}
	return nil
}

// others are the domains of other organizations that get reports.
func (a *Answers) others() []string {
	var all []string
	own := senders.OrganizationalDomain(a.Domain)
	for _, address := range a.Reports {
		_, host, _ := strings.Cut(address, "@")
		if host != "" && senders.OrganizationalDomain(host) != own && !slices.Contains(all, host) {
			all = append(all, host)
		}
	}
	return all
}

func authorisation(domain, other string) string { return domain + "._report._dmarc." + other }
