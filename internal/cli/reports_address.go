package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/inbox/address"
)

const reportsAddressHelp = `Print the address that reports about a domain are to be sent to, and the DNS
records that make the world send them there.

Nobody can guess the address: it is made of the domain and of a secret in the
state directory, which is made when it is first needed. It stays the same until
--rotate puts a new secret in front; addresses that were published before are
still taken then.

The output can stand in a zone file as it is. A DMARC record is printed as it is
to be: what is published now, with the address added. What is there already, and
what DNS did not tell, is said in comments.

Exit status: 0 printed, though DNS did not tell all; 2 it could not be done.`

// addressFlags are the flags of reports address.
type addressFlags struct {
	config, host, prefix, separator, secret string
	rotate                                  bool
}

func reportsAddressCommand() *cobra.Command {
	var o addressFlags
	cmd := &cobra.Command{
		Use:   "address DOMAIN...",
		Short: "Print where reports about a domain are to go, and its records",
		Long:  reportsAddressHelp,
		Example: `  gatepost reports address example.com --host reports.example.net
  gatepost reports address --json example.com example.org`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError(cmd, "no domain is named")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", defaultConfig, "the configuration `FILE` of the gate")
	f.StringVar(&o.host, "host", "", "the `HOST` that takes the reports (default as configured)")
	f.StringVar(&o.prefix, "prefix", "", "what addresses begin with (default as configured)")
	f.StringVar(&o.separator, "separator", "", "what stands before the token, one `CHARACTER` of + - _ . = (default as\nconfigured)")
	f.StringVar(&o.secret, "secret", "", "the `FILE` with the secret (default as configured)")
	f.BoolVar(&o.rotate, "rotate", false, "make a new secret, and with it new addresses")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runReportsAddress(cmd, &o, args) }
	return cmd
}

func runReportsAddress(cmd *cobra.Command, o *addressFlags, domains []string) error {
	c := commonFlags(cmd)
	file, err := configured(cmd, o.config)
	if err != nil {
		return err
	}
	resolver, err := c.resolverOf(file)
	if err != nil {
		return err
	}
	open := address.OpenSecrets
	if o.rotate {
		open = address.Rotate
	}
	options := file.ReportAddresses(domains, make([]address.Secret, 1)) // until everything else is known to be good
	options.Host, options.Prefix = cmp.Or(o.host, options.Host), cmp.Or(o.prefix, options.Prefix)
	options.Separator = cmp.Or(o.separator, options.Separator)
	if _, err := address.New(options); err != nil {
		return usageError(cmd, "%v", err)
	}
	if options.Secrets, err = open(cmp.Or(o.secret, file.ReportSecret())); err != nil {
		return err
	}
	book, err := address.New(options)
	if err != nil {
		return err
	}
	for _, domain := range domains {
		p, err := book.Publish(cmd.Context(), resolver, domain, dmarc.Options{Method: file.DMARC.Method})
		if err != nil {
			return err
		}
		switch {
		case c.JSON && len(domains) > 1:
			err = printJSONLine(cmd.OutOrStdout(), p)
		case c.JSON:
			err = printJSON(cmd.OutOrStdout(), p)
		default:
			err = printPublication(cmd.OutOrStdout(), p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// printPublication writes a piece of a zone file.
func printPublication(w io.Writer, p address.Publication) error {
	var b strings.Builder
	fmt.Fprintf(&b, "; %s: %s\n", p.Domain, p.Address)
	for _, r := range p.Records {
		if r.Published {
			b.WriteString("; there already: ")
		}
		b.WriteString(r.Zone() + "\n")
	}
	for _, note := range p.Notes {
		for i, line := range wrap(printable(note), defaultWidth-len("; note: ")) {
			b.WriteString([]string{"; note: ", ";       "}[min(i, 1)] + line + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
