package authres_test

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/authres"
	"github.com/gatepost-mail/gatepost/message"
)

func ExampleField_Format() {
	field := authres.Field{AuthservID: "mx.example.org", Results: []authres.Result{{
		Method: "spf", Value: "pass", Properties: []authres.Property{{Type: "smtp", Name: "mailfrom", Value: "a@example.com"}},
	}}}
	fmt.Println(strings.ReplaceAll(field.Format(), "\r\n\t", "\n  "))
	// Output:
	// mx.example.org;
	//   spf=pass smtp.mailfrom=a@example.com
}

func ExampleParse() {
	field, err := authres.Parse(`mx.example.org; dkim=pass (good; 2048 bits) header.d=example.com; spf=none`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range field.Results {
		fmt.Println(r.Method, r.Value, r.Properties)
	}
	// Output:
	// dkim pass [{header d example.com }]
	// spf none []
}

func ExampleForged() {
	header := message.Header{
		message.NewField("Authentication-Results", " mx.example.org; dmarc=pass"),
		message.NewField("Authentication-Results", " relay.example.net; spf=pass"),
		message.NewField("Authentication-Results", " (trust me) MX.EXAMPLE.ORG; dmarc=pass"),
	}
	fmt.Println(authres.Forged(header, "mx.example.org"))
	// Output: [3 1]
}
