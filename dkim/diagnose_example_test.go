package dkim_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
)

func ExampleVerify_diagnosis() {
	key, err := dkim.GenerateEd25519()
	if err != nil {
		fmt.Println(err)
		return
	}
	zone, err := dns.ParseZone(strings.NewReader(dkim.ZoneRecord("s1", "example.com", dkim.Record(key.Public()))), "example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	message := "From: alice@example.com\r\nSubject: Lunch\r\n\r\nShall we?\r\n"
	var signed strings.Builder
	if err := dkim.Sign(&signed, strings.NewReader(message), dkim.Signer{Domain: "example.com", Selector: "s1", Key: key}); err != nil {
		fmt.Println(err)
		return
	}

	// A mailing list puts its tag before the Subject and its address below the text.
	relayed := strings.Replace(signed.String(), "Subject: ", "Subject: [food] ", 1) + "-- \r\nhttps://food.example.net/\r\n"
	results, err := dkim.Verify(context.Background(), zone, strings.NewReader(relayed), dkim.Options{Diagnose: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(results[0].Code)
	fmt.Println(strings.ReplaceAll(results[0].Diagnosis, "; ", ";\n"))
	// Output:
	// fail
	// the body verifies without its last 2 lines ("--", "https://food.example.net/"), added in transit;
	// and the signature verifies with Subject "Lunch": "[food]" was put before it in transit
}
