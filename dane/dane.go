// Package dane reads the TLSA records with which a mail server says what certificate it has, and holds a certificate against them (RFC
// 6698, 7671; for SMTP RFC 7672).
//
// A sender asks for the records of the mail server that it is about to speak to. Where they are there, and DNSSEC vouches for them, the
// connection is to be encrypted, and the certificate is to be the one that they name:
//
//	answer, err := resolver.Lookup(ctx, dane.Name("mx.example.com"), dns.TypeTLSA)
//	if err == nil && answer.Authentic {
//		records, _ := dane.ParseAll(answer.Records)
//		res := dane.Verify(dane.Query{Records: records, Chain: state.PeerCertificates, Names: []string{"mx.example.com", "example.com"}})
//		if res.Code == dane.Mismatch { … } // do not deliver here
//	}
//
// Certificates that no authority of the web knows are as good as others here: what counts is that DNS names them.
package dane

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// A Usage says what a record's certificate is to the server (RFC 6698 2.1.1, the names of RFC 7218).
type Usage uint8

// The usages. SMTP knows the last two alone (RFC 7672 3.1.3).
const (
	PKIXTA Usage = 0 // an authority, which the client must know besides
	PKIXEE Usage = 1 // the server's own, which an authority that the client knows must have signed
	DANETA Usage = 2 // an authority, which the client need not know
	DANEEE Usage = 3 // the server's own, whoever signed it
)

// String is the usage's name.
func (u Usage) String() string {
	if names := []string{"PKIX-TA", "PKIX-EE", "DANE-TA", "DANE-EE"}; int(u) < len(names) {
		return fmt.Sprintf("%s(%d)", names[u], u)
	}
	return fmt.Sprintf("usage %d", uint8(u))
}

// A Selector says what of the certificate is compared (RFC 6698 2.1.2).
type Selector uint8

// The selectors.
const (
	Cert Selector = 0 // all of it
	SPKI Selector = 1 // its public key, which may outlive it
)

// A Matching says how it is compared (RFC 6698 2.1.3).
type Matching uint8

// The ways of matching.
const (
	Full   Matching = 0 // as it is
	SHA256 Matching = 1
	SHA512 Matching = 2
)

// A Record is one TLSA record.
type Record struct {
	Usage    Usage
	Selector Selector
	Matching Matching
	Data     []byte
}

// Name is where the records of a mail server are: _25._tcp and its name (RFC 7672 2.2.3).
func Name(host string) string { return "_25._tcp." + host }

// String is the record as it stands in a master file: "3 1 1 " and hexadecimal digits.
func (r Record) String() string {
	return fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.Matching, hex.EncodeToString(r.Data))
}

// Says why a record is of no use.
var (
	errUsage    = errors.New("it has a usage that there is not: 2 and 3 are those for mail")
	errPKIX     = errors.New("it has usage 0 or 1, which senders of mail do not look at: 2 and 3 are those for mail (RFC 7672 3.1.3)")
	errSelector = errors.New("it has a selector that there is not: 0 is for the certificate, 1 for its public key")
	errMatching = errors.New("it has a matching type that there is not: 1 is for SHA-256, 2 for SHA-512")
)

// Check says what is wrong with a record, whatever certificate it is held against: numbers that mean nothing, a digest that is too long or
// too short, data that is no certificate or key. Usages 0 and 1 are not wrong in themselves; for them see [Record.Usable].
func (r Record) Check() error {
	switch {
	case r.Usage > DANEEE:
		return errUsage
	case r.Selector > SPKI:
		return errSelector
	case r.Matching > SHA512:
		return errMatching
	}
	if want := r.Matching.size(); want > 0 && len(r.Data) != want {
		return fmt.Errorf("its digest has %d octets, and matching type %d has %d", len(r.Data), r.Matching, want)
	}
	if r.Matching == Full {
		return r.checkFull()
	}
	return nil
}

func (m Matching) size() int {
	switch m {
	case SHA256:
		return sha256.Size
	case SHA512:
		return sha512.Size
	}
	return 0
}

// Usable tells whether a sender of mail can use the record: its error is nil where it can (RFC 7672 3.1, 2.1.1).
func (r Record) Usable() error {
	if r.Usage == PKIXTA || r.Usage == PKIXEE {
		return errPKIX
	}
	return r.Check()
}

// Same tells whether whatever matches one record matches the other: they are equal, or one has the digest of what the other has in full.
func (r Record) Same(other Record) bool {
	if r.Usage != other.Usage || r.Selector != other.Selector {
		return false
	}
	if r.Matching == Full && other.Matching != Full {
		r, other = other, r
	}
	data := other.Data
	if other.Matching == Full {
		data = r.Matching.of(data)
	} else if r.Matching != other.Matching {
		return false
	}
	return data != nil && string(r.Data) == string(data)
}

// of is what is compared: the data, or its digest; nil for a matching type that there is not.
func (m Matching) of(data []byte) []byte {
	switch m {
	case Full:
		return data
	case SHA256:
		sum := sha256.Sum256(data)
		return sum[:]
	case SHA512:
		sum := sha512.Sum512(data)
		return sum[:]
	}
	return nil
}

// Tell writes records in one line, the data cut short, for people.
func Tell(records []Record) string {
	all := make([]string, len(records))
	for i, r := range records {
		data := hex.EncodeToString(r.Data[:min(len(r.Data), 8)])
		if len(r.Data) > 8 {
			data += "…"
		}
		all[i] = fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.Matching, data)
	}
	return strings.Join(all, ", ")
}
