package digest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// How many lines a section has before it says how many more there are.
const (
	mostMend    = 10
	mostPassing = 10
	mostOthers  = 8
	mostSilent  = 8
	mostRows    = 30 // domains
)

// isQuiet tells whether nothing happened: no message was reported, and nobody who used to report fell silent.
func isQuiet(a *insight.Answer) bool {
	return a.Now.Messages == 0 && !slices.ContainsFunc(a.Domains, func(d insight.Domain) bool { return len(d.Silent) > 0 })
}

// compose makes the page of an answer.
func compose(c *Config, a *insight.Answer, quiet bool) *page {
	w := &writer{c: c, a: a, many: len(a.Domains) > 1}
	p := &page{Title: w.title(), Period: says(a.Period), Link: c.Link}
	p.Period = strings.ToUpper(p.Period[:1]) + p.Period[1:]
	p.Footer = fmt.Sprintf("Gatepost wrote this %s letter (%s) of what DMARC reports say. Days are those of UTC.", c.every(), c.Name)
	defer p.harmless()
	if quiet {
		p.Subject = fmt.Sprintf("%s: no messages were reported (%s)", p.Title, says(a.Period))
		p.Preview = p.Subject
		p.Blocks = []block{{Text: fmt.Sprintf("No messages were reported for %s. %s", p.Title, a.Next().Text)}}
		return p
	}
	p.Subject = fmt.Sprintf("%s: %s of %s passed (%s)", p.Title, insight.Percent(insight.Share(a.Now)), messages(a.Now.Messages), says(a.Period))
	p.Preview = "Next: " + a.Next().Text
	for _, b := range [][]block{
		{w.stats(), w.next(), {Heading: "Day by day", Trend: true}},
		w.domains(),
		w.groups("To mend", "Sources of yours with something to mend.", mostMend, true, func(g *insight.Group) bool { return g.Mend() }),
		w.groups("Yours and passing", "", mostPassing, false, func(g *insight.Group) bool { return g.Own() && !g.Mend() }),
		w.fresh(),
		w.groups("Unknown sources", "They may be yours, or a stranger's.", mostOthers, true, kind(senders.Unclear)),
		w.groups("Passed on by others", "Forwarders and mailing lists that passed on what you sent.", mostOthers, false, kind(senders.Forwarded)),
		w.groups("Likely abuse", "Strangers who wrote in your name.", mostOthers, false, kind(senders.Abuse)),
		w.effect(), w.policy(), w.reporters(),
	} {
		p.Blocks = append(p.Blocks, b...)
	}
	return p
}

func (c *Config) every() string {
	if c.Every == "" {
		return Weekly
	}
	return c.Every
}

// A writer writes one letter.
type writer struct {
	c    *Config
	a    *insight.Answer
	many bool // domains
}

func (w *writer) title() string {
	if !w.many && len(w.a.Domains) == 1 {
		return w.a.Domains[0].Name
	}
	return fmt.Sprintf("%s (%d domains)", w.c.Name, len(w.a.Domains))
}

func (w *writer) stats() block {
	now, old := w.a.Now, w.a.Before
	b := block{Stats: []stat{
		{Label: "Messages", Value: insight.Number(now.Messages), Note: insight.Change(now.Messages, old.Messages)},
		{Label: "Passed", Value: insight.Percent(insight.Share(now))},
		{Label: "Quarantined", Value: insight.Number(now.Quarantined), Note: insight.Change(now.Quarantined, old.Quarantined)},
		{Label: "Rejected", Value: insight.Number(now.Rejected), Note: insight.Change(now.Rejected, old.Rejected)},
	}}
	if old.Messages > 0 && now.Messages > 0 {
		points := insight.Share(now) - insight.Share(old)
		passed := &b.Stats[1]
		passed.Note = insight.Points(points)
		switch {
		case points >= insight.SamePoints:
			passed.Tone = good
		case points <= -insight.SamePoints:
			passed.Tone = bad
		}
	}
	b.Text = fmt.Sprintf("Compared with %s.", before(w.a.Period))
	if old.Messages == 0 {
		b.Text = fmt.Sprintf("Of %s there are no reports to compare with.", before(w.a.Period))
		for i := range b.Stats {
			b.Stats[i].Note = ""
		}
	}
	return b
}

