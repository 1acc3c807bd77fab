package main

import (
	"bytes"
	"crypto/rsa"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

// A gateProcess is a running gatepost serve, with the DNS that it asks.
type gateProcess struct {
	address string
	dir     string
	cmd     *exec.Cmd
	dns     *dns.Server
}

// startGate builds the program from the module and runs it with DNS on loopback.
func startGate(key *rsa.PrivateKey) (_ *gateProcess, err error) {
	g := &gateProcess{}
	defer func() {
		if err != nil {
			g.stop()
		}
	}()
	if g.dir, err = os.MkdirTemp("", "gatepost-bench"); err != nil {
		return nil, err
	}
	program, err := buildGatepost(g.dir)
	if err != nil {
		return nil, err
	}
	resolver, err := g.startDNS(dkim.ZoneRecord(signSelector, signDomain, dkim.Record(key.Public())) + gateZone)
	if err != nil {
		return nil, err
	}
	if g.address, err = lab.FreeAddress(); err != nil {
		return nil, err
	}
	config := filepath.Join(g.dir, "gatepost.toml")
	text := fmt.Sprintf("listen = [%q]\nauthserv_id = \"mx.example.org\"\nstate_dir = \"state\"\n[web]\nlisten = []\n[resolver]\nservers = [%q]\n", g.address, resolver)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	var log bytes.Buffer
	g.cmd = exec.Command(program, "serve", "--config", config)
	g.cmd.Stderr = &log
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		if conn, err := net.Dial("tcp", g.address); err == nil {
			conn.Close()
			return g, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, fmt.Errorf("gatepost does not answer on %s:\n%s", g.address, log.String())
}

// buildGatepost builds the program from the module.
func buildGatepost(dir string) (string, error) {
	program := filepath.Join(dir, "gatepost")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/gatepost-mail/gatepost/cmd/gatepost").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return program, nil
}

const gateZone = `
example.com.            300 IN TXT "v=spf1 mx ip4:192.0.2.0/24 -all"
example.com.            300 IN MX 10 mail.example.com.
mail.example.com.       300 IN A 192.0.2.25
mail.example.com.       300 IN TXT "v=spf1 a -all"
25.2.0.192.in-addr.arpa. 300 IN PTR mail.example.com.
_dmarc.example.com.     300 IN TXT "v=DMARC1; p=reject"
`

// startDNS serves a master file on loopback.
func (g *gateProcess) startDNS(zone string) (string, error) {
	var records []dns.RR
	parser := dns.NewZoneParser(strings.NewReader(zone), ".", "bench")
	parser.SetDefaultTTL(300)
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		records = append(records, rr)
	}
	if err := parser.Err(); err != nil {
		return "", err
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	g.dns = &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, in *dns.Msg) {
		out := new(dns.Msg).SetReply(in)
		for _, rr := range records {
			if strings.EqualFold(rr.Header().Name, in.Question[0].Name) && rr.Header().Rrtype == in.Question[0].Qtype {
				out.Answer = append(out.Answer, rr)
			}
		}
		if len(out.Answer) == 0 {
			out.Rcode = dns.RcodeNameError
			soa, _ := dns.NewRR(". 300 IN SOA ns.example. host.example. 1 3600 600 86400 300")
			out.Ns = []dns.RR{soa}
		}
		w.WriteMsg(out)
	})}
	go g.dns.ActivateAndServe()
	return conn.LocalAddr().String(), nil
}

func (g *gateProcess) pid() int { return g.cmd.Process.Pid }

func (g *gateProcess) stop() {
	if g.cmd != nil && g.cmd.Process != nil {
		g.cmd.Process.Kill()
		g.cmd.Wait()
	}
	if g.dns != nil {
		g.dns.Shutdown()
	}
	os.RemoveAll(g.dir)
}
