package publish

import (
	"strconv"

	"github.com/gatepost-mail/gatepost/dns"
)

// MX is the value of a mail exchanger's record.
func MX(m dns.MX) string { return strconv.Itoa(int(m.Preference)) + " " + m.Host + "." }
