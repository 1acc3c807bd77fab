package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// A DNS answers from a master file over UDP, at so little cost that it does not count beside what is measured: the records are
// packed beforehand. A wildcard stands for every name below that is not there.
type DNS struct {
	Addr string

	names   map[string]map[uint16][]byte // canonical name, type: records with their owner compressed to the question's name
	counts  map[string]map[uint16]uint16
	failing atomic.Pointer[[]Outage]
	delay   atomic.Int64 // nanoseconds
	conn    net.PacketConn
	asked   atomic.Int64
}

// An Outage is what happens to the questions for all names that end so.
type Outage struct {
	Suffix string // "outage.example."
	Silent bool   // no answer, instead of SERVFAIL
}

// StartDNS serves a zone on an address such as 127.0.0.1:0.
func StartDNS(address, zone string) (*DNS, error) {
	d := &DNS{names: map[string]map[uint16][]byte{}, counts: map[string]map[uint16]uint16{}}
	parser := dns.NewZoneParser(strings.NewReader(zone), ".", "zone")
	parser.SetDefaultTTL(3600)
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		if err := d.add(rr); err != nil {
			return nil, err
		}
	}
	if err := parser.Err(); err != nil {
		return nil, err
	}
	conn, err := net.ListenPacket("udp4", address)
	if err != nil {
		return nil, err
	}
	d.conn, d.Addr = conn, conn.LocalAddr().String()
	go d.serve(conn.(*net.UDPConn))
	return d, nil
}

func (d *DNS) add(rr dns.RR) error {
	name, typ := dns.CanonicalName(rr.Header().Name), rr.Header().Rrtype
	for parent := name; ; { // names between are there too (RFC 8020)
		if d.names[parent] == nil {
			d.names[parent], d.counts[parent] = map[uint16][]byte{}, map[uint16]uint16{}
		}
		i, end := dns.NextLabel(parent, 0)
		if end {
			break
		}
		parent = parent[i:]
	}
	rr.Header().Name = "."
	packed := make([]byte, dns.MaxMsgSize)
	n, err := dns.PackRR(rr, packed, 0, nil, false)
	if err != nil {
		return err
	}
	d.names[name][typ] = append(append(d.names[name][typ], 0xc0, headerSize), packed[1:n]...)
	d.counts[name][typ]++
	return nil
}

// Fail makes questions fail from now on, and all others be answered.
func (d *DNS) Fail(o ...Outage) { d.failing.Store(&o) }

// Delay has each answer sent that long after its question came.
func (d *DNS) Delay(by time.Duration) { d.delay.Store(int64(by)) }

// Asked is how many questions came.
func (d *DNS) Asked() int64 { return d.asked.Load() }

// Stop ends the service.
func (d *DNS) Stop() { d.conn.Close() }

func (d *DNS) serve(conn *net.UDPConn) {
	late := make(chan delayed, 1<<16)
	defer close(late)
	go sendLate(conn, late)
	in, out := make([]byte, 4096), make([]byte, 0, 4096)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(in)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		d.asked.Add(1)
		if out = d.reply(out[:0], in[:n]); len(out) == 0 {
			continue
		}
		if by := d.delay.Load(); by > 0 {
			late <- delayed{time.Now().Add(time.Duration(by)), from, bytes.Clone(out)}
			continue
		}
		conn.WriteToUDPAddrPort(out, from)
	}
}

// A delayed answer is sent when it is due. All wait equally long, so that they are due in the order in which they came.
type delayed struct {
	due  time.Time
	to   netip.AddrPort
	text []byte
}

func sendLate(conn *net.UDPConn, late <-chan delayed) {
	for a := range late {
		time.Sleep(time.Until(a.due))
		conn.WriteToUDPAddrPort(a.text, a.to)
	}
}

const headerSize = 12

// soa stands in the answers that hold no record; its owner is the root.
var soa = []byte{0, 0, byte(dns.TypeSOA), 0, 1, 0, 0, 0x0e, 0x10, 0, 22, 0, 0, 0, 0, 0, 1, 0, 0, 0x0e, 0x10, 0, 0, 2, 0x58, 0, 1, 0x51, 0x80, 0, 0, 0x0e, 0x10}

// reply appends the answer to a query; nothing where there is none.
func (d *DNS) reply(out, query []byte) []byte {
	name, end, err := dns.UnpackDomainName(query, min(headerSize, len(query)))
	if err != nil || len(query) < end+4 || binary.BigEndian.Uint16(query[4:]) != 1 || query[2]&0x80 != 0 {
		return nil
	}
	typ := binary.BigEndian.Uint16(query[end:])
	name = strings.ToLower(name)
	out = append(out, query[0], query[1], 0x80|query[2]&0x79, 0x80, 0, 1, 0, 0, 0, 0, 0, 0) // QR, the query's opcode and RD; RA
	out = append(out, query[headerSize:end+4]...)
	if o := d.outage(name); o != nil {
		if o.Silent {
			return nil
		}
		out[3] |= dns.RcodeServerFailure
		return out
	}
	name = d.owner(name)
	records := d.names[name][typ]
	if records == nil {
		if d.names[name] == nil {
			out[3] |= dns.RcodeNameError
		}
		out[9] = 1
		return append(out, soa...)
	}
	binary.BigEndian.PutUint16(out[6:], d.counts[name][typ])
	return append(out, records...)
}

func (d *DNS) outage(name string) *Outage {
	failing := d.failing.Load()
	if failing == nil {
		return nil
	}
	for i := range *failing {
		if o := &(*failing)[i]; strings.HasSuffix(name, o.Suffix) {
			return o
		}
	}
	return nil
}

// owner is the name itself, or the wildcard that stands for it.
func (d *DNS) owner(name string) string {
	for rest := name; d.names[name] == nil; {
		i, end := dns.NextLabel(rest, 0)
		if end {
			return name
		}
		rest = rest[i:]
		if d.names["*."+rest] != nil {
			return "*." + rest
		}
		if d.names[rest] != nil { // the closest encloser has no wildcard (RFC 4592 4.3.1)
			return name
		}
	}
	return name
}

// Record is a TXT record in a master file, in strings of 255 octets at most.
func Record(name, value string) string {
	var b bytes.Buffer
	b.WriteString(name + ". TXT")
	for len(value) > 0 {
		n := min(len(value), 255)
		b.WriteString(` "` + value[:n] + `"`)
		value = value[n:]
	}
	return b.String() + "\n"
}
