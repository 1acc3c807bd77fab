package named

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A Tree is a DNS of the test's own, signed from its root down: a server that has all zones, and two resolvers that ask it.
type Tree struct {
	Authority  *Server // whoever has the key named gatepost, of [Secret], may change each zone
	Validating string  // the address of the resolver that knows the root's key
	Trusting   string  // and of the one that does not validate
}

// A Fault is what is wrong with the signing of a zone.
type Fault int

// The faults.
const (
	None     Fault = iota
	Unsigned       // there are no signatures, and no DS record at the parent
	Expired        // the signatures ran out yesterday
	OtherKey       // the DS record at the parent is of a key that the zone has not
)

// A Zone is one below the root.
type Zone struct {
	Text  string // without SOA and NS, relative to its name
	Fault Fault
}

// start of every zone. What does not exist is remembered for a second at most.
const start = "$TTL 60\n@ SOA ns.example.org. hostmaster.example.org. 1 3600 600 86400 1\n@ NS ns.example.org.\n"

// Grow starts the three servers. Beside the zones there are the root and org, which are signed.
func Grow(t testing.TB, zones map[string]Zone) *Tree {
	t.Helper()
	dir, err := os.MkdirTemp("", "gatepost-keys")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	zones = maps.Clone(zones)
	zones["org"] = Zone{Text: "ns.example A 127.0.0.1\n"}
	root := "org NS ns.example.org.\nns.example.org A 127.0.0.1\n"
	o := Options{Config: "include \"DIR/key\";\n", Files: map[string]string{"key": Key("gatepost", "hmac-sha256", Secret)}, Zone: "org"}
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		z := zones[name]
		if name != "org" {
			root += name + " NS ns.example.org.\n"
		}
		text := start + z.Text
		switch z.Fault {
		case Unsigned:
			o.add(name, text, "")
			continue
		case Expired:
			root += sign(t, dir, name)
			o.add(name, expired(t, dir, name, text), "")
			continue
		case OtherKey:
			root += sign(t, t.TempDir(), name)
			sign(t, dir, name)
		case None:
			root += sign(t, dir, name)
		}
		o.add(name, text, dir)
	}
	anchor := sign(t, dir, ".")
	o.add(".", start+root, dir)
	tree := &Tree{Authority: Start(t, o)}
	for name, z := range zones {
		if z.Fault != Unsigned {
			tree.signed(t, name)
		}
	}
	tree.signed(t, ".")
	_, port, _ := strings.Cut(tree.Authority.Address, ":")
	asks := "recursion yes; forward only; forwarders { 127.0.0.1 port " + port + "; }; "
	fields := strings.Fields(anchor) // . IN DS tag algorithm type digest
	digest := fmt.Sprintf("trust-anchors { . static-ds %s %s %s \"%s\"; };\n", fields[3], fields[4], fields[5], strings.Join(fields[6:], ""))
	tree.Validating = Start(t, Options{Asks: asks + "dnssec-validation yes;", Config: digest, Zone: "org"}).Address
	tree.Trusting = Start(t, Options{Asks: asks + "dnssec-validation no;", Zone: "org"}).Address
	return tree
}

// add has the server answer for a zone, and sign it with the keys of a folder where that is named.
func (o *Options) add(name, text, keys string) {
	file := "zone." + strings.Trim(name, ".")
	o.Files[file] = text
	o.Config += fmt.Sprintf("zone %q { type primary; file \"DIR/%s\"; ", name, file)
	if keys != "" {
		o.Config += fmt.Sprintf("dnssec-policy default; key-directory %q; ", keys)
	}
	o.Config += "update-policy { grant gatepost zonesub ANY; }; };\n"
}

// sign makes the key of a zone, and gives the DS record for its parent.
func sign(t testing.TB, dir, name string) string {
	t.Helper()
	key := run(t, "dnssec-keygen", "-q", "-K", dir, "-k", "default", name)
	return run(t, "dnssec-dsfromkey", "-2", filepath.Join(dir, strings.TrimSpace(key)))
}

// signed waits for the signatures of a zone: a resolver that asked before them would remember that there are none.
func (tree *Tree) signed(t testing.TB, name string) {
	t.Helper()
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeDNSKEY)
	q.SetEdns0(dns.DefaultMsgSize, true)
	for range 1000 {
		a, err := dns.Exchange(q, tree.Authority.Address)
		if err == nil && slices.ContainsFunc(a.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeRRSIG }) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("named has not signed %s after 20 seconds", name)
}

// expired is a zone with signatures that held until yesterday.
func expired(t testing.TB, dir, name, text string) string {
	t.Helper()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "dnssec-signzone", "-q", "-P", "-S", "-z", "-K", dir, "-d", dir, "-o", name, "-s", "now-864000", "-e", "now-86400", "-f", out, in)
	signed, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(need(t, name), args...).Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(out)
}
