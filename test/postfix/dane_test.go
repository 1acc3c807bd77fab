//go:build linux

package postfix

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/smtptest"
	"github.com/gatepost-mail/gatepost/test/named"
)

// mailPort is an address of this machine whose port 25 is free: a mail server is spoken with at no other port.
func mailPort(t *testing.T) string {
	t.Helper()
	for n := range 200 {
		ip := fmt.Sprintf("127.25.%d.%d", os.Getpid()%250, 1+n)
		if ln, err := net.Listen("tcp", ip+":25"); err == nil {
			ln.Close()
			return ip
		}
	}
	t.Fatal("no port 25 is free")
	return ""
}

// startPostfixWithTLS runs a Postfix that has a certificate, at port 25 of an address.
func startPostfixWithTLS(t *testing.T, ip string, c tls.Certificate) {
	t.Helper()
	m := newPostfix(t)
	m.address = ip + ":25"
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	for _, der := range c.Certificate {
		file += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	writeFile(t, filepath.Join(m.dir, "etc", "chain.pem"), file)
	main := fmt.Sprintf(mainCF, m.dir, "25") + "smtpd_tls_security_level = may\nsmtpd_tls_protocols = >=TLSv1.2\nsmtpd_tls_chain_files = " +
		filepath.Join(m.dir, "etc", "chain.pem") + "\n"
	m.run(t, main, fmt.Sprintf(masterCF, m.address, "n")+"tlsmgr unix - - n 1000? 1 tlsmgr\n")
}

// tlsa is the data of a record for the key of a certificate.
func tlsa(usage int, c *x509.Certificate) string {
	return fmt.Sprintf("%d 1 1 %x", usage, sha256.Sum256(c.RawSubjectPublicKeyInfo))
}

func TestTheCertificateOfPostfixIsHeldAgainstSignedTLSA(t *testing.T) {
	needPostfix(t)
	sideBySide(t)
	ip := mailPort(t)
	ca := smtptest.NewAuthority(t)
	other := ca.Issue(t, smtptest.Leaf{Names: []string{"mx.other.example"}})
	var names []string
	zones, want := map[string]named.Zone{}, map[string]string{}
	add := func(domain, finding string, fault named.Fault, records ...string) {
		zone := "@ MX 10 mx\n@ TXT \"v=spf1 mx -all\"\nmx A " + ip + "\n"
		for _, r := range records {
			zone += "_25._tcp.mx TLSA " + r + "\n"
		}
		zones[domain], want[domain] = named.Zone{Text: zone, Fault: fault}, finding
		names = append(names, "mx."+domain)
	}
	leaf := ca.Issue(t, smtptest.Leaf{Key: "postfix", Names: []string{"mx.example"}}).Leaf // of the same key
	add("key.example", "", named.None, tlsa(3, leaf))
	add("next.example", "", named.None, tlsa(3, other.Leaf), tlsa(3, leaf))
	add("authority.example", "", named.None, tlsa(2, ca.Between))
	add("stranger.example", "dane-mismatch _25._tcp.mx.stranger.example", named.None, tlsa(3, other.Leaf))
	add("unsigned.example", "dane-without-dnssec _25._tcp.mx.unsigned.example", named.Unsigned, tlsa(3, other.Leaf))
	startPostfixWithTLS(t, ip, ca.Issue(t, smtptest.Leaf{Key: "postfix", Names: names}))
	tree := named.Grow(t, zones)
	for domain, finding := range want {
		out, err := exec.Command(binary, "check", domain, "--json", "--connect", "--allow-private", "--resolver", tree.Validating).Output()
		var r struct {
			Findings []struct{ ID, Severity, Subject, Detail, Advice string }
		}
		if json.Unmarshal(out, &r) != nil {
			t.Fatalf("%s: %v\n%s", domain, err, out)
		}
		got, spoken := "", false
		for _, f := range r.Findings {
			area, _, _ := strings.Cut(f.ID, "-")
			switch {
			case f.ID == "tls-connected":
				spoken = strings.Contains(f.Detail, "TLS 1.3")
			case (area == "dane" || area == "dnssec" || area == "tls") && (f.Severity == "error" || f.Severity == "unknown"):
				got += f.ID + " " + f.Subject
				if f.ID == "dane-mismatch" && !strings.Contains(f.Advice, tlsa(3, leaf)) {
					t.Errorf("%s: the record that is right is not told: %s", domain, f.Advice)
				}
			}
		}
		if got != finding || !spoken {
			t.Errorf("%s: found %q, want %q; by TLS 1.3: %v\n%s", domain, got, finding, spoken, out)
		}
	}
}
