package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/story"
)

// A logPrinter writes decisions.
type logPrinter struct {
	w      io.Writer
	screen screen
	json   bool
	whole  bool // everything of a message
	begun  bool
}

func newLogPrinter(cmd *cobra.Command, o *logFlags) *logPrinter {
	c := commonFlags(cmd)
	return &logPrinter{w: cmd.OutOrStdout(), screen: newScreen(cmd.OutOrStdout(), c.NoColor), json: c.JSON, whole: o.ref != ""}
}

func (p *logPrinter) print(d *store.Decision) error {
	begun := p.begun
	p.begun = true
	switch {
	case p.json:
		return printJSONLine(p.w, noNulls(*d))
	case p.whole:
		if begun {
			p.screen.line("")
		}
		p.screen.decision(d)
	default:
		if !begun {
			p.screen.logHead()
		}
		p.screen.logLine(d)
	}
	return nil
}

// noNulls has a list where JSON would have null.
func noNulls(d store.Decision) store.Decision {
	if d.Recipients == nil {
		d.Recipients = []string{}
	}
	if d.SPF == nil {
		d.SPF = []store.SPF{}
	}
	if d.DKIM == nil {
		d.DKIM = []store.Signature{}
	}
	return d
}

// The columns of the log. What a wider terminal has more goes to the Author Domain, and from so many columns on to a reference.
const (
	timeWidth    = len("01-02 15:04:05")
	verdictWidth = len("(quarantine)")
	ruleWidth    = 17
	maxClient    = len("255.255.255.255")
	refWidth     = 12
	refFrom      = 100
)

func (s screen) logColumns(cells [6]string) string {
	domain := s.width - timeWidth - verdictWidth - ruleWidth - maxClient - 4
	widths := [6]int{timeWidth, verdictWidth, ruleWidth, domain, maxClient, 0}
	if s.width >= refFrom {
		widths[3] -= refWidth + 1
		widths[5] = refWidth
	}
	var b strings.Builder
	for i, cell := range cells {
		if widths[i] == 0 {
			continue
		}
		cell = elide(cell, widths[i])
		fill := strings.Repeat(" ", widths[i]-len([]rune(cell))+1)
		if i == 1 {
			cell = s.paint(colorOf(strings.Trim(cell, "()")), cell)
		}
		b.WriteString(cell + fill)
	}
	return b.String()
}

func (s screen) logHead() {
	s.line(s.paint(dim, s.logColumns([6]string{"time (UTC)", "verdict", "rule", "Author Domain", "client", "reference"})))
}

// logLine writes a message on one line.
func (s screen) logLine(d *store.Decision) {
	client := ""
	if d.ClientIP.IsValid() {
		client = d.ClientIP.String()
	}
	s.line(s.logColumns([6]string{
		d.Time.UTC().Format("01-02 15:04:05"), shownVerdict(d), printable(d.Rule), printable(d.AuthorDomain), client, printable(d.Reference),
	}))
}

// shownVerdict has parentheses where something else was done.
func shownVerdict(d *store.Decision) string {
	if !story.Carried(d) {
		return "(" + printable(d.Verdict) + ")"
	}
	return printable(d.Verdict)
}

// decision writes everything that is known of a message.
func (s screen) decision(d *store.Decision) {
	title := "message"
	if d.Reference != "" {
		title = d.Reference
	}
	s.line(s.paint(bold, printable(title)))
	for _, chapter := range story.Tell(d) {
		for _, f := range chapter.Facts {
			s.fact(printable(f.Label), f.Text)
		}
	}
}
