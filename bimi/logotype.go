package bimi

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The logotype extension (RFC 9399 4.1), as far as logos are in it that are images, and are in it themselves:
//
//	LogotypeExtn     ::= SEQUENCE { [0] EXPLICIT SEQUENCE OF LogotypeInfo, [1] and [2] EXPLICIT LogotypeInfo, [3] others }
//	LogotypeInfo     ::= CHOICE { direct [0] LogotypeData, indirect [1] LogotypeReference }
//	LogotypeData     ::= SEQUENCE { image SEQUENCE OF LogotypeImage OPTIONAL, audio [1] … OPTIONAL }
//	LogotypeImage    ::= SEQUENCE { imageDetails LogotypeDetails, imageInfo … OPTIONAL }
//	LogotypeDetails  ::= SEQUENCE { mediaType IA5String, logotypeHash SEQUENCE OF …, logotypeURI SEQUENCE OF IA5String }
const (
	subjectLogo  = 2
	maxLogotypes = 8
	maxExtension = 128 << 10
)

type logotypeDetails struct {
	MediaType string `asn1:"ia5"`
	Hashes    asn1.RawValue
	URIs      []asn1.RawValue
}

// logos are the SVG of the subject's logos.
func logos(c *x509.Certificate) ([][]byte, error) {
	for _, e := range c.Extensions {
		if e.Id.Equal(oidLogotype) {
			if len(e.Value) > maxExtension {
				return nil, fmt.Errorf("its logotype extension has %d bytes", len(e.Value))
			}
			return inExtension(e.Value)
		}
	}
	return nil, errors.New("it has no logotype extension")
}

var errLogotype = errors.New("its logotype extension cannot be read")

func inExtension(der []byte) ([][]byte, error) {
	var parts []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &parts); err != nil || len(rest) > 0 {
		return nil, errLogotype
	}
	var all [][]byte
	failed := errors.New("it has no logo of the subject that is in the certificate itself")
	for _, part := range parts {
		if part.Class != asn1.ClassContextSpecific || part.Tag != subjectLogo {
			continue
		}
		uris, err := inInfo(part.Bytes)
		if err != nil {
			return nil, err
		}
		for _, uri := range uris[:min(len(uris), maxLogotypes)] {
			svg, err := inURI(uri)
			if err != nil {
				failed = err
				continue
			}
			all = append(all, svg)
		}
	}
	if len(all) == 0 {
		return nil, failed
	}
	return all, nil
}

// inInfo gives where the images of a LogotypeInfo are, if it is a direct one.
func inInfo(der []byte) ([]string, error) {
	var info asn1.RawValue
	if _, err := asn1.Unmarshal(der, &info); err != nil || info.Class != asn1.ClassContextSpecific {
		return nil, errLogotype
	}
	if info.Tag != 0 {
		return nil, errors.New("its logo is not in the certificate, but somewhere on the web")
	}
	var images asn1.RawValue
	if _, err := asn1.Unmarshal(info.Bytes, &images); err != nil || images.Class != asn1.ClassUniversal || images.Tag != asn1.TagSequence {
		return nil, errLogotype
	}
	var uris []string
	for rest := images.Bytes; len(rest) > 0; {
		var image asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &image); err != nil || image.Tag != asn1.TagSequence {
			return nil, errLogotype
		}
		var details logotypeDetails
		if _, err := asn1.Unmarshal(image.Bytes, &details); err != nil {
			return nil, errLogotype
		}
		for _, uri := range details.URIs {
			uris = append(uris, string(uri.Bytes))
		}
	}
	return uris, nil
}

// inURI takes the logo out of a data: URI (RFC 2397, RFC 6170 3): gzip in base64.
func inURI(uri string) ([]byte, error) {
	head, data, ok := strings.Cut(uri, ",")
	head = strings.ToLower(head)
	switch {
	case !ok || !strings.HasPrefix(head, "data:"):
		return nil, errors.New("its logo is not in the certificate, but somewhere on the web")
	case !strings.HasPrefix(head, "data:image/svg+xml"):
		return nil, errors.New("its logo is not SVG")
	case !strings.HasSuffix(head, ";base64"):
		return nil, errors.New("its logo is not in base64")
	}
	file, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, errors.New("its logo is not in base64")
	}
	return Unpack(file)
}
