package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/diff"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/render"
	"github.com/gatepost-mail/gatepost/internal/fetch"
	"github.com/gatepost-mail/gatepost/internal/resolver"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

const checkHelp = `Say what a domain publishes wrongly about its mail, and what to publish instead.

It gives a grade, what to do first, and each finding with the exact record that
mends it: the present one, edited, and tried before it is shown. DKIM selectors
cannot be listed by anybody: name yours with --selector. Mail servers are spoken
to only with --connect.

With --zone a master file is audited before it is published. Names outside of it
do not exist then, unless --resolver names who is to be asked for them.

--store goes by what the store knows of the domain's mail too: which senders a
change would touch, which selectors sign. --config names a configuration, by
whose store and signing keys it goes. Without either, nothing is opened.

--diff takes what an earlier run printed with --json, and says what is new and
what was mended. --list names all that is looked for, --explain ID tells about
one of it.

Exit status, the worst of all domains: 0 no finding at or above --fail-on; 1
there is one; 2 it could not be done; 3 there is none, but something could not
be had from DNS or from a server, so that there may be.`

const checkExample = `  gatepost check example.com
  gatepost check --zone new.zone --fail-on warning example.com
  gatepost check --format html --output report.html example.com
  gatepost check --explain spf-missing`

// checkFlags are the flags of check.
type checkFlags struct {
	selectors    []string
	servers      []string
	connect      bool
	allowPrivate bool
	failOn       string
	format       string
	output       string
	diff         string
	onlyNew      bool
	list         bool
	explain      string
	bulk         bulkFlags
	known        storeFlags
}

