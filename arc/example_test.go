package arc_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
)

func Example() {
	private, err := dkim.GenerateEd25519()
	if err != nil {
		fmt.Println(err)
		return
	}
	record := dkim.ZoneRecord("s1", "lists.example.org", dkim.Record(private.Public()))
	zone, err := dns.ParseZone(strings.NewReader(record), "lists.example.org")
	if err != nil {
		fmt.Println(err)
		return
	}
	message := "From: alice@example.com\r\nSubject: Hello\r\n\r\nHello, Bob.\r\n"

	// A mailing list seals what it found out about the message, before others see it.
	ctx := context.Background()
	sealer := arc.Sealer{Domain: "lists.example.org", Selector: "s1", Key: private, AuthservID: "lists.example.org"}
	fields, err := arc.Seal(ctx, zone, strings.NewReader(message), sealer, "dmarc=pass header.from=example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := len(fields) - 1; i >= 0; i-- {
		message = fields[i].Raw + message
	}

	// Who receives it from the list can see that.
	chain, err := arc.Verify(ctx, zone, strings.NewReader(message), arc.Options{})
	fmt.Println(chain.Code, chain.Sealers, err)
	fmt.Println(chain.AuthResults[0])
	// Output:
	// pass [lists.example.org] <nil>
	// lists.example.org; dmarc=pass header.from=example.com
}
