package notice

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Letter is one that is ready to be sent.
type Letter struct {
	Language string
	Subject  string
	Text     string
	HTML     string
	Faults   []string // ids of the findings whose end mends it
}

// A page is a letter before it is text or HTML. All that either says is in it.
type page struct {
	Language string
	Subject  string
	Greeting string
	Happened []string
	Blocks   []block
	Regards  string
	Signed   []string
}

// A block is a section of it. Its members that are set are shown in the order of the struct.
type block struct {
	Heading string
	Text    string
	Rows    []row
	Lines   []string
	Code    string // shown as it is, to be copied
	After   []string
	More    string // of code
}

// A row is a piece of evidence.
type row struct {
	Label, Value string
	Line         string // both, as the language writes them
}

// Bounds of what strangers wrote.
const (
	longestValue  = 500
	longestRecord = 4096
	mostOthers    = 3
)

// Write makes a letter of a case. Without a fault that somebody could mend, there is none.
func (c *Catalogue) Write(k *Case) (Letter, bool) {
	x, ok := choose(k)
	if !ok {
		return Letter{}, false
	}
	name := k.Language
	if name == "" {
		name = c.LanguageOf(k.Domain)
	}
	if !c.Has(name) {
		name = base
	}
	w := &writer{speaker: c.speaker(name), k: k, x: &x, domain: plain(k.Domain)}
	p := w.page(name)
	html, err := p.html()
	if err != nil {
		html = "" // the text says all of it
	}
	return Letter{Language: name, Subject: p.Subject, Text: p.text(), HTML: html, Faults: x.ids()}, true
}

// plain is what a stranger may have written as it stands in a letter that we sign: no mail program makes a link of it.
func plain(s string) string { return outbox.PlainName(s, longestValue) }

type writer struct {
	speaker
	k      *Case
	x      *chosen
	domain string
}

func (w *writer) fault(sentence string, args ...any) string {
	return w.say("fault."+w.x.fault+"."+sentence, args...)
}

func (w *writer) page(language string) *page {
	p := &page{Language: language, Greeting: w.say("greeting", w.domain), Regards: w.say("regards")}
	title := w.fault("title")
	if w.stopped() {
		p.Subject = w.say("subject.refused", w.domain, title)
	} else {
		p.Subject = w.say("subject.found", w.domain, title)
	}
	p.Happened = w.happened()
	p.Blocks = append(p.Blocks, block{Heading: w.say("heading.fault"), Text: w.fault("what", w.domain, w.server())})
	p.Blocks = append(p.Blocks, w.evidence(), w.publish())
	p.Blocks = append(p.Blocks, block{Heading: w.say("heading.why"), Text: w.fault("why")}, w.check())
	if others := w.others(); others.Heading != "" {
		p.Blocks = append(p.Blocks, others)
	}
	p.Blocks = append(p.Blocks, w.who())
	p.Signed = []string{plain(w.k.Sender.Organization)}
	return p
}

// server is the address that the message came from.
func (w *writer) server() string {
	if w.k.Decision == nil || !w.k.Decision.ClientIP.IsValid() {
		return ""
	}
	return w.k.Decision.ClientIP.String()
}

