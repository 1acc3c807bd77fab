package cli

import (
	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/signing"
)

const rotateHelp = `Make the next key of a domain, and say what to publish.

The first keys of a domain are made in the same way. Nothing is signed with a
new key before DNS shows it; then it takes over, and the one before is kept
published for mail that is under way. Given again while a key is on its way,
this makes nothing and says how far it is.

Exit status: 0 done; 2 it could not be done.`

func rotateCommand() *cobra.Command {
	var ring keyRing
	cmd := &cobra.Command{
		Use:   "rotate DOMAIN [--algorithm rsa|ed25519|both]",
		Short: "Make the next key of a domain",
		Long:  rotateHelp,
		Example: `  gatepost keys rotate example.com --config /etc/gatepost/gatepost.toml
  gatepost keys rotate example.com --algorithm rsa`,
		Args: arguments(1, 1, "DOMAIN"),
	}
	ring.add(cmd)
	algorithm := cmd.Flags().String("algorithm", "", "`rsa`, ed25519 or both (default what the configuration says, or both)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runRotate(cmd, args, &ring, *algorithm) }
	return cmd
}

func runRotate(cmd *cobra.Command, args []string, ring *keyRing, algorithm string) error {
	domain, err := oneDomain(cmd, args)
	if err != nil {
		return err
	}
	var algorithms []signing.Algorithm
	if algorithm != "" {
		if algorithms, err = signing.ParseAlgorithms(algorithm); err != nil {
			return usageError(cmd, "--algorithm %v", err)
		}
	}
	shop, err := ring.open(cmd, true)
	if err != nil {
		return err
	}
	if algorithms == nil {
		algorithms = shop.settings.Algorithms()
	}
	now := present(cmd)
	if err := shop.Rotate(cmd.Context(), domain, algorithms, now); err != nil {
		return err
	}
	if len(shop.file.Signing.NSUpdate) > 0 { // somebody is there to publish it at once
		err = shop.Next(cmd.Context(), domain, "", now)
	} else {
		err = shop.Refresh()
	}
	if err != nil {
		return err
	}
	return shop.show(cmd, domain)
}

const nextHelp = `Look at DNS, and take the steps of a domain's keys that are due.

This is what a running gate does by itself. --skip-wait leaves out, for one
key and one step, the time that has to pass: that others forget that there was
no record, or that mail signed with an old key arrives. What DNS must show it
must show still.

Exit status: 0 done; 2 it could not be done.`

func nextCommand() *cobra.Command {
	var ring keyRing
	cmd := &cobra.Command{
		Use:   "next DOMAIN [--skip-wait SELECTOR]",
		Short: "Take the steps that are due now",
		Long:  nextHelp,
		Example: `  gatepost keys next example.com
  gatepost keys next example.com --skip-wait gp-2026-11-r`,
		Args: arguments(1, 1, "DOMAIN"),
	}
	ring.add(cmd)
	skip := cmd.Flags().String("skip-wait", "", "do not wait for the time of this key: its `SELECTOR`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		domain, err := oneDomain(cmd, args)
		if err != nil {
			return err
		}
		shop, err := ring.open(cmd, false)
		if err != nil {
			return err
		}
		if err := shop.Next(cmd.Context(), domain, *skip, present(cmd)); err != nil {
			return err
		}
		return shop.show(cmd, domain)
	}
	return cmd
}
