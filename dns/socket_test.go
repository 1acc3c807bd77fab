package dns_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/gatepost-mail/gatepost/dns"
)

// ports answers every question with the same text, and keeps from which ports they came.
func ports(t *testing.T) (address string, seen func() map[string]int) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	from := make(chan string, 1000)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, addr, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var in, out mdns.Msg
			if in.Unpack(buf[:n]) != nil {
				continue
			}
			out.SetReply(&in)
			rr, _ := mdns.NewRR(in.Question[0].Name + ` 60 IN TXT "here"`)
			out.Answer = []mdns.RR{rr}
			packed, _ := out.Pack()
			from <- addr.String()
			conn.WriteTo(packed, addr)
		}
	}()
	return conn.LocalAddr().String(), func() map[string]int {
		all := map[string]int{}
		for len(from) > 0 {
			all[<-from]++
		}
		return all
	}
}

func askMany(t *testing.T, c *dns.Client, n int) {
	t.Helper()
	for i := range n {
		if _, err := c.Lookup(t.Context(), fmt.Sprintf("n%d.example.com", i), dns.TypeTXT); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEachQuestionHasAPortOfItsOwnUnlessToldOtherwise(t *testing.T) {
	address, seen := ports(t)
	askMany(t, dns.NewClient(dns.ClientOptions{Servers: []string{address}}), 30)
	if n := len(seen()); n < 20 { // the system may give one port again
		t.Errorf("30 questions came from %d ports", n)
	}
	askMany(t, dns.NewClient(dns.ClientOptions{Servers: []string{address}, Reuse: 10}), 30)
	for port, n := range seen() {
		if n != 10 {
			t.Errorf("%d questions came from %s, want 10", n, port)
		}
	}
}

func TestAServerIsNotAskedMoreThanSoManyQuestionsASecond(t *testing.T) {
	address, seen := ports(t)
	c := dns.NewClient(dns.ClientOptions{Servers: []string{address}, PerSecond: 1})
	askMany(t, c, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.Lookup(ctx, "second.example.com", dns.TypeTXT); !errors.Is(err, dns.ErrTimeout) {
		t.Errorf("a second question in the same second: %v", err)
	}
	if n := len(seen()); n != 1 {
		t.Errorf("%d questions were sent", n)
	}
}
