package cli

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/setup"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/spf"
	"github.com/gatepost-mail/gatepost/tlsrpt"
)

func recordSPF() *cobra.Command {
	var add, remove, services []string
	var all string
	m := &recordMaker{area: facts.SPF, name: func(d string) string { return d }, is: spf.IsRecord}
	cmd := &cobra.Command{
		Use:   "spf DOMAIN [FLAG...]",
		Short: "Who sends for a domain (RFC 7208)",
		Long: `Build or edit an SPF record.

A term that is added stands before "all"; one that is there already is not
doubled. A record without an end gets -all.`,
		Example: "  gatepost record spf example.com --add mx --service mailgun\n  gatepost record spf example.com --remove include:_spf.example.net",
	}
	f := cmd.Flags()
	f.StringArrayVar(&add, "add", nil, "let this `TERM` in: ip4:192.0.2.1, include:_spf.example.net; may be repeated")
	f.StringArrayVar(&remove, "remove", nil, "take this `TERM` out; may be repeated")
	f.StringArrayVar(&services, "service", nil, "let in a service, by `NAME`; may be repeated")
	f.StringVar(&all, "all", "", "the `RESULT` that everybody else gets: fail, softfail or neutral (default as it is, or fail)")
	return m.command(cmd, func(old string) (string, error) {
		text := old
		if text == "" {
			text = "v=spf1"
		}
		var err error
		for _, term := range remove {
			if text, err = spf.Remove(text, term); err != nil {
				return "", err
			}
		}
		for _, name := range services {
			term, err := includeFor(cmd, name, m.domain)
			if err != nil {
				return "", err
			}
			add = append(add, term)
		}
		for _, term := range add {
			if text, err = spf.Add(text, term); err != nil {
				return "", err
			}
		}
		if text == "v=spf1" {
			m.note = "This record lets nobody send mail as " + m.domain + ". Say who does with --add or --service."
		}
		return endSPF(cmd, text, all)
	})
}

// endSPF sees to how a record ends.
func endSPF(cmd *cobra.Command, text, all string) (string, error) {
	qualifiers := map[string]byte{"fail": '-', "softfail": '~', "neutral": '?'}
	if all != "" {
		q, ok := qualifiers[all]
		if !ok {
			return "", usageError(cmd, "--all %q: there are fail, softfail and neutral", all)
		}
		return spf.SetAll(text, q)
	}
	record, _ := spf.Parse(text)
	if record != nil && slices.ContainsFunc(record.Terms, func(t spf.Term) bool { return t.Kind == spf.KindAll || t.Kind == spf.KindRedirect }) {
		return text, nil
	}
	return spf.SetAll(text, '-')
}

// includeFor is the term that lets a service in.
func includeFor(cmd *cobra.Command, name, domain string) (string, error) {
	service := serviceNamed(senders.Known(), name)
	switch {
	case service == nil:
		return "", usageError(cmd, "--service %q: no such service%s", name, didYouMean("", nearService(senders.Known(), name)))
	case service.Include == "":
		return "", fmt.Errorf("%s needs no include: %s", service.Name, service.Note)
	}
	include := strings.ReplaceAll(service.Include, "{domain}", domain)
	if strings.Contains(include, "{") {
		return "", fmt.Errorf("%s: include:%s: what stands in braces is shown in its settings; write it out with --add", service.Name, include)
	}
	return "include:" + include, nil
}

func recordDMARC() *cobra.Command {
	var set, unset, reports []string
	var policy string
	m := &recordMaker{area: facts.DMARC, name: func(d string) string { return "_dmarc." + d }, is: dmarc.IsRecord}
	cmd := &cobra.Command{
		Use:     "dmarc DOMAIN [FLAG...]",
		Short:   "What becomes of mail that is not authenticated (RFC 9989)",
		Long:    "Build or edit a DMARC record. A new one has p=none where nothing else is said.",
		Example: "  gatepost record dmarc example.com --policy none --reports dmarc@example.com\n  gatepost record dmarc example.com --set sp=reject --unset pct",
	}
	f := cmd.Flags()
	f.StringVar(&policy, "policy", "", "the `POLICY`: none, quarantine or reject")
	f.StringArrayVar(&reports, "reports", nil, "send reports to this `ADDRESS` too; may be repeated")
	f.StringArrayVar(&set, "set", nil, "give a tag a value: `TAG=VALUE`; may be repeated")
	f.StringArrayVar(&unset, "unset", nil, "take a `TAG` out; may be repeated")
	return m.command(cmd, func(old string) (string, error) {
		text, err := old, error(nil)
		if text == "" {
			text = "v=DMARC1; p=none"
		}
		if policy != "" {
			if !slices.Contains([]string{"none", "quarantine", "reject"}, policy) {
				return "", usageError(cmd, "--policy %q: there are none, quarantine and reject", policy)
			}
			set = append([]string{"p=" + policy}, set...)
		}
		for _, s := range set {
			tag, value, ok := strings.Cut(s, "=")
			if !ok {
				return "", usageError(cmd, "--set %q: write it like sp=reject", s)
			}
			if text, err = dmarc.Set(text, tag, value); err != nil {
				return "", err
			}
		}
		for _, tag := range unset {
			if text, err = dmarc.Unset(text, tag); err != nil {
				return "", err
			}
		}
		if len(reports) == 0 {
			return text, nil
		}
		uris, err := reportURIs(reports)
		if err != nil {
			return "", usageError(cmd, "--reports: %v", err)
		}
		if record, err := dmarc.Parse(text); err == nil {
			var known []string
			for _, u := range record.AggregateURIs {
				known = append(known, u.Text)
			}
			uris = joined(known, uris)
		}
		return dmarc.Set(text, "rua", strings.Join(uris, ","))
	})
}

