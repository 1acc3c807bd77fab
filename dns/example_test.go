package dns_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

func ExampleParseZone() {
	zone, err := dns.ParseZone(strings.NewReader(`
$ORIGIN example.com.
@       TXT  "v=spf1 mx " "-all"
@       MX   10 mail
mail    A    192.0.2.25
`), "example.com.zone")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	answer, _ := zone.Lookup(ctx, "example.com", dns.TypeTXT)
	fmt.Println(answer.TXT[0])

	_, err = zone.Lookup(ctx, "www.example.com", dns.TypeA)
	fmt.Println(errors.Is(err, dns.ErrNXDomain), dns.IsVoid(err), dns.IsTemporary(err))
	fmt.Println(err)
	// Output:
	// v=spf1 mx -all
	// true true false
	// www.example.com A: no such domain
}

func ExampleOverlay() {
	published, _ := dns.ParseZone(strings.NewReader(`example.com. TXT "v=spf1 ~all"`), "published")
	proposed, _ := dns.ParseZone(strings.NewReader(`example.com. TXT "v=spf1 -all"`), "proposed")

	answer, _ := dns.Overlay(proposed, published).Lookup(context.Background(), "example.com", dns.TypeTXT)
	fmt.Println(answer.TXT)
	// Output: [v=spf1 -all]
}

func ExampleLimit() {
	zone, _ := dns.ParseZone(strings.NewReader(`example.com. A 192.0.2.1`), "zone")
	resolver := dns.Limit(zone, 1) // for one message
	ctx := context.Background()

	_, err := resolver.Lookup(ctx, "example.com", dns.TypeA)
	fmt.Println(err)
	_, err = resolver.Lookup(ctx, "example.com", dns.TypeA)
	fmt.Println(err)
	// Output:
	// <nil>
	// example.com A: too many DNS queries for one message
}