func (w *writer) next() block {
	n := w.a.Next()
	s := &step{Text: n.Text, Docs: n.Docs}
	if w.many {
		s.Domain = n.Domain
	}
	if n.Record != nil {
		s.Name, s.Type, s.Value = n.Record.Name, n.Record.Type, n.Record.Value
	}
	return block{Step: s}
}

// shareTone says how good a share is.
func shareTone(f store.Figures) tone {
	switch share := insight.Share(f); {
	case f.Messages == 0:
		return plain
	case share >= 98:
		return good
	case share >= 90:
		return warn
	}
	return bad
}

func share(f store.Figures) string {
	if f.Messages == 0 {
		return ""
	}
	return insight.Percent(insight.Share(f))
}

func (w *writer) domains() []block {
	if !w.many {
		return nil
	}
	b := block{Heading: "Domains"}
	all := slices.Clone(w.a.Domains)
	slices.SortStableFunc(all, func(x, y insight.Domain) int { return int(min(1, max(-1, y.Now.Messages-x.Now.Messages))) })
	for i := range all {
		d := &all[i]
		if i == mostRows {
			b.More = fmt.Sprintf("and %d more", len(all)-i)
			break
		}
		r := row{Name: d.Name, Count: insight.Number(d.Now.Messages), Share: share(d.Now), Tone: shareTone(d.Now)}
		if d.Next.ID != insight.StepNothing {
			r.Advice = d.Next.Text
		}
		b.Rows = append(b.Rows, r)
	}
	return []block{b}
}

func kind(k senders.Kind) func(*insight.Group) bool {
	return func(g *insight.Group) bool { return g.Class.Kind == k }
}

// groups is a section of the groups that are such, the most messages first; what fails goes before that where it is to be mended.
func (w *writer) groups(heading, text string, most int, advice bool, is func(*insight.Group) bool) []block {
	b := block{Heading: heading, Text: text}
	var more, n int64
	for _, g := range w.a.Groups() {
		if !is(g) {
			continue
		}
		if len(b.Rows) >= most {
			more, n = more+1, n+g.Messages
			continue
		}
		b.Rows = append(b.Rows, w.row(g, advice))
	}
	if len(b.Rows) == 0 {
		return nil
	}
	if more > 0 {
		b.More = fmt.Sprintf("and %s more with %s", insight.Number(more), messages(n))
	}
	return []block{b}
}

func (w *writer) row(g *insight.Group, advice bool) row {
	r := row{Name: named(g.Name), Count: insight.Number(g.Messages), Share: share(g.Figures), Tone: shareTone(g.Figures)}
	if g.New {
		r.Tag = "new"
	}
	if w.many {
		r.Domain = g.Domain
	}
	if len(g.IPs) > 1 {
		r.Name += fmt.Sprintf(" · %d addresses", len(g.IPs))
	}
	if !g.Own() {
		r.Tone = plain
	}
	if advice {
		r.Reason, r.Advice = g.Class.Reason, g.Class.Advice
	}
	return r
}

// fresh lists sources that were seen for the first time.
func (w *writer) fresh() []block {
	b := block{Heading: "Seen for the first time"}
	more := 0
	for _, g := range w.a.Groups() {
		if !g.New {
			continue
		}
		if len(b.Rows) >= mostOthers {
			more++
			continue
		}
		r := w.row(g, false)
		r.Tag, r.Reason = "", fmt.Sprintf("First seen on %s: %s.", insight.Date(g.First), kindName(g.Class.Kind))
		b.Rows = append(b.Rows, r)
	}
	if len(b.Rows) == 0 {
		return nil
	}
	if more > 0 {
		b.More = fmt.Sprintf("and %d more", more)
	}
	return []block{b}
}

func kindName(k senders.Kind) string {
	switch k {
	case senders.Passing:
		return "yours, and it passes"
	case senders.Misconfigured:
		return "yours, and to be mended"
	case senders.Forwarded:
		return "it passes on what you sent"
	case senders.Abuse:
		return "likely abuse"
	}
	return "unknown"
}

