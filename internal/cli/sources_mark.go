package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const sourcesMarkHelp = `Say what a source is to DOMAIN, whatever the evidence says: sources list, the
letter and the alerts then go by your word, and say so.

SOURCE is an address, a network or the id of a service (gatepost senders lists
them). A word on an address goes before one on a network, and that before one
on a service. DOMAIN "*" stands for all.

CLASS is passing, misconfigured, forwarder, unknown or abuse.

Exit status: 0 kept; 2 it could not be done.`

type markFlags struct {
	store          storeFlags
	reason, author string
}

func sourcesMarkCommand() *cobra.Command {
	var o markFlags
	cmd := &cobra.Command{
		Use:     "mark DOMAIN SOURCE CLASS --reason WHY",
		Short:   "Say what a source is, in the place of the evidence",
		Long:    sourcesMarkHelp,
		Example: "  gatepost sources mark example.com 192.0.2.0/24 misconfigured \\\n      --reason \"the old office\"",
		Args:    arguments(3, 3, "DOMAIN SOURCE CLASS"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runSourcesMark(cmd, args, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.reason, "reason", "", "`WHY`, for whoever reads it later")
	f.StringVar(&o.author, "author", "", "who says so (default your login `NAME`)")
	o.store.add(cmd)
	return cmd
}

func runSourcesMark(cmd *cobra.Command, args []string, o *markFlags) error {
	if err := require(cmd, "reason"); err != nil {
		return err
	}
	if _, _, err := markOf(cmd, args[0], args[1]); err != nil {
		return err
	}
	if err := checkClass(cmd, "", args[2], false); err != nil {
		return err
	}
	if o.author == "" {
		if o.author = login(); o.author == "" {
			return usageError(cmd, "--author is missing, and your login is not known")
		}
	}
	s, err := o.store.open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	word := insight.Word{Domain: args[0], Source: args[1], Class: senders.Kind(args[2]), Reason: o.reason, Author: o.author}
	m, err := word.Mark(present(cmd))
	if err != nil {
		return err
	}
	if err := s.SetMark(cmd.Context(), m); err != nil {
		return err
	}
	if commonFlags(cmd).JSON {
		return printJSON(cmd.OutOrStdout(), marked(m))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is %s to %s from now on\n", printable(m.Source), m.Class, allDomains(m.Domain))
	return nil
}

func allDomains(domain string) string {
	if domain == "" {
		return "every domain"
	}
	return printable(domain)
}

// markOf reads a domain and a source as the store has them.
func markOf(cmd *cobra.Command, name, source string) (string, string, error) {
	domain, source, err := insight.ParseMark(name, source)
	if err != nil {
		return "", "", usageError(cmd, "%v", err)
	}
	return domain, source, nil
}

func sourcesUnmarkCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "unmark DOMAIN SOURCE",
		Short:   "Take your word on a source back",
		Long:    "Take your word on a source back: the evidence says again what it is.\n\nExit status: 0 done; 2 it could not be done.",
		Example: "  gatepost sources unmark example.com 192.0.2.0/24",
		Args:    arguments(2, 2, "DOMAIN SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			domain, source, err := markOf(cmd, args[0], args[1])
			if err != nil {
				return err
			}
			s, err := o.open(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer s.Close()
			err = s.RemoveMark(cmd.Context(), domain, source)
			if errors.Is(err, store.ErrNoMark) {
				return fmt.Errorf("nothing was said of %s for %s; \"gatepost sources marks\" lists what was", printable(source), allDomains(domain))
			}
			return err
		},
	}
	o.add(cmd)
	return cmd
}

// A marked is an administrator's word as the commands print it.
type marked struct {
	Domain string    `json:"domain"` // empty for all
	Source string    `json:"source"`
	Class  string    `json:"class"`
	Reason string    `json:"reason"`
	Author string    `json:"author"`
	At     time.Time `json:"at"`
}

func sourcesMarksCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "marks DOMAIN",
		Short:   "List what was said of sources",
		Long:    "List what was said of the sources of DOMAIN and of all domains' sources.\n\nExit status: 0 listed, though there be none; 2 it could not be done.",
		Example: "  gatepost sources marks example.com",
		Args:    arguments(1, 1, "DOMAIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			domain, _, err := markOf(cmd, args[0], "none")
			if err != nil {
				return err
			}
			s, err := o.open(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer s.Close()
			all, err := s.Marks(cmd.Context(), domain)
			if err != nil {
				return err
			}
			return printMarks(cmd, all)
		},
	}
	o.add(cmd)
	return cmd
}

func printMarks(cmd *cobra.Command, all []store.SourceMark) error {
	c := commonFlags(cmd)
	list := []marked{}
	for _, m := range all {
		list = append(list, marked(m))
	}
	if c.JSON {
		return printJSON(cmd.OutOrStdout(), list)
	}
	s := newScreen(cmd.OutOrStdout(), c.NoColor)
	for _, m := range list {
		s.line(fmt.Sprintf("%s is %s to %s", printable(m.Source), printable(m.Class), allDomains(m.Domain)))
		s.known("why", printable(fmt.Sprintf("%s (%s, %s)", m.Reason, m.Author, m.At.Format(time.DateOnly))))
	}
	if len(list) == 0 {
		s.line("Nothing was said of any source.")
	}
	return nil
}
