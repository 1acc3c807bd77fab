package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// Record is the text of the key record that publishes a public key, an *rsa.PublicKey or an ed25519.PublicKey (RFC 6376 3.6.1, RFC
// 8463 4.2). It is empty for any other.
func Record(public crypto.PublicKey) string {
	switch key := public.(type) {
	case *rsa.PublicKey:
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return ""
		}
		return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
	case ed25519.PublicKey:
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key)
	}
	return ""
}

// ZoneRecord writes a key record as it stands in a zone file, in as many strings as it needs (RFC 6376 3.6.2.2).
func ZoneRecord(selector, domain, value string) string {
	name := selector + "._domainkey." + strings.TrimSuffix(domain, ".")
	if ascii, err := dns.ToASCII(name); err == nil {
		name = ascii
	}
	return name + ". IN TXT (\n\t" + strings.Join(dns.QuoteText(value), "\n\t") + "\n)\n"
}
