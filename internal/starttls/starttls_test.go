package starttls_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/smtptest"
	"github.com/gatepost-mail/gatepost/internal/starttls"
)

func probe(t *testing.T, address string, change func(*starttls.Query)) starttls.Result {
	t.Helper()
	q := starttls.Query{Address: address, Host: "mx.example.com", Hello: "probe.example.net", Timeout: 5 * time.Second}
	if change != nil {
		change(&q)
	}
	return starttls.Probe(context.Background(), q)
}

func TestAServerWithTLSShowsItsVersionAndItsCertificates(t *testing.T) {
	ca := smtptest.NewAuthority(t)
	cert := ca.Issue(t, smtptest.Leaf{Names: []string{"mx.example.com"}})
	r := probe(t, smtptest.Start(t, smtptest.Options{Certificate: &cert}), nil)
	if r.Err != nil || !r.Offered || !r.Secure() || r.Version != tls.VersionTLS13 {
		t.Fatalf("%+v", r)
	}
	if len(r.Chain) != 2 || !r.Chain[0].Equal(cert.Leaf) || !r.Chain[1].Equal(ca.Between) {
		t.Errorf("the chain is %v", r.Chain)
	}
	told := strings.Join(r.Steps, "\n")
	for _, want := range []string{"connected to 127.0.0.1:", "> EHLO probe.example.net", "> STARTTLS", "< 220 ", "TLS 1.3 with "} {
		if !strings.Contains(told, want) {
			t.Errorf("no %q in what was done:\n%s", want, told)
		}
	}
}

func TestACertificateThatNobodyWouldTrustIsShownToo(t *testing.T) {
	ca := smtptest.NewAuthority(t)
	cert := ca.Issue(t, smtptest.Leaf{Names: []string{"other.example.net"}, Self: true, NotAfter: smtptest.NotBefore.AddDate(0, 1, 0)})
	r := probe(t, smtptest.Start(t, smtptest.Options{Certificate: &cert}), nil)
	if r.Err != nil || len(r.Chain) != 1 || !r.Chain[0].Equal(cert.Leaf) {
		t.Errorf("%+v", r)
	}
}

func TestAServerWithoutTLSHasCertainlyNone(t *testing.T) {
	r := probe(t, smtptest.Start(t, smtptest.Options{}), nil)
	if r.Err != nil || r.Offered || r.Secure() {
		t.Errorf("%+v", r)
	}
}

func TestAnOldVersionIsTakenOrRefused(t *testing.T) {
	cert := smtptest.NewAuthority(t).Issue(t, smtptest.Leaf{Names: []string{"mx.example.com"}})
	old := func(q *starttls.Query) { q.MaxVersion = tls.VersionTLS11 }
	r := probe(t, smtptest.Start(t, smtptest.Options{Certificate: &cert, MinVersion: tls.VersionTLS10}), old)
	if r.Err != nil || r.Version != tls.VersionTLS11 || r.Refused {
		t.Errorf("where it is taken: %+v", r)
	}
	r = probe(t, smtptest.Start(t, smtptest.Options{Certificate: &cert}), old)
	if r.Err == nil || r.Secure() || !r.Refused || !r.Offered {
		t.Errorf("where it is refused: %+v", r)
	}
	r = probe(t, smtptest.Start(t, smtptest.Options{Certificate: &cert, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}), nil)
	if r.Err != nil || r.Version != tls.VersionTLS10 {
		t.Errorf("where there is nothing else: %+v", r)
	}
}

// says is a server that sends a text for each line that it is sent, and one at first.
func says(texts ...string) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		for i, text := range texts {
			if i > 0 {
				if _, err := in.ReadString('\n'); err != nil {
					return
				}
			}
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
		io.Copy(io.Discard, in)
	}
}

const ehlo = "250-mx.example.com\r\n250 STARTTLS\r\n"

