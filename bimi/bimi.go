// Package bimi reads what a domain publishes for Brand Indicators for Message Identification
// (draft-brand-indicators-for-message-identification): the record, the logo, and the certificate for the logo.
//
//	record, err := bimi.Parse("v=BIMI1; l=https://example.com/logo.svg; a=https://example.com/logo.pem")
//	faults := bimi.CheckLogo(svg)              // SVG Tiny Portable/Secure (draft-svg-tiny-ps-abrotman)
//	evidence, err := bimi.ParseEvidence(pem)   // a Verified or Common Mark Certificate (draft-fetch-validation-vmc-wchuang)
//	faults = evidence.Check(bimi.Expect{Domain: "example.com", Logo: svg})
//
// Nothing is fetched here. All three come from strangers: what is read of them is bounded, a compressed logo is unpacked no further than a
// logo may be large, and a document with declarations of its own (and so with entities) is not read at all.
package bimi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/gatepost-mail/gatepost/dkim"
)

// Selector is the one that is asked for where a message names none: the record is at default._bimi of the domain.
const Selector = "default"

// A Record says where the logo and the certificate are. Both are URLs as written, and may be empty.
type Record struct {
	Logo     string // l=
	Evidence string // a=
	Avatar   string // avp=: "brand" or "personal"; empty if absent
	Tags     dkim.Tags
}

// Declined tells whether the record says that the domain takes no part: no logo, and no certificate that has one.
func (r *Record) Declined() bool { return r.Logo == "" && r.Evidence == "" }

// IsRecord tells whether a text claims to be a record: whether it begins with v=BIMI1, in whatever case.
func IsRecord(txt string) bool {
	rest := strings.ToLower(strings.TrimLeft(txt, " \t"))
	if !strings.HasPrefix(rest, "v") {
		return false
	}
	rest = strings.TrimLeft(rest[1:], " \t")
	return strings.HasPrefix(rest, "=") && strings.HasPrefix(strings.TrimLeft(rest[1:], " \t"), "bimi")
}

// Parse reads a record. It is a list of tags as those of DKIM are (RFC 6376 3.2); unknown tags are ignored. Where the logo and the
// certificate are is not looked at: see [CheckURL].
func Parse(txt string) (*Record, error) {
	tags, err := dkim.ParseTags(txt)
	if err != nil {
		return nil, err
	}
	if v := tags[0]; v.Name != "v" {
		return nil, errors.New("v=BIMI1 is not the first tag")
	} else if v.Value != "BIMI1" {
		return nil, fmt.Errorf("the version is %.20q, not BIMI1", v.Value)
	}
	r := &Record{Tags: tags}
	var hasLogo, hasEvidence bool
	r.Logo, hasLogo = tags.Get("l")
	r.Evidence, hasEvidence = tags.Get("a")
	if !hasLogo && !hasEvidence {
		return nil, errors.New("it has neither l= nor a=")
	}
	r.Avatar, _ = tags.Get("avp")
	if r.Avatar = strings.ToLower(r.Avatar); r.Avatar != "" && r.Avatar != "brand" && r.Avatar != "personal" {
		return nil, fmt.Errorf("avp=%.20q is neither brand nor personal", r.Avatar)
	}
	return r, nil
}

// maxURL bounds where something is said to be.
const maxURL = 2048

// CheckURL tells why a logo or a certificate is not to be had from a URL: nil where it is one of https, with a host and nothing else that
// could lead elsewhere.
func CheckURL(text string) error {
	if len(text) > maxURL {
		return fmt.Errorf("it has %d characters", len(text))
	}
	if strings.Contains(text, ",") {
		return errors.New("it has a comma, or is a list: one place is allowed")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("it is not a URL")
	case !strings.EqualFold(u.Scheme, "https"):
		return fmt.Errorf("it is not a URL of https but of %.20q", u.Scheme)
	case u.Hostname() == "":
		return errors.New("it names no host")
	case u.User != nil:
		return errors.New("it has a user name in it")
	}
	return nil
}

// A Fault is one thing that is wrong with a logo or a certificate.
type Fault struct {
	Kind   Kind
	Detail string // what was seen, on one line
}

func (f Fault) String() string { return string(f.Kind) + ": " + f.Detail }

// A Kind is a class of faults.
type Kind string

// The faults of a logo, and those of a certificate.
const (
	TooLarge  Kind = "too large"  // over 32 KiB
	NotSVG    Kind = "not SVG"    // not XML, or not a document that is read here
	Profile   Kind = "profile"    // not SVG Tiny PS
	NoTitle   Kind = "no title"   // or several, or an empty one
	External  Kind = "external"   // refers to something outside of itself
	Script    Kind = "script"     // or what can run one
	NotSquare Kind = "not square" // not against the profile, but mail clients cut circles and squares

	Chain         Kind = "chain"          // does not lead to a root, or is not signed by what it says
	UnknownIssuer Kind = "unknown issuer" // is in order up to its end, and that is not among the roots of the system
	Expired       Kind = "expired"        // or not valid yet
	Usage         Kind = "usage"          // not one for logos
	Domain        Kind = "domain"         // of others
	OtherLogo     Kind = "other logo"     // no logo in it, or another than is published
)

// has tells whether there is a fault of a kind.
func has(all []Fault, kind Kind) bool {
	for _, f := range all {
		if f.Kind == kind {
			return true
		}
	}
	return false
}
