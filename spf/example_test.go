package spf_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/spf"
)

// zone stands for the network here; a server passes a dns.Client, and a context that ends after 20 seconds or more.
func zone() dns.Resolver {
	z, err := dns.ParseZone(strings.NewReader(`
example.com.      TXT "v=spf1 mx include:_spf.example.net -all exp=why.example.com"
example.com.      MX  10 mx.example.com.
mx.example.com.   A   192.0.2.10
why.example.com.  TXT "%{i} may not send for %{o}; see https://example.com/mail"
_spf.example.net. TXT "v=spf1 ip4:198.51.100.0/24 ~all"
`), "example.zone")
	if err != nil {
		panic(err)
	}
	return z
}

func ExampleCheck() {
	for _, client := range []string{"192.0.2.10", "198.51.100.7", "203.0.113.5"} {
		res := spf.Check(context.Background(), zone(), spf.Query{
			IP: netip.MustParseAddr(client), Helo: "mail.example.org", MailFrom: "someone@example.com",
		})
		fmt.Printf("%s %s by %s\n", client, res.Code, res.Term)
		if res.Explanation != "" {
			fmt.Println("example.com says:", res.Explanation)
		}
	}
	// Output:
	// 192.0.2.10 pass by mx
	// 198.51.100.7 pass by include:_spf.example.net
	// 203.0.113.5 fail by -all
	// example.com says: 203.0.113.5 may not send for example.com; see https://example.com/mail
}

func ExampleCheck_trace() {
	res := spf.Check(context.Background(), zone(), spf.Query{
		IP: netip.MustParseAddr("198.51.100.7"), MailFrom: "someone@example.com", Trace: true,
	})
	fmt.Println(strings.Join(res.Trace, "\n"))
	// Output:
	// example.com: "mx" → no match
	//   _spf.example.net: "ip4:198.51.100.0/24" → pass
	// example.com: "include:_spf.example.net" → pass
}

func ExampleParse() {
	record, err := spf.Parse("v=spf1 ip4:192.0.2.0/33 include:_spf.example.net -all")
	for _, t := range record.Terms {
		fmt.Printf("%2d %-8s %q\n", t.Pos, t.Kind, t.Text)
	}
	fmt.Println(err)
	// Output:
	//  7 ip4      "ip4:192.0.2.0/33"
	// 24 include  "include:_spf.example.net"
	// 49 all      "-all"
	// "ip4:192.0.2.0/33" at byte 21: an IPv4 prefix length is 32 at most
}

func ExampleResult_ReceivedSPF() {
	q := spf.Query{
		IP: netip.MustParseAddr("192.0.2.10"), Helo: "mx.example.com", MailFrom: "someone@example.com", Receiver: "mx.example.org",
	}
	res := spf.Check(context.Background(), zone(), q)
	fmt.Println("Received-SPF:", strings.ReplaceAll(res.ReceivedSPF(q), "\r\n", "\n"))
	// Output:
	// Received-SPF: pass (mx.example.org: domain of someone@example.com designates
	//  192.0.2.10 as permitted sender) receiver=mx.example.org; identity=mailfrom;
	//  client-ip=192.0.2.10; envelope-from="someone@example.com";
	//  helo=mx.example.com; mechanism=mx
}
