package mtasts_test

import (
	"fmt"
	"time"

	"github.com/gatepost-mail/gatepost/mtasts"
)

func ExampleParsePolicy() {
	p, err := mtasts.ParsePolicy([]byte("version: STSv1\nmode: enforce\nmx: mx1.example.com\nmx: *.example.net\nmax_age: 604800\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Mode, p.MaxAge, p.MX)
	fmt.Println(p.Covers("a.example.net"), p.Covers("a.b.example.net"), p.Covers("example.net"))
	// Output:
	// enforce 168h0m0s [mx1.example.com *.example.net]
	// true false false
}

func ExampleRecord() {
	r := mtasts.Record{ID: "20261201120000"}
	p := mtasts.Policy{Mode: mtasts.Testing, MX: []string{"mx.example.com"}, MaxAge: 7 * 24 * time.Hour}
	fmt.Println(mtasts.Prefix+".example.com", r.String())
	fmt.Println(mtasts.URL("example.com"))
	fmt.Print(p.String())
	// Output:
	// _mta-sts.example.com v=STSv1; id=20261201120000;
	// https://mta-sts.example.com/.well-known/mta-sts.txt
	// version: STSv1
	// mode: testing
	// mx: mx.example.com
	// max_age: 604800
}

func ExampleSetID() {
	text, err := mtasts.SetID("v=STSv1;  id=1; x=y", "2")
	fmt.Println(text, err)
	// Output: v=STSv1;  id=2; x=y <nil>
}
