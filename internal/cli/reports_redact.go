package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/when"
)

const reportsRedactHelp = `Take from failure reports all that may tell of a person: addresses, the subject,
the header, and the bytes that they came in. What is left is when and from where
a message came, which domains it named, and what failed. This cannot be undone.

Failure reports are deleted as a whole after reports.failure_age, 30 days unless
the configuration says otherwise.

Exit status: 0 done, though there was none; 2 it could not be done.`

type redactFlags struct {
	store          storeFlags
	domain, before string
	all            bool
}

func reportsRedactCommand() *cobra.Command {
	var o redactFlags
	cmd := &cobra.Command{
		Use:   "redact --all|--domain D|--before DAY",
		Short: "Take personal data from failure reports",
		Long:  reportsRedactHelp,
		Example: `  gatepost reports redact --domain example.com
  gatepost reports redact --before 7d`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runReportsRedact(cmd, &o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.all, "all", false, "of all failure reports")
	f.StringVar(&o.domain, "domain", "", "of those about this `DOMAIN`")
	f.StringVar(&o.before, "before", "", "of those that came before this `DAY`: a date, a time, or days back (7d)")
	o.store.add(cmd)
	return cmd
}

func runReportsRedact(cmd *cobra.Command, o *redactFlags) error {
	narrow := o.domain != "" || o.before != ""
	if o.all == narrow {
		return usageError(cmd, "say of which: --all, or --domain and --before")
	}
	domain, before := "", time.Time{}
	var err error
	if o.domain != "" {
		if domain, err = dns.ToASCII(o.domain); err != nil {
			return usageError(cmd, "--domain %q: not a domain name", o.domain)
		}
	}
	if o.before != "" {
		if before, err = when.Since(o.before, present(cmd)); err != nil {
			return usageError(cmd, "--before %q: %v", o.before, err)
		}
	}
	s, err := o.store.open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	for done := false; !done; {
		if done, err = s.RedactFailures(cmd.Context(), domain, before); err != nil {
			return err
		}
	}
	if !commonFlags(cmd).JSON {
		fmt.Fprintln(cmd.OutOrStdout(), "Done. What is left of them tells of no person.")
	}
	return nil
}
