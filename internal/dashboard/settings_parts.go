package dashboard

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/digest"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// SettingsDomainsIn asks for the domains and groups, or for the lines that add one.
type SettingsDomainsIn struct {
	Compose string `query:"compose" doc:"domain or group: what lines are wanted for"`
	Name    string `query:"name" doc:"The domain, or the name of the group"`
	Domains string `query:"domains" doc:"Of a group, with spaces between them"`
}

// SettingsDomains are the domains that are ours, and the groups of them that roles are held over.
type SettingsDomains struct {
	Domains  []SettingsDomain  `json:"domains"`
	Groups   []SettingsGroup   `json:"groups"`
	Pending  bool              `json:"pending"` // when reports came last is being looked for
	Composed *Composed         `json:"composed"`
	Sections []SettingsSection `json:"sections"`
}

// A SettingsDomain is one of ours.
type SettingsDomain struct {
	Name   string    `json:"name"`
	Last   time.Time `json:"last"` // when a report about it came last; zero: never
	Silent bool      `json:"silent"`
	Signed bool      `json:"signed"` // mail of it is signed here
	Groups []string  `json:"groups"`
}

// A SettingsGroup is a group of domains.
type SettingsGroup struct {
	Name    string   `json:"name"`
	Domains []string `json:"domains"`
}

// Title is what the page is called.
func (s *SettingsDomains) Title() string { return "Domains and groups" }

// Crumbs lead back.
func (s *SettingsDomains) Crumbs() []Crumb { return settingsCrumbs }

var settingsCrumbs = []Crumb{{"Settings", "/settings"}}

// SettingsDomains tells which domains are ours.
func (d *Desk) SettingsDomains(ctx context.Context, _ *people.Access, in *SettingsDomainsIn) (*SettingsDomains, error) {
	c := d.Config()
	out := &SettingsDomains{Domains: []SettingsDomain{}, Groups: []SettingsGroup{}, Sections: settingsOf(c, "reports", "web.group", "signing")}
	out.Sections = slices.DeleteFunc(out.Sections, func(s SettingsSection) bool { return strings.HasPrefix(strings.Trim(s.Head, "["), "reports.") })
	var last []SilentDomain
	if d.Store != nil {
		var err error
		if last, err = d.lastReports(ctx); errors.Is(err, keep.ErrPending) {
			out.Pending = true
		} else if err != nil {
			return nil, err
		}
	}
	groups := c.Web.PeopleGroups()
	for _, name := range c.Reports.Domains {
		domain := SettingsDomain{Name: name, Groups: []string{}, Signed: slices.Contains(c.Signing.Domains, name)}
		if i := slices.IndexFunc(last, func(s SilentDomain) bool { return s.Domain == name }); i >= 0 {
			domain.Last, domain.Silent = last[i].Last, d.now().Sub(last[i].Last) > silentAfter
		}
		for i := range groups {
			if groups[i].Has(name) {
				domain.Groups = append(domain.Groups, groups[i].Name)
			}
		}
		out.Domains = append(out.Domains, domain)
	}
	for _, g := range c.Web.Groups {
		out.Groups = append(out.Groups, SettingsGroup{g.Name, append([]string{}, g.Domains...)})
	}
	switch in.Compose {
	case "":
	case "domain":
		if in.Name == "" {
			return nil, invalid("name", "Write the domain.")
		}
		out.Composed = composeLines(c, "A domain of ours", func(c *config.Config) {
			if !slices.Contains(c.Reports.Domains, strings.ToLower(in.Name)) {
				c.Reports.Domains = append(c.Reports.Domains, in.Name)
			}
		})
	case "group":
		if in.Name == "" || in.Domains == "" {
			return nil, invalid("name", "Write the name of the group, and its domains.")
		}
		out.Composed = composeLines(c, "A group of domains", func(c *config.Config) {
			c.Web.Groups = append(slices.Clone(c.Web.Groups), config.WebGroup{Name: in.Name, Domains: fieldsOf(in.Domains)})
		})
	default:
		return nil, invalid("compose", "There are domain and group.")
	}
	return out, nil
}

// SettingsInputsIn asks for the inputs, or for the lines that add one.
type SettingsInputsIn struct {
	Compose string `query:"compose" doc:"folder, imap, smtp or http: what lines are wanted for"`
	Path    string `query:"path" doc:"Of a folder, or of the file that a secret is in"`
	Server  string `query:"server"`
	User    string `query:"user"`
	After   string `query:"after" doc:"What becomes of what was taken in"`
	Listen  string `query:"listen" doc:"Addresses, with spaces between them"`
}

// SettingsInputs are the ways by which reports come.
type SettingsInputs struct {
	Intake   ReportIntake      `json:"intake"`
	Composed *Composed         `json:"composed"`
	Sections []SettingsSection `json:"sections"`
}

// Title is what the page is called.
func (s *SettingsInputs) Title() string { return "Inputs" }

// Crumbs lead back.
func (s *SettingsInputs) Crumbs() []Crumb { return settingsCrumbs }

