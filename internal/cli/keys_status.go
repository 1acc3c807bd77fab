package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/signing"
)

const keysStatusHelp = `Say of each key how far it is, what DNS shows of it now, and what is to be
done.

Nothing is changed. "gatepost keys list" says the same without asking DNS.

Exit status: 0 every key that should sign is shown by DNS; 1 one is not;
2 it could not be found out; 3 DNS did not answer.`

func keysStatusCommand() *cobra.Command {
	var ring keyRing
	cmd := &cobra.Command{
		Use:     "status [DOMAIN]",
		Short:   "Say how far keys are and what DNS shows of them",
		Long:    keysStatusHelp,
		Example: "  gatepost keys status example.com --resolver 192.0.2.53",
		Args:    arguments(0, 1, "DOMAIN"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runStatus(cmd, args, &ring) },
	}
	ring.add(cmd)
	return cmd
}

// A keyStatus is a key with what DNS shows now.
type keyStatus struct {
	keyReport
	Now    signing.Check `json:"dns"`
	Detail string        `json:"dns_detail,omitempty"`
}

func runStatus(cmd *cobra.Command, args []string, ring *keyRing) error {
	shop, list, err := ring.list(cmd, args)
	if err != nil {
		return err
	}
	status := StatusFine
	full := []keyStatus{}
	for i := range list {
		k := &list[i]
		s := keyStatus{keyReport: *k}
		s.Now, s.Detail = shop.Ask(cmd.Context(), k.Domain, &k.Key)
		k.Problem = ""
		if note := s.note(); note != "" {
			k.Problem = note
		}
		full = append(full, s)
		if k.State == signing.Signing && s.Now != signing.OK {
			status = worse(status, s.Now)
		}
	}
	if commonFlags(cmd).JSON {
		if err := printJSON(cmd.OutOrStdout(), full); err != nil {
			return err
		}
		return exit(status)
	}
	printReports(cmd, list)
	if printTasks(cmd, list) {
		fmt.Fprintln(cmd.OutOrStdout())
	}
	return exit(status)
}

// worse adds what DNS says of a key that should sign. What is known to be wrong counts for more than what is not known.
func worse(status Status, now signing.Check) Status {
	switch {
	case now != signing.Unknown:
		return StatusFails
	case status == StatusFine:
		return StatusTemporary
	}
	return status
}

// note says what DNS shows where it is not what the key's state wants.
func (s *keyStatus) note() string {
	if s.Now == s.want() && s.Detail == "" {
		return ""
	}
	switch s.State {
	case signing.Publish, signing.Revoke, signing.Remove, signing.Revoked:
		return "DNS now: " + s.Detail
	}
	if s.Now == signing.OK {
		return "DNS now: not everywhere: " + s.Detail
	}
	return "DNS now: " + s.Detail
}

func (s *keyStatus) want() signing.Check {
	switch s.State {
	case signing.Revoked:
		return signing.IsRevoked
	case signing.Remove:
		return signing.Missing
	}
	return signing.OK
}

const listHelp = `List the keys, how far each is, and what is to be done.

This reads the key directory alone. "gatepost keys status" asks DNS too.

Exit status: 0 listed; 2 it could not be done.`

func keysListCommand() *cobra.Command {
	var ring keyRing
	cmd := &cobra.Command{
		Use:     "list [DOMAIN]",
		Short:   "List the keys",
		Long:    listHelp,
		Example: "  gatepost keys list --json",
		Args:    arguments(0, 1, "DOMAIN"),
	}
	ring.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, list, err := ring.list(cmd, args)
		if err != nil {
			return err
		}
		if commonFlags(cmd).JSON {
			return printJSON(cmd.OutOrStdout(), list)
		}
		if len(list) == 0 {
			fmt.Fprintln(cmd.OutOrStdout(), "There are no keys. \"gatepost keys rotate DOMAIN\" makes them.")
		}
		printReports(cmd, list)
		return nil
	}
	return cmd
}

// list opens the key directory and reports of one domain or of all.
func (o *keyRing) list(cmd *cobra.Command, args []string) (*keyShop, []keyReport, error) {
	domain := ""
	if len(args) > 0 {
		var err error
		if domain, err = oneDomain(cmd, args); err != nil {
			return nil, nil, err
		}
	}
	shop, err := o.open(cmd, false)
	if err != nil {
		return nil, nil, err
	}
	list, err := shop.reports(domain)
	return shop, list, err
}
