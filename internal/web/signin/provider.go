package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/gatepost-mail/gatepost/internal/config"
)

// Bounds for the provider. It may be on a private network, as whoever runs this has named it; but it may not fill the memory, nor keep a
// browser waiting, nor hand over to plain HTTP.
const (
	providerTimeout   = 10 * time.Second
	providerMost      = 1 << 20
	providerRedirects = 3
	providerKept      = time.Hour        // what it says of itself
	providerRest      = 10 * time.Second // after it did not answer
)

// A provider is an OpenID provider as it describes itself.
type provider struct {
	mu     sync.Mutex
	issuer string
	known  *oidc.Provider
	asked  time.Time
	err    error
}

// get asks the provider for its description, unless it is known.
func (p *provider) get(ctx context.Context, issuer string, now time.Time) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.issuer != issuer {
		p.issuer, p.known, p.err, p.asked = issuer, nil, nil, time.Time{}
	}
	age := now.Sub(p.asked)
	switch {
	case p.err == nil && p.known != nil && age < providerKept, p.err != nil && age < providerRest:
		return p.known, p.result()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), providerTimeout) // others wait for the answer too
	defer cancel()
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, providerClient(issuer)), issuer)
	if err == nil && !reachable(found.Endpoint().AuthURL, issuer) {
		err = errors.New("its authorization_endpoint is no address with https://")
	}
	p.asked, p.err = now, err
	if err == nil {
		p.known = found
	}
	return p.known, p.result()
}

// result is no error where an older description is there.
func (p *provider) result() error {
	if p.known != nil {
		return nil
	}
	return p.err
}

// reachable tells whether an address is by HTTPS, or by HTTP where the issuer is.
func reachable(address, issuer string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(issuer, "http://"))
}

// providerClient speaks with a provider, within bounds.
func providerClient(issuer string) *http.Client {
	return &http.Client{
		Timeout: providerTimeout, Transport: boundedTransport{issuer},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) >= providerRedirects || r.URL.Host != via[0].URL.Host {
				return errors.New("it leads elsewhere")
			}
			return nil
		},
	}
}

type boundedTransport struct{ issuer string }

var providerTransport = sync.OnceValue(func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxResponseHeaderBytes, t.MaxConnsPerHost, t.ResponseHeaderTimeout = 64<<10, 8, providerTimeout
	return t
})

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !reachable(r.URL.String(), t.issuer) {
		return nil, fmt.Errorf("%s is not asked: it has no https://", r.URL.Redacted())
	}
	res, err := providerTransport().RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, providerMost)
	}
	return res, err
}

// providerName is what to call it on a button.
func providerName(o config.OIDC) string {
	if o.Name != "" {
		return o.Name
	}
	if u, err := url.Parse(o.Issuer); err == nil {
		return u.Hostname()
	}
	return o.Issuer
}

const maxSecret = 4 << 10

func clientSecret(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("client_secret_file: %w", err)
	}
	secret := strings.TrimSpace(string(b))
	if secret == "" || len(secret) > maxSecret {
		return "", fmt.Errorf("client_secret_file: %s holds no secret", path)
	}
	return secret, nil
}
