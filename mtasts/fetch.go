package mtasts

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
)

// Options say how a policy is fetched. The zero value of each member means its default.
type Options struct {
	// Transport speaks HTTPS and verifies certificates. The default asks the system's resolver, believes the system's authorities and goes
	// wherever a name leads: give one that does not where names come from strangers.
	Transport http.RoundTripper

	Timeout time.Duration // for all of it; one minute, as RFC 8461 3.3 suggests
}

// A Fetched is what came of fetching a policy, as far as it went.
type Fetched struct {
	URL       string
	Status    int     // of HTTP; 0 without an answer
	MediaType string  // in small letters and without parameters
	Text      string  // as it came
	Policy    *Policy // nil where there is an error
}

// A Fault is a way in which a policy cannot be had.
type Fault string

// The faults.
const (
	FaultHost        Fault = "host"         // the web server's name has no address
	FaultDNS         Fault = "dns"          // its address could not be looked up
	FaultConnection  Fault = "connection"   // it could not be reached, or hung up
	FaultTimeout     Fault = "time-out"     // it took too long
	FaultCertificate Fault = "certificate"  // it is not valid for the name
	FaultTLS         Fault = "tls"          // no TLS came about for another reason
	FaultRedirect    Fault = "redirect"     // it sends us elsewhere
	FaultStatus      Fault = "status"       // it answers with another status than 200
	FaultSize        Fault = "size"         // there is more than 64 KiB
	FaultMediaType   Fault = "content type" // it is another kind of file, and no policy
	FaultSyntax      Fault = "syntax"       // it is no policy
)

// A FetchError says why there is no policy.
type FetchError struct {
	URL    string
	Fault  Fault
	Status int // of HTTP; 0 without an answer
	Err    error

	// Temporary is set where another try may do better without anybody mending anything: senders go by the policy that they remember,
	// and so there is nothing to hold against the domain yet.
	Temporary bool
}

func (e *FetchError) Error() string { return fmt.Sprintf("%s: %s: %v", e.URL, e.Fault, e.Err) }

// Unwrap gives the cause.
func (e *FetchError) Unwrap() error { return e.Err }

// plain is what is used where the caller has no transport. What the environment names as a proxy is not asked.
var plain = func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxResponseHeaderBytes = 32 << 10
	return t
}()

// Fetch gets the policy of a domain, in A-labels, from its web server (RFC 8461 3.3). No redirect is followed and nothing is taken from
// a cache. The error is a [*FetchError]; what came is given beside it.
//
// The media type is to be text/plain, so that nobody who may put pictures or pages on a web server can put a policy there. Not all senders
// look at it; a policy of another type is given, with its type, and something that is neither is a fault.
func Fetch(ctx context.Context, domain string, o Options) (*Fetched, error) {
	f := &Fetched{URL: URL(domain)}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(o.Timeout, time.Minute))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL, nil)
	if err != nil {
		return f, &FetchError{URL: f.URL, Fault: FaultHost, Err: err}
	}
	request.Header.Set("Accept", "text/plain")
	request.Header.Set("Cache-Control", "no-cache")
	transport := o.Transport
	if transport == nil {
		transport = plain
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return f, failed(f, err)
	}
	defer answer.Body.Close()
	f.Status = answer.StatusCode
	f.MediaType, _, _ = mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err := wrongStatus(f, answer); err != nil {
		return f, err
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxSize+1))
	f.Text = string(text)
	switch {
	case len(text) > maxSize:
		return f, fault(f, FaultSize, false, fmt.Errorf("there are more than %d bytes", maxSize))
	case err != nil:
		return f, failed(f, err)
	}
	policy, err := ParsePolicy(text)
	switch {
	case err != nil && f.MediaType != "text/plain" && f.MediaType != "":
		return f, fault(f, FaultMediaType, false, fmt.Errorf("it is %s, and no policy: %w", shown(f.MediaType), err))
	case err != nil:
		return f, fault(f, FaultSyntax, false, err)
	}
	f.Policy = policy
	return f, nil
}

func fault(f *Fetched, kind Fault, temporary bool, err error) *FetchError {
	return &FetchError{URL: f.URL, Fault: kind, Status: f.Status, Err: err, Temporary: temporary}
}

// wrongStatus judges an answer that is not 200, the only one with a policy (RFC 8461 3.3).
func wrongStatus(f *Fetched, answer *http.Response) error {
	code := answer.StatusCode
	text := fmt.Sprintf("%d %s", code, http.StatusText(code))
	switch {
	case code == http.StatusOK:
		return nil
	case code/100 == 3:
		if to := answer.Header.Get("Location"); to != "" {
			text += " to " + shown(to)
		}
		return fault(f, FaultRedirect, false, errors.New(text))
	}
	return fault(f, FaultStatus, passes(code), errors.New(text))
}

// passes tells whether a status says that it may be another later (RFC 9110 15): the server is busy, or has erred, or one behind it has.
func passes(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return code/100 == 5
}

// failed judges why there was no answer, or not all of one.
func failed(f *Fetched, err error) error {
	var (
		certificate *tls.CertificateVerificationError
		network     net.Error
		system      *net.DNSError
	)
	switch {
	case errors.As(err, &certificate):
		return fault(f, FaultCertificate, false, certificate.Err)
	case isTLS(err):
		return fault(f, FaultTLS, false, err)
	case dns.IsVoid(err), errors.As(err, &system) && system.IsNotFound:
		return fault(f, FaultHost, false, err)
	case dns.IsTemporary(err) && isDNS(err), system != nil:
		return fault(f, FaultDNS, true, err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fault(f, FaultTimeout, true, err)
	}
	return fault(f, FaultConnection, true, err)
}

func isDNS(err error) bool {
	var e *dns.Error
	return errors.As(err, &e)
}

// isTLS tells whether one side would not go on with the handshake. Most of what crypto/tls says of that has no type of its own.
func isTLS(err error) bool {
	var (
		record tls.RecordHeaderError
		alert  *net.OpError
	)
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record) || strings.HasPrefix(err.Error(), "tls: ") ||
		errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error")
}
