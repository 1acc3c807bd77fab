package gate

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/testlog"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

const zone = `
$TTL 60
example.com.               TXT "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 ~all"
_dmarc.example.com.        TXT "v=DMARC1; p=reject"
fail.example.              TXT "v=spf1 -all"
held.example.              TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.held.example.       TXT "v=DMARC1; p=quarantine"
mx.example.com.            A   192.0.2.1
`

const authservID = "mx.example.org"

// A door is a gate under test, with a client to talk to it.
type door struct {
	gate    *Gate
	address string
	log     *testlog.Buffer
}

// resolverFunc is a Resolver.
type resolverFunc func(ctx context.Context, name string, typ dns.Type) (dns.Answer, error)

func (f resolverFunc) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	return f(ctx, name, typ)
}

func testZone(t testing.TB) dns.Resolver {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func settings(t testing.TB, r dns.Resolver, log *testlog.Buffer) Settings {
	t.Helper()
	p, err := policy.Preset("strict")
	if err != nil {
		t.Fatal(err)
	}
	return Settings{
		Verifier: verify.New(verify.Options{Resolver: r, AuthservID: authservID}),
		Policy:   p, AuthservID: authservID, TrustAuthenticated: true,
		OwnNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		Log:         slog.New(slog.NewTextHandler(log, nil)),
	}
}

// open runs a gate until the test ends.
func open(t testing.TB, o Options, change func(*Settings)) *door {
	t.Helper()
	d := &door{log: &testlog.Buffer{}}
	s := settings(t, testZone(t), d.log)
	if change != nil {
		change(&s)
	}
	d.gate = New(o, s)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.address = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- d.gate.Serve(ln) }()
	t.Cleanup(func() {
		if !d.gate.stopping() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			d.gate.Shutdown(ctx)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return d
}

func (g *Gate) stopping() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.draining
}

// mail is one message and how it comes. Empty members get what makes it pass.
type mail struct {
	family milter.ProtoFamily
	ip     string
	helo   string
	from   string
	null   bool // the null reverse-path
	header [][2]string
	body   string
	macros map[milter.MacroName]string
}

func (d *door) connect(t testing.TB, macros map[milter.MacroName]string, options ...milter.Option) *milter.ClientSession {
	t.Helper()
	bag := milter.NewMacroBag()
	for name, value := range macros {
		bag.Set(name, value)
	}
	options = append([]milter.Option{milter.WithActions(milter.AllClientSupportedActionMasks)}, options...)
	s, err := milter.NewClient("tcp", d.address, options...).Session(bag)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// deliver hands over one message on a connection of its own.
func (d *door) deliver(t testing.TB, m mail, options ...milter.Option) ([]milter.ModifyAction, *milter.Action) {
	t.Helper()
	s := d.connect(t, m.macros, options...)
	greet(t, s, m)
	return transmit(t, s, m)
}

func greet(t testing.TB, s *milter.ClientSession, m mail) {
	t.Helper()
	if m.family == 0 {
		m.family = milter.FamilyInet
	}
	if m.ip == "" && m.family != milter.FamilyUnknown {
		m.ip = "192.0.2.1"
	}
	must(t, "connect")(s.Conn("client.example", m.family, 25, m.ip))
	must(t, "helo")(s.Helo(or(m.helo, "mx.example.com")))
}

func transmit(t testing.TB, s *milter.ClientSession, m mail) ([]milter.ModifyAction, *milter.Action) {
	t.Helper()
	from := or(m.from, "a@example.com")
	if m.null {
		from = ""
	}
	must(t, "mail")(s.Mail(from, ""))
	must(t, "rcpt")(s.Rcpt("b@example.org", ""))
	must(t, "data")(s.DataStart())
	header := m.header
	if header == nil {
		header = [][2]string{{"From", " a@example.com"}, {"Subject", " hello"}}
	}
	for _, f := range header {
		must(t, "header")(s.HeaderField(f[0], f[1], nil))
	}
	must(t, "eoh")(s.HeaderEnd())
	must(t, "body")(s.BodyChunk([]byte(or(m.body, "hello\r\n"))))
	modifications, action, err := s.End()
	if err != nil {
		t.Fatalf("end of message: %v", err)
	}
	return modifications, action
}

func must(t testing.TB, step string) func(*milter.Action, error) {
	return func(a *milter.Action, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if a != nil && a.Type != milter.ActionContinue {
			t.Fatalf("%s: answered with %v, want continue", step, a)
		}
	}
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// list writes modifications one a line.
func list(modifications []milter.ModifyAction) string {
	var b strings.Builder
	for _, m := range modifications {
		switch m.Type {
		case milter.ActionChangeHeader:
			fmt.Fprintf(&b, "change %d %s:%s\n", m.HeaderIndex, m.HeaderName, m.HeaderValue)
		case milter.ActionInsertHeader:
			fmt.Fprintf(&b, "insert %d %s:%s\n", m.HeaderIndex, m.HeaderName, m.HeaderValue)
		default:
			fmt.Fprintln(&b, m.String())
		}
	}
	return b.String()
}

func wantAction(t testing.TB, got *milter.Action, want milter.ActionType) {
	t.Helper()
	if got.Type != want {
		t.Errorf("answered %v, want action type %d", got, want)
	}
}

func wantRefused(t testing.TB, got *milter.Action, prefix string) {
	t.Helper()
	if got.Type != milter.ActionRejectWithCode || !strings.HasPrefix(got.SMTPReply, prefix) {
		t.Errorf("answered %v, want %s…", got, prefix)
	}
}

// eventually waits for what another goroutine does.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s did not happen", what)
}

// raw sends packets as they are and gives what comes back until the gate closes, or until nothing comes for a while.
func (d *door) raw(t testing.TB, packets []byte) []byte {
	t.Helper()
	c, err := net.Dial("tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write(packets)
	c.(*net.TCPConn).CloseWrite()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(c); err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Fatalf("the gate hangs after %q", packets)
		}
	}
	return answer.Bytes()
}