// reportURIs makes URIs of addresses.
func reportURIs(addresses []string) ([]string, error) {
	var uris []string
	for _, address := range addresses {
		a, err := setup.ReportAddress(address)
		if err != nil {
			return nil, err
		}
		uris = append(uris, "mailto:"+a)
	}
	return uris, nil
}

func joined(known, more []string) []string {
	for _, s := range more {
		if !slices.Contains(known, s) {
			known = append(known, s)
		}
	}
	return known
}

func recordTLSRPT() *cobra.Command {
	var reports []string
	m := &recordMaker{area: facts.TLSRPT, name: func(d string) string { return "_smtp._tls." + d }, is: tlsrpt.IsRecord}
	cmd := &cobra.Command{
		Use: "tls-rpt DOMAIN --reports ADDRESS", Short: "Who hears of mail that TLS kept away (RFC 8460)",
		Long: "Build or edit a TLS reporting record.", Example: "  gatepost record tls-rpt example.com --reports tls@example.com",
	}
	cmd.Flags().StringArrayVar(&reports, "reports", nil, "send reports to this `ADDRESS` too; may be repeated")
	return m.command(cmd, func(old string) (string, error) {
		uris, err := reportURIs(reports)
		if err != nil {
			return "", usageError(cmd, "--reports: %v", err)
		}
		if len(uris) == 0 {
			return "", usageError(cmd, "--reports is missing")
		}
		if old == "" {
			return (&tlsrpt.Record{RUA: uris}).String(), nil
		}
		if record, err := tlsrpt.Parse(old); err == nil {
			uris = joined(record.RUA, uris)
		}
		return tlsrpt.SetRUA(old, uris...)
	})
}

func recordDKIM() *cobra.Command {
	var selector, key string
	var revoke bool
	m := &recordMaker{area: facts.DKIM, is: func(string) bool { return true }}
	m.name = func(d string) string { return selector + "._domainkey." + d }
	cmd := &cobra.Command{
		Use: "dkim DOMAIN --selector SELECTOR --key FILE", Short: "The key that a domain signs with (RFC 6376)",
		Long:    "Build the record of a private key that is there, or revoke the one that is\npublished. \"gatepost keys generate\" makes keys.",
		Example: "  gatepost record dkim example.com --selector s1 --key s1.pem\n  gatepost record dkim example.com --selector s1 --revoke",
	}
	f := cmd.Flags()
	f.StringVar(&selector, "selector", "", "the key's `SELECTOR`")
	f.StringVar(&key, "key", "", "the private key, a `FILE`")
	f.BoolVar(&revoke, "revoke", false, "say that the key is revoked")
	before := m.command(cmd, func(old string) (string, error) {
		if revoke {
			k := signing.Key{Algorithm: signing.RSA}
			if present, err := dkim.ParseKey(old); err == nil && present.Type == string(signing.Ed25519) {
				k.Algorithm = signing.Ed25519
			}
			return k.RevokedRecord(), nil
		}
		private, err := dkim.ReadKey(key)
		if err != nil {
			return "", err
		}
		return dkim.Record(private.Public()), nil
	})
	run := before.RunE
	before.RunE = func(cmd *cobra.Command, args []string) error {
		if err := require(cmd, "selector"); err != nil {
			return err
		}
		var err error
		if selector, err = signing.SelectorName(selector); err != nil {
			return usageError(cmd, "--selector: %v", err)
		}
		if (key == "") == !revoke {
			return usageError(cmd, "--key or --revoke: one of them")
		}
		return run(cmd, args)
	}
	return before
}

func recordBIMI() *cobra.Command {
	var logo, certificate, selector string
	m := &recordMaker{area: facts.BIMI, is: func(text string) bool { return strings.HasPrefix(text, "v=BIMI1") }}
	m.name = func(d string) string { return selector + "._bimi." + d }
	cmd := &cobra.Command{
		Use: "bimi DOMAIN --logo URL", Short: "The logo that is shown beside a domain's mail",
		Long:    "Build a BIMI record. Without --logo it says that there is none.",
		Example: "  gatepost record bimi example.com --logo https://example.com/logo.svg",
	}
	f := cmd.Flags()
	f.StringVar(&logo, "logo", "", "the logo, an SVG: its `URL`")
	f.StringVar(&certificate, "certificate", "", "the certificate of the logo: its `URL`")
	f.StringVar(&selector, "selector", "default", "the record's `SELECTOR`")
	return m.command(cmd, func(string) (string, error) {
		for _, address := range []string{logo, certificate} {
			u, err := url.Parse(address)
			if address != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(address, "; ,")) {
				return "", usageError(cmd, "%q: write an address that begins with https://", address)
			}
		}
		if logo == "" && certificate != "" {
			return "", errors.New("a certificate is of a logo; name that with --logo")
		}
		text := "v=BIMI1; l=" + logo + ";"
		if certificate != "" {
			text += " a=" + certificate + ";"
		}
		return text, nil
	})
}
