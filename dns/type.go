package dns

import "strconv"

// String is the type's mnemonic, or the form of RFC 3597 for a type that this package has no name for.
func (t Type) String() string {
	switch t {
	case TypeA:
		return "A"
	case TypeNS:
		return "NS"
	case TypeCNAME:
		return "CNAME"
	case TypeSOA:
		return "SOA"
	case TypePTR:
		return "PTR"
	case TypeMX:
		return "MX"
	case TypeTXT:
		return "TXT"
	case TypeAAAA:
		return "AAAA"
	case TypeDS:
		return "DS"
	case TypeDNSKEY:
		return "DNSKEY"
	case TypeTLSA:
		return "TLSA"
	case TypeCAA:
		return "CAA"
	}
	return "TYPE" + strconv.Itoa(int(t))
}
