package gate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

var verifyClient = verify.Client{IP: netip.MustParseAddr("192.0.2.1"), Helo: "mx.example.com", MailFrom: "a@example.com"}

func TestPanicEndsItsSessionAndNothingElse(t *testing.T) {
	var armed atomic.Bool
	var z dns.Resolver
	d := open(t, Options{}, func(s *Settings) {
		z = testZone(t)
		s.Verifier = verify.New(verify.Options{AuthservID: authservID, Resolver: resolverFunc(
			func(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
				if armed.Load() && strings.HasSuffix(name, "boom.example") {
					panic("boom")
				}
				return z.Lookup(ctx, name, typ)
			})})
	})
	other := d.connect(t, nil)
	greet(t, other, mail{})
	armed.Store(true)

	for _, m := range []mail{{from: "a@boom.example"}, {header: [][2]string{{"From", " a@boom.example"}}}} {
		_, action := d.deliver(t, m)
		wantRefused(t, action, "451 4.3.0 ")
	}
	if log := d.log.String(); strings.Count(log, "msg=panic") != 2 || !strings.Contains(log, "boom") || !strings.Contains(log, "goroutine") {
		t.Errorf("want two panics with their stacks in the log:\n%s", log)
	}
	_, action := transmit(t, other, mail{})
	wantAction(t, action, milter.ActionAccept)
}

func TestPanicInAnyCallbackIsHeld(t *testing.T) {
	d := open(t, Options{}, func(s *Settings) { s.Verifier = nil }) // a nil dereference in MAIL
	s := d.connect(t, nil)
	greet(t, s, mail{})
	_, action := transmit(t, s, mail{})
	wantRefused(t, action, "451 4.3.0 ")

	d = open(t, Options{}, func(s *Settings) {
		s.Policy = nil // to ask nothing panics
	})
	_, action = d.deliver(t, mail{})
	wantRefused(t, action, "451 4.3.0 ")
}

func TestSessionHasSoManyMessagesAtMost(t *testing.T) {
	d := open(t, Options{}, func(s *Settings) { s.MaxMessages = 2 })
	s := d.connect(t, nil)
	greet(t, s, mail{})
	for range 2 {
		_, action := transmit(t, s, mail{})
		wantAction(t, action, milter.ActionAccept)
	}
	_, action := transmit(t, s, mail{})
	wantRefused(t, action, "421 4.7.0 ")

	must(t, "reset")(nil, s.Reset(milter.NewMacroBag()))
	greet(t, s, mail{})
	_, action = transmit(t, s, mail{})
	wantAction(t, action, milter.ActionAccept)
}

func TestDrainLetsAMessageUnderWayEnd(t *testing.T) {
	d := open(t, Options{}, nil)
	idle := d.connect(t, nil)
	greet(t, idle, mail{})
	busy := d.connect(t, nil)
	greet(t, busy, mail{})
	must(t, "mail")(busy.Mail("a@example.com", ""))
	eventually(t, "the start of the message", func() bool { return d.busy() == 1 })

	done := make(chan struct{})
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		d.gate.Shutdown(ctx)
		close(done)
	}()
	eventually(t, "the end of the idle session", func() bool { return d.open() == 1 })
	if _, err := net.DialTimeout("tcp", d.address, time.Second); err == nil {
		t.Error("a new connection is taken while the gate drains")
	}
	select {
	case <-done:
		t.Fatal("the gate stopped with a message under way")
	case <-time.After(50 * time.Millisecond):
	}
	must(t, "rcpt")(busy.Rcpt("b@example.org", ""))
	must(t, "data")(busy.DataStart())
	must(t, "header")(busy.HeaderField("From", " a@example.com", nil))
	must(t, "eoh")(busy.HeaderEnd())
	must(t, "body")(busy.BodyChunk([]byte("hello\r\n")))
	_, action, err := busy.End()
	if err != nil {
		t.Fatal(err)
	}
	wantAction(t, action, milter.ActionAccept)
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the gate did not stop after the last message")
	}
}

