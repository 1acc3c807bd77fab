package signing

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/gatepost-mail/gatepost/dkim"
)

// A Keyring answers which keys sign for whom. It is safe for concurrent use, and never waits: changing keys swaps all of it at once.
type Keyring struct {
	ring atomic.Pointer[ring]
}

// A ring is what holds at one time.
type ring struct {
	exact map[string]*holder // by Author Domain
	below map[string]*holder // by the domain that it must be below
}

// A holder has the signers of one signing domain. There are none while no key may be used.
type holder struct {
	signers []dkim.Signer
}

// Signers gives the keys to sign a message from an Author Domain with, RSA before Ed25519. The domain is in lower case, with A-labels.
// There is none if the domain is not ours, or if no key may be used; [Keyring.Ours] tells which. The slice is shared: do not change it.
func (k *Keyring) Signers(authorDomain string) []dkim.Signer {
	if h := k.find(authorDomain); h != nil {
		return h.signers
	}
	return nil
}

// Ours tells whether mail from an Author Domain is to be signed, be there a key or not.
func (k *Keyring) Ours(authorDomain string) bool { return k.find(authorDomain) != nil }

// find looks for the domain itself, then for wildcards, the most specific first.
func (k *Keyring) find(domain string) *holder {
	r := k.ring.Load()
	if r == nil {
		return nil
	}
	if h := r.exact[domain]; h != nil {
		return h
	}
	if len(r.below) == 0 {
		return nil
	}
	for {
		dot := strings.IndexByte(domain, '.')
		if dot < 0 {
			return nil
		}
		domain = domain[dot+1:]
		if h := r.below[domain]; h != nil {
			return h
		}
	}
}

// newRing reads the keys of all domains that are signed for. A key that should sign and cannot be read is an error: it is not to be
// left out in silence.
func newRing(d *Directory, v Vault, s *Settings) (*ring, error) {
	holders := map[string]*holder{}
	r := &ring{exact: map[string]*holder{}, below: map[string]*holder{}}
	for _, rule := range s.rules {
		h := holders[rule.sdid]
		if h == nil {
			state, err := d.Load(rule.sdid)
			if err != nil {
				return nil, err
			}
			if h, err = newHolder(state, v, s); err != nil {
				return nil, err
			}
			holders[rule.sdid] = h
		}
		if rule.below {
			r.below[rule.author] = h
		} else {
			r.exact[rule.author] = h
		}
	}
	return r, nil
}

func newHolder(state *Domain, v Vault, s *Settings) (*holder, error) {
	h := new(holder)
	for _, a := range Algorithms {
		k := state.current(a)
		if k == nil || !k.Usable() && !s.force {
			continue
		}
		key, err := v.Open(state.Name, k.File)
		if err != nil {
			return nil, fmt.Errorf("the key %s of %s: %w", k.Selector, state.Name, err)
		}
		if dkim.Record(key.Public()) != k.Record && !samePublic(dkim.Record(key.Public()), k.Record) {
			return nil, fmt.Errorf("the key %s of %s: %s holds another key than its state says", k.Selector, state.Name, k.File)
		}
		signer := dkim.Signer{Domain: state.Name, Selector: k.Selector, Key: key, Canonicalization: s.canonicalization, Expire: s.expire}
		if err := signer.Check(); err != nil {
			return nil, fmt.Errorf("the key %s of %s: %w", k.Selector, state.Name, err)
		}
		h.signers = append(h.signers, signer)
	}
	return h, nil
}
