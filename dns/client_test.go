package dns_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/dnstest"
)

const zone = `
example.com.        300 IN TXT "v=spf1 " "ip4:192.0.2.1 -all"
example.com.        300 IN A 192.0.2.1
example.com.        300 IN AAAA 2001:db8::1
example.com.        300 IN MX 20 MX2.example.com.
example.com.        300 IN MX 10 mx1.example.com.
null.example.com.   300 IN MX 0 .
alias.example.com.  300 IN CNAME target.example.com.
target.example.com. 300 IN TXT "reached"
dangling.example.com. 300 IN CNAME nowhere.example.com.
half.example.com.   300 IN CNAME plain.example.com.
plain.example.com.  300 IN A 192.0.2.2
loop1.example.com.  300 IN CNAME loop2.example.com.
loop2.example.com.  300 IN CNAME loop1.example.com.
1.2.0.192.in-addr.arpa. 300 IN PTR Mail.Example.COM.
bytes.example.com.  300 IN TXT "a\"b\\c\255\000"
short.example.com.  1 IN TXT "x"
`

func client(servers ...string) *dns.Client {
	return dns.NewClient(dns.ClientOptions{Servers: servers, Timeout: 200 * time.Millisecond})
}

func TestClientAnswers(t *testing.T) {
	server := dnstest.Start(t, zone)
	c := client(server.Addr)
	for _, q := range []struct {
		name string
		typ  dns.Type
		want string
	}{
		{"example.com", dns.TypeTXT, `[v=spf1 ip4:192.0.2.1 -all]`},
		{"EXAMPLE.com.", dns.TypeA, `[192.0.2.1]`},
		{"example.com", dns.TypeAAAA, `[2001:db8::1]`},
		{"example.com", dns.TypeMX, `[{20 mx2.example.com} {10 mx1.example.com}]`},
		{"null.example.com", dns.TypeMX, `[{0 }]`},
		{"alias.example.com", dns.TypeTXT, `[reached]`},
		{"alias.example.com", dns.TypeCNAME, `[target.example.com]`},
		{"1.2.0.192.in-addr.arpa", dns.TypePTR, `[mail.example.com]`},
		{"bytes.example.com", dns.TypeTXT, "[a\"b\\c\xff\x00]"},
		{"nowhere.example.com", dns.TypeA, "no such domain"},
		{"plain.example.com", dns.TypeTXT, "no record of this type"},
		{"dangling.example.com", dns.TypeTXT, "no such domain"},
		{"half.example.com", dns.TypeTXT, "no record of this type"},
		{"loop1.example.com", dns.TypeTXT, "the name servers failed"},
		{strings.Repeat("a", 64) + ".example.com", dns.TypeA, "not a domain name"},
		{"a..example.com", dns.TypeA, "not a domain name"},
	} {
		a, err := c.Lookup(context.Background(), q.name, q.typ)
		if got := show(a, err); got != q.want {
			t.Errorf("%s %s: got %s, want %s", q.name, q.typ, got, q.want)
		}
	}
}

func show(a dns.Answer, err error) string {
	for _, kind := range []error{dns.ErrNXDomain, dns.ErrNoData, dns.ErrServFail, dns.ErrTimeout, dns.ErrBadName, dns.ErrLimit} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	if err != nil {
		return "unexpected: " + err.Error()
	}
	switch {
	case a.TXT != nil:
		return fmt.Sprint(a.TXT)
	case a.MX != nil:
		return fmt.Sprint(a.MX)
	case a.Addrs != nil:
		return fmt.Sprint(a.Addrs)
	case a.Names != nil:
		return fmt.Sprint(a.Names)
	}
	return fmt.Sprint(a.Records)
}

func TestFailuresAreToldApart(t *testing.T) {
	server := dnstest.Start(t, zone)
	for failure, want := range map[dnstest.Failure]error{
		dnstest.ServFail: dns.ErrServFail, dnstest.Refused: dns.ErrServFail, dnstest.Drop: dns.ErrTimeout, dnstest.OtherName: dns.ErrServFail,
	} {
		server.Fail("example.com", failure)
		_, err := client(server.Addr).Lookup(context.Background(), "example.com", dns.TypeTXT)
		if !errors.Is(err, want) || !dns.IsTemporary(err) {
			t.Errorf("failure %d: got %v, want %v", failure, err, want)
		}
	}
}

