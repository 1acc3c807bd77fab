// Package nsupdate asks a name server what it holds, and changes it (RFC 2136), over TCP and signed with a shared secret (RFC 8945).
//
//	secret, err := nsupdate.ReadSecret(nsupdate.SecretFile{Path: "/etc/gatepost/tsig.key"})
//	s := &nsupdate.Server{Zone: "example.com", Address: "192.0.2.53:53", Secret: secret}
//	present, err := s.RRset(ctx, "www.example.com", dns.TypeTXT)
//	answer, err := s.Exchange(ctx, update) // made by Update
//
// Who changes a record reads it first, and names what was read as a prerequisite: if anything came to stand there meanwhile, the server
// changes nothing.
package nsupdate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// A Server is the primary server of a zone.
type Server struct {
	Zone    string        // without a final dot
	Address string        // HOST:PORT
	Secret  *Secret       // nil: nothing is signed, and nobody vouches for an answer
	Timeout time.Duration // of one exchange
}

const fudge = 300 // seconds that the clocks may differ (RFC 8945 10)

// Update is a message that changes the zone, without any change as yet.
func (s *Server) Update() *dns.Msg {
	m := new(dns.Msg)
	m.SetUpdate(dns.Fqdn(s.Zone))
	return m
}

// RRset reads the records of a type at a name. Prerequisites compare them string by string (RFC 2136 2.4.2), so they stay as they are.
// An alias is an error, unless aliases are what is asked for.
func (s *Server) RRset(ctx context.Context, name string, typ uint16) ([]dns.RR, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), typ)
	m.RecursionDesired = false
	answer, err := s.Exchange(ctx, m)
	if err != nil {
		return nil, err
	}
	if answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
		return nil, s.Refused(answer)
	}
	if !answer.Authoritative {
		return nil, fmt.Errorf("it is not authoritative for %s; name the primary server of the zone %s", name, s.Zone)
	}
	var found []dns.RR
	for _, rr := range answer.Answer {
		switch {
		case !strings.EqualFold(rr.Header().Name, dns.Fqdn(name)):
		case rr.Header().Rrtype == typ:
			found = append(found, rr)
		case rr.Header().Rrtype == dns.TypeCNAME:
			return nil, &AliasError{Name: name}
		}
	}
	return found, nil
}

// An AliasError says that a name is an alias, so that nothing else can be there.
type AliasError struct{ Name string }

func (e *AliasError) Error() string { return e.Name + " is an alias (CNAME), and is left alone" }

// Exchange asks the server over TCP: an RSA key does not fit into a datagram. An answer that is not signed with our secret is nobody's.
func (s *Server) Exchange(ctx context.Context, m *dns.Msg) (*dns.Msg, error) {
	client := dns.Client{Net: "tcp", Timeout: s.Timeout}
	if s.Secret != nil {
		m.SetTsig(s.Secret.Name, s.Secret.Algorithm, fudge, time.Now().Unix())
		client.TsigSecret = map[string]string{s.Secret.Name: s.Secret.secret}
	}
	answer, _, err := client.ExchangeContext(ctx, m, s.Address)
	var network net.Error
	switch {
	case s.Secret != nil && (answer != nil && answer.Rcode == dns.RcodeNotAuth || errors.Is(err, dns.ErrAuth) || errors.Is(err, dns.ErrSig) ||
		errors.Is(err, dns.ErrKey) || errors.Is(err, dns.ErrTime)):
		return nil, fmt.Errorf("it does not take our signature: %s; compare %s with its configuration, and the clocks", tsigFault(answer, err), s.Secret.File)
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return nil, errors.New("it does not answer in time")
	case err != nil:
		return nil, err
	case s.Secret != nil && answer.IsTsig() == nil:
		if answer.Rcode != dns.RcodeSuccess {
			return nil, s.Refused(answer)
		}
		return nil, errors.New("its answer is not signed")
	}
	return answer, nil
}

func tsigFault(answer *dns.Msg, err error) string {
	if answer != nil {
		if t := answer.IsTsig(); t != nil && t.Error != dns.RcodeSuccess {
			return dns.RcodeToString[int(t.Error)]
		}
		return dns.RcodeToString[answer.Rcode]
	}
	return err.Error()
}

// Changed tells whether an answer says that a prerequisite does not hold: what was read is no longer so (RFC 2136 2.2).
func Changed(answer *dns.Msg) bool {
	switch answer.Rcode {
	case dns.RcodeYXRrset, dns.RcodeNXRrset, dns.RcodeYXDomain, dns.RcodeNameError:
		return true
	}
	return false
}

// Refused is the error that an answer with another code than success is.
func (s *Server) Refused(answer *dns.Msg) error {
	word := dns.RcodeToString[answer.Rcode]
	switch answer.Rcode {
	case dns.RcodeRefused:
		if s.Secret == nil {
			return fmt.Errorf("it says %s: it wants a signature", word)
		}
		return fmt.Errorf("it says %s; let it grant the key %s the records of %s that are to be changed", word, strings.TrimSuffix(s.Secret.Name, "."), s.Zone)
	case dns.RcodeNotZone, dns.RcodeNotAuth:
		return fmt.Errorf("it says %s; name the primary server of the zone %s", word, s.Zone)
	}
	return fmt.Errorf("it says %s", word)
}

// Split makes strings of 255 octets at most of a text (RFC 1035 3.3), as package dns of miekg writes them: with escapes.
func Split(text string) []string {
	var parts []string
	var b strings.Builder
	n := 0
	for i := range len(text) {
		if n == 255 {
			parts = append(parts, b.String())
			b.Reset()
			n = 0
		}
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
		n++
	}
	return append(parts, b.String())
}
