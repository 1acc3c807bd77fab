package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/spf"
)

const spfHelp = `Say whether an address may send mail for a domain (RFC 7208).

The result word stands alone on the first line. --mail-from= is the null
reverse-path: the answer is then for postmaster@HELO. Without --mail-from the
HELO identity is checked.

Exit status: 0 pass, neutral or none; 1 fail, softfail or permerror; 2 it
could not be asked; 3 temperror.`

func spfCommand() *cobra.Command {
	var ip addrValue
	var helo, mailFrom string
	var trace bool
	cmd := &cobra.Command{
		Use:     "spf --ip ADDRESS --mail-from ADDRESS --helo NAME",
		Short:   "Say whether an address may send mail for a domain",
		Long:    spfHelp,
		Example: "  gatepost spf --ip 192.0.2.1 --mail-from a@example.com --helo mx.example.com",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "ip"); err != nil {
				return err
			}
			if helo == "" && mailFrom == "" {
				return usageError(cmd, "--mail-from is missing, and --helo: there is no domain to ask about")
			}
			return runSPF(cmd, spf.Query{IP: ip.Addr, Helo: helo, MailFrom: mailFrom, Trace: trace})
		},
	}
	f := cmd.Flags()
	f.Var(&ip, "ip", "the client's IP address")
	f.StringVar(&mailFrom, "mail-from", "", "the `ADDRESS` in MAIL FROM; empty for the null one")
	f.StringVar(&helo, "helo", "", "the `NAME` in HELO or EHLO")
	f.BoolVar(&trace, "trace", false, "say how the result came about")
	return cmd
}

func runSPF(cmd *cobra.Command, q spf.Query) error {
	c := commonFlags(cmd)
	resolver, err := c.resolver()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), c.Timeout)
	defer cancel()
	q.Receiver, q.Now = hostName(), c.At
	r := spf.Check(ctx, resolver, q)
	res := verify.SPF{
		Identity: verify.IdentityMailFrom, Domain: r.Domain, Result: string(r.Code), Term: r.Term, Record: r.Record,
		Explanation: r.Explanation, Lookups: r.Lookups, VoidLookups: r.VoidLookups, Trace: r.Trace,
	}
	if !cmd.Flags().Changed("mail-from") {
		res.Identity = verify.IdentityHelo
	}
	if r.Err != nil {
		res.Reason = dns.Detail(r.Err)
	}
	if c.JSON {
		err = printJSON(cmd.OutOrStdout(), res)
	} else {
		newScreen(cmd.OutOrStdout(), c.NoColor).spf(res)
	}
	return cmp.Or(err, exit(spfStatus(r.Code)))
}

func spfStatus(c spf.Code) Status {
	switch c {
	case spf.Fail, spf.SoftFail, spf.PermError:
		return StatusFails
	case spf.TempError:
		return StatusTemporary
	}
	return StatusFine
}

// spf writes the result word, then what it rests on.
func (s screen) spf(r verify.SPF) {
	s.line(s.paint(colorOf(r.Result), r.Result))
	s.fact("domain", r.Domain)
	s.fact("term", r.Term)
	s.fact("reason", r.Reason)
	s.fact("explanation", r.Explanation)
	s.fact("record", r.Record)
	s.fact("lookups", fmt.Sprintf("%d of 10, %d of 2 void", r.Lookups, r.VoidLookups))
	s.steps("trace", r.Trace)
}

const factColumn = 15

// fact writes a name and what is so, if anything is.
func (s screen) fact(name, value string) {
	for i, line := range wrap(printable(value), s.width-factColumn) {
		if i > 0 {
			name = ""
		}
		s.line("  " + pad(name, factColumn-2) + line)
	}
}

// steps writes how something came about, a line each, with its depth kept. A key's long text loses its middle.
func (s screen) steps(name string, lines []string) {
	for _, text := range lines {
		indent := min(len(text)-len(strings.TrimLeft(text, " ")), minWidth/3)
		width := s.width - factColumn - indent - 2
		for i, line := range wrap(printable(text), width) {
			if i == 1 {
				indent += 2
			}
			line = elide(line, width)
			s.line("  " + pad(name, factColumn-2) + strings.Repeat(" ", indent) + line)
			name = ""
		}
	}
}
