package dkim

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gatepost-mail/gatepost/message"
)

// A Signing signs one message with one key or several, as it streams by: the header first, then the body with Write, and Fields
// at its end. All signatures share the hashing of the body.
type Signing struct {
	header message.Header
	body   *Body
	jobs   []signing
}

// A signing is one signature to be made.
type signing struct {
	Signer
	names []string // h=
	hash  *BodyHash
}

// Why a message cannot be signed.
var (
	ErrNoFrom   = errors.New("the message has no From field, so that it cannot be signed (RFC 6376 5.4)")
	ErrManyFrom = errors.New("the message has several From fields, and will not be signed (RFC 5322 3.6)")
)

// NewSigning begins to sign. The header must not change until Fields returns.
func NewSigning(header message.Header, signers ...Signer) (*Signing, error) {
	switch n := header.Count("From"); {
	case len(signers) == 0:
		return nil, errors.New("signing: there is no signer")
	case n == 0:
		return nil, ErrNoFrom
	case n > 1:
		return nil, ErrManyFrom
	}
	s := &Signing{header: header, body: NewBody(), jobs: make([]signing, len(signers))}
	for i, signer := range signers {
		prepared, err := signer.prepare()
		if err != nil {
			return nil, err
		}
		names := prepared.Headers
		if names == nil {
			names = DefaultHeaders(header)
			if err := checkHeaders(names); err != nil {
				return nil, fmt.Errorf("signing for %s: %w", prepared.Domain, err)
			}
		}
		s.jobs[i] = signing{prepared, names, s.body.Want(prepared.Canonicalization.Body, -1)}
	}
	return s, nil
}

// Write takes the next piece of the body, as it goes over the wire. It never fails.
func (s *Signing) Write(p []byte) (int, error) { return s.body.Write(p) }

// Fields says that the body has ended and returns the DKIM-Signature fields, one for each signer, to be put on top of the header.
func (s *Signing) Fields() ([]message.Field, error) {
	s.body.Close()
	fields := make([]message.Field, len(s.jobs))
	for i := range s.jobs {
		f, err := s.jobs[i].sign(s.header)
		if err != nil {
			return nil, fmt.Errorf("signing for %s: %w", s.jobs[i].Domain, err)
		}
		fields[i] = f
	}
	return fields, nil
}

// sign makes the field without a signature, signs it, and adds the signature.
func (s *signing) sign(header message.Header) (message.Field, error) {
	const name = "DKIM-Signature"
	f := folder{column: len(name) + 1}
	s.writeTags(&f)
	unsigned := message.Field{Name: name, Raw: name + ":" + string(f.text) + "\r\n"}
	c := s.Canonicalization.Header
	data := AppendPicked(nil, c, header, s.names, -1)
	data = c.AppendHeader(data, unsigned)
	data = data[:len(data)-2] // the CRLF
	value, err := SignData(s.Key, data)
	if err != nil {
		return message.Field{}, err
	}
	f.append(base64.StdEncoding.EncodeToString(value))
	return message.Field{Name: name, Raw: name + ":" + string(f.text) + "\r\n"}, nil
}

// writeTags writes the signature's tags, an empty b= last.
func (s *signing) writeTags(f *folder) {
	algorithm, _ := s.algorithm() // prepare has seen to it
	f.token("v=1;")
	f.token("a=" + algorithm + ";")
	f.token("c=" + s.Canonicalization.String() + ";")
	f.token("d=" + s.Domain + ";")
	f.token("s=" + s.Selector + ";")
	if s.AUID != "" {
		f.token("i=" + s.AUID + ";")
	}
	f.token(fmt.Sprintf("t=%d;", s.Now.Unix()))
	if s.Expire > 0 {
		f.token(fmt.Sprintf("x=%d;", s.Now.Add(s.Expire).Unix()))
	}
	if s.BodyLength {
		f.token(fmt.Sprintf("l=%d;", s.hash.Length()))
	}
	f.list("h=", s.names)
	f.token("bh=" + base64.StdEncoding.EncodeToString(s.hash.Sum()) + ";")
	f.token("b=")
}

// SignData signs the SHA-256 of data with an RSA or an Ed25519 key, as a signature's b= is made (RFC 6376 3.3, RFC 8463 3).
func SignData(key crypto.Signer, data []byte) ([]byte, error) {
	hashed := sha256.Sum256(data)
	if _, ok := key.Public().(ed25519.PublicKey); ok {
		return key.Sign(rand.Reader, hashed[:], crypto.Hash(0)) // PureEdDSA: to it the hash is the message
	}
	return key.Sign(rand.Reader, hashed[:], crypto.SHA256)
}

// Sign copies a message from r to w with the signatures on top. Every other byte stays as it is; the new fields have the message's
// own line ends. An r that can seek, such as a file, is read twice; anything else is kept in memory meanwhile.
func Sign(w io.Writer, r io.Reader, signers ...Signer) error {
	var again io.Reader
	rewind := func() error { return nil }
	if s, start := seeker(r); s != nil {
		again = r
		rewind = func() error { _, err := s.Seek(start, io.SeekStart); return err }
	} else {
		var spool bytes.Buffer
		r, again = io.TeeReader(r, &spool), &spool
	}
	m, err := message.Read(r, message.Limits{})
	if err != nil {
		return err
	}
	s, err := NewSigning(m.Header, signers...)
	if err != nil {
		return err
	}
	if _, err := io.Copy(s, m.Body); err != nil {
		return err
	}
	fields, err := s.Fields()
	if err != nil {
		return err
	}
	if err := rewind(); err != nil {
		return err
	}
	return writeSigned(w, again, fields, m.LineEnding)
}

// seeker tells whether r can be read again, and from where. A pipe has the method and fails.
func seeker(r io.Reader) (io.Seeker, int64) {
	s, ok := r.(io.Seeker)
	if !ok {
		return nil, 0
	}
	start, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, 0
	}
	return s, start
}

// writeSigned puts fields on top of a message, below the line with which an mbox file begins one.
func writeSigned(w io.Writer, m io.Reader, fields []message.Field, lineEnding string) error {
	in := bufio.NewReader(m)
	if top, _ := in.Peek(5); string(top) == "From " {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
	}
	for _, f := range fields {
		if _, err := io.WriteString(w, strings.ReplaceAll(f.Raw, "\r\n", lineEnding)); err != nil {
			return err
		}
	}
	_, err := io.Copy(w, in)
	return err
}