// effect says what quarantine and reject did.
func (w *writer) effect() []block {
	var e insight.Effect
	for i := range w.a.Domains {
		d := w.a.Domains[i].Effect
		e.Quarantined += d.Quarantined
		e.Rejected += d.Rejected
		e.Own += d.Own
		e.Forwarded += d.Forwarded
		e.Delivered += d.Delivered
	}
	refused := e.Quarantined + e.Rejected
	b := block{Heading: "What quarantine and reject did"}
	line := func(format string, args ...any) { b.Lines = append(b.Lines, fmt.Sprintf(format, args...)) }
	if refused == 0 && e.Delivered == 0 {
		line("Nothing: no message failed.")
		return []block{b}
	}
	if refused == 0 {
		line("Nothing: no message was quarantined or rejected.")
	} else {
		line("%s quarantined, %s rejected.", messages(e.Quarantined), insight.Number(e.Rejected))
		switch {
		case e.Own > 0:
			line("Of these %s came from sources of yours, which are to be mended.", insight.Number(e.Own))
		default:
			line("None of these came from a source that is known to be yours.")
		}
		if e.Forwarded > 0 {
			line("%s had been passed on by others.", messages(e.Forwarded))
		}
	}
	if e.Delivered > 0 {
		line("%s failed and %s delivered all the same.", messages(e.Delivered), was(e.Delivered))
	}
	return []block{b}
}

func was(n int64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// policy puts what is published beside what reporters saw.
func (w *writer) policy() []block {
	b := block{Heading: "Published policy, and what reporters saw"}
	for i := range w.a.Domains {
		d := &w.a.Domains[i]
		if len(b.Lines) >= mostRows {
			break
		}
		name := ""
		if w.many {
			name = d.Name + ": "
		}
		b.Lines = append(b.Lines, name+policyText(&d.Policy))
	}
	return []block{b}
}

func policyText(p *insight.Policy) string {
	seen := ""
	if len(p.Seen) > 0 {
		seen = fmt.Sprintf("%s saw p=%s last", reporters(p.Seen[0].Reporters), named(p.Seen[0].Tags["p"]))
	}
	switch {
	case !p.Known && seen == "":
		return "It is not known which policy is published: DNS did not tell."
	case !p.Known:
		return "DNS did not tell which policy is published; " + seen + "."
	case p.Published == "" && p.Problem != "":
		return "There is a record that is of no use: " + strings.TrimSuffix(p.Problem, ".") + "."
	case p.Published == "":
		return "No DMARC record is published."
	case len(p.Differs) > 0:
		var tags []string
		for _, d := range p.Differs {
			tags = append(tags, fmt.Sprintf("%s=%s, not %s=%s", d.Tag, named(d.Seen), d.Tag, d.Published))
		}
		return fmt.Sprintf("Published is %s; but %s saw %s, last on %s. If it was changed lately, they will follow; else look at what each of your name servers says.",
			p.Published, reporters(p.Differs[0].Reporters), strings.Join(tags, "; "), insight.Date(p.Differs[0].Last))
	case seen == "":
		return fmt.Sprintf("Published is %s; no reporter has told what it saw.", p.Published)
	}
	return fmt.Sprintf("Published is %s; reporters saw the same.", p.Published)
}

func reporters(n int64) string {
	if n == 1 {
		return "1 reporter"
	}
	return insight.Number(n) + " reporters"
}

// reporters says who reported, and who fell silent.
func (w *writer) reporters() []block {
	b := block{Heading: "Reporters"}
	var here []string
	reports, more := int64(0), 0
	for i := range w.a.Domains {
		d := &w.a.Domains[i]
		for _, r := range d.Reporters {
			reports += r.Reports
			if !slices.Contains(here, r.Name) {
				here = append(here, r.Name)
			}
		}
		for _, r := range d.Silent {
			if len(b.Lines) >= mostSilent {
				more++
				continue
			}
			about := ""
			if w.many {
				about = " about " + d.Name
			}
			b.Lines = append(b.Lines, fmt.Sprintf("%s fell silent%s: it reported %s, and not since %s.", named(r.Name), about, every(r.Usual), insight.Date(r.Last)))
		}
	}
	if more > 0 {
		b.More = fmt.Sprintf("and %d more fell silent", more)
	}
	b.Text = fmt.Sprintf("%s sent %s.", reporters(int64(len(here))), count(reports, "report"))
	if len(here) == 0 {
		b.Text = "Nobody sent a report."
	}
	return []block{b}
}

func every(d time.Duration) string {
	days := int64((d + 12*time.Hour) / (24 * time.Hour))
	if days <= 1 {
		return "daily"
	}
	return fmt.Sprintf("every %d days", days)
}

func messages(n int64) string { return count(n, "message") }

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return insight.Number(n) + " " + what + "s"
}
