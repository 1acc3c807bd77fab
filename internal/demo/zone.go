package demo

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
)

// partnerKey signs what partner.example sends. Everybody can know it, for it is nobody's.
var partnerKey = sync.OnceValue(func() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("gatepost demo: partner.example"))
	return ed25519.NewKeyFromSeed(seed[:])
})

// A change of DNS happened so many days before the last one.
type change struct {
	ago      int
	old, new string // in a line of the file, or a whole line
}

// changes are what made the present of the file, the latest first; to undo them gives the past.
var changes = []change{
	{logisticsGood, twoRecords, oneRecord},
	{newPolicy, "p=none; rua=mailto:dmarc@example.com; ruf=", "p=quarantine; rua=mailto:dmarc@example.com; ruf="},
	{logisticsBad, oneRecord, twoRecords},
}

// The SPF record of logistics.example, and how it came to have two.
const (
	oneRecord  = "logistics.example. 3600 IN TXT \"v=spf1 ip4:203.0.113.35 -all\"\n"
	twoRecords = "logistics.example. 3600 IN TXT \"v=spf1 include:mail.logistics.example -all\"\n" + oneRecord
)

// zoneText is DNS as it was on a day.
func zoneText(ago int) (string, error) {
	text, err := read("zone.txt")
	if err != nil {
		return "", err
	}
	text = strings.Replace(text, "{partner}\n", dkim.ZoneRecord("p1", "partner.example", dkim.Record(partnerKey().Public())), 1)
	for _, c := range changes {
		if ago <= c.ago {
			continue
		}
		if strings.Count(text, c.new) != 1 {
			return "", fmt.Errorf("the zone has %q %d times", c.new, strings.Count(text, c.new))
		}
		text = strings.Replace(text, c.new, c.old, 1)
	}
	for name, there := range map[string]bool{"s2026a": ago > oldKeyGone, "s2026b": ago <= newKey} {
		if !there {
			text = without(text, name+"._domainkey.example.com.")
		}
	}
	return text, nil
}

// without leaves out the record of a name.
func without(text, name string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, name+" ") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// past is DNS as it was on a day.
func past(ago int) (*dns.Zone, error) {
	text, err := zoneText(ago)
	if err != nil {
		return nil, err
	}
	return dns.ParseZone(strings.NewReader(text), "zone")
}
