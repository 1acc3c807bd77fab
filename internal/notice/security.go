package notice

import (
	"bufio"
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The bounds of a security.txt: real ones have some twenty lines.
const (
	maxSecurityTXT  = 32 << 10
	maxSecurityLine = 2048
	mostContacts    = 5
)

// securityTXT is whom a domain names in its security.txt, in its order (RFC 9116 2.5.3). A redirect is not followed: what
// another host says of a domain is that host's word. Many a domain has its web server at www alone.
func (f *Finder) securityTXT(ctx context.Context, domain string, now time.Time) []string {
	if f.Web == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	for _, host := range []string{domain, "www." + domain} {
		text, ok := f.fetch(ctx, "https://"+host+"/.well-known/security.txt")
		if ok {
			return contacts(text, now)
		}
	}
	return nil
}

func (f *Finder) fetch(ctx context.Context, url string) (string, bool) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", false
	}
	request.Header.Set("User-Agent", "Gatepost")
	answer, err := f.Web.RoundTrip(request)
	if err != nil {
		return "", false
	}
	defer answer.Body.Close()
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if answer.StatusCode != http.StatusOK || kind != "text/plain" { // RFC 9116 3; a page that says "not found" with status 200 is HTML
		return "", false
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxSecurityTXT+1))
	if err != nil || len(text) > maxSecurityTXT {
		return "", false
	}
	return string(text), true
}

// contacts reads the addresses for mail of a security.txt that has not expired. A signature around it is passed over: it is not checked,
// and nothing is believed for it.
func contacts(text string, now time.Time) []string {
	var found []string
	expires := 0
	signed := strings.HasPrefix(text, beginSigned)
	head := signed // of the armour, up to the first empty line (RFC 4880 7)
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, maxSecurityLine)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if head {
			head = line != ""
			continue
		}
		if signed && strings.HasPrefix(line, "-----BEGIN PGP SIGNATURE") {
			break
		}
		line = strings.TrimPrefix(line, "- ") // RFC 4880 7.1
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "contact":
			if address := mailto(value); address != "" && len(found) < mostContacts {
				found = append(found, address)
			}
		case "expires":
			until, err := time.Parse(time.RFC3339, strings.ToUpper(value))
			if err != nil || !now.Before(until) {
				return nil
			}
			expires++
		}
	}
	if lines.Err() != nil || expires != 1 { // RFC 9116 2.5.5: always there, and once
		return nil
	}
	return found
}

const beginSigned = "-----BEGIN PGP SIGNED MESSAGE-----"

// mailto is the address in a URI (RFC 6068), of which nothing else is taken.
func mailto(uri string) string {
	const scheme = "mailto:"
	if len(uri) < len(scheme) || !strings.EqualFold(uri[:len(scheme)], scheme) {
		return ""
	}
	address, _, _ := strings.Cut(uri[len(scheme):], "?")
	address, err := url.PathUnescape(address)
	if err != nil {
		return ""
	}
	return address
}
