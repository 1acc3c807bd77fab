package bimi_test

import (
	"fmt"

	"github.com/gatepost-mail/gatepost/bimi"
)

func ExampleParse() {
	r, err := bimi.Parse("v=BIMI1; l=https://example.com/logo.svg; a=")
	fmt.Println(r.Logo, r.Declined(), err)
	// Output: https://example.com/logo.svg false <nil>
}

func ExampleCheckLogo() {
	svg := `<svg xmlns="http://www.w3.org/2000/svg" version="1.2" baseProfile="tiny-ps" viewBox="0 0 96 48">
<title>Example</title><script>alert(1)</script></svg>`
	for _, f := range bimi.CheckLogo([]byte(svg)) {
		fmt.Println(f)
	}
	// Output:
	// not square: its viewBox is 96 wide and 48 high
	// script: it has the element "script"
}
