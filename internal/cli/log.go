package cli

import (
	"context"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/when"
)

const logHelp = `Show the last decisions of the gate, a line a message: when (UTC), the verdict,
the rule that decided, the Author Domain, and the client's address. A verdict
in parentheses was not carried out: the gate or the rule only watches. On a
wide terminal the reference stands last.

With --reference, everything that is known of that one message is shown. It is
the short code in the reply that its sender got.

Bodies are never kept. What --json prints has a member for each thing known.

Exit status: 0 shown, though there be none; 2 it could not be done.`

// logFlags are the flags of log.
type logFlags struct {
	store   storeFlags
	domain  string
	verdict string
	rule    string
	ref     string
	since   string
	last    int
	follow  bool
}

const maxLast = 1_000_000

func logCommand() *cobra.Command {
	var o logFlags
	cmd := &cobra.Command{
		Use:   "log [--domain D] [--verdict V] [--since T] [--follow]",
		Short: "Show what the gate decided, and why",
		Long:  logHelp,
		Example: `  gatepost log --verdict reject --since 1h
  gatepost log --reference k3tqmzv2
  gatepost log --follow --json | jq -r 'select(.mode == "monitor") | .rule'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runLog(cmd, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.domain, "domain", "", "only of this Author `DOMAIN` or envelope domain")
	f.StringVar(&o.verdict, "verdict", "", "only with this `VERDICT`: accept, mark, quarantine, reject, defer")
	f.StringVar(&o.rule, "rule", "", "only those that this `RULE` decided")
	f.StringVar(&o.ref, "reference", "", "the one message with this `REFERENCE`")
	f.StringVar(&o.since, "since", "", "only from this `TIME` on: a duration back (1h), a date or a time")
	f.IntVarP(&o.last, "last", "n", 20, "the last `N` of them")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with those that come, until interrupted")
	o.store.add(cmd)
	return cmd
}

func runLog(cmd *cobra.Command, o *logFlags) error {
	filter, err := o.filter(cmd)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s, err := o.store.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	var last int64 // of all that there are now, those that the filter keeps out too
	if o.follow {
		newest, err := s.Decisions(ctx, store.DecisionFilter{Limit: 1})
		if err != nil {
			return err
		}
		if len(newest) > 0 {
			last = newest[0].ID
		}
	}
	found, err := s.Decisions(ctx, filter)
	if err != nil {
		return err
	}
	p := newLogPrinter(cmd, o)
	for i := range found {
		if err := p.print(&found[i]); err != nil {
			return err
		}
		last = max(last, found[i].ID)
	}
	if !o.follow {
		if len(found) == 0 && !commonFlags(cmd).JSON {
			fmt.Fprintln(cmd.ErrOrStderr(), "There are no such decisions.")
		}
		return nil
	}
	return follow(ctx, s, filter, last, p)
}

// filter makes a question of the flags.
func (o *logFlags) filter(cmd *cobra.Command) (store.DecisionFilter, error) {
	f := store.DecisionFilter{Verdict: o.verdict, Rule: o.rule, Reference: o.ref, Limit: o.last}
	if o.last < 1 || o.last > maxLast {
		return f, usageError(cmd, "-n %d: it takes 1 to %d", o.last, maxLast)
	}
	verdicts := []string{"accept", "mark", "quarantine", "reject", "defer"}
	if o.verdict != "" && !slices.Contains(verdicts, o.verdict) {
		return f, usageError(cmd, "--verdict %q: no such verdict; there are %s%s", o.verdict, strings.Join(verdicts, ", "),
			didYouMean("", nearest.Word(o.verdict, verdicts)))
	}
	if o.domain != "" {
		domain, err := dns.ToASCII(o.domain)
		if err != nil {
			return f, usageError(cmd, "--domain %q: not a domain name", o.domain)
		}
		f.Domain = domain
	}
	if o.since != "" {
		since, err := when.Since(o.since, present(cmd))
		if err != nil {
			return f, usageError(cmd, "--since %q: %v", o.since, err)
		}
		f.Since = since
	}
	return f, nil
}

const (
	followEvery = 250 * time.Millisecond
	followMost  = 1000 // at once
)

// follow prints what comes, until it is interrupted.
func follow(ctx context.Context, s store.Store, filter store.DecisionFilter, last int64, p *logPrinter) error {
	filter.After, filter.Limit, filter.Oldest = last, followMost, true
	for {
		found, err := s.Decisions(ctx, filter)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range found {
			if err := p.print(&found[i]); err != nil {
				return err
			}
			filter.After = found[i].ID
		}
		if len(found) == followMost {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}
