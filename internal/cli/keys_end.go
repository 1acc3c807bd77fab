package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

const revokeHelp = `Stop signing with a key at once, and say how to revoke it in DNS.

For a key that leaked, or may have: until its record says that it is revoked,
whoever has it can sign in your name. Mail that it signed and that has not
arrived yet will fail. A running gate heeds this within seconds.

Exit status: 0 done; 2 it could not be done.`

const removeHelp = `Stop using a key at once, and say how to remove it from DNS. When DNS does
not show it any more, the private key is destroyed.

Exit status: 0 done; 2 it could not be done.`

func revokeCommand() *cobra.Command {
	return endCommand("revoke", "Revoke a key that leaked", revokeHelp, (*signing.Directory).Revoke)
}

func removeCommand() *cobra.Command {
	return endCommand("remove", "Remove a key that is not needed", removeHelp, (*signing.Directory).Remove)
}

// ending is how the use of a key ends.
type ending func(d *signing.Directory, ctx context.Context, domain, selector string, last bool, now time.Time) error

func endCommand(name, short, long string, end ending) *cobra.Command {
	var ring keyRing
	cmd := &cobra.Command{
		Use:     name + " DOMAIN SELECTOR [--yes]",
		Short:   short,
		Long:    long,
		Example: "  gatepost keys " + name + " example.com gp-2026-11-r",
		Args:    arguments(2, 2, "DOMAIN SELECTOR"),
	}
	ring.add(cmd)
	yes := cmd.Flags().Bool("yes", false, "do so even if no other key signs for the domain")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		domain, err := oneDomain(cmd, args)
		if err != nil {
			return err
		}
		shop, err := ring.open(cmd, false)
		if err != nil {
			return err
		}
		now := present(cmd)
		err = end(shop.dir, cmd.Context(), domain, args[1], *yes, now)
		if errors.Is(err, signing.ErrLast) {
			return fmt.Errorf("%w; make another first: gatepost keys rotate %s; or do it anyway: --yes", err, domain)
		}
		if err != nil {
			return err
		}
		if len(shop.file.Signing.NSUpdate) > 0 {
			err = shop.Next(cmd.Context(), domain, "", now)
		} else {
			err = shop.Refresh()
		}
		if err != nil {
			return err
		}
		return shop.show(cmd, domain)
	}
	return cmd
}

const addHelp = `Take a private key that was made elsewhere into the key directory.

It signs as soon as DNS shows it. If another key of its kind signs for the
domain already, it becomes that one's successor. The file is copied.

Exit status: 0 done; 2 it could not be done.`

func addCommand() *cobra.Command {
	var ring keyRing
	var key keyFlags
	cmd := &cobra.Command{
		Use:     "add --domain DOMAIN --selector SELECTOR --key FILE",
		Short:   "Take in a key that was made elsewhere",
		Long:    addHelp,
		Example: "  gatepost keys add --domain example.com --selector s1 --key s1.pem",
		Args:    noArguments,
	}
	ring.add(cmd)
	key.add(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		keys, err := key.read(cmd)
		if err != nil {
			return err
		}
		domain, err := oneDomain(cmd, []string{key.domain})
		if err != nil {
			return err
		}
		shop, err := ring.open(cmd, true)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if dkim.Record(k.Public()) == "" {
				return fmt.Errorf("--key: DKIM has no use for a %T", k.Public())
			}
			if err := shop.dir.Add(cmd.Context(), domain, k.selector, k.Signer, false, present(cmd)); err != nil {
				return err
			}
		}
		if err := shop.Refresh(); err != nil {
			return err
		}
		return shop.show(cmd, domain)
	}
	return cmd
}