func checkCommand() *cobra.Command {
	var o checkFlags
	cmd := &cobra.Command{
		Use:     "check DOMAIN...",
		Short:   "Say what a domain publishes wrongly, and how to mend it",
		Long:    checkHelp,
		Example: checkExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.list || o.explain != "" {
				return o.catalogue(cmd, args)
			}
			job, err := newCheckJob(cmd, &o, args)
			if err != nil {
				return err
			}
			run := job.run
			if o.bulk.input != "" {
				run = func(cmd *cobra.Command) error { return job.runBulk(cmd, &o.bulk) }
			}
			err = run(cmd)
			if missing := job.known.close(); missing != nil {
				return missing
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.selectors, "selector", nil, "look for a DKIM key under this selector (`NAME`); may be repeated")
	f.StringArrayVar(&o.servers, "server", nil, "an `ADDRESS` that sends for the domain, which SPF must let in; may be repeated")
	f.BoolVar(&o.connect, "connect", false, "speak SMTP with the mail servers, to look at their TLS")
	f.BoolVar(&o.allowPrivate, "allow-private", false, "connect to private addresses too, where a record names one")
	f.StringVar(&o.failOn, "fail-on", string(check.Error), "`SEVERITY` from which on the exit status is 1: error, warning or info")
	f.StringVar(&o.format, "format", "", "print it as `FORMAT`: "+formatNames())
	f.StringVar(&o.output, "output", "", "write to this `FILE`, whose ending tells the format where --format does not")
	f.StringVar(&o.diff, "diff", "", "say what has changed since this `FILE`, which --json made")
	f.BoolVar(&o.onlyNew, "only-new", false, "with --diff: only what is new counts for the exit status")
	f.BoolVar(&o.list, "list", false, "name all that is looked for")
	f.StringVar(&o.explain, "explain", "", "tell about the finding with this `ID`")
	o.bulk.add(cmd)
	o.addKnown(cmd)
	cmd.MarkFlagsMutuallyExclusive("list", "explain")
	return cmd
}

func formatNames() string {
	var names []string
	for _, f := range render.Formats {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// A checkJob is one run of check.
type checkJob struct {
	common  common
	domains []string
	options facts.Options
	failOn  check.Severity
	onlyNew bool
	jsonl   bool
	earlier diff.Audits // nil without --diff
	zone    *zoneAlone  // nil unless a master file stands in place of the network
	known   *checkKnown // nil unless a store or a configuration is named
	format  render.Format
	output  string
}

func newCheckJob(cmd *cobra.Command, o *checkFlags, args []string) (*checkJob, error) {
	job := &checkJob{common: commonFlags(cmd), onlyNew: o.onlyNew, jsonl: o.bulk.jsonl, output: o.output}
	var err error
	if err := o.bulk.fit(cmd, args); err != nil {
		return nil, err
	}
	if o.bulk.input == "" {
		if job.domains, err = auditedDomains(cmd, args); err != nil {
			return nil, err
		}
	}
	if job.failOn, err = severityFlag(cmd, o.failOn); err != nil {
		return nil, err
	}
	if job.format, err = o.formatOf(cmd, job.common); err != nil {
		return nil, err
	}
	if o.onlyNew && o.diff == "" {
		return nil, usageError(cmd, "--only-new goes with --diff")
	}
	if o.diff != "" {
		if job.earlier, err = readEarlier(o.diff); err != nil {
			return nil, err
		}
	}
	file, err := o.configured(&job.common)
	if err != nil {
		return nil, err
	}
	if job.options, err = o.factsOptions(cmd, job.common); err != nil {
		return nil, err
	}
	if job.options.Offline {
		job.zone = &zoneAlone{Resolver: job.options.Resolver, outside: map[string]bool{}}
		job.options.Resolver = job.zone
	}
	job.known, err = o.openKnown(cmd, file, &job.options, job.common)
	return job, err
}

func severityFlag(cmd *cobra.Command, s string) (check.Severity, error) {
	for _, known := range []check.Severity{check.Error, check.Warning, check.Info} {
		if s == string(known) {
			return known, nil
		}
	}
	return "", usageError(cmd, "--fail-on %q: there are error, warning, info", s)
}

// factsOptions say how the facts are gathered.
func (o *checkFlags) factsOptions(cmd *cobra.Command, c common) (facts.Options, error) {
	f := facts.Options{Connect: o.connect, Few: o.bulk.quick, AllowPrivate: o.allowPrivate, Now: c.At}
	for _, s := range o.selectors {
		name, err := dns.ToASCII(s)
		if err != nil {
			return f, usageError(cmd, "--selector %q: no selector; write it as in s= of a signature", s)
		}
		f.Selectors = append(f.Selectors, name)
	}
	for _, s := range o.servers {
		var ip addrValue
		if err := ip.Set(s); err != nil {
			return f, usageError(cmd, "--server %q: %v", s, err)
		}
		f.Servers = append(f.Servers, ip.Addr)
	}
	var err error
	if f.Resolver, err = o.resolver(c); err != nil {
		return f, err
	}
	if f.Offline = c.Zone != "" && len(c.Resolvers) == 0; !f.Offline {
		f.Web = fetch.New(fetch.Options{Resolver: f.Resolver, AllowPrivate: o.allowPrivate})
	}
	if c.Zone == "" {
		f.Unchecked = resolver.Unchecked(c.Resolvers)
	}
	return f, nil
}

func readEarlier(path string) (diff.Audits, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := diff.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// run audits all domains, and prints each as soon as the format lets it.
func (j *checkJob) run(cmd *cobra.Command) error {
	out, err := openOutput(cmd.OutOrStdout(), j.output)
	if err != nil {
		return err
	}
	defer out.discard()
	s := newScreen(out.w, j.common.NoColor)
	w := render.New(out.w, j.format, render.Options{
		Width: s.width, Color: s.color, Many: len(j.domains) > 1 || j.jsonl, FailOn: j.failOn, Zone: j.common.Zone, Place: places(j.common.Zone),
		Version: readVersion().Version,
	})
	p := watchChecks(cmd.ErrOrStderr(), terminal(out.w) != nil && len(j.domains) > 1, len(j.domains))
	defer p.end()

	status := StatusFine
	var trouble checkTrouble
	inOrder(slices.Values(j.domains), func(domain string) render.Result { return j.audit(cmd.Context(), domain) }, func(r render.Result) {
		p.done()
		err = errors.Join(err, w.Add(r))
		j.zone.note(r.Report)
		trouble.note(r.Report)
		status = worseCheck(status, j.status(r))
	})
	p.end()
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	if err := out.keep(0o644); err != nil {
		return err
	}
	for _, said := range []error{trouble.silence(), trouble.absence(j.zone != nil, j.common.Zone), j.zone.said(j.common.Zone)} {
		if said != nil {
			complain(cmd.ErrOrStderr(), cmd, said)
			break // one line: what comes first is likely why the others are so
		}
	}
	return exit(status)
}

// places tell where in a master file its records are. It was read before: where that is no longer so, nothing is told.
func places(path string) render.Places {
	if path == "" {
		return nil
	}
	f, err := openFile(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	return render.ReadPlaces(f)
}

func (j *checkJob) audit(ctx context.Context, domain string) render.Result {
	options := j.options
	j.known.add(ctx, domain, &options)
	ctx, cancel := context.WithTimeout(ctx, j.common.Timeout)
	defer cancel()
	r := render.Result{Report: audit.Run(ctx, domain, options)}
	if j.earlier != nil {
		r.Diff = j.earlier.Compare(r.Report)
	}
	return r
}

// status is that of one domain. What is known to be wrong counts for more than what is not known.
func (j *checkJob) status(r render.Result) Status {
	status := StatusFine
	for i, f := range r.Findings {
		switch {
		case f.Severity == check.Unknown:
			status = worseCheck(status, StatusTemporary)
		case j.onlyNew && r.Diff.States[i] != diff.New:
		case render.Reaches(f.Severity, j.failOn):
			status = StatusFails
		}
	}
	return status
}

func worseCheck(a, b Status) Status {
	if a == StatusFails || b == StatusFine {
		return a
	}
	return b
}

// auditedDomains reads the arguments: domains, as A-labels or U-labels, each once.
func auditedDomains(cmd *cobra.Command, args []string) ([]string, error) {
	if len(args) == 0 {
		return nil, usageError(cmd, "no domain is named")
	}
	var all []string
	for _, arg := range args {
		domain, err := audit.DomainName(arg)
		if err != nil {
			return nil, usageError(cmd, "%q: %v", arg, err)
		}
		if !slices.Contains(all, domain) {
			all = append(all, domain)
		}
	}
	return all, nil
}

// domainArgument reads the one DOMAIN of a command.
func domainArgument(cmd *cobra.Command, typed string) (string, error) {
	domain, err := audit.DomainName(typed)
	if err != nil {
		return "", usageError(cmd, "%q: %v", typed, err)
	}
	if domain, err = signing.DomainName(domain); err != nil {
		return "", usageError(cmd, "%q is not a domain; write it like \"example.com\"", typed)
	}
	return domain, nil
}
