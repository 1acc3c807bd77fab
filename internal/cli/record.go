package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/render"
	"github.com/gatepost-mail/gatepost/internal/setup"
)

const recordHelp = `Build a single record, or edit the one that is there.

Each command looks up the present record of DOMAIN, changes what its flags say
and leaves all else as it is. --present gives another text to edit, --new begins
with nothing. The result is checked as "gatepost check" checks it.

Exit status: that of the command beneath.`

func recordCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "record COMMAND",
		Short: "Build or edit a single record",
		Long:  recordHelp,
		Example: `  gatepost record spf example.com --add ip4:192.0.2.0/24 --all fail
  gatepost record dmarc example.com --policy quarantine`,
		Args: noSuchCommand,
		RunE: needCommand,
	}
	cmd.AddCommand(recordSPF(), recordDMARC(), recordDKIM(), recordSTS(), recordTLSRPT(), recordMX(), recordBIMI())
	return cmd
}

const recordStatus = `

Exit status: 0 fine; 1 the record has an error; 2 it could not be made; 3 DNS
did not answer.`

// A recordMaker is a command that makes a record.
type recordMaker struct {
	area facts.Area
	name func(domain string) string // where the record is
	is   func(text string) bool     // which of the texts there is meant

	present string
	fresh   bool
	domain  string
	common  common
	cmd     *cobra.Command
	at      dns.Resolver // nil: nobody is asked

	also []setup.Change // what belongs to the record
	note string         // what to know of it, for people
}

// command makes the command of a maker: build gets the present text, or an empty one, and gives the new one.
func (m *recordMaker) command(cmd *cobra.Command, build func(old string) (string, error)) *cobra.Command {
	cmd.Long += recordStatus
	cmd.Args = arguments(1, 1, "DOMAIN")
	f := cmd.Flags()
	f.StringVar(&m.present, "present", "", "edit this `TEXT`, whatever DNS shows")
	f.BoolVar(&m.fresh, "new", false, "begin with nothing, whatever DNS shows")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := m.begin(cmd, args[0]); err != nil {
			return err
		}
		old, err := m.old()
		if err != nil {
			return err
		}
		text, err := build(old)
		if err != nil {
			return err
		}
		return m.show(setup.Change{Name: m.name(m.domain), Type: "TXT", Old: old, New: text})
	}
	return cmd
}

// begin reads what all commands have: the domain, and who is asked what it publishes.
func (m *recordMaker) begin(cmd *cobra.Command, domain string) (err error) {
	m.cmd, m.common = cmd, commonFlags(cmd)
	if m.domain, err = domainArgument(cmd, domain); err != nil {
		return err
	}
	if m.fresh && m.present != "" {
		return usageError(cmd, "--new and --present: one of them")
	}
	if m.fresh || m.present != "" {
		if m.common.Zone == "" && len(m.common.Resolvers) == 0 {
			return nil
		}
	}
	m.at, err = m.common.resolver()
	m.at = patient{m.at, m.common.Timeout}
	return err
}

// old is the text that is edited.
func (m *recordMaker) old() (string, error) {
	switch {
	case m.present != "":
		return m.present, nil
	case m.fresh:
		return "", nil
	}
	ctx, cancel := context.WithTimeout(m.cmd.Context(), m.common.Timeout)
	defer cancel()
	name := m.name(m.domain)
	answer, err := m.at.Lookup(ctx, name, dns.TypeTXT)
	switch {
	case dns.IsVoid(err):
		return "", nil
	case errors.Is(err, dns.ErrBadName):
		return "", usageError(m.cmd, "%s is not a domain name", name)
	case err != nil:
		return "", &statusError{status: StatusTemporary, err: fmt.Errorf("%w; say with --new or --present what is there", err)}
	}
	found := ""
	for _, text := range answer.TXT {
		if !m.is(text) {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("%s has several such records, and none counts: remove all but one, or say with --present which to edit", name)
		}
		found = text
	}
	return found, nil
}

// A madeRecord is what --json prints: what to publish as "gatepost check" has it, and what it would find.
type madeRecord struct {
	Domain   string          `json:"domain"`
	Publish  []render.Change `json:"publish"`
	Findings []recordFinding `json:"findings"`
}

type recordFinding struct {
	ID       string         `json:"id"`
	Severity check.Severity `json:"severity"`
	Subject  string         `json:"subject"`
	Title    string         `json:"title"`
	Detail   string         `json:"detail"`
}

// show prints the record, and what the checks of its area say of it.
func (m *recordMaker) show(changes ...setup.Change) error {
	ctx, cancel := context.WithTimeout(m.cmd.Context(), 3*m.common.Timeout)
	defer cancel()
	all := append(changes[:len(changes):len(changes)], m.also...)
	findings := []recordFinding{}
	status := StatusFine
	for _, f := range setup.Try(ctx, m.at, m.domain, all).Findings {
		if f.Area != m.area || f.Severity == check.Info || m.at == nil && f.Severity == check.Unknown {
			continue
		}
		findings = append(findings, recordFinding{f.ID, f.Severity, f.Subject, f.Title, f.Detail})
		if f.Severity == check.Error {
			status = StatusFails
		}
	}
	if m.common.JSON {
		made := madeRecord{Domain: m.domain, Publish: []render.Change{}, Findings: findings}
		for _, c := range all {
			made.Publish = append(made.Publish, render.ChangeOf(c))
		}
		if err := printJSON(m.cmd.OutOrStdout(), made); err != nil {
			return err
		}
		return exit(status)
	}
	s := newScreen(m.cmd.OutOrStdout(), m.common.NoColor)
	for _, c := range all {
		m.print(s, c)
	}
	if len(findings) > 0 {
		s.heading("Checked")
	}
	for _, f := range findings {
		s.item(fmt.Sprintf("%s: %s: %s (%s). %s", f.Severity, f.Subject, f.Title, f.ID, f.Detail))
	}
	if m.note != "" {
		s.heading("To know")
		s.item(m.note)
	}
	return exit(status)
}

func (m *recordMaker) print(s screen, c setup.Change) {
	switch {
	case c.Type == setup.File:
		s.line("")
		s.line("Serve at " + printable(c.Name) + ":")
		for line := range strings.Lines(c.New) {
			s.line("    " + printable(strings.TrimRight(line, "\r\n")))
		}
		return
	case c.Old == c.New:
		s.line(printable(c.Name) + " has it already:")
	case c.New == "":
		s.line(printable(c.Name) + "  " + c.Type + ", to be taken away")
		s.line("  " + s.paint(red, "- "+printable(c.Old)))
	case c.Old != "":
		s.line(printable(c.Name) + "  " + c.Type)
		s.line("  " + s.paint(red, "- "+printable(c.Old)))
		s.line("  " + s.paint(green, "+ "+printable(c.New)))
	default:
		s.line(printable(c.Name) + "  " + c.Type)
	}
	printZone(s, c.Zone())
}
