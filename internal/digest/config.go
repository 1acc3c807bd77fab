package digest

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // hosts without it, and Windows

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/outbox"
)

// How often a letter comes.
const (
	Daily   = "daily"
	Weekly  = "weekly"
	Monthly = "monthly"
)

// What comes when nothing happened.
const (
	QuietLine    = "line"    // a letter of one line
	QuietNothing = "nothing" // none
)

// A Config is one table [[digest]] of the configuration file.
type Config struct {
	Name     string   `toml:"name"`      // by which the letter is known, and never sent twice
	Domains  []string `toml:"domains"`   // whom it is about; those of [reports] if empty
	To       []string `toml:"to"`        // addresses
	Every    string   `toml:"every"`     // weekly if empty
	Day      string   `toml:"day"`       // of a week or a month; tuesday and 2 if empty
	At       string   `toml:"at"`        // 07:00 if empty
	TimeZone string   `toml:"time_zone"` // UTC if empty
	Quiet    string   `toml:"quiet"`     // line if empty
	Link     string   `toml:"link"`      // the dashboard's address; may be empty
}

// Mail is the table [mail] of the configuration file: who takes letters in.
type Mail struct {
	Server       string `toml:"server"` // HOST:PORT
	From         string `toml:"from"`
	TLS          string `toml:"tls"`
	CAFile       string `toml:"ca_file"`
	User         string `toml:"user"`
	PasswordFile string `toml:"password_file"`
	Helo         string `toml:"helo"`
}

// Outbox is the mail server in the words of package outbox.
func (m *Mail) Outbox() *outbox.Server {
	return &outbox.Server{Address: m.Server, From: m.From, TLS: m.TLS, CA: m.CAFile, User: m.User, PasswordFile: m.PasswordFile, Helo: m.Helo}
}

// Check says which key holds a value that cannot be. Without from, nothing is sent, and the rest does not matter.
func (m *Mail) Check() (key string, err error) {
	if m.From == "" {
		return "", nil
	}
	if err := m.Outbox().Check(); err != nil {
		word, _, _ := strings.Cut(err.Error(), " ")
		key := "mail." + strings.TrimSuffix(word, ":")
		return key, fmt.Errorf("mail.%w", err)
	}
	return "", nil
}

// CheckAll says which of several tables cannot be.
func CheckAll(all []Config) (key string, err error) {
	seen := map[string]bool{}
	for i := range all {
		if key, err := all[i].Check(); err != nil {
			return key, err
		}
		if seen[all[i].Name] {
			return "digest", fmt.Errorf("digest %q: there are two of this name", all[i].Name)
		}
		seen[all[i].Name] = true
	}
	return "", nil
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// Check says which key holds a value that cannot be. It writes domains as they are looked for.
func (c *Config) Check() (key string, err error) {
	wrong := func(key, format string, args ...any) (string, error) {
		return "digest." + key, fmt.Errorf("digest %q: %s %s", c.Name, key, fmt.Sprintf(format, args...))
	}
	if !isName(c.Name) {
		return "digest.name", fmt.Errorf("digest: name %q: write letters, digits, - and _, as in \"weekly\"", c.Name)
	}
	if len(c.To) == 0 {
		return wrong("to", "is missing: who gets the letter")
	}
	for _, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			return wrong("to", "%q: not an address", to)
		}
	}
	for i, name := range c.Domains {
		domain, err := dns.ToASCII(name)
		if err != nil {
			return wrong("domains", "%q: not a domain", name)
		}
		c.Domains[i] = domain
	}
	if !slices.Contains([]string{"", Daily, Weekly, Monthly}, c.Every) {
		return wrong("every", "%q: there are daily, weekly, monthly", c.Every)
	}
	if !slices.Contains([]string{"", QuietLine, QuietNothing}, c.Quiet) {
		return wrong("quiet", "%q: there are line, nothing", c.Quiet)
	}
	if _, err := c.schedule(); err != nil {
		word, _, _ := strings.Cut(err.Error(), " ")
		return "digest." + strings.TrimSuffix(word, ":"), fmt.Errorf("digest %q: %w", c.Name, err)
	}
	if u, err := url.Parse(c.Link); c.Link != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return wrong("link", "%q: write it as https://gatepost.example.org", c.Link)
	}
	return "", nil
}

func isName(s string) bool {
	return s != "" && len(s) <= 60 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// A schedule is a Config's, read.
type schedule struct {
	every        string
	weekday      time.Weekday
	monthDay     int
	hour, minute int
	zone         *time.Location
}

var errDay = errors.New(`day: of a week write "monday" and so on, of a month "1" to "28", of every day nothing`)

func (c *Config) schedule() (s schedule, err error) {
	s = schedule{every: c.Every, weekday: time.Tuesday, monthDay: 2, hour: 7, zone: time.UTC}
	if s.every == "" {
		s.every = Weekly
	}
	if c.Day != "" {
		switch s.every {
		case Weekly:
			i := slices.Index(weekdays, strings.ToLower(c.Day))
			if i < 0 {
				return s, errDay
			}
			s.weekday = time.Weekday(i)
		case Monthly:
			if _, err := fmt.Sscanf(c.Day+"\n", "%d\n", &s.monthDay); err != nil || s.monthDay < 1 || s.monthDay > 28 {
				return s, errDay
			}
		default:
			return s, errDay
		}
	}
	if c.At != "" {
		t, err := time.Parse("15:04", c.At)
		if err != nil {
			return s, fmt.Errorf("at %q: write it as 07:00", c.At)
		}
		s.hour, s.minute = t.Hour(), t.Minute()
	}
	if c.TimeZone != "" {
		if s.zone, err = time.LoadLocation(c.TimeZone); err != nil || c.TimeZone == "Local" {
			return s, fmt.Errorf("time_zone %q: write it as Europe/Berlin", c.TimeZone)
		}
	}
	return s, nil
}
