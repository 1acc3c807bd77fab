package receiver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/inbox/address"
	"github.com/gatepost-mail/gatepost/internal/intake"
)

// nothing imports as fast as can be.
type nothing struct{}

func (nothing) Import(_ context.Context, items iter.Seq[intake.Item], done func(intake.Item, intake.Outcome) error) error {
	for item := range items {
		if err := done(item, intake.Outcome{New: 1}); err != nil {
			return err
		}
	}
	return nil
}

// What taking a mail of 64 KiB costs, by 8 clients at once, without reading and storing it.
func BenchmarkReceive(b *testing.B) {
	book, err := address.New(address.Options{Host: host, Secrets: []address.Secret{{1}}, Domains: []string{"example.com"}})
	if err != nil {
		b.Fatal(err)
	}
	r, err := New(Options{Hostname: host, Recipients: book, Importer: nothing{}, MaxPerIP: 100})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Shutdown(context.Background())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go r.Serve(ln, SMTP)
	to, _ := book.For("example.com")
	text := "From: a@example.com\r\n\r\n" + strings.Repeat(strings.Repeat("A", 76)+"\r\n", 840)
	b.SetBytes(int64(len(text)))
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer nc.Close()
		in := bufio.NewReader(nc)
		talk := func(line string, replies int) {
			io.WriteString(nc, line)
			for replies > 0 {
				reply, err := in.ReadString('\n')
				if err != nil || reply[0] > '3' {
					b.Errorf("%q, %v", reply, err)
					return
				}
				if reply[3] == ' ' {
					replies--
				}
			}
		}
		talk("EHLO x\r\n", 2)
		for pb.Next() {
			talk(fmt.Sprintf("MAIL FROM:<a@example.com>\r\nRCPT TO:<%s>\r\nDATA\r\n", to), 3)
			talk(text+".\r\n", 1)
		}
	})
}
