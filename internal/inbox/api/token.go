// Package api is what the inputs share that talk to a provider's HTTP interface, or log in with a token of it: OAuth 2.0 (RFC 6749)
// and a careful HTTP client.
package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/option"
	"github.com/gatepost-mail/gatepost/internal/secretfile"
	"github.com/gatepost-mail/gatepost/internal/trust"
)

// The providers whose token endpoints are known.
const (
	Google    = "google"
	Microsoft = "microsoft"
)

// An OAuth says where tokens come from. With a refresh token they are a user's; without one they are the program's own (client
// credentials).
type OAuth struct {
	Provider         string // google or microsoft; empty with a TokenURL
	Tenant           string // of microsoft: the directory's name or id; "common" if empty, which client credentials do not allow
	ClientID         string
	ClientSecretFile string // may be empty for what is registered as a public client
	RefreshTokenFile string
	TokenURL         string   // instead of the provider's
	Scopes           []string // instead of what the input needs
	CAFile           string   // whom to trust for the TokenURL, instead of the system's
}

// Validate says what is wrong, naming the field.
func (o OAuth) Validate() error {
	_, _, err := o.endpoint()
	switch {
	case err != nil:
		return err
	case o.ClientID == "":
		return option.Errorf("ClientID", "is missing; the provider gives one when the program is registered there")
	case o.RefreshTokenFile == "" && o.ClientSecretFile == "":
		return option.Errorf("RefreshTokenFile", "is missing; for client credentials, which need none, ClientSecretFile is")
	case o.RefreshTokenFile == "" && o.Provider == Google:
		return option.Errorf("RefreshTokenFile", "is missing; Google gives tokens for client credentials to nobody")
	case o.RefreshTokenFile == "" && o.Provider == Microsoft && o.TokenURL == "" && o.Tenant == "":
		return option.Errorf("Tenant", "is missing; client credentials are those of one directory")
	}
	return nil
}

func (o OAuth) endpoint() (address string, style oauth2.AuthStyle, err error) {
	switch {
	case o.TokenURL != "":
		if err := CheckURL(o.TokenURL); err != nil {
			return "", 0, option.Errorf("TokenURL", "%w", err)
		}
		return o.TokenURL, oauth2.AuthStyleInParams, nil
	case o.Provider == Google:
		return "https://oauth2.googleapis.com/token", oauth2.AuthStyleInParams, nil
	case o.Provider == Microsoft:
		tenant := o.Tenant
		if tenant == "" {
			tenant = "common"
		}
		return "https://login.microsoftonline.com/" + url.PathEscape(tenant) + "/oauth2/v2.0/token", oauth2.AuthStyleInParams, nil
	case o.Provider == "":
		return "", 0, option.Errorf("Provider", "is missing; there are google and microsoft, or give a TokenURL")
	}
	return "", 0, option.Errorf("Provider", "%q is not known; there are google and microsoft, or give a TokenURL", o.Provider)
}

// CheckURL wants https, except on this very machine.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return err
	case u.Host == "" || u.User != nil:
		return fmt.Errorf("%q is not the address of a service", address)
	case u.Scheme == "https" || u.Scheme == "http" && Loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q: only https keeps a token secret", address)
}

// Loopback tells whether a host's name can only be this machine.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// TLS makes a configuration that trusts whom caFile names, or the system's authorities.
func TLS(caFile string) (*tls.Config, error) {
	c, err := trust.TLS(caFile)
	if err != nil {
		return nil, option.Errorf("CAFile", "%w", err)
	}
	return c, nil
}

// HTTP makes a client that waits for nothing for ever and follows no redirect, since that would hand on a token.
func HTTP(caFile string) (*http.Client, error) {
	config, err := TLS(caFile)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    30 * time.Second,
			ResponseHeaderTimeout:  2 * time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        90 * time.Second,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// A Source gives tokens, and keeps them in memory only. It is safe for concurrent use.
type Source struct {
	o      OAuth
	scopes []string
	client *http.Client

	mu      sync.Mutex
	refresh string // the newest: a provider may replace it each time
	token   *oauth2.Token
}

// NewSource makes one. The scopes are those that the input needs.
func NewSource(o OAuth, scopes ...string) (*Source, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if len(o.Scopes) > 0 {
		scopes = o.Scopes
	}
	client, err := HTTP(o.CAFile)
	if err != nil {
		return nil, err
	}
	return &Source{o: o, scopes: scopes, client: client}, nil
}

// Token is one that is valid now.
func (s *Source) Token(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.Valid() {
		return s.token.AccessToken, nil
	}
	token, err := s.fetch(ctx)
	if err != nil {
		return "", explainToken(err)
	}
	s.token = token
	if token.RefreshToken != "" {
		s.refresh = token.RefreshToken
	}
	return token.AccessToken, nil
}

// Expire forgets a token that was not taken.
func (s *Source) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = nil
}

func (s *Source) fetch(ctx context.Context) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, s.client), time.Minute)
	defer cancel()
	address, style, err := s.o.endpoint()
	if err != nil {
		return nil, err
	}
	clientSecret := ""
	if s.o.ClientSecretFile != "" {
		if clientSecret, err = secretfile.Line(s.o.ClientSecretFile); err != nil {
			return nil, option.Errorf("ClientSecretFile", "%w", err)
		}
	}
	if s.o.RefreshTokenFile == "" {
		c := clientcredentials.Config{ClientID: s.o.ClientID, ClientSecret: clientSecret, TokenURL: address, Scopes: s.scopes, AuthStyle: style}
		return c.Token(ctx)
	}
	if s.refresh == "" {
		if s.refresh, err = secretfile.Line(s.o.RefreshTokenFile); err != nil {
			return nil, option.Errorf("RefreshTokenFile", "%w", err)
		}
	}
	c := oauth2.Config{ClientID: s.o.ClientID, ClientSecret: clientSecret, Scopes: s.scopes,
		Endpoint: oauth2.Endpoint{TokenURL: address, AuthStyle: style}}
	token, err := c.TokenSource(ctx, &oauth2.Token{RefreshToken: s.refresh}).Token()
	if refused := new(oauth2.RetrieveError); errors.As(err, &refused) && refused.ErrorCode == "invalid_grant" {
		s.refresh = "" // the file may have a newer one by the next time
	}
	return token, err
}

// explainToken leaves out the answer's body: it may hold anything.
func explainToken(err error) error {
	refused := new(oauth2.RetrieveError)
	if !errors.As(err, &refused) {
		return fmt.Errorf("cannot get a token: %w", err)
	}
	status := 0
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	text := fmt.Sprintf("the provider gave no token: HTTP status %d %s", status, inbox.Line(refused.ErrorCode, 100))
	if refused.ErrorDescription != "" {
		text += ": " + inbox.Line(refused.ErrorDescription, 300)
	}
	err = errors.New(strings.TrimRight(text, " "))
	if status/100 == 4 {
		return inbox.Wait(err, 30*time.Second) // asking often would lock us out
	}
	return err
}
