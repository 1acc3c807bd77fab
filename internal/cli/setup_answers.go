package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/setup"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

// collect puts the answers together: those of a file or of the last time, those of flags, and those that a person gives now.
func (r *setupRun) collect(domain string) error {
	domain, err := domainArgument(r.cmd, domain)
	if err != nil {
		return err
	}
	file, err := r.ring.read(r.common)
	if err != nil {
		return err
	}
	if r.kept, err = filepath.Abs(filepath.Join(file.KeyDir(), domain, "setup.toml")); err != nil {
		return err
	}
	known := true
	switch {
	case r.file != "":
		r.answers, err = setup.Read(r.file)
	default:
		if r.answers, err = setup.Read(r.kept); errors.Is(err, fs.ErrNotExist) {
			known, err = false, nil
			r.answers = setup.Answers{Domain: domain, Sends: true, Receives: true, MTASTS: true}
		}
	}
	if err != nil {
		return err
	}
	if r.answers.Domain == "" {
		r.answers.Domain = domain
	}
	if name, err := signing.DomainName(r.answers.Domain); err != nil || name != domain {
		return fmt.Errorf("%s: its domain is %s; it is no answer for %s", r.file, printable(r.answers.Domain), domain)
	}
	r.keptStep = r.answers.Step
	answered, err := r.fromFlags()
	if err != nil {
		return err
	}
	if r.answers.Start.IsZero() {
		r.answers.Start = present(r.cmd).UTC().Truncate(1e9)
	}
	switch {
	case known || answered:
	case isTerminal(r.cmd.InOrStdin()):
		if err := r.ask(); err != nil {
			return err
		}
	default:
		return usageError(r.cmd, "nobody is there to be asked what sends for %s: say so with --service, --own-server, --no-send or --file", domain)
	}
	if err := r.answers.Check(r.table); err != nil {
		if r.file != "" {
			return fmt.Errorf("%s: %w", r.file, err)
		}
		return err
	}
	return nil
}

// fromFlags lets flags override what was known, and tells whether they say who sends.
func (r *setupRun) fromFlags() (answered bool, err error) {
	a, changed := &r.answers, r.cmd.Flags().Changed
	if changed("no-send") {
		a.Sends = !r.noSend
		if r.noSend {
			a.Services, a.Servers, a.Keys = nil, nil, nil
		}
	}
	if changed("no-receive") {
		a.Receives = !r.noReceive
		if r.noReceive {
			a.MX = nil
		}
	}
	if changed("service") {
		before := a.Services
		a.Services = nil
		for _, name := range r.services {
			service := serviceNamed(r.table, strings.TrimSpace(name))
			if service == nil {
				return false, usageError(r.cmd, "--service %q: no such service%s; \"gatepost senders\" lists them", name, didYouMean("", nearService(r.table, name)))
			}
			s := setup.Service{ID: service.ID}
			if i := slices.IndexFunc(before, func(b setup.Service) bool { return b.ID == s.ID }); i >= 0 {
				s.Values = before[i].Values
			}
			a.Services = append(a.Services, s)
		}
	}
	for _, v := range r.values {
		if err := r.value(v); err != nil {
			return false, err
		}
	}
	for _, list := range []struct {
		flag string
		from []string
		to   *[]string
	}{{"own-server", r.own, &a.Servers}, {"mx", r.mx, &a.MX}, {"reports", r.reports, &a.Reports}, {"tls-reports", r.tlsReports, &a.TLSReports}} {
		if changed(list.flag) {
			*list.to = slices.Clone(list.from)
		}
	}
	if changed("no-mta-sts") {
		a.MTASTS = !r.noSTS
	}
	if changed("mta-sts-host") {
		a.STSHost = r.stsHost
	}
	if changed("softfail") {
		a.Softfail = r.softfail
	}
	if changed("step") {
		if r.step < 1 {
			return false, usageError(r.cmd, "--step %d: the first is 1", r.step)
		}
		a.Step, a.Back = r.step, true
	}
	return changed("service") || changed("own-server") || changed("no-send"), nil
}

// value takes what a service's settings show.
func (r *setupRun) value(s string) error {
	name, value, ok := strings.Cut(s, "=")
	id, word, dotted := strings.Cut(name, ".")
	if !ok || !dotted || word == "" {
		return usageError(r.cmd, "--value %q: write it like sendgrid.account=123", s)
	}
	for i := range r.answers.Services {
		if service := &r.answers.Services[i]; service.ID == strings.ToLower(id) {
			if service.Values == nil {
				service.Values = map[string]string{}
			}
			service.Values[word] = value
			return nil
		}
	}
	return usageError(r.cmd, "--value %q: %s is not among the services that send for %s", s, id, r.answers.Domain)
}

