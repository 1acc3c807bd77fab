package https

import (
	"cmp"
	"fmt"
	"os"

	"github.com/caddyserver/certmagic"

	"github.com/gatepost-mail/gatepost/internal/trust"
)

// acme is what has a certificate of an authority.
type acme struct {
	of     ACME
	cache  *certmagic.Cache
	config *certmagic.Config
	issuer *certmagic.ACMEIssuer
}

func (h *HTTPS) prepare(of ACME) error {
	if err := os.MkdirAll(of.Storage, 0o700); err != nil {
		return err
	}
	trusted, err := trust.TLS(of.CAFile)
	if err != nil {
		return err
	}
	log := logger(h.log)
	a := &acme{of: of}
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.config, nil }, Logger: log,
	})
	a.config = certmagic.New(a.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: of.Storage}, OnEvent: h.event, Logger: log,
		DefaultServerName: of.Host, // of who comes by an address, such as what watches over us
		OCSP:              certmagic.OCSPConfig{DisableStapling: true},
	})
	authority := cmp.Or(of.Directory, certmagic.LetsEncryptProductionCA)
	template := certmagic.ACMEIssuer{
		CA: authority, Email: of.Email, Agreed: true, TrustedRoots: trusted.RootCAs, Logger: log,
		// The ports are those of listeners of ours, which have them: no other listener is opened.
		AltHTTPPort: of.HTTPPort, DisableHTTPChallenge: of.HTTPPort == 0, AltTLSALPNPort: of.TLSPort, DisableTLSALPNChallenge: of.TLSPort == 0,
	}
	if of.Directory != "" {
		template.TestCA = authority // a second attempt is not made elsewhere
	}
	a.issuer = certmagic.NewACMEIssuer(a.config, template)
	a.config.Issuers = []certmagic.Issuer{a.issuer}
	h.acme, h.tls = a, a.config.TLSConfig()
	return nil
}

// advice says what must be so for an authority to give a certificate.
func (a *acme) advice() string {
	ways := "port 443 must lead to web.listen"
	if a.of.HTTPPort != 0 {
		ways = "port 80 must lead to web.tls.redirect, or port 443 to web.listen"
	}
	return fmt.Sprintf("%s must have the address of this host in the DNS of the world, and there %s", a.of.Host, ways)
}
