package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/setup"
	"github.com/gatepost-mail/gatepost/mtasts"
)

func recordSTS() *cobra.Command {
	var id, mode string
	var mx []string
	age := durationValue{7 * 24 * time.Hour}
	m := &recordMaker{area: facts.STS, name: func(d string) string { return "_mta-sts." + d }, is: mtasts.IsRecord}
	cmd := &cobra.Command{
		Use: "mta-sts DOMAIN [FLAG...]", Short: "That mail comes by TLS only (RFC 8461)",
		Long:    "Build an MTA-STS policy, and the record that tells of it. The record gets a new\nid, so that the policy is fetched anew.",
		Example: "  gatepost record mta-sts example.com --mode enforce --mx mx.example.com",
	}
	f := cmd.Flags()
	f.StringVar(&id, "id", "", "the policy's `ID` (default the time)")
	f.StringVar(&mode, "mode", "testing", "the `MODE`: testing, enforce or none")
	f.StringArrayVar(&mx, "mx", nil, "a `HOST` that takes the domain's mail; may be repeated (default what DNS shows)")
	f.Var(&age, "max-age", "for how long the policy may be kept")
	return m.command(cmd, func(old string) (string, error) {
		if !slices.Contains([]mtasts.Mode{mtasts.Testing, mtasts.Enforce, mtasts.None}, mtasts.Mode(mode)) {
			return "", usageError(cmd, "--mode %q: there are testing, enforce and none", mode)
		}
		if id == "" {
			id = present(cmd).UTC().Format("20060102150405")
		}
		if !mtasts.IsID(id) {
			return "", usageError(cmd, "--id %q: letters and digits, 32 at most", id)
		}
		hosts := mx
		if len(hosts) == 0 && mode != string(mtasts.None) {
			found, err := m.exchangers()
			if err != nil {
				return "", err
			}
			for _, x := range found {
				hosts = append(hosts, x.Host)
			}
		}
		if len(hosts) == 0 && mode != string(mtasts.None) {
			return "", usageError(cmd, "--mx is missing, and DNS shows no mail server")
		}
		policy := mtasts.Policy{Mode: mtasts.Mode(mode), MaxAge: age.Duration, MX: hosts}
		text := policy.String()
		if _, err := mtasts.ParsePolicy([]byte(text)); err != nil {
			return "", fmt.Errorf("the policy: %w", err)
		}
		m.also = append(m.also, setup.Change{Name: mtasts.URL(m.domain), Type: setup.File, New: text})
		if old == "" {
			return (&mtasts.Record{ID: id}).String(), nil
		}
		return mtasts.SetID(old, id)
	})
}

// exchangers are the domain's mail servers, but for the null MX.
func (m *recordMaker) exchangers() ([]dns.MX, error) {
	if m.at == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(m.cmd.Context(), m.common.Timeout)
	defer cancel()
	answer, err := m.at.Lookup(ctx, m.domain, dns.TypeMX)
	if err != nil && !dns.IsVoid(err) {
		return nil, &statusError{status: StatusTemporary, err: err}
	}
	return answer.MX, nil
}

func recordMX() *cobra.Command {
	var add, remove []string
	var null bool
	m := &recordMaker{area: facts.MX, name: func(d string) string { return d }, is: func(string) bool { return false }}
	cmd := &cobra.Command{
		Use: "mx DOMAIN [FLAG...]", Short: "Where a domain's mail goes (RFC 5321, RFC 7505)",
		Long:    "Build or edit the MX records of a domain.",
		Example: "  gatepost record mx example.com --add \"10 mx.example.com\"\n  gatepost record mx example.net --null",
	}
	f := cmd.Flags()
	f.StringArrayVar(&add, "add", nil, "a `HOST` that takes mail, \"10 mx.example.com\"; may be repeated")
	f.StringArrayVar(&remove, "remove", nil, "a `HOST` that no longer does; may be repeated")
	f.BoolVar(&null, "null", false, "the domain takes no mail")
	m.command(cmd, func(string) (string, error) { return "", nil })
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return m.runMX(cmd, args[0], add, remove, null) }
	return cmd
}

// runMX is not about a text: a name has several of its records.
func (m *recordMaker) runMX(cmd *cobra.Command, domain string, add, remove []string, null bool) error {
	if err := m.begin(cmd, domain); err != nil {
		return err
	}
	if m.present != "" {
		return usageError(cmd, "--present: there may be several; use --new and --add")
	}
	if null == (len(add)+len(remove) > 0) {
		return usageError(cmd, "--null, or --add and --remove")
	}
	var old []dns.MX
	if !m.fresh {
		var err error
		if old, err = m.exchangers(); err != nil {
			return err
		}
	}
	var changes []setup.Change
	put := func(o, n string) {
		if o != n {
			changes = append(changes, setup.Change{Name: m.domain, Type: "MX", Old: o, New: n})
		}
	}
	if null {
		for i, x := range old {
			n := ""
			if i == 0 {
				n = "0 ."
			}
			put(setup.MX(x), n)
		}
		if len(old) == 0 {
			put("", "0 .")
		}
		return m.showMX(changes)
	}
	for _, s := range remove {
		gone, err := setup.ParseMX(s)
		if err != nil {
			return usageError(cmd, "--remove: %v", err)
		}
		i := slices.IndexFunc(old, func(x dns.MX) bool {
			return x.Host == gone.Host && (!strings.Contains(strings.TrimSpace(s), " ") || x.Preference == gone.Preference)
		})
		if i < 0 {
			return fmt.Errorf("%s has no MX record of %s", m.domain, gone.Host)
		}
		put(setup.MX(old[i]), "")
	}
	for _, x := range old {
		if x.Host == "" && len(add) > 0 {
			put("0 .", "")
		}
	}
	for _, s := range add {
		x, err := setup.ParseMX(s)
		if err != nil {
			return usageError(cmd, "--add: %v", err)
		}
		if !slices.Contains(old, x) {
			put("", setup.MX(x))
		}
	}
	return m.showMX(changes)
}

func (m *recordMaker) showMX(changes []setup.Change) error {
	if len(changes) == 0 && !m.common.JSON {
		newScreen(m.cmd.OutOrStdout(), m.common.NoColor).line(m.domain + " has it so already.")
		return nil
	}
	return m.show(changes...)
}