func TestTruncatedAnswerIsAskedForOverTCP(t *testing.T) {
	server := dnstest.Start(t, zone)
	server.Fail("example.com", dnstest.Truncate)
	a, err := client(server.Addr).Lookup(context.Background(), "example.com", dns.TypeTXT)
	if err != nil || server.Asked("example.com") != 2 {
		t.Errorf("got %v, %v after %d questions", a, err, server.Asked("example.com"))
	}
}

func TestAliasWithoutItsTargetIsChased(t *testing.T) {
	server := dnstest.Start(t, zone)
	server.Fail("alias.example.com", dnstest.LeaveCNAME)
	a, err := client(server.Addr).Lookup(context.Background(), "alias.example.com", dns.TypeTXT)
	if err != nil || len(a.TXT) != 1 || a.TXT[0] != "reached" || a.Name != "target.example.com" {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestAuthenticDataBitIsKept(t *testing.T) {
	server := dnstest.Start(t, zone)
	server.Fail("example.com", dnstest.Authentic)
	c := client(server.Addr)
	for range 2 { // asked, and from the cache
		if a, err := c.Lookup(context.Background(), "example.com", dns.TypeA); err != nil || !a.Authentic {
			t.Errorf("got %+v, %v, want an authentic answer", a, err)
		}
	}
	if a, err := c.Lookup(context.Background(), "plain.example.com", dns.TypeA); err != nil || a.Authentic {
		t.Errorf("got %+v, %v, want one that is not", a, err)
	}
}

func TestAnswersAndTheirAbsenceAreAskedForOnce(t *testing.T) {
	server := dnstest.Start(t, zone)
	c := client(server.Addr)
	for _, name := range []string{"example.com", "nowhere.example.com", "broken.example.com"} {
		if name == "broken.example.com" {
			server.Fail(name, dnstest.ServFail)
		}
		c.Lookup(context.Background(), name, dns.TypeTXT)
		first := server.Asked(name)
		c.Lookup(context.Background(), name, dns.TypeTXT)
		if again := server.Asked(name); first == 0 || again != first {
			t.Errorf("%s was asked for %d times, then %d times", name, first, again)
		}
	}
}

func TestAnswersExpire(t *testing.T) {
	server := dnstest.Start(t, zone)
	c := client(server.Addr)
	c.Lookup(context.Background(), "short.example.com", dns.TypeTXT)
	time.Sleep(1100 * time.Millisecond)
	c.Lookup(context.Background(), "short.example.com", dns.TypeTXT)
	if n := server.Asked("short.example.com"); n != 2 {
		t.Errorf("asked %d times, want 2: its TTL is a second", n)
	}
}

func TestCacheTellsWhatItKnew(t *testing.T) {
	server := dnstest.Start(t, `example.com. TXT "x"`)
	hits := map[bool]int{}
	c := dns.NewClient(dns.ClientOptions{Servers: []string{server.Addr}, Cached: func(hit bool) { hits[hit]++ }})
	for range 3 {
		if _, err := c.Lookup(t.Context(), "example.com", dns.TypeTXT); err != nil {
			t.Fatal(err)
		}
	}
	if hits[true] != 2 || hits[false] != 1 {
		t.Errorf("got %d hits and %d misses, want 2 and 1", hits[true], hits[false])
	}
}

func TestOneQuestionInFlight(t *testing.T) {
	server := dnstest.Start(t, zone)
	server.Delay("example.com", 100*time.Millisecond)
	c := client(server.Addr)
	impatient, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Lookup(impatient, "example.com", dns.TypeA); !errors.Is(err, dns.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient one got %v", err)
		}
	})
	for range 20 {
		wg.Go(func() {
			if _, err := c.Lookup(context.Background(), "example.com", dns.TypeA); err != nil {
				t.Errorf("a patient one got %v", err)
			}
		})
	}
	wg.Wait()
	if n := server.Asked("example.com"); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

func TestCancellationReturnsAtOnce(t *testing.T) {
	server := dnstest.Start(t, zone)
	server.Fail("example.com", dnstest.Drop)
	c := dns.NewClient(dns.ClientOptions{Servers: []string{server.Addr}, Timeout: time.Minute})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := c.Lookup(ctx, "example.com", dns.TypeA); !errors.Is(err, dns.ErrTimeout) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNextServerIsAskedWhereOneFails(t *testing.T) {
	for name, breakIt := range map[string]func(*dnstest.Server) string{
		"no answer": func(s *dnstest.Server) string { s.Fail("example.com", dnstest.Drop); return s.Addr },
		"nobody there": func(*dnstest.Server) string {
			l, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			return l.LocalAddr().String()
		},
	} {
		t.Run(name, func(t *testing.T) {
			broken, good := dnstest.Start(t, zone), dnstest.Start(t, zone)
			c := client(breakIt(broken), good.Addr)
			if _, err := c.Lookup(context.Background(), "example.com", dns.TypeA); err != nil {
				t.Fatal(err)
			}
			before := broken.Asked("target.example.com")
			if _, err := c.Lookup(context.Background(), "target.example.com", dns.TypeTXT); err != nil {
				t.Fatal(err)
			}
			if after := broken.Asked("target.example.com"); after != before {
				t.Error("the server that failed was asked first again")
			}
		})
	}
}

// Anybody can make the look-up of a name of his own fail.
func TestServerThatFailsOnOneNameIsNotPassedOverForOthers(t *testing.T) {
	for name, failure := range map[string]dnstest.Failure{"SERVFAIL": dnstest.ServFail, "REFUSED": dnstest.Refused} {
		t.Run(name, func(t *testing.T) {
			first, second := dnstest.Start(t, zone), dnstest.Start(t, zone)
			first.Fail("example.com", failure)
			c := client(first.Addr, second.Addr)
			if _, err := c.Lookup(context.Background(), "example.com", dns.TypeA); err != nil {
				t.Errorf("the second server was not asked: %v", err)
			}
			if _, err := c.Lookup(context.Background(), "target.example.com", dns.TypeTXT); err != nil {
				t.Fatal(err)
			}
			if first.Asked("target.example.com") != 1 || second.Asked("target.example.com") != 0 {
				t.Error("the first server was passed over for another name")
			}
		})
	}
}

func TestTextOfAnErrorLeavesOurServersOut(t *testing.T) {
	server := dnstest.Start(t, zone)
	server.Fail("example.com", dnstest.ServFail)
	_, err := client(server.Addr).Lookup(context.Background(), "example.com", dns.TypeTXT)
	err = fmt.Errorf("checking: %w", err)
	if strings.Contains(err.Error(), server.Addr) || !strings.Contains(dns.Detail(err), "checking: example.com TXT: the name servers failed: "+server.Addr+" says SERVFAIL") {
		t.Errorf("got %q, in detail %q", err, dns.Detail(err))
	}
}

func TestALostAnswerIsAskedForAgain(t *testing.T) {
	server := dnstest.Start(t, zone)
	server.Fail("example.com", dnstest.DropFirst)
	if _, err := client(server.Addr).Lookup(context.Background(), "example.com", dns.TypeA); err != nil {
		t.Error(err)
	}
}

func TestLimit(t *testing.T) {
	z, err := dns.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	limited := dns.Limit(z, 2)
	for i := range 4 {
		_, err := limited.Lookup(context.Background(), "example.com", dns.TypeA)
		if over := errors.Is(err, dns.ErrLimit); over != (i >= 2) {
			t.Errorf("look-up %d: %v", i+1, err)
		}
	}
}

func TestCachedAnswersAreCheap(t *testing.T) {
	server := dnstest.Start(t, zone)
	c := client(server.Addr)
	ctx := context.Background()
	if allocs := testing.AllocsPerRun(100, func() { c.Lookup(ctx, "example.com", dns.TypeTXT) }); allocs > 0 {
		t.Errorf("%.0f allocations", allocs)
	}
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte("\x00\x00\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\x00\x00\x10\x00\x01\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x01\x00\x02\x01x"))
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { conn.Close() })
	responses := make(chan []byte, 1)
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil || n < 2 {
				return
			}
			response := append([]byte(nil), <-responses...)
			copy(response, buf[:2]) // the right id, as a forger who guessed it
			conn.WriteTo(response, from)
		}
	}()
	f.Fuzz(func(t *testing.T, response []byte) {
		if len(response) < 2 || len(response) > 2048 {
			return
		}
		if len(response) > 2 {
			response[2] &^= 2 // not truncated: nobody listens on TCP
		}
		c := dns.NewClient(dns.ClientOptions{Servers: []string{conn.LocalAddr().String()}, Timeout: 50 * time.Millisecond, Rounds: 1})
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		responses <- response
		a, err := c.Lookup(ctx, "example.com", dns.TypeTXT)
		if err == nil && len(a.TXT) == 0 {
			t.Error("neither an answer nor an error")
		}
		select { // the question may have gone on to a second server name, or nowhere
		case <-responses:
		default:
		}
	})
}