// SettingsInputs tells by which ways reports come.
func (d *Desk) SettingsInputs(ctx context.Context, who *people.Access, in *SettingsInputsIn) (*SettingsInputs, error) {
	c := d.Config()
	out := &SettingsInputs{Intake: ReportIntake{Inputs: []ReportInput{}, Silent: []SilentDomain{}, Trouble: []string{}}, Sections: settingsOf(c, "reports")}
	if d.Store != nil {
		var err error
		if out.Intake, err = d.intake(ctx, who); err != nil {
			return nil, err
		}
	}
	need := func(all ...string) error {
		if slices.Contains(all, "") {
			return invalid("compose", "Fill in all fields of the input.")
		}
		return nil
	}
	switch in.Compose {
	case "":
	case "folder":
		if err := need(in.Path); err != nil {
			return nil, err
		}
		out.Composed = composeLines(c, "A folder", func(c *config.Config) {
			f := config.Folder{Path: in.Path, After: cmp.Or(in.After, "keep")}
			if f.After == "move" {
				f.Done, f.Bad = ".Done", ".Bad"
			}
			c.Reports.Folders = append(slices.Clone(c.Reports.Folders), f)
		})
	case "imap":
		if err := need(in.Server, in.User, in.Path); err != nil {
			return nil, err
		}
		out.Composed = composeLines(c, "A mailbox", func(c *config.Config) {
			m := config.IMAP{Server: in.Server, User: in.User, PasswordFile: in.Path, After: cmp.Or(in.After, "seen")}
			if m.After == "move" {
				m.Done, m.Bad = "Gatepost-Done", "Gatepost-Bad"
			}
			c.Reports.IMAP = append(slices.Clone(c.Reports.IMAP), m)
		})
	case "smtp":
		if err := need(in.Listen); err != nil {
			return nil, err
		}
		addresses, err := listenAddresses(in.Listen)
		if err != nil {
			return nil, invalid("listen", "%s.", err)
		}
		out.Composed = composeLines(c, "Our own receiver", func(c *config.Config) { c.Reports.SMTP.Listen = addresses })
	case "http":
		if err := need(in.Path); err != nil {
			return nil, err
		}
		out.Composed = composeLines(c, "Uploads with a token", func(c *config.Config) { c.Reports.HTTP.Tokens = in.Path })
	default:
		return nil, invalid("compose", "There are folder, imap, smtp and http.")
	}
	return out, nil
}

