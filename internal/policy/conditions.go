package policy

import (
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// identity is the SPF result for MAIL FROM, or for HELO.
//
// A null reverse-path makes the MAIL FROM identity that of postmaster at HELO (RFC 7208 2.4).
func identity(e *verify.Evaluation, which string) *verify.SPF {
	for i := range e.SPF {
		if e.SPF[i].Identity == which {
			return &e.SPF[i]
		}
	}
	return nil
}

// onFail is what the published policy asks for a message that fails; empty where the policy is not known.
func onFail(e *verify.Evaluation) string {
	switch {
	case !e.DMARC.Testing:
		return e.DMARC.Policy
	case e.DMARC.Policy == "reject": // RFC 9989 4.7: t=y asks for one step less
		return "quarantine"
	case e.DMARC.Policy == "":
		return ""
	}
	return "none"
}

// dmarcOpen tells whether a temporary failure hides a fail that the published policy would act upon.
func dmarcOpen(e *verify.Evaluation) bool {
	return e.DMARC.Result == "temperror" && onFail(e) != "none"
}

// onlyPartSigned tells whether DMARC passes by nothing but signatures that stop before the end of the body (RFC 6376 8.2):
// whoever passed the message on could have written the rest.
func onlyPartSigned(e *verify.Evaluation) bool { return partSignature(e) != nil }

func partSignature(e *verify.Evaluation) *verify.DKIM {
	if e.DMARC.Result != "pass" || e.DMARC.Aligned.SPF || !e.DMARC.Aligned.DKIM {
		return nil
	}
	var part *verify.DKIM
	for i := range e.DKIM {
		d := &e.DKIM[i]
		switch {
		case d.Result != "pass" || !aligned(d.SDID, &e.DMARC):
		case d.UnsignedBytes == 0:
			return nil
		default:
			part = d
		}
	}
	return part
}

// aligned tells whether a signature's domain stands for the Author Domain (RFC 9989 4.4).
func aligned(sdid string, d *verify.DMARC) bool {
	if sdid == d.AuthorDomain {
		return true
	}
	r, err := dmarc.Parse(d.Record)
	org := d.OrganizationalDomain
	return err == nil && !r.StrictDKIM && org != "" && (sdid == org || strings.HasSuffix(sdid, "."+org))
}

// limited tells whether a bound was reached before the message was verified to the end, and nothing shows that it is good.
func limited(e *verify.Evaluation) bool {
	return len(e.Limits) > 0 && e.DMARC.Result != "pass" && e.DMARC.Result != "none"
}

// noAuthor tells whether there is no single Author Domain whose policy could be met (RFC 9989 11.5, RFC 5322 3.6.2).
func noAuthor(e *verify.Evaluation) bool {
	return e.Author.Reason != "" || e.DMARC.Result == "permerror"
}

// unauthenticated tells whether nobody vouches for the message: neither the envelope's domain nor any signature's. HELO's does
// not: it vouches for the server, not for the message, unless it stands in for a null reverse-path.
func unauthenticated(e *verify.Evaluation) bool {
	if e.DMARC.Result == "pass" && !onlyPartSigned(e) {
		return false
	}
	if s := identity(e, verify.IdentityMailFrom); s != nil && s.Result == "pass" {
		return false
	}
	for i := range e.DKIM {
		if vouches(&e.DKIM[i]) {
			return false
		}
	}
	return true
}

// vouches tells whether a signature passes and says something: a key under test makes the message an unsigned one (RFC 6376
// 3.6.1), and so does a body that goes on where the signature ends.
func vouches(d *verify.DKIM) bool {
	return d.Result == "pass" && !d.Testing && d.UnsignedBytes == 0
}

// signatureOpen tells whether nothing vouches for the message but perhaps a signature whose key could not be looked up.
func signatureOpen(e *verify.Evaluation) bool { return openSignature(e) != nil && unauthenticated(e) }

func openSignature(e *verify.Evaluation) *verify.DKIM {
	for i := range e.DKIM {
		if e.DKIM[i].Result == "temperror" {
			return &e.DKIM[i]
		}
	}
	return nil
}