// For the mail server a message has begun when it has sent MAIL: it waits for no answer.
func TestDrainTakesAMessageWhoseFirstPacketIsOnItsWay(t *testing.T) {
	for range 5 { // for what the gate has not read yet when it is told to end
		d := open(t, Options{}, nil)
		s := d.connect(t, nil)
		greet(t, s, mail{})
		begun := time.Now()
		must(t, "mail")(s.Mail("a@example.com", ""))
		done := make(chan struct{})
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			d.gate.Shutdown(ctx)
			close(done)
		}()
		eventually(t, "the drain", func() bool {
			d.gate.mu.Lock()
			defer d.gate.mu.Unlock()
			return d.gate.draining
		})
		_, err := s.Rcpt("b@example.org", "")
		for _, next := range []func() (*milter.Action, error){
			s.DataStart, func() (*milter.Action, error) { return s.HeaderField("From", " a@example.com", nil) }, s.HeaderEnd,
			func() (*milter.Action, error) { return s.BodyChunk([]byte("hello\r\n")) },
		} {
			if err == nil {
				_, err = next()
			}
		}
		var action *milter.Action
		if err == nil {
			_, action, err = s.End()
		}
		switch {
		case err == nil:
			wantAction(t, action, milter.ActionAccept)
		case time.Since(begun) < drainGrace:
			t.Error(err)
		}
		<-done
	}
}

