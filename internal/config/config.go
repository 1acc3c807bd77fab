// Package config reads Gatepost's one configuration file, in TOML.
//
//	c, err := config.Load("/etc/gatepost/gatepost.toml")
//
// Every key has a default, which [Default] gives and docs/gatepost.example.toml shows. A key that is not known is an error, so that
// a slip of the pen is not taken for a default. An error names file, line and column:
//
//	gatepost.toml:12:10: policy "stict": no such preset; there are standard, strict, lockdown
package config

import (
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/alert"
	"github.com/gatepost-mail/gatepost/internal/digest"
	"github.com/gatepost-mail/gatepost/internal/notice"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/watch"
)

// A Config is what the file says, with defaults for what it does not say.
type Config struct {
	Listen             []Address       `toml:"listen"`
	SocketMode         FileMode        `toml:"socket_mode"`
	AuthservID         string          `toml:"authserv_id"`
	Policy             string          `toml:"policy"`
	Mode               string          `toml:"mode"`
	HelpURL            string          `toml:"help_url"`
	StateDir           string          `toml:"state_dir"`
	OwnNetworks        []netip.Prefix  `toml:"own_networks"`
	TrustAuthenticated bool            `toml:"trust_authenticated"`
	ReceivedSPF        bool            `toml:"received_spf"`
	MaxSessions        int             `toml:"max_sessions"`
	IdleTimeout        Duration        `toml:"idle_timeout"`
	Resolver           Resolver        `toml:"resolver"`
	Limits             Limits          `toml:"limits"`
	DMARC              DMARC           `toml:"dmarc"`
	ARC                ARC             `toml:"arc"`
	Signing            signing.Config  `toml:"signing"`
	Store              Store           `toml:"store"`
	Reports            Reports         `toml:"reports"`
	Mail               digest.Mail     `toml:"mail"`
	Digests            []digest.Config `toml:"digest"`
	Alerts             alert.Config    `toml:"alerts"`
	Watch              watch.Config    `toml:"watch"`
	Notice             notice.Config   `toml:"notice"`
	Web                Web             `toml:"web"`
	Log                Log             `toml:"log"`
	Recipients         []Recipients    `toml:"recipients"`
}

// Resolver says who answers DNS queries.
type Resolver struct {
	Servers []string `toml:"servers"` // HOST:PORT or HOST; those of the system if empty
	Zone    string   `toml:"zone"`    // a master file in front of them
}

// Limits bound what one message can make us do.
type Limits struct {
	Queries     int      `toml:"queries"`
	Time        Duration `toml:"time"`
	Bytes       Size     `toml:"bytes"`
	HeaderBytes Size     `toml:"header_bytes"`
	Fields      int      `toml:"fields"`
	Signatures  int      `toml:"signatures"`
	Messages    int      `toml:"messages"` // of one SMTP session
}

// DMARC says how Organizational Domains are found.
type DMARC struct {
	Method dmarc.Method `toml:"method"`
}

// ARC says whose seals are trusted, and whether we seal.
type ARC struct {
	TrustedSealers []string `toml:"trusted_sealers"`
	SealDomain     string   `toml:"seal_domain"` // empty: nothing is sealed
	SealSelector   string   `toml:"seal_selector"`
	SealKey        string   `toml:"seal_key"`        // a file
	SealRecipients []string `toml:"seal_recipients"` // domains whose mail is forwarded; all if empty
}

// Store says where and for how long what was decided is kept.
type Store struct {
	Enabled        bool     `toml:"enabled"`
	URL            string   `toml:"url"`             // gatepost.db in the state directory if empty
	Messages       int      `toml:"messages"`        // the last decisions that are kept
	MessageAge     Duration `toml:"message_age"`     // and none that is older
	ObservationAge Duration `toml:"observation_age"` // of counts by day; zero keeps them for ever
	Observations   int      `toml:"observations"`    // how many kinds of messages a day has, at most
	JournalBytes   Size     `toml:"journal_bytes"`   // of what waits for the store, on the disk
	Sync           string   `toml:"sync"`            // when the journal must be on the disk itself
}

// Recipients are domains that receive mail and want something else done with it.
type Recipients struct {
	Domains []string `toml:"domains"`
	Policy  string   `toml:"policy"` // that of the rest if empty
	Mode    string   `toml:"mode"`
}

// Log says what is written down and how.
type Log struct {
	Level  slog.Level `toml:"level"`
	Format string     `toml:"format"`
}

// What mode and log.format can be.
const (
	Enforce = "enforce"
	Monitor = "monitor"
	Text    = "text"
	JSON    = "json"
)

// Default is the configuration of a program that is given no file.
func Default() *Config {
	return &Config{
		Listen:             []Address{{Network: "tcp", Address: "127.0.0.1:8891"}},
		SocketMode:         0o660,
		AuthservID:         hostName(),
		Policy:             "strict",
		Mode:               Enforce,
		OwnNetworks:        []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		StateDir:           DefaultStateDir(),
		TrustAuthenticated: true,
		MaxSessions:        500,
		IdleTimeout:        Duration(2 * time.Hour), // libmilter's own; a slow sender's DATA is silence to a milter
		Resolver:           Resolver{Servers: []string{}},
		Limits: Limits{
			Queries: 300, Time: Duration(20 * time.Second), Bytes: 256 << 20, HeaderBytes: 1 << 20, Fields: 2000, Signatures: 10, Messages: 5000,
		},
		DMARC:   DMARC{Method: dmarc.TreeWalk},
		ARC:     ARC{TrustedSealers: []string{}, SealRecipients: []string{}},
		Signing: signing.DefaultConfig(),
		Store: Store{
			Enabled: true, Messages: 100_000, MessageAge: Duration(30 * 24 * time.Hour), ObservationAge: Duration(2 * 365 * 24 * time.Hour),
			Observations: store.DefaultObservations, JournalBytes: 1 << 30, Sync: "second",
		},
		Reports: Reports{
			Domains: []string{}, Networks: []string{}, RowAge: Duration(2 * year), RawAge: Duration(year), FailureAge: Duration(30 * day),
			Address: ReportAddress{Prefix: "rua", Separator: "+", Plain: []string{}},
			SMTP: ReportSMTP{
				Listen: []Address{}, LMTP: []Address{}, TrustedRelays: []netip.Prefix{}, MaxBytes: 64 << 20, Connections: 200,
			},
			HTTP:    ReportHTTP{MaxBytes: 64 << 20, TrustedProxies: []netip.Prefix{}},
			Folders: []Folder{}, IMAP: []IMAP{}, Graph: []Graph{}, Gmail: []Gmail{},
		},
		Mail:    digest.Mail{Server: "127.0.0.1:25"},
		Digests: []digest.Config{},
		Alerts:  alert.DefaultConfig(),
		Watch:   watch.DefaultConfig(),
		Notice:  notice.DefaultConfig(),
		Web: Web{
			Listen: []Address{{Network: "tcp", Address: "127.0.0.1:8080"}}, TrustedProxies: []netip.Prefix{}, Groups: []WebGroup{},
			Watchers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, TLS: WebTLS{Redirect: []Address{}}, OIDC: OIDC{GroupsClaim: "groups", Roles: []OIDCRole{}},
		},
		Log:        Log{Level: slog.LevelInfo, Format: Text},
		Recipients: []Recipients{},
	}
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

func hostName() string {
	name, err := os.Hostname()
	if err != nil || !isHostName(name) {
		return "localhost"
	}
	return strings.ToLower(name)
}
