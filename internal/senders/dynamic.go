package senders

import (
	"fmt"
	"net/netip"
	"strings"
)

// dynamicWords are labels, or parts of labels between dashes and digits, by which providers name what they hand to subscribers.
var dynamicWords = map[string]bool{
	"dyn": true, "dynamic": true, "dynip": true, "dhcp": true, "dsl": true, "adsl": true, "vdsl": true, "xdsl": true, "ppp": true, "pppoe": true,
	"pool": true, "pools": true, "dial": true, "dialup": true, "dialin": true, "cable": true, "broadband": true, "ftth": true, "fttx": true,
	"wireless": true, "mobile": true, "lte": true, "gprs": true, "umts": true, "hsd": true, "res": true, "cpe": true,
	"customer": true, "cust": true, "client": true, "user": true, "subscriber": true, "home": true,
}

// staticWords take that back.
var staticWords = map[string]bool{
	"static": true, "staticip": true, "fixed": true, "business": true, "biz": true, "mail": true, "smtp": true, "mx": true, "mta": true, "relay": true,
	"mailer": true, "outbound": true,
}

// looksDynamic tells whether a name is one that a provider gives to its subscribers' addresses by the dozen: it says so, or spells the
// address. It is a weak sign: mail servers stand on such addresses too.
func looksDynamic(name string, ip netip.Addr) bool {
	org := OrganizationalDomain(name)
	host := strings.TrimSuffix(strings.TrimSuffix(name, org), ".")
	if host == "" {
		return false
	}
	spelt, dynamic := spells(host, ip), false
	for _, word := range strings.FieldsFunc(host, func(r rune) bool { return r < 'a' || r > 'z' }) {
		if staticWords[word] {
			return false
		}
		dynamic = dynamic || dynamicWords[word]
	}
	return spelt || dynamic
}

// spells tells whether a host name holds the address: all octets, forwards or backwards, or the address in hexadecimal.
func spells(host string, ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.Is4() {
		digits := strings.NewReplacer(".", "", "-", "", ":", "").Replace(host)
		return ip.IsValid() && strings.Contains(digits, strings.ReplaceAll(ip.StringExpanded(), ":", "")[:24])
	}
	b := ip.As4()
	numbers := strings.FieldsFunc(host, func(r rune) bool { return r < '0' || r > '9' })
	for i := range numbers {
		numbers[i] = strings.TrimLeft(numbers[i], "0")
	}
	text := "." + strings.Join(numbers, ".") + "."
	number := func(n byte) string { return strings.TrimLeft(fmt.Sprint(n), "0") }
	forwards := "." + number(b[0]) + "." + number(b[1]) + "." + number(b[2]) + "." + number(b[3]) + "."
	backwards := "." + number(b[3]) + "." + number(b[2]) + "." + number(b[1]) + "." + number(b[0]) + "."
	return strings.Contains(text, forwards) || strings.Contains(text, backwards) ||
		strings.Contains(host, fmt.Sprintf("%02x%02x%02x%02x", b[0], b[1], b[2], b[3])) ||
		strings.Contains(host, fmt.Sprintf("%03d%03d%03d%03d", b[0], b[1], b[2], b[3]))
}
