package arc

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/authres"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
)

// A Sealer adds sets to chains. Domain, Selector, Key and AuthservID are needed.
type Sealer struct {
	Domain     string        // d=
	Selector   string        // s=
	Key        crypto.Signer // RSA or Ed25519
	AuthservID string        // whose results the set holds
	Headers    []string      // h= of the message signature; nil for a list that suits the message
	Now        time.Time     // t=; the present if zero
}

// A Sealing makes the set for one message as it streams by.
type Sealing struct {
	sealer Sealer
	header message.Header
	body   *dkim.BodyHash
}

// NewSealing begins a set. It wants a hash of the body, so it comes before the first piece of it is written. The header must not
// change until Fields returns.
func NewSealing(s Sealer, header message.Header, body *dkim.Body) (*Sealing, error) {
	if s.AuthservID == "" {
		return nil, errors.New("sealing needs an authserv-id")
	}
	if s.Headers == nil {
		s.Headers = defaultHeaders(header)
	}
	check := dkim.Signer{Domain: s.Domain, Selector: s.Selector, Key: s.Key, Headers: s.Headers}
	if err := check.Check(); err != nil {
		return nil, err
	}
	for _, name := range s.Headers {
		if hasPrefixFold(name, "ARC-") {
			return nil, fmt.Errorf("sealing for %s: %s cannot be signed (RFC 8617 4.1.2)", s.Domain, name)
		}
	}
	var err error
	if s.Domain, err = dns.ToASCII(s.Domain); err != nil {
		return nil, err
	}
	if s.Selector, err = dns.ToASCII(s.Selector); err != nil {
		return nil, err
	}
	if s.Now.IsZero() {
		s.Now = time.Now()
	}
	return &Sealing{sealer: s, header: header, body: body.Want(dkim.Relaxed, -1)}, nil
}

// defaultHeaders are what DKIM would sign, and the DKIM signatures themselves (RFC 8617 4.1.2).
func defaultHeaders(h message.Header) []string {
	const mostSignatures = 50
	names := dkim.DefaultHeaders(h)
	for range min(h.Count("DKIM-Signature"), mostSignatures) {
		names = append(names, "dkim-signature")
	}
	return names
}

// ErrUnknown is why no set can be made: what it would have to say of the chain before it is not known.
var ErrUnknown = errors.New("the chain could not be validated now, so nothing can be sealed")

// Fields makes the set, to be put on top of the header in this order, when the body has been closed. The chain is what a [Verifier]
// found, results what our Authentication-Results say after the authserv-id and its semicolon.
//
// There are no fields where nothing may be added: to a chain that ended in cv=fail, or has fifty sets (RFC 8617 5.1.2, 4.2.1).
func (s *Sealing) Fields(chain Result, results string) ([]message.Field, error) {
	switch {
	case chain.Code == TempError:
		return nil, fmt.Errorf("%w: %w", ErrUnknown, chain.Err)
	case chain.Ended || chain.Instances >= maxInstance:
		return nil, nil
	}
	if chain.Code == Pass && !readChain(s.header).isWhole(chain.Instances) {
		return nil, errors.New("sealing: the chain that passed is not that of this header")
	}
	instance := chain.Instances + 1
	id := strings.TrimSuffix(authres.Field{AuthservID: s.sealer.AuthservID}.Format(), "; none")
	aar := message.NewField(nameAAR, fmt.Sprintf(" i=%d; %s; %s", instance, id, onlyFolds(strings.Trim(results, fws))))
	ams, err := s.messageSignature(instance)
	if err != nil {
		return nil, err
	}
	as, err := s.seal(instance, chain.Code, aar, ams)
	if err != nil {
		return nil, err
	}
	return []message.Field{as, ams, aar}, nil
}

