package setup

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/mtasts"
	"github.com/gatepost-mail/gatepost/tlsrpt"
)

// Make makes the plan of answers that were found to be good ([Answers.Check]), laid upon what is present.
func Make(a Answers, present *Present, table *senders.Table) (*Plan, error) {
	p := &Plan{Domain: a.Domain, Looked: present.Looked(), present: present}
	m := &maker{Plan: p, a: &a, table: table}
	m.mx()
	if err := m.spf(); err != nil {
		return nil, err
	}
	m.services()
	m.keys()
	if err := m.dmarc(); err != nil {
		return nil, err
	}
	if a.Receives {
		if err := m.tlsrpt(); err != nil {
			return nil, err
		}
		m.sts()
	}
	return p, nil
}

// A maker adds to a plan, a part at a time.
type maker struct {
	*Plan
	a     *Answers
	table *senders.Table
}

// place adds a record that is to stand alone of its kind: claims tells which of the texts that are there are of that kind, and what is to
// become of them is decided by the record that goes there.
func (m *maker) place(r Record) {
	f := m.present.at(r.Name, r.Type)
	switch {
	case f.unknown != nil:
		r.Held = "what is there could not be looked at: " + f.unknown.Error()
	case f.alias != "":
		r.Held = "the name is an alias for " + f.alias + ", so that the record belongs there"
	case f.has(r.Type, r.New):
		r.Old = r.New
	}
	m.add(r)
}

// mx says where mail goes.
func (m *maker) mx() {
	d := m.Domain
	there := m.present.at(d, "MX")
	var want []string
	why := "Mail for the domain is handed to this host."
	switch {
	case !m.a.Receives:
		want, why = []string{"0 ."}, "The domain receives no mail (RFC 7505): senders are told at once, in place of trying for days."
	case len(m.a.MX) > 0:
		for _, s := range m.a.MX {
			mx, _ := ParseMX(s)
			want = append(want, publish.MX(mx))
		}
	case there.unknown != nil:
		m.note("Where mail for " + d + " goes could not be looked at.")
		return
	case len(there.values) == 0 || len(there.values) == 1 && there.values[0] == "0 .":
		if m.Looked {
			m.note(d + " is to receive mail, and has no MX record: name its mail servers with --mx.")
		}
		return
	default:
		want = there.values
	}
	var gone []string
	for _, value := range there.values {
		if !slices.ContainsFunc(want, func(w string) bool { return same("MX", w, value) }) {
			gone = append(gone, value)
		}
	}
	for _, value := range want {
		r := Record{Change: publish.Change{Name: d, Type: "MX", New: value}, For: ForMX, Why: why}
		if !there.has("MX", value) && len(gone) > 0 {
			r.Old, gone = gone[0], gone[1:]
			if there.unknown != nil || there.alias != "" {
				r.Old = ""
			}
			m.add(r)
			continue
		}
		m.place(r)
	}
	for _, value := range gone {
		m.add(Record{Change: publish.Change{Name: d, Type: "MX", Old: value}, For: ForMX, Why: "Mail no longer goes there."})
	}
}

// hosts are where mail will go.
func (m *maker) hosts() []string {
	var all []string
	for _, r := range m.Records {
		if r.For == ForMX && r.New != "" && r.New != "0 ." {
			_, host, _ := strings.Cut(r.New, " ")
			all = append(all, strings.TrimSuffix(host, "."))
		}
	}
	return all
}

// records are those that a service's customer publishes, with what is known filled in.
func (s *Service) records(service *senders.Service, domain string) []senders.Record {
	var pairs []string
	for word, value := range s.Values {
		pairs = append(pairs, "{"+word+"}", value)
	}
	fill := strings.NewReplacer(pairs...)
	all := service.HowTo(domain)
	for i := range all {
		all[i].Name, all[i].Value = strings.ToLower(fill.Replace(all[i].Name)), fill.Replace(all[i].Value)
	}
	return all
}