// stopped tells whether the message did not reach whom it was for.
func (w *writer) stopped() bool {
	d := w.k.Decision
	return d != nil && (d.Done == "reject" || d.Done == "quarantine")
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func (w *writer) happened() []string {
	d, host := w.k.Decision, plain(w.k.Sender.Host)
	if d == nil {
		return []string{w.say("found", when(w.k.At), w.domain)}
	}
	key := "doubted"
	switch d.Done {
	case "reject":
		key = "refused"
	case "quarantine":
		key = "held"
	}
	all := []string{w.say(key, when(d.Time), host, w.server(), w.domain)}
	if w.k.Count > 1 {
		all = append(all, w.say("plural.count", w.k.Count))
	}
	return all
}

// evidence is what was seen: of the message no more than what authenticates it, of nobody an address.
func (w *writer) evidence() block {
	b := block{Heading: w.say("heading.evidence")}
	add := func(label, value string) {
		if value = plain(value); value != "" {
			name := w.say("label." + label)
			b.Rows = append(b.Rows, row{name, value, w.say("row", name, value)})
		}
	}
	if d := w.k.Decision; d != nil {
		add("time", when(d.Time))
		add("server", w.server())
		add("helo", d.Helo)
		add("mailfrom", d.EnvelopeDomain)
		add("from", d.AuthorDomain)
		add("spf", spfText(d))
		add("dkim", dkimText(d))
		add("dmarc", d.DMARC)
		add("reference", d.Reference)
	}
	if f := w.x.finding; f != nil {
		add("where", f.Subject)
		if len(f.Changes) > 0 {
			add("record", f.Changes[0].Old)
		}
		if detail := plain(f.Detail); detail != "" && (w.x.fault == general || w.Language() == base || w.exact()) {
			b.Lines = append(b.Lines, detail)
		}
	}
	return b
}

// exact tells whether only what the audit saw says where the fault is: English though it be, that is better than nothing.
func (w *writer) exact() bool {
	return slices.Contains([]string{spfSyntax, spfLookups, spfInclude, dkimBroken, dmarcInvalid}, w.x.fault)
}

// Language is that of the speaker.
func (w *writer) Language() string {
	if w.k.Language != "" && w.catalogue.Has(w.k.Language) {
		return w.k.Language
	}
	return w.catalogue.LanguageOf(w.k.Domain)
}

func spfText(d *store.Decision) string {
	var all []string
	for _, s := range d.SPF {
		if s.Result != "" && s.Identity == "mailfrom" {
			all = append(all, s.Result+" ("+s.Domain+")")
		}
	}
	return strings.Join(all, ", ")
}

func dkimText(d *store.Decision) string {
	const most = 3
	var all []string
	for i, s := range d.DKIM {
		if i == most {
			break
		}
		all = append(all, fmt.Sprintf("%s (d=%s, s=%s)", s.Result, s.SDID, s.Selector))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// publish is the one record to publish, or what to do where there is none.
func (w *writer) publish() block {
	f := w.x.finding
	if f == nil || len(f.Changes) == 0 || f.Changes[0].New == "" || f.Changes[0].Elsewhere ||
		f.Changes[0].Type == publish.File || len(f.Changes[0].New) > longestRecord {
		b := block{Heading: w.say("heading.advice"), Text: w.fault("advice")}
		if w.x.fault == spfFail && w.stopped() {
			b.After = []string{w.say("record.stranger")}
		}
		return b
	}
	c := f.Changes[0]
	name := plain(c.Name)
	b := block{Heading: w.say("heading.record"), Code: record(c)}
	switch {
	case w.x.fault == spfFail && w.server() != "":
		b.Text = w.say("record.yours", w.server(), name)
		if w.stopped() {
			b.After = []string{w.say("record.stranger")}
		}
	case c.Old != "":
		b.Text = w.say("record.replace", name)
	default:
		b.Text = w.say("record.add", name)
	}
	var gone []string
	for _, more := range f.Changes[1:] {
		if more.New == "" && more.Old != "" && len(gone) < mostOthers {
			gone = append(gone, strings.TrimSpace(publish.Change{Name: more.Name, Type: more.Type, New: more.Old}.Zone()))
		}
	}
	if len(gone) > 0 {
		b.After = append(b.After, w.say("record.delete"))
		b.More = clean(strings.Join(gone, "\n"))
	}
	return b
}

// record is the line of a zone, each line of which is made harmless by itself.
func record(c publish.Change) string { return clean(strings.TrimSpace(c.Zone())) }

func clean(lines string) string {
	var all []string
	for line := range strings.Lines(lines) {
		indent := ""
		if strings.HasPrefix(line, "\t") {
			indent = "    "
		}
		all = append(all, indent+outbox.Plain(line, longestRecord))
	}
	return strings.Join(all, "\n")
}

// check is how to see it without us: what is asked first is what was to be published.
func (w *writer) check() block {
	b := block{Heading: w.say("heading.check"), Text: w.say("check.dig")}
	var commands []string
	dig := func(typ, name string) {
		if name == "" || strings.ContainsFunc(name, isNoNameChar) { // a selector is whatever a stranger wrote into a signature
			return
		}
		if line := "dig +short " + typ + " " + name; !slices.Contains(commands, line) {
			commands = append(commands, line)
		}
	}
	if f := w.x.finding; f != nil {
		if len(f.Changes) > 0 && f.Changes[0].Type != publish.File {
			dig(f.Changes[0].Type, f.Changes[0].Name)
			b.After = []string{w.say("check.expect")}
		} else {
			dig("TXT", f.Subject)
		}
	}
	switch {
	case strings.HasPrefix(w.x.fault, "dmarc"):
		dig("TXT", "_dmarc."+w.k.Domain)
	case strings.HasPrefix(w.x.fault, "dkim") && w.k.Decision != nil:
		for i, s := range w.k.Decision.DKIM {
			if i < 2 && s.Selector != "" {
				dig("TXT", s.Selector+"._domainkey."+s.SDID)
			}
		}
	}
	dig("TXT", w.k.Domain)
	if ip := w.server(); ip != "" {
		if addr, err := netip.ParseAddr(ip); err == nil {
			commands = append(commands, "dig +short -x "+addr.String())
		}
	}
	b.Code = strings.Join(commands, "\n")
	return b
}

// isNoNameChar tells what does not stand in a name that is asked for by a command.
func isNoNameChar(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// others names what else was found, shortly.
func (w *writer) others() block {
	if len(w.x.others) == 0 {
		return block{}
	}
	b := block{Heading: w.say("heading.more"), Text: w.say("plural.more", len(w.x.others))}
	for i, f := range w.x.others {
		if i == mostOthers {
			b.Lines = append(b.Lines, "…")
			break
		}
		b.Lines = append(b.Lines, w.titleOf(f)+" ("+plain(f.ID)+", "+plain(f.Subject)+")")
	}
	return b
}

func (w *writer) titleOf(f *audit.Finding) string {
	if fault, ok := faultOf[f.ID]; ok && fault != spfFail {
		return w.say("fault." + fault + ".title")
	}
	if w.Language() == base {
		return plain(f.Title)
	}
	return w.say("more.other")
}

func (w *writer) who() block {
	s := w.k.Sender
	b := block{Heading: w.say("heading.who"), Text: w.say("who", plain(s.Organization), plain(s.Host), plain(s.Contact))}
	if s.About != "" {
		b.After = append(b.After, w.say("about", outbox.Plain(s.About, longestValue)))
	}
	if w.k.Address != "" {
		b.After = append(b.After, w.say("stop", w.k.Address))
	}
	return b
}
