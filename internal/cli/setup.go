package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/owner"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/setup"
)

const setupHelp = `Say what a domain is to publish so that its mail is authenticated.

On a terminal it asks what sends for the domain, unless flags or --file say so.
It makes keys, looks at what is published, and prints every record with its
place: SPF with -all, DKIM, DMARC from p=none on a dated way to p=reject, TLS
reports and MTA-STS; for a domain without mail, that it has none. What is there
is edited, and what you did not speak of stays. No private key is overwritten.

The answers are kept beside the keys. Given again, the command goes by them:
--step N gives the records of a step of the way, --apply makes the records so
by dynamic update (RFC 2136), and --verify waits until every name server of the
domain shows them.

Exit status: 0 done; 1 --verify: something is still missing; 2 it could not be
done; 3 DNS did not answer.`

type setupFlags struct {
	ring keyRing

	file, senders, format, in string
	services, values          []string
	own, mx                   []string
	reports, tlsReports       []string
	noSend, noReceive         bool
	noSTS, softfail, noKey    bool
	stsHost                   string
	step                      int
	key, selector, algorithm  string
	offline                   bool

	apply, yes, insecure bool
	verify               bool
	tsig, tsigName       string
	nameServers          serversValue
	every                durationValue
}

func setupCommand() *cobra.Command {
	o := &setupFlags{every: durationValue{10 * time.Second}}
	cmd := &cobra.Command{
		Use:   "setup DOMAIN [FLAG...]",
		Short: "Say what a domain is to publish, and see to it",
		Long:  setupHelp,
		Example: `  gatepost setup example.com
  gatepost setup example.com --service google-workspace --reports me@example.com
  gatepost setup example.com --verify`,
		Args: arguments(1, 1, "DOMAIN"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	o.ring.add(cmd)
	f := cmd.Flags()
	f.StringVar(&o.file, "file", "", "read the answers from this TOML `FILE`")
	f.StringVar(&o.senders, "senders", "", "a `FILE` of your own that adds to the table of services")
	f.StringArrayVar(&o.services, "service", nil, "a service that sends for the domain: its `NAME`; may be repeated")
	f.StringArrayVar(&o.values, "value", nil, "what a service's settings show: `SERVICE.WORD=VALUE`; may be repeated")
	f.StringArrayVar(&o.own, "own-server", nil, "a server of your own that sends: mx, an `ADDRESS`, a network or a host; may be repeated")
	f.StringArrayVar(&o.mx, "mx", nil, "a `HOST` that takes the domain's mail, \"10 mx.example.com\"; may be repeated (default what is published)")
	f.StringArrayVar(&o.reports, "reports", nil, "the `ADDRESS` that DMARC reports go to; may be repeated")
	f.StringArrayVar(&o.tlsReports, "tls-reports", nil, "the `ADDRESS` that TLS reports go to; may be repeated (default that of --reports)")
	f.BoolVar(&o.noSend, "no-send", false, "the domain sends no mail")
	f.BoolVar(&o.noReceive, "no-receive", false, "the domain receives no mail")
	f.BoolVar(&o.noSTS, "no-mta-sts", false, "no MTA-STS")
	f.StringVar(&o.stsHost, "mta-sts-host", "", "the web server that serves the MTA-STS policy: an `ADDRESS`, or a host to be an alias for")
	f.BoolVar(&o.softfail, "softfail", false, "let SPF end in ~all for now")
	f.IntVar(&o.step, "step", 0, "the step `N` of the way to p=reject (default as far as it has come)")
	f.BoolVar(&o.noKey, "no-key", false, "make no key for servers of your own")
	f.StringVar(&o.key, "key", "", "the key of servers of your own: a `FILE`, which is made where it is not there (default in the key directory)")
	f.StringVar(&o.selector, "selector", "", "the `SELECTOR` of --key")
	f.StringVar(&o.algorithm, "algorithm", "", "the `ALGORITHM` of keys that are made: rsa, ed25519 or both (default both)")
	f.BoolVar(&o.offline, "offline", false, "do not look at what is published")
	f.StringVar(&o.format, "format", "list", "print it as `FORMAT`: list, zone, dnscontrol, terraform or json")
	f.StringVar(&o.in, "in", "", "the `ZONE` that the records are in (default DOMAIN)")
	f.BoolVar(&o.apply, "apply", false, "make it so by dynamic update, once you have agreed")
	f.BoolVar(&o.yes, "yes", false, "--apply: do not ask")
	f.StringVar(&o.tsig, "tsig", "", "--apply: the `FILE` with the key that updates are signed with, as tsig-keygen writes it")
	f.StringVar(&o.tsigName, "tsig-name", "", "--apply: the key's `NAME`, where the file does not say it")
	f.BoolVar(&o.insecure, "insecure", false, "--apply: send updates unsigned")
	f.Var(&o.nameServers, "name-server", "the server to update (--apply), or one to ask (--verify); may be repeated")
	f.BoolVar(&o.verify, "verify", false, "wait until every name server of the domain shows the records, for --timeout at most (default 1h)")
	f.Var(&o.every, "every", "--verify: how long to wait between rounds")
	return cmd
}

var setupFormats = []string{"list", "zone", "dnscontrol", "terraform", "json"}

// A setupRun is one domain being set up.
type setupRun struct {
	*setupFlags
	cmd      *cobra.Command
	common   common
	table    *senders.Table
	resolver dns.Resolver // nil: nobody is asked
	answers  setup.Answers
	kept     string // where the answers are kept
	keptStep int    // of the way, as it was kept
	plan     *setup.Plan
	present  []string // places of which no answer was had
}

func (o *setupFlags) run(cmd *cobra.Command, domain string) error {
	r := &setupRun{setupFlags: o, cmd: cmd, common: commonFlags(cmd)}
	if r.common.JSON {
		o.format = "json"
	}
	if guess := nearest.Word(o.format, setupFormats); guess != o.format {
		return usageError(cmd, "--format %q: there are list, zone, dnscontrol, terraform and json%s", o.format, didYouMean("", guess))
	}
	if o.apply && o.verify {
		return usageError(cmd, "--apply and --verify: one after the other")
	}
	var err error
	if r.table, err = senders.Load(o.senders); err != nil {
		return err
	}
	if !o.offline {
		if r.resolver, err = r.common.resolver(); err != nil {
			return err
		}
		r.resolver = patient{r.resolver, r.common.Timeout}
	}
	if err := r.collect(domain); err != nil {
		return err
	}
	if err := r.makeKeys(); err != nil {
		return err
	}
	r.keep(r.keptStep) // to look at a step is not to take it
	switch {
	case o.apply:
		return r.doApply()
	case o.verify:
		return r.doVerify()
	}
	if err := r.makePlan(r.resolver); err != nil {
		return err
	}
	if unknown := r.present; len(unknown) > 0 && len(unknown) == len(r.answers.Places(r.table)) { // there is no plan, only what would be one anywhere
		return &statusError{status: StatusTemporary, err: fmt.Errorf("no name server answered for %s: %s; try again later, name a server with --resolver, or have nothing looked at with --offline",
			r.answers.Domain, whatFailed(unknown[0]))}
	}
	if err := r.print(); err != nil {
		return err
	}
	if unknown := r.present; len(unknown) > 0 {
		return &statusError{status: StatusTemporary, err: fmt.Errorf("%s: DNS does not answer for %s; what is published there was not looked at, so try again later", r.answers.Domain, whatFailed(unknown[0]))}
	}
	return nil
}

// whatFailed leaves the place out of an answer that was not had: the error says what was asked.
func whatFailed(unknown string) string {
	_, failed, _ := strings.Cut(unknown, ": ")
	return failed
}

// makePlan makes the plan by what a resolver shows; nil: by the answers alone.
func (r *setupRun) makePlan(at dns.Resolver) error {
	present := setup.Nothing()
	if at != nil {
		ctx, cancel := context.WithTimeout(r.cmd.Context(), 2*r.common.Timeout)
		defer cancel()
		defer r.asking()()
		present = setup.Look(ctx, at, r.answers.Places(r.table))
	}
	var err error
	if r.plan, err = setup.Make(r.answers, present, r.table); err != nil {
		return err
	}
	r.present = present.Unknown()
	if r.in != "" {
		if r.plan.In, err = dns.ToASCII(r.in); err != nil {
			return usageError(r.cmd, "--in: %v", err)
		}
	}
	return nil
}

// asking says on a terminal that DNS is asked, if that takes long, until what it gives is called.
func (r *setupRun) asking() func() { return watchChecks(r.cmd.ErrOrStderr(), false, 1).end }

// print writes the plan in the form that is asked for.
func (r *setupRun) print() error {
	w := r.cmd.OutOrStdout()
	switch r.format {
	case "zone":
		io.WriteString(w, r.plan.Zone())
	case "dnscontrol":
		io.WriteString(w, r.plan.DNSControl())
	case "terraform":
		text, err := r.plan.Terraform()
		if err != nil {
			return err
		}
		w.Write(text)
	case "json":
		return r.printJSON()
	default:
		r.list()
	}
	return nil
}

// keep writes the answers down for the next time. That they cannot be is no reason not to print a plan.
func (r *setupRun) keep(step int) {
	answers := r.answers
	answers.Step = step
	text, err := answers.Text()
	if err == nil {
		if known, readErr := os.ReadFile(r.kept); readErr == nil && string(known) == string(text) {
			return
		}
		err = writeKept(r.kept, text)
	}
	if err != nil {
		fmt.Fprintf(r.cmd.ErrOrStderr(), "%s: the answers are not kept: %s; give them again with --verify and --apply\n", "gatepost: setup", printable(describe(err)))
	}
}

func writeKept(path string, text []byte) error {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); err != nil {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		if err := owner.As(filepath.Dir(folder), folder); err != nil {
			return err
		}
	}
	out, err := createWhole(path)
	if err != nil {
		return err
	}
	defer out.discard()
	if _, err := out.w.Write(text); err != nil {
		return err
	}
	if err := owner.FileAs(folder, out.temp); err != nil {
		return err
	}
	return out.keep(0o600)
}

// isTerminal tells whether a person sits before what a command reads.
func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