// services adds what the services' customers publish, but for SPF at the domain itself.
func (m *maker) services() {
	for _, s := range m.a.Services {
		service := m.table.Service(s.ID)
		if len(service.Aligns) == 0 {
			m.note(fmt.Sprintf("%s: mail of your domain sent through it cannot pass DMARC. %s", service.Name, service.Note))
		} else if service.Note != "" {
			m.note(service.Name + ": " + service.Note)
		}
		var blanks []string
		records := s.records(service, m.Domain)
		for _, r := range records {
			for _, word := range append(braces(r.Name), braces(r.Value)...) {
				if !slices.Contains(blanks, word) {
					blanks = append(blanks, word)
				}
			}
			if r.For != ForSPF {
				m.service(service, r)
			}
		}
		if len(records) == 0 && len(service.Aligns) > 0 {
			m.note(fmt.Sprintf("%s: which records it wants is shown in its settings only. See %s", service.Name, service.Docs))
		}
		if blanks != nil {
			m.LookUp = append(m.LookUp, Blank{Service: service.ID, Name: service.Name, Blanks: blanks, Docs: service.Docs})
		}
	}
}

var whyOf = map[string]string{
	"dkim":        "Receivers find the key that %s signs with, so that its signatures count as the domain's.",
	"return-path": "Bounces go to %s under a name of the domain, so that SPF counts as the domain's.",
	"verify":      "It shows %s that the domain is yours.",
}

func (m *maker) service(service *senders.Service, s senders.Record) {
	r := Record{
		Change: publish.Change{Name: s.Name, Type: s.Type, New: s.Value}, For: s.For, Service: service.Name,
		Why: fmt.Sprintf(whyOf[s.For], service.Name), Blanks: append(braces(s.Name), braces(s.Value)...),
	}
	if s.Type != "TXT" {
		r.New = strings.TrimSuffix(r.New, ".") + "."
	}
	if len(braces(r.Name)) > 0 {
		m.add(r)
		return
	}
	f := m.present.at(r.Name, r.Type)
	other := m.other(r, f)
	switch {
	case len(r.Blanks) > 0 && other != "" && f.unknown == nil:
		r.Held, r.Blanks = "there is "+other+" already, which may be it: compare it with what "+service.Name+" shows", nil
		m.add(r)
	case other != "" && !f.has(r.Type, r.New):
		r.Held = "there is " + other + " already, of somebody else's for all that is known: compare it, and replace it by hand"
		m.add(r)
	default:
		m.place(r)
	}
}

// other is what stands where a record of a service's is to go, and cannot stand beside it.
func (m *maker) other(r Record, f *found) string {
	if f.alias != "" {
		return "an alias for " + f.alias
	}
	for _, v := range f.values {
		if r.Type != "TXT" || r.For == ForDKIM || strings.HasPrefix(strings.ToLower(v), "v=spf1") {
			return fmt.Sprintf("%.120q", v)
		}
	}
	return ""
}

// keys adds the records of the domain's own keys.
func (m *maker) keys() {
	for _, k := range m.a.Keys {
		r := Record{
			Change: publish.Change{Name: k.Selector + "._domainkey." + m.Domain, Type: "TXT", New: k.Record}, For: ForDKIM,
			Why: "Receivers find the key that the domain's own servers sign with.",
		}
		f := m.present.at(r.Name, "TXT")
		for _, text := range f.values {
			if samePublic(text, k.Record) {
				r.Old, r.New = text, text
				break
			}
		}
		switch {
		case r.Old != "":
			m.add(r)
		case len(f.values) > 0:
			r.Held = fmt.Sprintf("there is %.120q already: another key, or none; choose another selector, or replace it by hand", f.values[0])
			m.add(r)
		default:
			m.place(r)
		}
	}
	if m.a.Sends && len(m.a.Servers) > 0 && len(m.a.Keys) == 0 {
		m.note("The domain's own servers are let in by SPF, and sign with no key of this plan: what they send fails DMARC wherever it is passed on.")
	}
}

// samePublic tells whether two records publish one key.
func samePublic(a, b string) bool {
	x, err := dkim.ParseKey(a)
	if err != nil {
		return false
	}
	y, err := dkim.ParseKey(b)
	if err != nil {
		return false
	}
	public, ok := x.Public.(interface{ Equal(any) bool })
	if !ok {
		return dkim.Record(x.Public) == dkim.Record(y.Public)
	}
	return public.Equal(y.Public)
}

