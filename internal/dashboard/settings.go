package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// SettingsIn asks for what there is to know of the gate itself.
type SettingsIn struct{}

// Settings are what runs here, and how it does. Nothing but Owns is told to who does not own everything.
type Settings struct {
	Owns        bool        `json:"owns"`
	Running     bool        `json:"running"` // a gate, and not only this dashboard
	Version     string      `json:"version"`
	Started     time.Time   `json:"started"`
	File        string      `json:"file"` // of the configuration; empty: none
	Read        time.Time   `json:"read"` // when it was
	ConfigError string      `json:"config_error"`
	Ready       bool        `json:"ready"`
	Problems    []string    `json:"problems"`
	Listening   []string    `json:"listening"`
	Web         []string    `json:"web"` // where the dashboard listens
	URL         string      `json:"url"`
	HTTPS       bool        `json:"https"`
	HTTPSText   string      `json:"https_text"` // how, or why not: a sentence
	SignIn      []string    `json:"sign_in"`    // by which ways people do
	Store       string      `json:"store"`      // its address, without a password
	Size        *store.Size `json:"size"`       // null: it is being counted
	Takes       string      `json:"takes"`      // how large it is, in words
	Policy      string      `json:"policy"`
	Mode        string      `json:"mode"`
	Sessions    int         `json:"sessions"`
	MaxSessions int         `json:"max_sessions"`
	Messages    int64       `json:"messages"` // since the start
	Refused     int64       `json:"refused"`
	Waiting     int64       `json:"waiting"` // decisions that are not in the store yet

	Sections []SettingsSection `json:"sections"`
}

// A SettingsSection is a table of the configuration in force.
type SettingsSection struct {
	Head  string         `json:"head"` // "[reports.smtp]"; empty for the keys before the first table
	Note  string         `json:"note"`
	Lines []SettingsLine `json:"lines"`
}

// A SettingsLine is one key of it.
type SettingsLine struct {
	Line    string `json:"line"`
	Note    string `json:"note"`
	Default bool   `json:"default"` // it holds without being written
}

// Written are the lines that do not only say what holds without them.
func (s *SettingsSection) Written() []string {
	var all []string
	for _, l := range s.Lines {
		if !l.Default {
			all = append(all, l.Line)
		}
	}
	return all
}

// Title is what the page is called.
func (s *Settings) Title() string { return "Settings" }

// Settings tells what runs here.
func (d *Desk) Settings(ctx context.Context, who *people.Access, _ *SettingsIn) (*Settings, error) {
	out := &Settings{Owns: who.Everywhere() >= people.Owner, Problems: []string{}, Listening: []string{}, Web: []string{}, SignIn: []string{}, Sections: []SettingsSection{}}
	if !out.Owns {
		return out, nil
	}
	c := d.Config()
	status, err := d.status(ctx)
	if err != nil {
		return nil, err
	}
	out.Running = d.Status != nil && status.PID != 0
	out.Version, out.Started, out.File, out.Read, out.ConfigError = status.Version, status.Started, status.Config, status.ConfigRead, status.ConfigError
	out.Problems, out.Listening = append(out.Problems, status.Problems...), append(out.Listening, status.Listening...)
	out.Ready = out.Running && !slices.ContainsFunc(status.Problems, func(p string) bool { return !strings.Contains(p, "degraded: ") })
	out.Sessions, out.MaxSessions, out.Messages, out.Refused, out.Waiting = status.Sessions, status.MaxSessions, int64(status.Messages), int64(status.Refused), status.Pending
	out.Policy, out.Mode, out.URL = c.Policy, c.Mode, c.Web.URL
	for _, a := range c.Web.Listen {
		out.Web = append(out.Web, a.String())
	}
	out.HTTPS, out.HTTPSText = httpsOf(&c.Web)
	out.SignIn = append(out.SignIn, "a password, with a second factor if it is set up", "a passkey")
	if c.Web.OIDC.Issuer != "" {
		out.SignIn = append(out.SignIn, "OpenID at "+c.Web.OIDC.Issuer)
	}
	out.Store = storeAddress(c)
	out.Sections = settingsOf(c, "store", "resolver", "web", "log")
	if d.Store == nil {
		return out, nil
	}
	size, err := keep.Get(ctx, d.Answers, "store size", func(ctx context.Context) (store.Size, error) { return d.Store.Size(ctx) })
	switch {
	case errors.Is(err, keep.ErrPending):
	case err != nil:
		return nil, err
	default:
		out.Size, out.Takes = &size.Value, sizeText(size.Value.Bytes)
	}
	return out, nil
}