func TestDrainIsBounded(t *testing.T) {
	d := open(t, Options{}, nil)
	s := d.connect(t, nil)
	greet(t, s, mail{})
	must(t, "mail")(s.Mail("a@example.com", ""))
	eventually(t, "the start of the message", func() bool { return d.busy() == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	d.gate.Shutdown(ctx)
	if ctx.Err() == nil {
		t.Error("the gate stopped before its time with a message under way")
	}
}

func (d *door) open() int {
	d.gate.mu.Lock()
	defer d.gate.mu.Unlock()
	return len(d.gate.conns)
}

// busy counts the connections with a message under way.
func (d *door) busy() int {
	d.gate.mu.Lock()
	defer d.gate.mu.Unlock()
	n := 0
	for c := range d.gate.conns {
		c.mu.Lock()
		if c.inMessage {
			n++
		}
		c.mu.Unlock()
	}
	return n
}

func TestReloadIsForTheNextMessage(t *testing.T) {
	d := open(t, Options{}, nil)
	s := d.connect(t, nil)
	greet(t, s, mail{ip: "192.0.2.9"})
	must(t, "mail")(s.Mail("a@example.com", ""))
	eventually(t, "the start of the message", func() bool { return d.busy() == 1 })
	time.Sleep(10 * time.Millisecond) // the packet was seen; let it be taken in
	next := *d.gate.settings.Load()
	next.Monitor = true
	d.gate.Reload(next)
	must(t, "rcpt")(s.Rcpt("b@example.org", ""))
	must(t, "data")(s.DataStart())
	must(t, "header")(s.HeaderField("From", " a@example.com", nil))
	must(t, "eoh")(s.HeaderEnd())
	must(t, "body")(s.BodyChunk([]byte("hello\r\n")))
	_, action, err := s.End()
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, action, "550 5.7.23 ")
	must(t, "abort")(nil, s.Abort(nil))
	_, action = transmit(t, s, mail{})
	wantAction(t, action, milter.ActionAccept)
}

func TestSessionsAreBounded(t *testing.T) {
	d := open(t, Options{MaxSessions: 2}, nil)
	first, second := d.connect(t, nil), d.connect(t, nil)
	greet(t, second, mail{})
	waiting := make(chan error, 1)
	go func() {
		s, err := milter.NewClient("tcp", d.address, milter.WithReadTimeout(10*time.Second)).Session(nil)
		if err == nil {
			s.Close()
		}
		waiting <- err
	}()
	select {
	case err := <-waiting:
		t.Fatalf("a third session was not kept waiting: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	first.Close()
	if err := <-waiting; err != nil {
		t.Errorf("the third session, when there was room: %v", err)
	}
}

func TestSilentMailServerIsDropped(t *testing.T) {
	d := open(t, Options{IdleTimeout: 50 * time.Millisecond}, nil)
	d.connect(t, nil)
	c, err := net.Dial("tcp", d.address) // says nothing at all
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "the end of the silent sessions", func() bool { return d.open() == 0 })
}

func TestMessagesPassOverAUnixSocket(t *testing.T) {
	d := open(t, Options{}, nil)
	path := filepath.Join(t.TempDir(), "socket")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- d.gate.Serve(ln) }()
	s, err := milter.NewClient("unix", path, milter.WithActions(milter.AllClientSupportedActionMasks)).Session(milter.NewMacroBag())
	if err != nil {
		t.Fatal(err)
	}
	greet(t, s, mail{})
	_, action := transmit(t, s, mail{})
	wantAction(t, action, milter.ActionAccept)
	s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	d.gate.Shutdown(ctx)
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// flaky is a listener that cannot take a connection at first, as where there are too many open files.
type flaky struct {
	net.Listener
	failures atomic.Int32
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.failures.Add(-1) >= 0 {
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestListenerThatFailsForAWhileIsNotGivenUp(t *testing.T) {
	d := open(t, Options{}, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{Listener: ln}
	f.failures.Store(3)
	go d.gate.Serve(f)
	d.address = ln.Addr().String()
	_, action := d.deliver(t, mail{})
	wantAction(t, action, milter.ActionAccept)
}

// packet makes one of the milter protocol.
func packet(command byte, data string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)+1))
	return append(append(b, command), data...)
}

var negotiation = packet('O', "\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff")

func TestPacketsThatTheLibraryFallsOverDoNoHarm(t *testing.T) {
	d := open(t, Options{}, nil)
	for _, bad := range [][]byte{
		{0, 0, 0, 0},
		{0xff, 0xff, 0xff, 0xff, 'M'},
		packet('C', "unclosed"), packet('C', "host\x00"), packet('M', "<a@example.com>"), packet('R', "<a@example.com>"),
		packet('M', strings.Repeat("x", 1<<16)+"\x00"), packet('C', ""), packet('M', ""), packet('H', ""), packet('L', ""), packet('D', ""),
		packet('L', "From\x00"), packet('D', "M"), packet('D', "Mi\x00"), packet('Z', "?"), packet('O', "x"), packet('C', "h\x004"), packet('C', "h\x006\x00\x19x\x00"),
	} {
		d.raw(t, append(bytes.Clone(negotiation), bad...))
		d.raw(t, bad)
	}
	_, action := d.deliver(t, mail{})
	wantAction(t, action, milter.ActionAccept)
}

func TestMessagesThatArePipelinedAreAnsweredInOrder(t *testing.T) {
	d := open(t, Options{}, nil)
	var all bytes.Buffer
	all.Write(negotiation)
	all.Write(packet('C', "client\x004\x00\x19192.0.2.1\x00"))
	all.Write(packet('H', "mx.example.com\x00"))
	const n = 20
	for i := range n {
		from := "<a@example.com>\x00"
		if i%2 == 1 {
			from = "<a@fail.example>\x00"
		}
		all.Write(packet('M', from))
		all.Write(packet('L', "From\x00 a@example.com\x00"))
		all.Write(packet('N', ""))
		all.Write(packet('B', "hello\r\n"))
		all.Write(packet('E', ""))
	}
	all.Write(packet('Q', ""))
	var answers []byte
	for r := bytes.NewReader(d.raw(t, all.Bytes())); ; {
		var length uint32
		if binary.Read(r, binary.BigEndian, &length) != nil {
			break
		}
		data := make([]byte, length)
		if _, err := io.ReadFull(r, data); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, data[0])
	}
	want := "O" + strings.Repeat("iay", n/2)
	if string(answers) != want {
		t.Errorf("answered %s, want %s", answers, want)
	}
}

// Whatever order packets come in, whatever is in them: the gate answers or closes, soon, and lives on.
func FuzzPackets(f *testing.F) {
	d := open(f, Options{}, nil)
	f.Add([]byte("CHMLNBE"), "a@example.com", "192.0.2.1")
	f.Add([]byte("MMLLABEEKCHMNE"), "x\x00y", "::1")
	f.Add([]byte("ECAKQM"), "", "\xff")
	f.Add([]byte("DDDMDLE0"), "{auth_authen}\x00me", "IPv6:::1")
	f.Fuzz(func(t *testing.T, commands []byte, text, address string) {
		if len(commands) > 200 || len(text) > 4096 || len(address) > 4096 {
			return
		}
		all := bytes.Clone(negotiation)
		for i, command := range commands {
			data := text
			switch command {
			case 'C':
				data = "host\x00" + string("4U6L"[i%4]) + "\x00\x19" + address + "\x00"
			case 'M', 'R', 'H':
				data = "<" + text + ">\x00"
			case 'L':
				data = "From\x00 " + text + "\x00"
			case 'D':
				data = "M" + text
			}
			all = append(all, packet(command, data)...)
		}
		d.raw(t, all)
	})
}
