// Package certfile offers in TLS the certificate that is in files now, so that renewed ones are taken up without a restart.
package certfile

import (
	"crypto/tls"
	"fmt"
	"log/slog"

	"github.com/gatepost-mail/gatepost/internal/inbox/refresh"
)

// TLS makes a configuration for a server by PEM files. Where they cannot be read later, the last good certificate stays, and the log says
// whose it is.
func TLS(certFile, keyFile, whose string, log *slog.Logger) (*tls.Config, error) {
	pair := refresh.New(func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("the certificate %s with the key %s: %w", certFile, keyFile, err)
		}
		return &c, nil
	}, certFile, keyFile)
	if _, err := pair.Get(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := pair.Get()
			if err != nil {
				log.Error("the certificate of "+whose+" cannot be read; the one from before is used", "error", err.Error())
			}
			return c, nil
		},
	}, nil
}
