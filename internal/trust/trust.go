// Package trust says whose certificates are believed.
package trust

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLS makes a configuration that trusts the authorities in a PEM file, or without one those of the system.
func TLS(caFile string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: has no certificate in it", caFile)
	}
	return c, nil
}
