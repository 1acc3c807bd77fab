package receiver

import (
	"strings"

	"github.com/gatepost-mail/gatepost/authres"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
)

// maxResults bounds the Authentication-Results fields that are read.
const maxResults = 50

// relayed is what a relay that calls itself authservID says of DMARC (RFC 8601 5): that of the topmost field of its name that says
// something of it. It must be about the Author Domain that we see. It is empty where nothing is said.
func relayed(h message.Header, authservID, author string) string {
	if authservID == "" || author == "" {
		return ""
	}
	read := 0
	for _, f := range h {
		if !f.Is(authres.Name) {
			continue
		}
		if read++; read > maxResults {
			return ""
		}
		field, err := authres.Parse(f.Value())
		if err != nil || field.Version > 1 || !strings.EqualFold(field.AuthservID, authservID) {
			continue
		}
		for i := range field.Results {
			if r := &field.Results[i]; r.Method == "dmarc" {
				return dmarcResult(r, author)
			}
		}
	}
	return ""
}

// dmarcResult is the word of a result that is about a domain. A word that RFC 8601 does not know for DMARC says nothing.
func dmarcResult(r *authres.Result, author string) string {
	about := false
	for _, p := range r.Properties {
		if p.Type != "header" || p.Name != "from" {
			continue
		}
		// Some write the address and not the domain.
		domain, err := dns.ToASCII(p.Value[strings.LastIndexByte(p.Value, '@')+1:])
		if err != nil || domain != author {
			return ""
		}
		about = true
	}
	switch r.Value {
	case "pass", "fail", "none", "temperror", "permerror":
		if about {
			return r.Value
		}
	}
	return ""
}