func listenAddresses(text string) ([]config.Address, error) {
	var all []config.Address
	for _, part := range fieldsOf(text) {
		var a config.Address
		if err := a.UnmarshalText([]byte(part)); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// Tables has the inputs.
func (s *SettingsInputs) Tables() []Table {
	r := Reports{Intake: s.Intake}
	return r.Tables()[1:]
}

// SettingsLettersIn asks who is written to, or for the lines that add somebody.
type SettingsLettersIn struct {
	Compose string `query:"compose" doc:"digest, alerts or notice: what lines are wanted for"`
	Name    string `query:"name"`
	To      string `query:"to" doc:"Addresses, with spaces between them"`
	Every   string `query:"every" doc:"daily, weekly or monthly"`
	From    string `query:"from" doc:"Who letters come from"`
	Return  string `query:"return" doc:"Where what comes back goes"`
	Company string `query:"company" doc:"Who we are"`
}

// SettingsLetters are who is written to, and when.
type SettingsLetters struct {
	From     string            `json:"from"` // empty: nothing can be sent
	Server   string            `json:"server"`
	Digests  []SettingsDigest  `json:"digests"`
	AlertsTo []string          `json:"alerts_to"`
	Webhook  string            `json:"webhook"` // its host; the rest may be secret
	Watch    string            `json:"watch"`   // how often records are looked at; 0s: never
	Notices  bool              `json:"notices"` // letters to owners of domains are written
	Composed *Composed         `json:"composed"`
	Sections []SettingsSection `json:"sections"`
}

// A SettingsDigest is a letter that comes again and again.
type SettingsDigest struct {
	Name    string    `json:"name"`
	To      []string  `json:"to"`
	Domains []string  `json:"domains"` // empty: all of ours
	Every   string    `json:"every"`
	Due     time.Time `json:"due"`    // when one was due last
	Period  string    `json:"period"` // that it is about
}

// Title is what the page is called.
func (s *SettingsLetters) Title() string { return "Letters and alerts" }

// Crumbs lead back.
func (s *SettingsLetters) Crumbs() []Crumb { return settingsCrumbs }

// SettingsLetters tells who is written to.
func (d *Desk) SettingsLetters(_ context.Context, _ *people.Access, in *SettingsLettersIn) (*SettingsLetters, error) {
	c := d.Config()
	every, _ := c.Watch.Every.MarshalText()
	out := &SettingsLetters{
		From: c.Mail.From, Server: c.Mail.Server, Digests: []SettingsDigest{}, AlertsTo: append([]string{}, c.Alerts.To...), Watch: string(every),
		Notices: c.Notice.Enabled(), Sections: settingsOf(c, "mail", "digest", "alerts", "watch", "notice"),
	}
	if c.Alerts.Webhook != "" {
		out.Webhook = hostOf(c.Alerts.Webhook)
	}
	for i := range c.Digests {
		g := &c.Digests[i]
		due, period, err := g.Due(d.now())
		if err != nil {
			return nil, err
		}
		out.Digests = append(out.Digests, SettingsDigest{g.Name, append([]string{}, g.To...), append([]string{}, g.Domains...), cmp.Or(g.Every, digest.Weekly), due, period})
	}
	from := func(c *config.Config) {
		if c.Mail.From == "" {
			c.Mail.From = in.From
		}
	}
	if in.Compose == "digest" || in.Compose == "alerts" {
		if in.To == "" {
			return nil, invalid("to", "Write who gets it.")
		}
	}
	switch in.Compose {
	case "":
	case "digest":
		out.Composed = composeLines(c, "A letter", func(c *config.Config) {
			from(c)
			c.Digests = append(slices.Clone(c.Digests), digest.Config{Name: cmp.Or(in.Name, "letter"), To: fieldsOf(in.To), Every: in.Every})
		})
	case "alerts":
		out.Composed = composeLines(c, "Alerts", func(c *config.Config) {
			from(c)
			c.Alerts.To = fieldsOf(in.To)
		})
	case "notice":
		if in.From == "" || in.Return == "" || in.Company == "" {
			return nil, invalid("from", "Write who letters come from, where what comes back goes, and who you are.")
		}
		out.Composed = composeLines(c, "Letters to the owners of domains", func(c *config.Config) {
			from(c)
			c.Notice.From, c.Notice.ReturnAddress, c.Notice.Organization = in.From, in.Return, in.Company
		})
	default:
		return nil, invalid("compose", "There are digest, alerts and notice.")
	}
	return out, nil
}

// SettingsGateIn asks how mail is judged, or for the lines that change it.
type SettingsGateIn struct {
	Compose string `query:"compose" doc:"gate or recipients: what lines are wanted for"`
	Policy  string `query:"policy" doc:"standard, strict, lockdown, or a file"`
	Mode    string `query:"mode" doc:"enforce or monitor"`
	Domains string `query:"domains" doc:"Of recipients, with spaces between them"`
}

// SettingsGate is how mail is judged.
type SettingsGate struct {
	Policy     string               `json:"policy"`
	Mode       string               `json:"mode"`
	Listen     []string             `json:"listen"`
	Networks   []string             `json:"networks"` // our own
	Recipients []SettingsRecipients `json:"recipients"`
	Composed   *Composed            `json:"composed"`
	Sections   []SettingsSection    `json:"sections"`
}

// SettingsRecipients are domains that want something else done with their mail.
type SettingsRecipients struct {
	Domains []string `json:"domains"`
	Policy  string   `json:"policy"`
	Mode    string   `json:"mode"`
}

// Title is what the page is called.
func (s *SettingsGate) Title() string { return "The gate" }

// Crumbs lead back.
func (s *SettingsGate) Crumbs() []Crumb { return settingsCrumbs }

// SettingsGate tells how mail is judged.
func (d *Desk) SettingsGate(_ context.Context, _ *people.Access, in *SettingsGateIn) (*SettingsGate, error) {
	c := d.Config()
	out := &SettingsGate{Policy: c.Policy, Mode: c.Mode, Listen: []string{}, Networks: []string{}, Recipients: []SettingsRecipients{},
		Sections: settingsOf(c, "", "limits", "dmarc", "arc", "recipients")}
	for _, a := range c.Listen {
		out.Listen = append(out.Listen, a.String())
	}
	for _, n := range c.OwnNetworks {
		out.Networks = append(out.Networks, n.String())
	}
	for _, r := range c.Recipients {
		out.Recipients = append(out.Recipients, SettingsRecipients{append([]string{}, r.Domains...), cmp.Or(r.Policy, c.Policy), cmp.Or(r.Mode, c.Mode)})
	}
	// A file that is named here is not looked into: its name came by the web.
	if in.Policy != "" && !slices.Contains(policyPresets, in.Policy) {
		return nil, invalid("policy", "There are %s; a policy of your own is named in the file.", strings.Join(policyPresets, ", "))
	}
	switch in.Compose {
	case "":
	case "gate":
		out.Composed = composeLines(c, "How mail is judged", func(c *config.Config) {
			c.Policy, c.Mode = cmp.Or(in.Policy, c.Policy), cmp.Or(in.Mode, c.Mode)
		})
	case "recipients":
		if in.Domains == "" {
			return nil, invalid("domains", "Write the domains of the recipients.")
		}
		out.Composed = composeLines(c, "Other recipients, another policy", func(c *config.Config) {
			c.Recipients = append(slices.Clone(c.Recipients), config.Recipients{Domains: fieldsOf(in.Domains), Policy: in.Policy, Mode: in.Mode})
		})
	default:
		return nil, invalid("compose", "There are gate and recipients.")
	}
	return out, nil
}

var policyPresets = []string{"standard", "strict", "lockdown"}
