// Package named runs a BIND of a test's own on a port of 127.0.0.1.
//
//	server := named.Start(t, named.Options{Config: `zone "example.com" { type primary; file "DIR/zone"; };`, Files: map[string]string{"zone": …}})
//	client := dns.NewClient(dns.ClientOptions{Servers: []string{server.Address}})
package named

import (
	"bytes"
	"cmp"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Options say what the server knows. In the texts DIR stands for its folder.
type Options struct {
	Config string            // behind the options that every server of a test has
	Files  map[string]string // by name, in its folder
	Zone   string            // one that it answers for once it is up; example.com if empty
	Asks   string            // options of one that looks up what it has not itself; it looks nothing up if empty
}

// A Server is one that runs until the test ends.
type Server struct{ Dir, Address string }

const basics = `
options {
	directory "DIR"; pid-file "DIR/pid"; session-keyfile "DIR/session.key"; managed-keys-directory "DIR";
	listen-on port PORT { 127.0.0.1; }; listen-on-v6 { none; };
	notify no; allow-transfer { none; };
	ASKS
};
controls { };
`

// Start runs a server until the test ends. Where BIND is not installed the test is skipped, and fails where all is to be tested.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	program := need(t, "named")
	dir, err := os.MkdirTemp("", "gatepost-named")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{Dir: dir, Address: freePort(t)}
	_, port, _ := net.SplitHostPort(s.Address)
	fill := strings.NewReplacer("DIR", dir, "PORT", port)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("named.conf", fill.Replace(strings.Replace(basics, "ASKS", cmp.Or(o.Asks, "recursion no; dnssec-validation no;"), 1)+o.Config))
	for name, text := range o.Files {
		write(name, text)
	}
	var log bytes.Buffer
	cmd := exec.Command(program, "-g", "-n", "1", "-c", filepath.Join(dir, "named.conf"))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { defer close(exited); cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill(); <-exited })
	zone := cmp.Or(o.Zone, "example.com")
	for range 1000 {
		select {
		case <-exited:
			t.Fatalf("named ended:\n%s", log.String())
		case <-time.After(20 * time.Millisecond):
		}
		if answer, err := dns.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(zone), dns.TypeSOA), s.Address); err == nil && len(answer.Answer) > 0 {
			return s
		}
	}
	t.Fatal("named does not answer after 20 seconds")
	return nil
}

// need is the path of one of BIND's programs.
func need(t testing.TB, name string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		const why = "needs the Debian packages bind9 and bind9-utils (scripts/test-deps installs them)"
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	return program
}

// freePort finds a port that is free for both UDP and TCP.
func freePort(t testing.TB) string {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		tcp.Close()
		if err == nil {
			udp.Close()
			return tcp.Addr().String()
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return ""
}

// Secret is one of 46 octets, as base64.
const Secret = "bG9uZyBlbm91Z2ggdG8gYmUgYSBzZWNyZXQgb2YgdGhpcnR5dHdvIG9jdGV0cw=="

// Key is a file with a secret, as tsig-keygen writes it.
func Key(name, algorithm, secret string) string {
	return "key \"" + name + "\" {\n\talgorithm " + algorithm + ";\n\tsecret \"" + secret + "\";\n};\n"
}

// Editable are the options of a server with the zone example.com, which whoever has the key gatepost may change as he likes.
func Editable(zone string) Options {
	return Options{
		Config: "include \"DIR/key\";\nkey \"stranger\" { algorithm hmac-sha256; secret \"" + Secret + "\"; };\n" +
			"zone \"example.com\" { type primary; file \"DIR/zone\"; update-policy { grant gatepost zonesub ANY; }; };\n",
		Files: map[string]string{"key": Key("gatepost", "hmac-sha256", Secret), "zone": "$TTL 60\n@ SOA ns host 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n" + zone},
	}
}

// Replace puts records, as a zone file has them, in the place of those of their names and types, by a dynamic update that the key of
// [Editable] and of a [Tree] signs.
func (s *Server) Replace(t testing.TB, zone string, records ...string) {
	t.Helper()
	m := new(dns.Msg).SetUpdate(dns.Fqdn(zone))
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		m.RemoveRRset([]dns.RR{rr})
		m.Insert([]dns.RR{rr})
	}
	m.SetTsig("gatepost.", dns.HmacSHA256, 300, time.Now().Unix())
	c := dns.Client{Net: "tcp", TsigSecret: map[string]string{"gatepost.": Secret}}
	if a, _, err := c.Exchange(m, s.Address); err != nil || a.Rcode != dns.RcodeSuccess {
		t.Fatalf("named does not change %q: %v\n%v", records, err, a)
	}
}