// nearService is the service whose id or name is nearest to what was typed.
func nearService(table *senders.Table, typed string) string {
	found := searchServices(table, typed)
	if len(found) == 0 {
		return ""
	}
	return found[0].ID
}

// mostFound bounds how many services are offered.
const mostFound = 8

// searchServices finds services by a part of their name, or by the nearest ones. Those that begin so come first.
func searchServices(table *senders.Table, typed string) []*senders.Service {
	typed = strings.ToLower(strings.TrimSpace(typed))
	if typed == "" {
		return nil
	}
	if s := serviceNamed(table, typed); s != nil {
		return []*senders.Service{s}
	}
	var begins, holds []*senders.Service
	var words []string
	for _, s := range table.Services() {
		if s.Category == senders.Cloud { // machines that anybody rents: one's own servers there are one's own
			continue
		}
		name := strings.ToLower(s.Name)
		switch {
		case strings.HasPrefix(s.ID, typed) || strings.HasPrefix(name, typed):
			begins = append(begins, s)
		case strings.Contains(s.ID, typed) || strings.Contains(name, typed):
			holds = append(holds, s)
		}
		words = append(words, s.ID, name)
	}
	found := append(begins, holds...)
	if len(found) == 0 {
		if s := serviceNamed(table, nearest.Word(typed, words)); s != nil {
			found = append(found, s)
		}
	}
	return found[:min(len(found), mostFound)]
}

// makeKeys sees to it that servers of the domain's own have keys to sign with. Those that are there are taken.
func (r *setupRun) makeKeys() error {
	a := &r.answers
	if !a.Sends || len(a.Servers) == 0 && r.key == "" || r.noKey {
		if r.noKey {
			a.Keys = nil
		}
		return nil
	}
	if r.key != "" {
		return r.ownKey()
	}
	algorithms := signing.Algorithms
	if r.algorithm != "" {
		var err error
		if algorithms, err = signing.ParseAlgorithms(r.algorithm); err != nil {
			return usageError(r.cmd, "--algorithm %v", err)
		}
	}
	if len(a.Keys) > 0 && !slices.ContainsFunc(a.Keys, func(k setup.Key) bool {
		return strings.HasPrefix(k.File, filepath.Dir(r.kept)+string(filepath.Separator))
	}) {
		return nil // keys that lie elsewhere
	}
	shop, err := r.ring.open(r.cmd, true)
	if err != nil {
		return err
	}
	state, err := shop.dir.Load(a.Domain)
	if err != nil {
		return err
	}
	if len(usableKeys(state)) == 0 {
		if err := shop.Rotate(r.cmd.Context(), a.Domain, algorithms, present(r.cmd)); err != nil {
			return err
		}
		if state, err = shop.dir.Load(a.Domain); err != nil {
			return err
		}
	}
	a.Keys = nil
	for _, k := range usableKeys(state) {
		a.Keys = append(a.Keys, setup.Key{Selector: k.Selector, Record: k.Record, File: filepath.Join(filepath.Dir(r.kept), k.File)})
	}
	return nil
}

// usableKeys are those that sign or will.
func usableKeys(d *signing.Domain) []signing.Key {
	var all []signing.Key
	for _, k := range d.Keys {
		switch k.State {
		case signing.Publish, signing.Waiting, signing.Signing:
			all = append(all, k)
		}
	}
	return all
}

// ownKey is a key outside of the key directory: one that is there is taken, and none is overwritten.
func (r *setupRun) ownKey() error {
	if r.selector == "" {
		return usageError(r.cmd, "--key needs --selector")
	}
	selector, err := signing.SelectorName(r.selector)
	if err != nil {
		return usageError(r.cmd, "--selector: %v", err)
	}
	key, err := dkim.ReadKey(r.key)
	if errors.Is(err, fs.ErrNotExist) {
		made := generateFlags{kind: "rsa", bits: 2048}
		if r.algorithm == string(signing.Ed25519) {
			made.kind = r.algorithm
		}
		if key, err = made.make(r.cmd); err == nil {
			err = dkim.WriteKey(r.key, key)
		}
	}
	if err != nil {
		return err
	}
	path, err := filepath.Abs(r.key)
	if err != nil {
		path = r.key
	}
	if _, err := os.Stat(path); err != nil {
		return err
	}
	r.answers.Keys = []setup.Key{{Selector: selector, Record: dkim.Record(key.Public()), File: path}}
	return nil
}