func TestWhatIsNoAnswerIsNotTakenForAServerWithoutTLS(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  string
	}{
		"it does not want us":             {says("554 go away\r\n"), "554"},
		"it is busy":                      {says("421 later\r\n"), "421"},
		"it refuses EHLO for now":         {says("220 x\r\n", "450 later\r\n"), "450"},
		"it refuses EHLO":                 {says("220 x\r\n", "550 who are you\r\n"), "550"},
		"it hangs up":                     {func(net.Conn) {}, "greeting"},
		"it hangs up after EHLO":          {func(c net.Conn) { says("220 x\r\n")(cut{c}) }, "EHLO"},
		"TLS is not available":            {says("220 x\r\n", ehlo, "454 not now\r\n"), "454"},
		"it says HTTP":                    {says("HTTP/1.1 400 Bad Request\r\n\r\n"), "not SMTP"},
		"it says bytes":                   {says("\x00\xff\x16\x03\x01\r\n"), "not SMTP"},
		"its code is none":                {says("999 hello\r\n"), "not SMTP"},
		"its codes differ":                {says("220-x\r\n221 y\r\n"), "not SMTP"},
		"it says nothing but line ends":   {says("\r\n\r\n\r\n"), "not SMTP"},
		"a line without an end":           {endless("220 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "more than 2048 octets"},
		"lines without end":               {endless("220-again\r\n"), "more than 100 lines"},
		"lines without end after EHLO":    {func(c net.Conn) { says("220 x\r\n", "")(c); endless("250-X\r\n")(c) }, "EHLO"},
		"it goes on in clear":             {says("220 x\r\n", ehlo, "220 go\r\n250 injected\r\n"), "in clear"},
		"garbage in place of a handshake": {says("220 x\r\n", ehlo, "220 go\r\n", strings.Repeat("\x00garbage", 100)), "TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := probe(t, smtptest.Raw(t, c.serve), func(q *starttls.Query) { q.Timeout = time.Second })
			if r.Err == nil || r.Secure() || !strings.Contains(r.Err.Error(), c.want) {
				t.Errorf("%+v; want an error with %q", r, c.want)
			}
			for _, step := range r.Steps {
				if len(step) > 300 {
					t.Errorf("a step of %d octets", len(step))
				}
			}
		})
	}
}

// A cut connection ends after the first line that came.
type cut struct{ net.Conn }

func (c cut) Read(b []byte) (int, error) {
	n, _ := c.Conn.Read(b)
	return n, io.EOF
}

func endless(text string) func(net.Conn) {
	return func(c net.Conn) {
		block := []byte(strings.Repeat(text, 100))
		for {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	}
}

func TestWhoeverHasNoNameSaysItsAddress(t *testing.T) {
	r := probe(t, smtptest.Start(t, smtptest.Options{}), func(q *starttls.Query) { q.Hello = "" })
	if r.Err != nil || !strings.Contains(strings.Join(r.Steps, "\n"), "> EHLO [127.0.0.1]") {
		t.Errorf("%+v", r)
	}
}

func TestAServerThatKnowsNoExtensionsHasNoTLS(t *testing.T) {
	r := probe(t, smtptest.Raw(t, says("220 x\r\n", "502 what\r\n")), nil)
	if r.Err != nil || r.Offered {
		t.Errorf("%+v", r)
	}
}

func TestAServerThatHangsIsLeft(t *testing.T) {
	wait := func(c net.Conn) { io.Copy(io.Discard, c) }
	for name, serve := range map[string]func(net.Conn){
		"at once":               wait,
		"after EHLO":            says("220 x\r\n"),
		"before the handshake":  says("220 x\r\n", ehlo, "220 go\r\n"),
		"in an endless trickle": trickle,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := make(chan starttls.Result, 1)
			go func() {
				done <- probe(t, smtptest.Raw(t, serve), func(q *starttls.Query) { q.Timeout = 200 * time.Millisecond })
			}()
			select {
			case r := <-done:
				if !errors.Is(r.Err, context.DeadlineExceeded) || r.Refused || r.Secure() {
					t.Errorf("%+v", r)
				}
			case <-time.After(time.Minute):
				t.Fatal("it is still waited for")
			}
		})
	}
}

// trickle sends one octet of a reply after the other, so that a bound for each read would never be reached.
func trickle(c net.Conn) {
	for {
		if _, err := c.Write([]byte("2")); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestAServerThatCannotBeReachedIsAnError(t *testing.T) {
	r := probe(t, "192.0.2.1:25", func(q *starttls.Query) { q.Dial = &smtptest.World{} })
	if r.Err == nil || r.Offered {
		t.Errorf("%+v", r)
	}
}
