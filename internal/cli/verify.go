package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/examine"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

const verifyHelp = `Verify messages: SPF, DKIM, ARC and DMARC, and the verdict of a policy.

A MESSAGE is a file, an mbox, or a directory: in it and beneath, *.eml, *.mbox
and all that lies in a Maildir's cur and new. Without one, or as "-", standard
input is read. In an mbox, ">From " is unquoted as mboxrd asks.

SPF needs the client: --ip, --helo and --mail-from, or --received, which takes
them from the topmost Received field and Return-Path, for whoever trusts the
server that wrote these.

Exit status: 0 every message is accepted; 1 one is not (reject, quarantine);
2 one could not be read; 3 one is deferred, for a temporary failure.`

const verifyExample = `  gatepost verify --ip 192.0.2.1 --helo mx.example.net \
      --mail-from a@example.com message.eml
  gatepost verify --received --json ~/Maildir | jq -r .verdict.rule`

// clientFlags say who handed the message over.
type clientFlags struct {
	ip       addrValue
	helo     string
	mailFrom string
	received bool
	sealers  []string // whose ARC seals are trusted
}

func (c *clientFlags) add(f *pflag.FlagSet) {
	f.Var(&c.ip, "ip", "the client's IP address")
	f.StringVar(&c.helo, "helo", "", "the client's `NAME` in HELO or EHLO")
	f.StringVar(&c.mailFrom, "mail-from", "", "the `ADDRESS` in MAIL FROM; empty for the null one")
	f.BoolVar(&c.received, "received", false, "take these from the topmost Received field and Return-Path")
}

func (c *clientFlags) addSealers(f *pflag.FlagSet) {
	f.StringArrayVar(&c.sealers, "trusted-sealer", nil, "a `DOMAIN` whose ARC seals vouch for an author; may be repeated")
}

// A verifyJob is what holds for every message of a run.
type verifyJob struct {
	options    verify.Options
	query      examine.Query // what flags give goes before the Received field
	policy     *policy.Policy
	authservID string
}

func verifyCommand() *cobra.Command {
	var client clientFlags
	var authservID, policyName string
	var trace bool
	cmd := &cobra.Command{
		Use:     "verify [--ip ADDRESS --helo NAME --mail-from ADDRESS] [MESSAGE...]",
		Short:   "Verify messages: SPF, DKIM, ARC, DMARC and the verdict",
		Long:    verifyHelp,
		Example: verifyExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			rules, err := readPolicy(cmd, "--policy ", policyName)
			if err != nil {
				return err
			}
			job, err := newVerifyJob(cmd, &client, authservID)
			if err != nil {
				return err
			}
			job.policy, job.options.Trace, job.options.Diagnose = rules, trace, true
			return job.run(cmd, args)
		},
	}
	f := cmd.Flags()
	client.add(f)
	client.addSealers(f)
	f.StringVar(&authservID, "authserv-id", "", "the `NAME` to speak under (default: the host's name)")
	f.StringVar(&policyName, "policy", defaultPolicy, "the `NAME` of a preset ("+strings.Join(policy.Names(), ", ")+"), or a policy's file")
	f.BoolVar(&trace, "trace", false, "say how everything came about")
	return cmd
}

const defaultPolicy = "strict"

// newVerifyJob reads the flags that verify and seal share.
func newVerifyJob(cmd *cobra.Command, client *clientFlags, authservID string) (*verifyJob, error) {
	c := commonFlags(cmd)
	resolver, err := c.resolver()
	if err != nil {
		return nil, err
	}
	job := &verifyJob{
		authservID: cmp.Or(authservID, hostName()),
		query: examine.Query{
			Client: verify.Client{IP: client.ip.Addr, Helo: client.helo, MailFrom: client.mailFrom}, Received: client.received,
		},
	}
	if strings.ContainsFunc(job.authservID, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, usageError(cmd, "--authserv-id %q: not a name; write it as mx.example.org", authservID)
	}
	job.options = verify.Options{Resolver: resolver, AuthservID: job.authservID, Timeout: c.Timeout, Now: c.At, Detail: true}
	for _, s := range client.sealers {
		domain, err := dns.ToASCII(s)
		if err != nil {
			return nil, usageError(cmd, "--trusted-sealer %q: not a domain; write it as in d= of ARC-Seal", s)
		}
		job.options.Sealers = append(job.options.Sealers, domain)
	}
	job.query.Given.Helo = cmd.Flags().Changed("helo")
	job.query.Given.MailFrom = cmd.Flags().Changed("mail-from")
	return job, nil
}

// run verifies everything that the arguments name and prints it.
func (j *verifyJob) run(cmd *cobra.Command, args []string) error {
	c := commonFlags(cmd)
	in := &inputs{paths: args, stdin: cmd.InOrStdin()}
	defer in.Close()

	p := &printer{json: c.JSON, trace: j.options.Trace, authservID: j.authservID, out: newScreen(cmd.OutOrStdout(), c.NoColor)}
	p.complain = func(err error) { complain(cmd.ErrOrStderr(), cmd, err) }
	p.progress = newProgress(cmd.ErrOrStderr(), terminal(cmd.OutOrStdout()) != nil)
	v := verify.New(j.options)
	inOrder(in.all(), func(m input) *outcome { return j.message(cmd.Context(), v, m) }, p.print)
	return cmp.Or(p.end(), exit(p.status()))
}

// named puts a message's name before an error that does not have it.
func named(name string, err error) error {
	if strings.Contains(err.Error(), name) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}