// tlsrpt asks for reports of mail that could not be handed over by TLS.
func (m *maker) tlsrpt() error {
	addresses := m.a.TLSReports
	if len(addresses) == 0 {
		addresses = m.a.Reports
	}
	if len(addresses) == 0 {
		return nil
	}
	r := Record{
		Change: publish.Change{Name: "_smtp._tls." + m.Domain, Type: "TXT"}, For: ForTLSRPT,
		Why: "Servers tell when they could not hand over mail to the domain by TLS, and why.",
	}
	var uris []string
	var err error
	for _, text := range m.present.at(r.Name, "TXT").values {
		if !tlsrpt.IsRecord(text) {
			continue
		}
		if r.Old != "" {
			m.add(Record{Change: publish.Change{Name: r.Name, Type: "TXT", Old: text}, For: ForTLSRPT, Why: "Of two records none counts (RFC 8460 3)."})
			continue
		}
		r.Old = text
		if record, err := tlsrpt.Parse(text); err == nil {
			uris = record.RUA
		}
	}
	before := len(uris)
	for _, address := range addresses {
		if uri := "mailto:" + address; !slices.Contains(uris, uri) {
			uris = append(uris, uri)
		}
	}
	switch {
	case r.Old == "":
		r.New = (&tlsrpt.Record{RUA: uris}).String()
		m.place(r)
		return nil
	case len(uris) == before:
		r.New = r.Old
	default:
		if r.New, err = tlsrpt.SetRUA(r.Old, uris...); err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	m.add(r)
	return nil
}

// sts has mail handed over by TLS only, first on trial.
func (m *maker) sts() {
	d := m.Domain
	name, host := "_mta-sts."+d, mtasts.Host+"."+d
	hosts := m.hosts()
	if !m.a.MTASTS || len(hosts) == 0 {
		return
	}
	there := m.present.at(name, "TXT")
	ours := (&mtasts.Record{ID: m.id()}).String()
	if slices.ContainsFunc(there.values, func(text string) bool { return mtasts.IsRecord(text) && text != ours }) || there.alias != "" {
		m.note("MTA-STS is published already, and left as it is. Its policy must name every mail server: " + strings.Join(hosts, ", ") + ".")
		return
	}
	m.add(Record{
		Change: publish.Change{Name: mtasts.URL(d), Type: publish.File, New: policy(mtasts.Testing, testingAge, hosts)}, For: ForSTS,
		Why: "It names the mail servers. Serve it as text/plain, by HTTPS with a certificate for " + host + " that browsers would trust, without a redirect, before the record at " + name + " is there.",
	})
	m.stsHost(host)
	m.place(Record{
		Change: publish.Change{Name: name, Type: "TXT", New: ours}, For: ForSTS,
		Why: "It says that there is a policy. Change the id whenever the policy changes.",
	})
	m.After = append(m.After, Later{
		On: m.a.Start.AddDate(0, 0, 28), What: "MTA-STS: from testing to enforce",
		When: "TLS reports of four weeks hold no failure that is yours (gatepost reports list --kind tls).",
		Do: []publish.Change{
			{Name: mtasts.URL(d), Type: publish.File, Old: policy(mtasts.Testing, testingAge, hosts), New: policy(mtasts.Enforce, enforceAge, hosts)},
			{Name: name, Type: "TXT", Old: ours, New: (&mtasts.Record{ID: m.a.Start.AddDate(0, 0, 28).UTC().Format(idFormat)}).String()},
		},
	})
}

func (m *maker) stsHost(host string) {
	for _, typ := range []string{"A", "AAAA", "CNAME"} {
		f := m.present.at(host, typ)
		if len(f.values) > 0 || f.alias != "" {
			return // it is there
		}
	}
	if m.a.STSHost == "" {
		m.note("The policy is served at " + host + ", which has no address yet: name the web server with --mta-sts-host, or publish its address yourself.")
		return
	}
	change := publish.Change{Name: host, Type: "CNAME", New: m.a.STSHost + "."}
	if ip, err := netip.ParseAddr(m.a.STSHost); err == nil {
		change.Type, change.New = "AAAA", ip.String()
		if ip.Is4() {
			change.Type = "A"
		}
	}
	m.place(Record{Change: change, For: ForSTS, Why: "It is where the policy is served."})
}

// id is the version of the policy, which stays the same for the same answers.
func (m *maker) id() string { return m.a.Start.UTC().Format(idFormat) }