// sizeText is a number of bytes in words.
func sizeText(n int64) string {
	for _, unit := range []struct {
		name string
		size float64
	}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}} {
		if float64(n) >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(n)/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// httpsOf tells whether the dashboard is reached by HTTPS, and how.
func httpsOf(w *config.Web) (bool, string) {
	switch {
	case w.TLS.ACME:
		return true, "With a certificate that is had by itself, for " + strings.TrimPrefix(w.URL, "https://") + "."
	case w.TLS.CertFile != "":
		return true, "With the certificate in " + w.TLS.CertFile + "."
	case strings.HasPrefix(w.URL, "https://"):
		return true, "Spoken by a proxy in front: here it is HTTP, which nobody but that proxy may reach."
	}
	return false, "Passwords and cookies can be read on the way: let it listen on this host alone, or set web.tls."
}

// storeAddress is where the store is, without what is secret in it.
func storeAddress(c *config.Config) string {
	shown := *c
	shown.Store.URL = c.StoreURL()
	for _, s := range shown.Sections("store") {
		for _, l := range s.Settings {
			if text, ok := strings.CutPrefix(l.Line, "url = "); ok {
				return strings.Trim(text, `"`)
			}
		}
	}
	return ""
}

// settingsOf are tables of the configuration in force, without what is secret.
func settingsOf(c *config.Config, names ...string) []SettingsSection {
	all := []SettingsSection{}
	for _, s := range c.Sections(names...) {
		section := SettingsSection{Head: s.Head, Note: s.Note, Lines: []SettingsLine{}}
		for _, l := range s.Settings {
			line := SettingsLine{l.Line, l.Note, l.Default}
			if l.Key == "alerts.webhook" && c.Alerts.Webhook != "" {
				line.Line = fmt.Sprintf("webhook = %q", hostOf(c.Alerts.Webhook))
			}
			section.Lines = append(section.Lines, line)
		}
		all = append(all, section)
	}
	return all
}

// hostOf is an address of the web without what may be secret in it.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "…"
	}
	return u.Scheme + "://" + u.Host + "/…"
}

// A Composed is what to write into the configuration for something.
type Composed struct {
	What     string   `json:"what"`     // "A domain more"
	Lines    string   `json:"lines"`    // TOML
	Replaces []string `json:"replaces"` // keys that are there already: their lines go
	Where    string   `json:"where"`    // it is to be put: a sentence
	Error    string   `json:"error"`    // why it cannot be; empty: it was tried, and reads well
}

// composeLines says which lines make a change.
func composeLines(c *config.Config, what string, change func(*config.Config)) *Composed {
	lines, replaces, err := c.Change(change)
	out := &Composed{What: what, Lines: lines, Replaces: append([]string{}, replaces...)}
	head, _, _ := strings.Cut(lines, "\n")
	switch {
	case len(replaces) > 0:
		out.Where = "There is a line for " + strings.Join(replaces, ", ") + " already: put this in its place."
	case strings.HasPrefix(head, "[["):
		out.Where = "Put it at the end of the file."
	case strings.HasPrefix(head, "["):
		out.Where = "Put it into the table " + head + ", or at the end of the file where there is none."
	default:
		out.Where = "Put it at the top of the file, before the first table."
	}
	var wrong *config.Error
	switch {
	case errors.As(err, &wrong):
		out.Error = wrong.Err.Error()
	case err != nil:
		out.Error = err.Error()
	case lines == "":
		out.Error = "That is so already."
	}
	return out
}

// fieldsOf takes a text apart at spaces and commas.
func fieldsOf(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
}
