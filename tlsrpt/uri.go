package tlsrpt

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// CheckURI says why reports cannot go to a URI: nil if they can. It is a mailto with one mail address, or an https one, and commas,
// exclamation marks and semicolons in it are written with a percent sign (RFC 8460 3).
func CheckURI(uri string) error {
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c >= 0x7f || c == ';' || c == ',' || c == '!' || c == '"' || c == '<' || c == '>' {
			return fmt.Errorf("%s holds a character that must be written with a percent sign", shown(uri))
		}
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	switch {
	case !ok && strings.Contains(uri, "@"):
		return fmt.Errorf("%s is no URI; an address is written mailto:name@example.com", shown(uri))
	case !ok:
		return fmt.Errorf("%s is no URI", shown(uri))
	case strings.EqualFold(scheme, "mailto"):
		if _, ok := Address(uri); !ok {
			return fmt.Errorf("%s holds no mail address", shown(uri))
		}
	case strings.EqualFold(scheme, "https"):
		u, err := url.Parse(uri)
		if err != nil || u.Hostname() == "" || !strings.HasPrefix(rest, "//") {
			return fmt.Errorf("%s names no web server", shown(uri))
		}
	default:
		return fmt.Errorf("%s: reports go to mailto: and https: only", shown(uri))
	}
	return nil
}

// Address is the mailbox of a mailto URI.
func Address(uri string) (string, bool) {
	scheme, rest, _ := strings.Cut(uri, ":")
	if !strings.EqualFold(scheme, "mailto") {
		return "", false
	}
	rest, _, _ = strings.Cut(rest, "?")
	address, err := url.PathUnescape(rest)
	if err != nil {
		return "", false
	}
	at := strings.LastIndexByte(address, '@')
	if at < 1 || strings.ContainsAny(address, " \t\r\n,<>") || strings.ContainsAny(address[:at], "@") {
		return "", false
	}
	if _, err := dns.ToASCII(address[at+1:]); err != nil || !strings.Contains(address[at+1:], ".") {
		return "", false
	}
	return address, true
}

// SetRUA puts URIs into a record in the place of those that it has. All else stays as it is written.
func SetRUA(record string, uris ...string) (string, error) {
	if !IsRecord(record) {
		return "", &SyntaxError{0, "does not begin with v=TLSRPTv1;"}
	}
	if len(uris) == 0 {
		return "", errors.New("tlsrpt: a record has one URI at least")
	}
	for _, uri := range uris {
		if err := CheckURI(uri); err != nil {
			return "", fmt.Errorf("tlsrpt: %w", err)
		}
	}
	rua := "rua=" + strings.Join(uris, ",")
	for _, f := range fields(record) {
		if strings.HasPrefix(f.text, "rua=") {
			return record[:f.pos] + rua + record[f.pos+len(f.text):], nil
		}
	}
	rest := strings.TrimLeft(strings.TrimPrefix(record, version), " \t;")
	if rest == "" {
		return version + "; " + rua, nil
	}
	return version + "; " + rua + "; " + rest, nil
}
