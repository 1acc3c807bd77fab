// Package signing keeps the keys that mail is signed with: which key signs for whom, where keys lie on disk, and how one follows
// another without a message that nobody can verify.
//
// The gate makes one [Rotor], starts it, and asks its keyring for every message that leaves:
//
//	rotor, err := signing.NewRotor(signing.Options{Directory: dir, Settings: settings, Views: views})
//	go rotor.Run(ctx)
//	signers := rotor.Keyring().Signers("example.com") // none: not ours, or no key that may be used
//
// # On disk
//
// A key directory has one folder a domain, named like it. What is known of the domain's keys stands in state.json, each private key in
// a PEM file beside it:
//
//	/var/lib/gatepost/keys/example.com/state.json
//	/var/lib/gatepost/keys/example.com/gp-2026-11-r.pem
//	/var/lib/gatepost/keys/example.com/lock
//
// state.json is replaced as a whole, by rename, and is on the disk before anything is done that it tells of: a key's name before the
// key is made, that a key signs before the first signature, that a key is gone before its file is. So it can be read at any moment
// and after any crash, without a lock. Whoever changes it holds the lock, which the operating system takes back from a process that died.
//
// # A key's life
//
// A key goes from one [State] to the next when DNS shows what it must and its time has come. [Rotor.Tick] takes all steps that are
// due; taken twice, it changes nothing the second time.
package signing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
)

// An Algorithm is the kind of a key, in the words of a key record's k= (RFC 6376 3.6.1, RFC 8463 4).
type Algorithm string

// The algorithms, in the order in which they sign: a verifier that knows but one looks for it first.
const (
	RSA     Algorithm = "rsa"
	Ed25519 Algorithm = "ed25519"
)

// Algorithms are all that there are, in their order.
var Algorithms = []Algorithm{RSA, Ed25519}

// A State is how far a key has come.
type State string

// The states, in the order of a key's life.
const (
	Making   State = "making"   // it has a name; its private half may not be on disk yet
	Publish  State = "publish"  // its record is to be published
	Waiting  State = "waiting"  // DNS shows the record; whoever still remembers that there was none is waited for
	Signing  State = "signing"  // mail is signed with it
	Retiring State = "retiring" // another one signs; mail that this one signed is still under way
	Revoke   State = "revoke"   // its record is to be replaced by one that says it is revoked (RFC 6376 3.6.1, p=)
	Revoked  State = "revoked"  // DNS shows so
	Remove   State = "remove"   // its record is to be removed
	Removed  State = "removed"  // DNS shows none, and the private half is destroyed
)

// states are all states, in order.
var states = []State{Making, Publish, Waiting, Signing, Retiring, Revoke, Revoked, Remove, Removed}

// coming tells whether a key in this state is on its way to sign.
func (s State) coming() bool { return s == Making || s == Publish || s == Waiting }

// A Check is what DNS was last found to say of a key.
type Check string

// The checks.
const (
	Unchecked Check = ""        // nobody looked yet
	OK        Check = "ok"      // its record, and nothing else that is a key
	Missing   Check = "missing" // no record
	Other     Check = "other"   // another key
	Several   Check = "several" // its record, and one of another key or of a revoked one
	NoKey     Check = "no key"  // a record that is no key
	IsRevoked Check = "revoked" // a record with an empty p=
	Unknown   Check = "unknown" // DNS did not answer; never written down
)

// A Key is all that is known of a key, but for its secret.
type Key struct {
	Selector  string    `json:"selector"`
	Algorithm Algorithm `json:"algorithm"`
	State     State     `json:"state"`
	Since     time.Time `json:"since"`            // of State
	Created   time.Time `json:"created"`          //
	Ready     time.Time `json:"ready,omitzero"`   // Waiting: when it may sign
	TTL       Duration  `json:"ttl,omitzero"`     // for how long what DNS showed may be remembered elsewhere
	File      string    `json:"file,omitempty"`   // where its private half lies; empty once it is destroyed
	Record    string    `json:"record,omitempty"` // the text that publishes it
	Check     Check     `json:"check,omitempty"`  // the last definite answer
	Checked   time.Time `json:"checked,omitzero"` // since when DNS has answered so
	Problem   string    `json:"problem,omitempty"`
}

// Usable tells whether mail may be signed with the key: it is its turn, and DNS showed it when it last answered.
func (k *Key) Usable() bool { return k.State == Signing && k.Check == OK }

// Name is where the key is published (RFC 6376 3.6.2.1).
func (k *Key) Name(domain string) string { return k.Selector + "._domainkey." + domain }

// RevokedRecord is the text that revokes the key.
func (k *Key) RevokedRecord() string { return "v=DKIM1; k=" + string(k.Algorithm) + "; p=" }

func (k *Key) enter(s State, now time.Time) {
	k.State, k.Since, k.Problem = s, now, ""
}

// A Domain is what is known of the keys of one signing domain (d=, the SDID).
type Domain struct {
	Name string `json:"domain"`
	Keys []Key  `json:"keys"`
}

// Find gives the key of a selector, or nil.
func (d *Domain) Find(selector string) *Key {
	for i := range d.Keys {
		if d.Keys[i].Selector == selector {
			return &d.Keys[i]
		}
	}
	return nil
}

// current gives the key of an algorithm that signs, or nil. If there are several it is the latest.
func (d *Domain) current(a Algorithm) *Key {
	var found *Key
	for i := range d.Keys {
		k := &d.Keys[i]
		if k.Algorithm == a && k.State == Signing && (found == nil || !k.Since.Before(found.Since)) {
			found = k
		}
	}
	return found
}

// coming gives the key of an algorithm that will sign, or nil.
func (d *Domain) coming(a Algorithm) *Key {
	for i := range d.Keys {
		if d.Keys[i].Algorithm == a && d.Keys[i].State.coming() {
			return &d.Keys[i]
		}
	}
	return nil
}

// DomainName gives the form in which a domain to sign for is kept: A-labels of letters, digits, hyphens and underscores, so that it
// can name a folder.
func DomainName(s string) (string, error) {
	name, err := dns.ToASCII(s)
	if err != nil || !strings.Contains(name, ".") || !isPlain(name) {
		return "", fmt.Errorf("%q is not a domain to sign for; write it like \"example.com\"", s)
	}
	return name, nil
}

// SelectorName gives the form in which a selector is kept. It may have several labels (RFC 6376 3.1).
func SelectorName(s string) (string, error) {
	name, err := dns.ToASCII(s)
	if err != nil || !isPlain(name) {
		return "", fmt.Errorf("%q is not a selector; letters, digits and hyphens make one", s)
	}
	return name, nil
}

// isPlain tells whether a name holds nothing that means something to a shell or a file system.
func isPlain(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return name != "" && name[0] != '.' && name[0] != '-'
}

// ParseAlgorithms reads "rsa", "ed25519" or "both".
func ParseAlgorithms(s string) ([]Algorithm, error) {
	switch a := Algorithm(s); {
	case s == "both":
		return Algorithms, nil
	case slices.Contains(Algorithms, a):
		return []Algorithm{a}, nil
	}
	return nil, fmt.Errorf("%q: no such algorithm; there are rsa, ed25519, both", s)
}
