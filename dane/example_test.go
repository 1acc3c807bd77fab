package dane_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dane"
	"github.com/gatepost-mail/gatepost/dns"
)

func ExampleParse() {
	zone, _ := dns.ParseZone(strings.NewReader(`_25._tcp.mx.example.com. TLSA 1 1 1 (
		0123456789abcdef0123456789abcdef 0123456789abcdef0123456789abcdef )`), "zone")
	answer, err := zone.Lookup(context.Background(), dane.Name("mx.example.com"), dns.TypeTLSA)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range answer.Records {
		r, err := dane.Parse(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(r.Usage, "usable for mail:", r.Usable() == nil)
	}
	// Output: PKIX-EE(1) usable for mail: false
}

func ExampleVerify() {
	res := dane.Verify(dane.Query{
		Records: []dane.Record{{Usage: dane.DANEEE, Selector: dane.SPKI, Matching: dane.SHA256, Data: make([]byte, 32)}},
		Chain:   nil, // of the connection: tls.ConnectionState.PeerCertificates
		Names:   []string{"mx.example.com", "example.com"},
	})
	fmt.Println(res.Code, res.Err)
	// Output: mismatch no record is of a certificate that the server shows
}
