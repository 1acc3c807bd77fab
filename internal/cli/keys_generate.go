package cli

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/show"
)

const generateHelp = `Make a key to sign with, and the DNS record that publishes it.

The private key goes to a new file, PKCS#8 in PEM, that its owner alone may
read. No file is ever overwritten. The record is printed, and what to do next.

Exit status: 0 made; 2 it could not be made.`

// generateFlags are the flags of keys generate.
type generateFlags struct {
	domain, selector, kind, out string
	bits                        int
}

func generateCommand() *cobra.Command {
	var o generateFlags
	cmd := &cobra.Command{
		Use:   "generate --domain DOMAIN --selector SELECTOR",
		Short: "Make a key and its DNS record",
		Long:  generateHelp,
		Example: `  gatepost keys generate --domain example.com --selector s1 --out s1.pem
  gatepost keys generate --domain example.com --selector e1 --type ed25519`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runGenerate(cmd, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.domain, "domain", "", "the `DOMAIN` that will sign")
	f.StringVar(&o.selector, "selector", "", "the `SELECTOR` to publish the key under")
	f.StringVar(&o.kind, "type", "rsa", "`rsa` or ed25519")
	f.IntVar(&o.bits, "bits", 2048, "the size of an RSA key")
	f.StringVar(&o.out, "out", "", "where the key goes, a new `FILE` (default SELECTOR.DOMAIN.pem)")
	return cmd
}

// A newKey is what there is to know of a key that was made.
type newKey struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Type     string `json:"type"`
	Bits     int    `json:"bits"`
	File     string `json:"file"`
	Name     string `json:"name"`   // where to publish it
	Record   string `json:"record"` // the TXT record's value
	Zone     string `json:"zone"`   // the same as in a master file
}

func runGenerate(cmd *cobra.Command, o *generateFlags) error {
	if err := require(cmd, "domain", "selector"); err != nil {
		return err
	}
	domain, err := dns.ToASCII(o.domain)
	if err != nil || !strings.Contains(domain, ".") {
		return usageError(cmd, "--domain %q: not a domain name", o.domain)
	}
	selector, err := dns.ToASCII(o.selector)
	if err != nil || strings.ContainsAny(selector, `/\;:`) {
		return usageError(cmd, "--selector %q: not a selector; letters, digits and hyphens make one", o.selector)
	}
	key, err := o.make(cmd)
	if err != nil {
		return err
	}
	made := newKey{Domain: domain, Selector: selector, Type: o.kind, Bits: o.bits, File: o.out}
	signer := dkim.Signer{Domain: domain, Selector: selector, Key: key}
	if err := signer.Check(); err != nil {
		return err
	}
	if made.File == "" {
		made.File = selector + "." + domain + ".pem"
	}
	if _, err := os.Stat(filepath.Dir(made.File)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--out %s: there is no folder %s; make it first", made.File, filepath.Dir(made.File))
	}
	if err := dkim.WriteKey(made.File, key); err != nil {
		return err
	}
	made.Name = selector + "._domainkey." + domain
	made.Record = dkim.Record(key.Public())
	made.Zone = dkim.ZoneRecord(selector, domain, made.Record)
	if c := commonFlags(cmd); c.JSON {
		return printJSON(cmd.OutOrStdout(), made)
	}
	printKey(cmd, made)
	return nil
}

// make makes the key. An Ed25519 key has 256 bits, always.
func (o *generateFlags) make(cmd *cobra.Command) (crypto.Signer, error) {
	switch o.kind {
	case "rsa":
		return dkim.GenerateRSA(o.bits)
	case "ed25519":
		if cmd.Flags().Changed("bits") {
			return nil, usageError(cmd, "--bits: an Ed25519 key has 256, always; leave it out")
		}
		o.bits = 256
		return dkim.GenerateEd25519()
	}
	return nil, usageError(cmd, "--type %q: no such type; there are rsa and ed25519", o.kind)
}

func printKey(cmd *cobra.Command, k newKey) {
	fmt.Fprintf(cmd.OutOrStdout(), `The private key is in %s. Keep it secret.

Publish this record. As a line of a zone file:

%s
Or where a provider asks for name and value of a TXT record:

  name:  %s
  value: %s

Next:
  1. Publish the record and wait until it is seen:
       dig +short TXT %s
  2. Sign with it:
       gatepost sign --domain %s --selector %s --key %s message.eml
`, k.File, k.Zone, k.Name, k.Record, k.Name, k.Domain, k.Selector, show.Word(k.File))
	if k.Type == "ed25519" {
		fmt.Fprint(cmd.OutOrStdout(), "  3. Sign with an RSA key too: not every verifier knows Ed25519 (RFC 8463 6).\n")
	} else if k.Bits < 2048 {
		fmt.Fprint(cmd.OutOrStdout(), "  3. Make a key with 2048 bits soon: verifiers may refuse shorter ones (RFC 8301 3.2).\n")
	}
}
