// Package dnstest is a DNS server for tests: on 127.0.0.1, over UDP and TCP, answering from a master file, and failing where it is
// told to.
//
//	server := dnstest.Start(t, `example.com. TXT "v=spf1 -all"`)
//	server.Fail("slow.example", dnstest.Drop)
//	client := dns.NewClient(dns.ClientOptions{Servers: []string{server.Addr}})
package dnstest

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A Failure is what happens to a question instead of an answer, or to the answer.
type Failure int

// The failures.
const (
	ServFail Failure = iota + 1
	Refused
	Drop       // nothing comes back
	Truncate   // over UDP; TCP answers
	Authentic  // no failure: the AD bit is set
	OtherName  // the answer is to another question
	LeaveCNAME // only the first alias is told, not where it leads
	DropFirst  // the first question gets no answer, later ones do
	Bogus      // SERVFAIL, unless the question has the CD bit; with it, the AD bit is set all the same
)

// A Server answers for all names of its zone, and NXDOMAIN for all others.
type Server struct {
	Addr string // 127.0.0.1:port, for UDP and TCP

	mu       sync.Mutex
	running  []*dns.Server
	silent   bool
	records  []dns.RR
	failures map[string]Failure
	delays   map[string]time.Duration
	asked    map[string]int
}

// Start runs a server until the test ends.
func Start(t testing.TB, zone string) *Server {
	t.Helper()
	s := &Server{failures: map[string]Failure{}, delays: map[string]time.Duration{}, asked: map[string]int{}}
	s.SetZone(t, zone)
	tcp, udp := listen(t, "127.0.0.1:0")
	s.Addr = udp.LocalAddr().String()
	s.run(tcp, udp)
	t.Cleanup(s.Stop)
	return s
}

// run answers on both sockets.
func (s *Server) run(tcp net.Listener, udp net.PacketConn) {
	for _, server := range []*dns.Server{{PacketConn: udp, Handler: s}, {Listener: tcp, Handler: s}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go server.ActivateAndServe()
		<-started
		s.mu.Lock()
		s.running = append(s.running, server)
		s.mu.Unlock()
	}
}

// Stop closes the server's port, as when the program that answered has ended.
func (s *Server) Stop() {
	s.mu.Lock()
	running := s.running
	s.running = nil
	s.mu.Unlock()
	for _, server := range running {
		server.Shutdown()
	}
}

// Resume opens the port of a server that was stopped.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.run(listen(t, s.Addr))
}

// Silence has no question answered, as where a firewall drops them all; or answers again.
func (s *Server) Silence(silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = silent
}

// listen finds a port that is free for both.
func listen(t testing.TB, address string) (net.Listener, net.PacketConn) {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if udp, err := net.ListenPacket("udp", tcp.Addr().String()); err == nil {
			return tcp, udp
		}
		tcp.Close()
	}
	t.Fatal("dnstest: no port is free for both UDP and TCP")
	return nil, nil
}

// SetZone replaces the zone.
func (s *Server) SetZone(t testing.TB, zone string) {
	t.Helper()
	parser := dns.NewZoneParser(strings.NewReader(zone), ".", "zone")
	parser.SetDefaultTTL(300)
	var records []dns.RR
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		records = append(records, rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = records
}

// Fail makes questions for a name fail from now on; 0 mends it.
func (s *Server) Fail(name string, f Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[dns.CanonicalName(name)] = f
}

// Delay makes questions for a name wait.
func (s *Server) Delay(name string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delays[dns.CanonicalName(name)] = d
}

// Asked is how many questions for a name came, of any type, over both transports.
func (s *Server) Asked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[dns.CanonicalName(name)]
}

// ServeDNS implements dns.Handler.
func (s *Server) ServeDNS(w dns.ResponseWriter, in *dns.Msg) {
	if len(in.Question) != 1 {
		return
	}
	q := in.Question[0]
	name := dns.CanonicalName(q.Name)
	s.mu.Lock()
	s.asked[name]++
	count, failure, delay := s.asked[name], s.failures[name], s.delays[name]
	if s.silent {
		failure = Drop
	}
	out := s.answer(in, name, q.Qtype, failure == LeaveCNAME)
	s.mu.Unlock()

	time.Sleep(delay)
	_, overUDP := w.RemoteAddr().(*net.UDPAddr)
	switch {
	case failure == ServFail:
		out.Rcode, out.Answer = dns.RcodeServerFailure, nil
	case failure == Refused:
		out.Rcode, out.Answer = dns.RcodeRefused, nil
	case failure == Drop, failure == DropFirst && count == 1:
		return
	case failure == Truncate && overUDP:
		out.Truncated, out.Answer = true, nil
	case failure == Bogus && !in.CheckingDisabled:
		out.Rcode, out.Answer = dns.RcodeServerFailure, nil
	case failure == Authentic, failure == Bogus:
		out.AuthenticatedData = true
	case failure == OtherName:
		out.Question[0].Name = "other.example."
	}
	if overUDP {
		size := dns.MinMsgSize
		if opt := in.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		out.Truncate(size)
	}
	w.WriteMsg(out)
}

// answer follows aliases through the zone, as a recursive server does.
func (s *Server) answer(in *dns.Msg, name string, typ uint16, leave bool) *dns.Msg {
	out := new(dns.Msg).SetReply(in)
	out.RecursionAvailable = true
	exists := false
	for range 20 {
		next := ""
		for _, rr := range s.records {
			owner := dns.CanonicalName(rr.Header().Name)
			exists = exists || owner == name || strings.HasSuffix(owner, "."+name)
			if owner != name {
				continue
			}
			cname, isAlias := rr.(*dns.CNAME)
			if rr.Header().Rrtype == typ || isAlias {
				out.Answer = append(out.Answer, rr)
			}
			if isAlias && typ != dns.TypeCNAME {
				next = dns.CanonicalName(cname.Target)
			}
		}
		if next == "" || leave {
			break
		}
		name, exists = next, false
	}
	if !exists {
		out.Rcode = dns.RcodeNameError
	}
	if len(out.Answer) == 0 || !exists {
		soa, _ := dns.NewRR(". 300 IN SOA ns.example. host.example. 1 3600 600 86400 60")
		out.Ns = []dns.RR{soa}
	}
	return out
}
