package verify

import (
	"errors"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/message"
)

// Seal says that a set is to be added to the message's chain. It comes after Header, and before the first piece of the body.
func (s *Session) Seal(sealer arc.Sealer) error {
	if s.dkim == nil {
		return errors.New("sealing: the header was not read")
	}
	sealing, err := arc.NewSealing(sealer, s.header, s.body)
	if err != nil {
		return err
	}
	s.sealing = sealing
	return nil
}

// Sealed is the set, to be put on top of the header in this order: none where Seal was not called, or where nothing may be added. It
// comes after End. Results are what our Authentication-Results say after the authserv-id.
func (s *Session) Sealed(results string) ([]message.Field, error) {
	if s.sealing == nil || s.tooLarge() {
		return nil, nil
	}
	return s.sealing.Fields(s.chain, results)
}