// messageSignature makes the field like a DKIM-Signature (RFC 8617 4.1.2). The tags come in the order of the alphabet.
func (s *Sealing) messageSignature(instance int) (message.Field, error) {
	tags := func(b string) string {
		return value(
			"a="+s.algorithm(), "b="+b, "bh="+base64.StdEncoding.EncodeToString(s.body.Sum()), "c=relaxed/relaxed",
			"d="+s.sealer.Domain, "h="+strings.ToLower(strings.Join(s.sealer.Headers, ":")), fmt.Sprintf("i=%d", instance),
			"s="+s.sealer.Selector, fmt.Sprintf("t=%d", s.sealer.Now.Unix()))
	}
	unsigned := message.NewField(nameAMS, tags(""))
	data := dkim.AppendPicked(nil, dkim.Relaxed, s.header, s.sealer.Headers, -1)
	return s.sign(data, unsigned, tags)
}

// seal makes the ARC-Seal over all sets, this one included (RFC 8617 5.1.1); over this one alone where the chain is broken (5.1.2).
func (s *Sealing) seal(instance int, code Code, aar, ams message.Field) (message.Field, error) {
	tags := func(b string) string {
		return value("a="+s.algorithm(), "b="+b, "cv="+string(code), "d="+s.sealer.Domain, fmt.Sprintf("i=%d", instance),
			"s="+s.sealer.Selector, fmt.Sprintf("t=%d", s.sealer.Now.Unix()))
	}
	var data []byte
	if code == Pass {
		for _, set := range readChain(s.header).sets {
			for _, at := range []int{set.aar, set.ams, set.as} {
				data = dkim.Relaxed.AppendHeader(data, s.header[at])
			}
		}
	}
	data = dkim.Relaxed.AppendHeader(data, aar)
	data = dkim.Relaxed.AppendHeader(data, ams)
	return s.sign(data, message.NewField(nameAS, tags("")), tags)
}

// sign signs data and the field without its b=, and gives the field with it.
func (s *Sealing) sign(data []byte, unsigned message.Field, tags func(b string) string) (message.Field, error) {
	data = dkim.Relaxed.AppendHeader(data, unsigned)
	signature, err := dkim.SignData(s.sealer.Key, data[:len(data)-len("\r\n")])
	if err != nil {
		return message.Field{}, fmt.Errorf("sealing for %s: %w", s.sealer.Domain, err)
	}
	return message.NewField(unsigned.Name, tags(base64.StdEncoding.EncodeToString(signature))), nil
}

func (s *Sealing) algorithm() string {
	if _, ok := s.sealer.Key.Public().(ed25519.PublicKey); ok {
		return "ed25519-sha256"
	}
	return "rsa-sha256"
}

// Seal makes the set for a whole message: it validates the chain first. Without results it takes those of the message's
// Authentication-Results fields of the sealer's authserv-id, see [AuthResults].
func Seal(ctx context.Context, r dns.Resolver, m io.Reader, s Sealer, results string) ([]message.Field, error) {
	msg, err := message.Read(m, message.Limits{})
	if err != nil {
		return nil, err
	}
	if results == "" {
		if results = AuthResults(msg.Header, s.AuthservID); results == "" {
			return nil, fmt.Errorf("the message has no Authentication-Results field of %s to seal", s.AuthservID)
		}
	}
	body := dkim.NewBody()
	v := NewVerifier(ctx, r, msg.Header, Options{Body: body, Now: s.Now})
	defer v.Close()
	sealing, err := NewSealing(s, msg.Header, body)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(body, msg.Body); err != nil {
		return nil, err
	}
	body.Close()
	return sealing.Fields(v.Result(), results)
}

// AuthResults joins what the Authentication-Results fields of an authserv-id say, the topmost first, as the text of one. It is empty
// where there is none.
func AuthResults(h message.Header, authservID string) string {
	var parts []string
	none := "" // what a field says that holds no result
	for _, f := range h {
		if !f.Is(authres.Name) {
			continue
		}
		field, err := authres.Parse(f.Value())
		if err != nil || !strings.EqualFold(field.AuthservID, authservID) {
			continue
		}
		if len(field.Results) == 0 {
			none = "none"
			continue
		}
		head, results, _ := strings.Cut(f.Value(), ";")
		if strings.ContainsAny(head, `("`) { // in which a semicolon might stand
			_, results, _ = strings.Cut(field.Format(), ";")
		}
		parts = append(parts, strings.Trim(strings.TrimRight(strings.Trim(results, fws), ";"), fws))
	}
	return cmp.Or(strings.Join(parts, ";\r\n\t"), none)
}
