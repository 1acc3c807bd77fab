package serve

import (
	"fmt"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

// signers tell a keyring's "none" apart, in words for who wrote the message.
type signers struct{ ring *signing.Keyring }

// Signers implements [gate.Signers].
func (s signers) Signers(authorDomain string) ([]dkim.Signer, error) {
	keys := s.ring.Signers(authorDomain)
	switch {
	case len(keys) > 0:
		return keys, nil
	case s.ring.Ours(authorDomain):
		return nil, fmt.Errorf("no key of %s may be used now; ask the administrator", authorDomain)
	}
	return nil, fmt.Errorf("%s is not a domain that this server signs for; send as an address of a domain that is", authorDomain)
}
