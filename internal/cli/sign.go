package cli

import (
	"bufio"
	"crypto"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/examine"
	"github.com/gatepost-mail/gatepost/message"
)

const signHelp = `Sign a message with DKIM (RFC 6376).

Prints the message with a DKIM-Signature field on top; every other byte is as
it was. --selector and --key may be repeated, in pairs: the message is then
signed with each key, such as an RSA and an Ed25519 one. The message is read
from standard input where none is named.

Exit status: 0 signed; 2 it could not be signed.`

// signFlags are the flags of sign.
type signFlags struct {
	keyFlags
	canonicalization canonicalizationValue
	headers          string
	expire           durationValue
	headerOnly       bool
}

func signCommand() *cobra.Command {
	var o signFlags
	cmd := &cobra.Command{
		Use:   "sign --domain DOMAIN --selector SELECTOR --key FILE [MESSAGE]",
		Short: "Sign a message with DKIM",
		Long:  signHelp,
		Example: `  gatepost sign --domain example.com --selector s1 --key s1.pem \
      message.eml >signed.eml
  gatepost sign --domain example.com --selector r1 --key rsa.pem \
      --selector e1 --key ed25519.pem <message.eml`,
		Args: oneMessage,
		RunE: func(cmd *cobra.Command, args []string) error { return runSign(cmd, args, &o) },
	}
	f := cmd.Flags()
	o.keyFlags.add(f)
	f.Var(&o.canonicalization, "canonicalization", "of header and body: relaxed or simple, as in relaxed/simple (default relaxed/relaxed)")
	f.StringVar(&o.headers, "headers", "", "the header fields to sign, a `LIST` with \":\" or \",\" between them; a list that suits the message if absent")
	f.Var(&o.expire, "expire", "when the signature ends, counted from now")
	f.BoolVar(&o.headerOnly, "header-only", false, "print the new fields alone")
	return cmd
}

func runSign(cmd *cobra.Command, args []string, o *signFlags) error {
	c := commonFlags(cmd)
	keys, err := o.read(cmd)
	if err != nil {
		return err
	}
	signers := make([]dkim.Signer, len(keys))
	for i, key := range keys {
		signers[i] = dkim.Signer{
			Domain: o.domain, Selector: key.selector, Key: key.Signer, Canonicalization: o.canonicalization.Canonicalization,
			Headers: fieldNames(o.headers), Expire: o.expire.Duration, Now: c.At,
		}
		if err := signers[i].Check(); err != nil {
			return err
		}
	}
	m, err := openReplay(args, cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer m.close()
	fields, ending, err := signMessage(m.first, signers)
	if err != nil {
		return fmt.Errorf("%s: %w", display(m.name), err)
	}
	return printOnTop(cmd.OutOrStdout(), m, fields, ending, onTop{headerOnly: o.headerOnly, json: c.JSON})
}

// signMessage reads a message to its end and signs it.
func signMessage(r io.Reader, signers []dkim.Signer) (fields []message.Field, ending string, err error) {
	m, err := examine.Read(r, message.Limits{})
	if err != nil {
		return nil, "", err
	}
	s, err := dkim.NewSigning(m.Header, signers...)
	if err != nil {
		return nil, "", err
	}
	if _, err := io.Copy(s, m.Body); err != nil {
		return nil, "", err
	}
	fields, err = s.Fields()
	return fields, m.LineEnding, err
}

// onTop says how new header fields are printed.
type onTop struct{ headerOnly, json bool }

// printOnTop prints a message with new fields on top, or the fields alone. They have the message's own line ends, and stand below
// the line with which an mbox begins.
func printOnTop(w io.Writer, m *replay, fields []message.Field, ending string, o onTop) error {
	if o.json {
		var list struct {
			Fields []string `json:"fields"`
		}
		list.Fields = []string{}
		for _, f := range fields {
			list.Fields = append(list.Fields, strings.TrimSuffix(f.Raw, "\r\n"))
		}
		return printJSON(w, list)
	}
	out := bufio.NewWriterSize(w, 64<<10)
	in := bufio.NewReaderSize(m.again(), 64<<10)
	if top, _ := in.Peek(len(mboxStart)); string(top) == mboxStart && !o.headerOnly {
		line, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("%s: %w", display(m.name), err)
		}
		out.WriteString(line)
	}
	for _, f := range fields {
		out.WriteString(strings.ReplaceAll(f.Raw, "\r\n", ending))
	}
	if !o.headerOnly {
		if _, err := io.Copy(out, in); err != nil {
			return fmt.Errorf("%s: %w", display(m.name), err)
		}
	}
	return out.Flush()
}

// fieldNames splits a list of header fields. None is nil: the list that suits the message.
func fieldNames(list string) []string {
	if list == "" {
		return nil
	}
	names := strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' || r == '\t' })
	if names == nil {
		return []string{}
	}
	return names
}

// keyFlags say for whom to sign and with which keys.
type keyFlags struct {
	domain    string
	selectors []string
	files     []string
}

func (k *keyFlags) add(f *pflag.FlagSet) {
	f.StringVar(&k.domain, "domain", "", "the `DOMAIN` to sign for (d=)")
	f.StringArrayVar(&k.selectors, "selector", nil, "the `SELECTOR` that the key is published under (s=)")
	f.StringArrayVar(&k.files, "key", nil, "the private key, a PEM `FILE` that its owner alone may read")
}

// A signingKey is a private key and where its public half is published.
type signingKey struct {
	crypto.Signer
	selector string
}

func (k *keyFlags) read(cmd *cobra.Command) ([]signingKey, error) {
	if err := require(cmd, "domain", "selector", "key"); err != nil {
		return nil, err
	}
	if len(k.selectors) != len(k.files) {
		return nil, usageError(cmd, "--selector is given %s, --key %s: each key needs its selector",
			plural(len(k.selectors), "time"), plural(len(k.files), "time"))
	}
	keys := make([]signingKey, len(k.files))
	for i, path := range k.files {
		if path == stdinName {
			return nil, usageError(cmd, "--key -: a key is read from a file only")
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return nil, fmt.Errorf("--key %s: a directory; name the PEM file", path)
		}
		key, err := dkim.ReadKey(path)
		if err != nil {
			return nil, fmt.Errorf("--key: %w", err)
		}
		keys[i] = signingKey{key, k.selectors[i]}
	}
	return keys, nil
}

// canonicalizationValue is c= of a signature.
type canonicalizationValue struct {
	dkim.Canonicalization
	set bool
}

func (v *canonicalizationValue) Set(s string) (err error) {
	v.Canonicalization, err = dkim.ParseCanonicalization(s)
	v.set = err == nil
	return err
}

func (v *canonicalizationValue) Type() string { return "NAMES" }

func (v *canonicalizationValue) String() string {
	if !v.set {
		return ""
	}
	return v.Canonicalization.String()
}
