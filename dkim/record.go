package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
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

// maxString is the most octets that one string of a TXT record holds (RFC 1035 3.3).
const maxString = 255

// ZoneRecord writes a key record as it stands in a zone file, in as many strings as it needs (RFC 6376 3.6.2.2).
func ZoneRecord(selector, domain, value string) string {
	name := selector + "._domainkey." + strings.TrimSuffix(domain, ".")
	if ascii, err := dns.ToASCII(name); err == nil {
		name = ascii
	}
	var b strings.Builder
	b.WriteString(name + ". IN TXT (")
	for {
		n := min(len(value), maxString)
		b.WriteString("\n\t")
		writeQuoted(&b, value[:n])
		if value = value[n:]; value == "" {
			break
		}
	}
	b.WriteString("\n)\n")
	return b.String()
}

// writeQuoted writes a string of a zone file (RFC 1035 5.1).
func writeQuoted(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}
