package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/whatif"
)

const simulatePolicyHelp = `Say which senders' mail the gate would have blocked in the last days, had it
acted by this policy, by what it counted of each message: the senders, the rule
and the results.

POLICY is a preset or a file. What a rule asks that is not kept of a message,
such as its recipients, leaves it undecided, but where the verdict that was
recorded tells: the policy that is configured, or that --in-force names, is
taken for the one that found it.

Exit status: 0 nothing that is let in would be blocked; 1 something would; 2 it
could not be done.`

type simulatePolicyFlags struct {
	simulateFlags
	inForce string
}

func simulatePolicyCommand() *cobra.Command {
	var o simulatePolicyFlags
	cmd := &cobra.Command{
		Use:     "policy POLICY",
		Short:   "Say which senders a policy of the gate would block",
		Long:    simulatePolicyHelp,
		Example: "  gatepost simulate policy strict\n  gatepost simulate policy policy.toml --days 7",
		Args:    onePolicy,
		RunE:    func(cmd *cobra.Command, args []string) error { return runSimulatePolicy(cmd, args[0], &o) },
	}
	cmd.Flags().StringVar(&o.inForce, "in-force", "", "the `POLICY` that found the recorded verdicts (default as configured)")
	o.add(cmd)
	return cmd
}

func runSimulatePolicy(cmd *cobra.Command, name string, o *simulatePolicyFlags) error {
	p, err := readPolicy(cmd, "", name)
	if err != nil {
		return err
	}
	inForce, err := o.policyInForce(cmd)
	if err != nil {
		return err
	}
	period, err := o.period(cmd)
	if err != nil {
		return err
	}
	s, err := o.store.open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	answer, err := (&whatif.Asker{Store: s}).Policy(cmd.Context(), whatif.PolicyChange{Period: period, Policy: p, InForce: inForce})
	if err != nil {
		return err
	}
	if answer.Messages == 0 {
		return fmt.Errorf("the gate counted no message on these days; see --days")
	}
	if c := commonFlags(cmd); c.JSON {
		err = printJSON(cmd.OutOrStdout(), answer)
	} else {
		newScreen(cmd.OutOrStdout(), c.NoColor).wouldPolicy(answer, o.all)
	}
	if err != nil {
		return err
	}
	return failsIf(answer.Newly > 0)
}

// policyInForce is the one that found the recorded verdicts.
func (o *simulatePolicyFlags) policyInForce(cmd *cobra.Command) (*policy.Policy, error) {
	if o.inForce != "" {
		return readPolicy(cmd, "--in-force ", o.inForce)
	}
	file, err := configured(cmd, o.store.config)
	if err != nil {
		if o.store.store == "" {
			return nil, err
		}
		file = config.Default()
	}
	return policy.Named(file.Policy)
}

func (s screen) wouldPolicy(a *whatif.Policy, all bool) {
	s.about(printable("policy "+a.Policy), a.Period)
	s.tally("messages", a.Messages, fmt.Sprintf("on %s", plural(a.Days, "day")))
	s.known("then", actions(&a.Then))
	if a.Then.Undecided > 0 {
		var names []string
		for _, l := range a.Lacks[:min(len(a.Lacks), 5)] {
			names = append(names, fmt.Sprintf("%s (%s)", l.Name, insight.Number(l.Messages)))
		}
		s.known("", "what is not kept: "+printable(strings.Join(names, ", ")))
	}
	s.known("recorded", actions(&a.Recorded)+", by "+printable(a.InForce))
	s.known("done", actions(&a.Done))
	s.tally("newly", a.Newly, "would be blocked that were let in")
	if a.NoLonger > 0 {
		s.tally("no longer", a.NoLonger, "would be let in that were blocked")
	}
	if a.Excepted > 0 {
		s.tally("excepted", a.Excepted, "were let in by an exception")
	}
	if len(a.Rules) > 0 {
		s.line("")
		s.line(s.paint(bold, "By rule"))
		for _, r := range a.Rules {
			s.countLine(fmt.Sprintf("%s  %s", r.Rule, r.Action), insight.Number(r.Messages)+", "+insight.Number(r.Newly)+" newly")
		}
	}
	if len(a.Senders) > 0 {
		s.line("")
		s.line(s.paint(bold, "By sender"))
	}
	for i := range a.Senders {
		if i == mostOfClass && !all {
			s.line(fmt.Sprintf("  and %d more; --all has them", len(a.Senders)-i))
			break
		}
		s.sender(&a.Senders[i])
	}
	if a.Others > 0 {
		s.countLine("other senders", insight.Number(a.Others))
	}
	s.notes(a.Notes)
}

func (s screen) sender(w *whatif.Sender) {
	name := w.Domain
	if name == "" {
		name = "no Author Domain"
	}
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{w.Blocked, "blocked"}, {w.Newly, "newly"}, {w.NoLonger, "let in again"}, {w.Undecided, "undecided"}} {
		if p.n > 0 {
			parts = append(parts, insight.Number(p.n)+" "+p.what)
		}
	}
	s.countLine(name, strings.Join(parts, ", "))
	var rules []string
	for _, r := range w.Rules {
		rules = append(rules, fmt.Sprintf("%s by %s (%s)", insight.Number(r.Messages), r.Rule, r.Action))
	}
	s.beneath(hosts(w.IPs, name), strings.Join(rules, ", "), w.Why)
}

func actions(a *whatif.Actions) string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{a.Accepted, "let in"}, {a.Quarantined, "quarantined"}, {a.Rejected, "rejected"}, {a.Deferred, "deferred"}, {a.Undecided, "undecided"}} {
		if p.n > 0 || p.what == "let in" {
			parts = append(parts, insight.Number(p.n)+" "+p.what)
		}
	}
	return strings.Join(parts, ", ")
}
