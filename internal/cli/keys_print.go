package cli

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/signing"
)

// quiet drops what a gate would log: these commands print the outcome.
var quiet = slog.New(slog.DiscardHandler)

// A keyReport is a key as the commands print it.
type keyReport struct {
	signing.KeyState
	Task signing.Task `json:"task"`
}

// reports are the keys of a domain, or of all, that are not removed.
func (s *keyShop) reports(domain string) ([]keyReport, error) {
	list := []keyReport{}
	for _, k := range s.States() {
		if domain == "" || k.Domain == domain {
			list = append(list, keyReport{k, s.Task(k.Domain, &k.Key)})
		}
	}
	if domain != "" && len(list) == 0 {
		return nil, fmt.Errorf("%s has no keys in %s; \"gatepost keys rotate %s\" makes them", domain, s.dir.Path(), domain)
	}
	return list, nil
}

// moment writes a time for people.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// meaning says what a state is in words.
func (k *keyReport) meaning() string {
	switch k.State {
	case signing.Making:
		return "to be made"
	case signing.Publish:
		return "its record is to be published" + k.by()
	case signing.Waiting:
		return "DNS shows it; signs from " + moment(k.Task.Until) + " on"
	case signing.Signing:
		text := "signs since " + moment(k.Since)
		switch {
		case k.Check == signing.Unchecked && !k.InUse:
			text = "will sign as soon as DNS was asked for it"
		case k.Check != signing.OK && !k.InUse:
			text = "NOT USED: DNS says " + string(k.Check) + ", since " + moment(k.Checked)
		case !k.Configured:
			text = "ready; the domain is not in signing.domains"
		}
		if !k.Task.Until.IsZero() {
			text += "; the next is made " + moment(k.Task.Until)
		}
		return text
	case signing.Retiring:
		return "signs no more; to be revoked " + moment(k.Task.Until)
	case signing.Revoke:
		return "its record is to be replaced by one that revokes it" + k.by()
	case signing.Revoked:
		return "revoked; to be removed " + moment(k.Task.Until)
	case signing.Remove:
		return "its record is to be removed" + k.by()
	}
	return string(k.State)
}

func (k *keyReport) by() string {
	if k.Task.Server != "" {
		return ", by dynamic update at " + k.Task.Server
	}
	return ", by you"
}

// printReports writes a line or two a key, by domain.
func printReports(cmd *cobra.Command, list []keyReport) {
	w := cmd.OutOrStdout()
	selector := 0
	for _, k := range list {
		selector = max(selector, len(k.Selector))
	}
	for i, k := range list {
		if i == 0 || list[i-1].Domain != k.Domain {
			fmt.Fprintln(w, k.Domain)
		}
		fmt.Fprintf(w, "  %-*s  %-7s  %-8s  %s\n", selector, k.Selector, k.Algorithm, k.State, k.meaning())
		if k.Problem != "" {
			fmt.Fprintf(w, "  %*s  ! %s\n", selector, "", printable(k.Problem))
		}
	}
}

// printTasks writes what a person is to do in DNS.
func printTasks(cmd *cobra.Command, list []keyReport) (any bool) {
	w := cmd.OutOrStdout()
	for _, k := range list {
		if k.Task.Server != "" {
			continue
		}
		switch k.Task.Do {
		case signing.DoPublish:
			fmt.Fprintf(w, "\nPublish the record of %s. As a line of a zone file:\n\n%s", k.Selector, k.Task.Zone)
		case signing.DoReplace:
			fmt.Fprintf(w, "\nReplace the record of %s by this one. As a line of a zone file:\n\n%s", k.Selector, k.Task.Zone)
		case signing.DoRemove:
			fmt.Fprintf(w, "\nRemove the TXT record at %s.\n", k.Task.Name)
		default:
			continue
		}
		any = true
		if k.Task.Record != "" {
			fmt.Fprintf(w, "\nOr where a provider asks for name and value of a TXT record:\n\n  name:  %s\n  value: %s\n", k.Task.Name, k.Task.Record)
		}
	}
	return any
}

// printNext says how it goes on.
func (s *keyShop) printNext(cmd *cobra.Command, domain string, list []keyReport) {
	w := cmd.OutOrStdout()
	var steps []string
	has := func(states ...signing.State) bool {
		return slices.ContainsFunc(list, func(k keyReport) bool { return slices.Contains(states, k.State) })
	}
	if has(signing.Publish) {
		steps = append(steps, fmt.Sprintf("When DNS shows the record everywhere, the gate waits for %v at least, and signs with the key. It looks by itself; to have it look now: gatepost keys next %s",
			signing.Duration(s.settings.Settle()), domain))
	}
	if has(signing.Revoke, signing.Remove) {
		steps = append(steps, "The gate looks by itself whether it is done; to have it look now: gatepost keys next "+domain)
	}
	if !slices.Contains(s.settings.SDIDs(), domain) {
		steps = append(steps, fmt.Sprintf("The gate signs for the domains that its configuration names: put %q into signing.domains", domain))
	}
	if len(steps) == 0 {
		return
	}
	fmt.Fprintln(w, "\nNext:")
	for i, step := range steps {
		for j, line := range wrap(step, 75) {
			mark := "    "
			if j == 0 {
				mark = fmt.Sprintf(" %d. ", i+1)
			}
			fmt.Fprintln(w, strings.TrimRight(mark+line, " "))
		}
	}
}

// show prints the keys of a domain, what is to be done, and what comes next.
func (s *keyShop) show(cmd *cobra.Command, domain string) error {
	list, err := s.reports(domain)
	if err != nil {
		return err
	}
	if commonFlags(cmd).JSON {
		return printJSON(cmd.OutOrStdout(), list)
	}
	printReports(cmd, list)
	printTasks(cmd, list)
	s.printNext(cmd, domain, list)
	return nil
}

// oneDomain reads the argument of a command that is about one domain.
func oneDomain(cmd *cobra.Command, args []string) (string, error) {
	domain, err := signing.DomainName(args[0])
	if err != nil {
		return "", usageError(cmd, "%v", err)
	}
	return domain, nil
}

// arguments is the Args of a command that takes so many, which what names.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usageError(cmd, "%s is missing", strings.Fields(what)[len(args)])
		case len(args) > most:
			return usageError(cmd, "%q: it takes %s only", args[most], what)
		}
		return nil
	}
}

// present is the time that the command works at.
func present(cmd *cobra.Command) time.Time {
	if at := commonFlags(cmd).At; !at.IsZero() {
		return at
	}
	return time.Now()
}
