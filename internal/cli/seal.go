package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/examine"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

const sealHelp = `Add a set to a message's Authenticated Received Chain (RFC 8617).

Prints the message with three fields on top; every other byte is as it was.
The results in the set are those of the message's Authentication-Results
fields that bear --authserv-id. Where there is none, the message is verified
first, with --ip and the rest as for "gatepost verify". Nothing is added to a
chain that ended in cv=fail, or that has 50 sets.

Exit status: 0 sealed, or nothing may be added; 2 it could not be sealed; 3 a
key of the chain could not be fetched now.`

// sealFlags are the flags of seal.
type sealFlags struct {
	keyFlags
	client     clientFlags
	authservID string
	headerOnly bool
}

func sealCommand() *cobra.Command {
	var o sealFlags
	cmd := &cobra.Command{
		Use:   "seal --domain DOMAIN --selector SELECTOR --key FILE\n      --authserv-id NAME [MESSAGE]",
		Short: "Add a set to a message's ARC chain",
		Long:  sealHelp,
		Example: `  gatepost seal --domain example.org --selector s1 --key s1.pem \
      --authserv-id mx.example.org message.eml >sealed.eml`,
		Args: oneMessage,
		RunE: func(cmd *cobra.Command, args []string) error { return runSeal(cmd, args, &o) },
	}
	f := cmd.Flags()
	o.keyFlags.add(f)
	f.StringVar(&o.authservID, "authserv-id", "", "whose results to seal: the `NAME` in Authentication-Results")
	o.client.add(f)
	f.BoolVar(&o.headerOnly, "header-only", false, "print the new fields alone")
	return cmd
}

func runSeal(cmd *cobra.Command, args []string, o *sealFlags) error {
	keys, err := o.read(cmd)
	if err != nil {
		return err
	}
	if len(keys) > 1 {
		return usageError(cmd, "--key: a set is sealed with one key")
	}
	if err := require(cmd, "authserv-id"); err != nil {
		return err
	}
	job, err := newVerifyJob(cmd, &o.client, o.authservID)
	if err != nil {
		return err
	}
	c := commonFlags(cmd)
	sealer := arc.Sealer{Domain: o.domain, Selector: keys[0].selector, Key: keys[0], AuthservID: o.authservID, Now: c.At}
	check := dkim.Signer{Domain: o.domain, Selector: keys[0].selector, Key: keys[0]}
	if err := check.Check(); err != nil {
		return err
	}
	m, err := openReplay(args, cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer m.close()
	fields, ending, err := job.seal(cmd, m.first, sealer)
	if err != nil {
		err = fmt.Errorf("%s: %w", display(m.name), err)
		if errors.Is(err, arc.ErrUnknown) {
			return &statusError{StatusTemporary, err}
		}
		return err
	}
	if len(fields) == 0 {
		complain(cmd.ErrOrStderr(), cmd, fmt.Errorf("%s: nothing is added: its chain ended in cv=fail, or is full", display(m.name)))
	}
	return printOnTop(cmd.OutOrStdout(), m, fields, ending, onTop{headerOnly: o.headerOnly, json: c.JSON})
}

// seal reads a message to its end, and verifies its chain, and all else if nobody has, on the way.
func (j *verifyJob) seal(cmd *cobra.Command, r io.Reader, sealer arc.Sealer) (fields []message.Field, ending string, err error) {
	m, err := examine.Read(r, message.Limits{})
	if err != nil {
		return nil, "", err
	}
	body := dkim.NewBody()
	ctx, cancel := context.WithTimeout(cmd.Context(), j.options.Timeout)
	defer cancel()
	chain := arc.NewVerifier(ctx, j.options.Resolver, m.Header, arc.Options{Body: body, Now: sealer.Now})
	defer chain.Close()
	sealing, err := arc.NewSealing(sealer, m.Header, body)
	if err != nil {
		return nil, "", err
	}
	results := arc.AuthResults(m.Header, sealer.AuthservID)
	writers := []io.Writer{body}
	var session *verify.Session
	if results == "" {
		client, _, err := j.query.ClientOf(m.Header)
		if err != nil {
			return nil, "", err
		}
		session = verify.New(j.options).Begin(cmd.Context(), client)
		defer session.Close()
		session.Header(m.Header)
		writers = append(writers, session)
	}
	if _, err := io.Copy(io.MultiWriter(writers...), m.Body); err != nil {
		return nil, "", err
	}
	body.Close()
	if session != nil {
		e := session.End()
		if what := e.Unknown(); what != "" {
			return nil, "", fmt.Errorf("%s could not be looked up now, and would be sealed as that: %w", what, arc.ErrUnknown)
		}
		_, results, _ = strings.Cut(e.AuthenticationResults(sealer.AuthservID), ";")
	}
	fields, err = sealing.Fields(chain.Result(), results)
	return fields, m.LineEnding, err
}
