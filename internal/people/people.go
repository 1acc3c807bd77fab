// Package people knows who may see and do what at the dashboard and its API: users, their roles, sessions, links and tokens.
//
//	office := &people.Office{Store: s, Groups: groups}
//	access, err := office.Session(ctx, cookie)
//	if access.Over("example.com") >= people.Analyst { … }
//
// A role is held over a group of domains, or over everything. Whoever asks is an [Access], made of a session or of a token; nothing else
// decides. Secrets are kept as hashes only: of passwords by argon2id, of what is long and random by SHA-256.
package people

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Role says what somebody may do. Each may do what those below it may.
type Role int

// The roles.
const (
	Nobody  Role = iota
	Viewer       // sees
	Analyst      // says whose sources are, makes exceptions, approves letters
	Owner        // says who may do what
)

var roleNames = [...]string{Nobody: "none", Viewer: "viewer", Analyst: "analyst", Owner: "owner"}

// Roles are those that can be granted, the least first.
var Roles = []Role{Viewer, Analyst, Owner}

func (r Role) String() string { return roleNames[r] }

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	for _, r := range Roles {
		if s == r.String() {
			return r, nil
		}
	}
	return Nobody, fmt.Errorf("role %q: there are viewer, analyst, owner", s)
}

// MarshalText writes the name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a name.
func (r *Role) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRole(string(b))
	return err
}

// Everything is the name of the group that holds every domain, and what is not of one domain: the gate, the settings.
const Everything = "*"

// A Grant is a role over a group of domains.
type Grant struct {
	Over string `json:"over"` // a group's name, or Everything
	Role Role   `json:"role"`
}

// A Group is some domains, as the configuration names them.
type Group struct {
	Name    string
	Domains []string // "example.com", or "*.example.com" for those beneath it
}

// Has tells whether a domain is in it.
func (g *Group) Has(domain string) bool {
	return slices.ContainsFunc(g.Domains, func(d string) bool {
		if parent, ok := strings.CutPrefix(d, "*."); ok {
			return strings.HasSuffix(domain, "."+parent)
		}
		return d == domain
	})
}

// meets tells whether a domain can be in both.
func (g *Group) meets(other *Group) bool {
	return slices.ContainsFunc(g.Domains, func(one string) bool {
		return slices.ContainsFunc(other.Domains, func(two string) bool { return below(one, two) || below(two, one) })
	})
}

// below tells whether all that one pattern names is named by another.
func below(one, other string) bool {
	parent, ok := strings.CutPrefix(other, "*.")
	return one == other || ok && strings.HasSuffix(one, "."+parent)
}

// A Person is a user.
type Person struct {
	ID       int64
	Name     string // to sign in with; lower case
	Grants   []Grant
	Password string // argon2id in PHC form; empty: not by password
	TOTP     string // the secret, in base32; empty: no second factor
	LastTOTP int64  // the time step of the code that was used last, which is not taken again
	Recovery []Hash // of codes that stand in for the second factor, once each
	Passkeys []Passkey
	Subject  string // issuer and subject of OIDC, "https://id.example.org 1234"; empty: not by OIDC
	Disabled bool
	Created  time.Time
	Seen     time.Time // signed in last
	Version  int64     // of what is stored; a change of an older one is refused
}

// Rules tells whether the person owns everything, and can sign in though no provider of OpenID is there: one such must be left.
func (p *Person) Rules() bool {
	owns := slices.Contains(p.Grants, Grant{Everything, Owner})
	return owns && !p.Disabled && (p.Password != "" || len(p.Passkeys) > 0)
}

// Elsewhere tells whether the person signs in by a provider of OpenID alone. Who is thrown out there must not have a way in that was made
// here.
func (p *Person) Elsewhere() bool { return p.Subject != "" && p.Password == "" }

// A Passkey is one that a person has registered (Web Authentication).
type Passkey struct {
	Name       string    `json:"name"`
	ID         []byte    `json:"id"`
	Credential []byte    `json:"credential"` // as go-webauthn writes it in JSON
	Created    time.Time `json:"created"`
	Used       time.Time `json:"used,omitzero"`
}

// A Hash is the SHA-256 of a secret that is long and random.
type Hash [32]byte

// A Session is a browser that signed in.
type Session struct {
	Hash    Hash // of the cookie
	Person  int64
	Created time.Time
	Seen    time.Time
	Expires time.Time
	Address string // of the client when it began
	Agent   string // likewise, as it calls itself
	Method  string // password, passkey, oidc, link
}

// A Link lets somebody in once: to choose a password, or at once.
type Link struct {
	Hash    Hash
	Person  int64  // who signs in by it; 0: a new person
	Name    string // of the new person, if it is decided
	Grants  []Grant
	Enters  bool // signs in at once, without a password; as often as wanted until it expires
	Created time.Time
	Expires time.Time
	Author  string // a person's name, or CommandLine
}

// A Token lets a program use the API.
type Token struct {
	ID      int64
	Hash    Hash
	Name    string
	Person  int64 // whose it is: it may never do more than this person
	Role    Role  // and no more than this
	Over    string
	Created time.Time
	Used    time.Time
	Expires time.Time // zero: never
}

// An Event is a line of the audit log: who did what.
type Event struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`     // a person's name, "token NAME of NAME", or "command line"
	Address string    `json:"address"` // of the client
	What    string    `json:"what"`    // always the same words for the same: "sign-in", "sign-in failed", "mark-source"
	About   string    `json:"about"`   // a domain, a person, an exception
	Detail  string    `json:"detail"`
}

// Errors that callers tell apart.
var (
	ErrNobody   = errors.New("nobody is signed in")
	ErrRefused  = errors.New("name, password or code is wrong")
	ErrTaken    = errors.New("the name is taken")
	ErrChanged  = errors.New("somebody else changed it meanwhile")
	ErrNoPerson = errors.New("no such user")
	ErrNoLink   = errors.New("the link was used, or is too old")
	ErrLast     = errors.New("somebody must be left who owns everything, and signs in by a password or a passkey")
)
