//go:build linux

package interop

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
)

const (
	domain   = "example.com"
	rsaSHA   = "rsa-sha256"
	ed25519S = "ed25519-sha256"
)

// selectors are one a key, and so one an algorithm.
var selectors = map[string]string{rsaSHA: "rsa", ed25519S: "ed"}

var canonicalizations = []string{"relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"}

// A world is the keys, in every form that somebody asks for, and the DNS that publishes them.
type world struct {
	keys  map[string]crypto.Signer // by algorithm
	text  map[string]string        // the same, as the peers' libraries take them
	files map[string]string        // and as opendkim does, by file name
	dns   map[string]string
	zone  *dns.Zone
}

func newWorld(t *testing.T) *world {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, e, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(e)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(r)}))
	w := &world{
		keys: map[string]crypto.Signer{rsaSHA: r, ed25519S: e},
		text: map[string]string{rsaSHA: pkcs1, ed25519S: base64.StdEncoding.EncodeToString(e.Seed())},
		files: map[string]string{
			selectors[rsaSHA]:   pkcs1,
			selectors[ed25519S]: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		},
		dns: map[string]string{},
	}
	var zone, data strings.Builder
	for algorithm, key := range w.keys {
		name, record := selectors[algorithm]+"._domainkey."+domain, dkim.Record(key.Public())
		w.dns[name] = record
		zone.WriteString(dkim.ZoneRecord(selectors[algorithm], domain, record))
		fmt.Fprintf(&data, "%s %s\n", name, record)
	}
	w.files["dns"] = data.String()
	if w.zone, err = dns.ParseZone(strings.NewReader(zone.String()), "keys"); err != nil {
		t.Fatal(err)
	}
	return w
}

// A sample is a message with signatures, and what became of it on its way.
type sample struct {
	made    string // by whom, and how
	how     string // it was changed
	message []byte
}

// A verdict is what one verifier thinks of the signatures of a message, the topmost first; "" where it does not know the algorithm.
type verdict []string

// ours are our results. What the peers are asked rests on them: the algorithms, and how to tell signatures apart.
func (w *world) ours(t *testing.T, samples []sample) (results [][]dkim.Result) {
	t.Helper()
	for _, s := range samples {
		r, err := dkim.Verify(context.Background(), w.zone, bytes.NewReader(s.message), dkim.Options{})
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	return results
}

// theirs are the peers' verdicts, by the peer's name.
func (w *world) theirs(t *testing.T, samples []sample, ours [][]dkim.Result) map[string][]verdict {
	t.Helper()
	all := map[string][]verdict{}
	b := batch{DNS: w.dns}
	messages := make([][]byte, len(samples))
	for i, s := range samples {
		b.Requests = append(b.Requests, request{Op: "verify", Message: s.message})
		messages[i] = s.message
	}
	for name, command := range map[string][]string{"dkimpy": {python, "testdata/dkimpy.py"}, "Mail::DKIM": {"perl", "testdata/maildkim.pl"}} {
		for i, r := range ask(t, command, b) {
			if r.Error != "" {
				t.Errorf("%s: %s: %s", name, samples[i].made, r.Error)
			}
			all[name] = append(all[name], r.Results)
		}
	}
	daemon := startOpenDKIM(t, "Mode v\nAlwaysAddARHeader yes\nTestDNSData file:DIR/dns\n", w.files)
	for i, byTail := range daemon.verify(t, messages) {
		v := verdict{}
		for _, r := range ours[i] {
			v = append(v, byTail[r.SignatureTail])
		}
		all["opendkim"] = append(all["opendkim"], v)
	}
	return all
}

// compare holds our results to the peers'. A message that arrived as it was sent must pass everywhere.
func (w *world) compare(t *testing.T, samples []sample) {
	t.Helper()
	ours := w.ours(t, samples)
	passed, failed := 0, 0
	for i, s := range samples {
		for _, r := range ours[i] {
			if s.how == "nothing" && r.Code != dkim.Pass {
				t.Errorf("%s arrived as it was sent, and here is %s (%v)\n%q", s.made, r.Code, r.Err, s.message)
			}
			if r.Code == dkim.Pass {
				passed++
			} else {
				failed++
			}
		}
	}
	for peer, verdicts := range w.theirs(t, samples, ours) {
		compared := 0
		for i, s := range samples {
			if len(verdicts[i]) != len(ours[i]) {
				t.Errorf("%s sees %d signatures, we see %d\n%q", peer, len(verdicts[i]), len(ours[i]), s.message)
				continue
			}
			for n, r := range ours[i] {
				if peer == "Mail::DKIM" && r.Algorithm == ed25519S { // Debian's does not know it
					continue
				}
				compared++
				their, _, _ := strings.Cut(verdicts[i][n], " ")
				if (their == "pass") != (r.Code == dkim.Pass) {
					t.Errorf("%s, changed: %s, %s %s: %s says %q, we say %s (%v)\n%q", s.made, s.how, r.Algorithm, r.Canonicalization, peer, verdicts[i][n],
						r.Code, r.Err, s.message)
				}
			}
		}
		t.Logf("%s: %d signatures compared", peer, compared)
	}
	t.Logf("%d messages: %d signatures pass here, %d do not", len(samples), passed, failed)
	if passed == 0 || failed == 0 {
		t.Error("nothing is shown by a corpus that passes or fails as a whole")
	}
}

// needDKIM skips where one of the peers is not there.
func needDKIM(t *testing.T) { need(t, needDkimpy, needMailDKIM, needOpenDKIM) }

func TestWhatWeSignVerifiesInOpenDKIMAndDkimpyAndMailDKIM(t *testing.T) {
	needDKIM(t)
	w := newWorld(t)
	m := newMaker(1)
	var samples []sample
	for i := range 320 {
		c, err := dkim.ParseCanonicalization(canonicalizations[i%4])
		if err != nil {
			t.Fatal(err)
		}
		var signers []dkim.Signer
		for _, algorithm := range []string{rsaSHA, ed25519S} {
			s := dkim.Signer{Domain: domain, Selector: selectors[algorithm], Key: w.keys[algorithm], Canonicalization: c, BodyLength: i%5 == 0}
			if i%3 == 0 {
				s.Headers = m.headers()
			}
			if i%7 == 0 {
				s.AUID = "alice@mail.example.com"
			}
			signers = append(signers, s)
		}
		var signed bytes.Buffer
		if err := dkim.Sign(&signed, bytes.NewReader(m.message(i)), signers...); err != nil {
			t.Fatal(err)
		}
		changed, how := m.transit(signed.Bytes())
		samples = append(samples, sample{fmt.Sprintf("our message %d", i), how, changed})
	}
	w.compare(t, samples)
}

// headers makes a list for h=: names that are there, names that are not, and names more often than they are there.
func (m maker) headers() []string {
	names := []string{"From"}
	for range m.IntN(8) {
		names = append(names, pick(m, "from", "to", "Subject", "X-Twice", "x-twice", "X-Empty", "X-Folded", "X-Eight", "Date", "X-Missing"))
	}
	return names
}

func TestWhatPeersSignVerifiesHereAndWithEachOther(t *testing.T) {
	needDKIM(t)
	w := newWorld(t)
	m := newMaker(2)
	w.compare(t, append(append(w.dkimpySigns(t, m), w.mailDKIMSigns(t, m)...), w.openDKIMSigns(t, m)...))
}

func (w *world) dkimpySigns(t *testing.T, m maker) []sample {
	b := batch{DNS: w.dns, Keys: w.text}
	for i := range 160 {
		algorithm := pick(m, rsaSHA, ed25519S)
		b.Requests = append(b.Requests, request{
			Op: "sign", Message: overSMTP(m.message(i)), Domain: domain, Selector: selectors[algorithm], Algorithm: algorithm,
			Canonicalization: canonicalizations[i%4], Headers: m.headers(), Length: i%5 == 0,
		})
	}
	return m.signed(t, "dkimpy", b, ask(t, []string{python, "testdata/dkimpy.py"}, b))
}

func (w *world) mailDKIMSigns(t *testing.T, m maker) []sample {
	b := batch{DNS: w.dns, Keys: w.text}
	for i := range 160 {
		b.Requests = append(b.Requests, request{
			Op: "sign", Message: overSMTP(m.message(i)), Domain: domain, Selector: selectors[rsaSHA], Algorithm: rsaSHA,
			Canonicalization: canonicalizations[i%4], Headers: m.headers(),
		})
	}
	return m.signed(t, "Mail::DKIM", b, ask(t, []string{"perl", "testdata/maildkim.pl"}, b))
}

// signed puts the fields that a peer made on top, and sends the messages on their way.
func (m maker) signed(t *testing.T, peer string, b batch, responses []response) (samples []sample) {
	t.Helper()
	for i, r := range responses {
		if r.Error != "" || len(r.Fields) == 0 {
			t.Errorf("%s does not sign %d: %s\n%q", peer, i, r.Error, b.Requests[i].Message)
			continue
		}
		changed, how := m.transit(append(r.Fields, b.Requests[i].Message...))
		samples = append(samples, sample{fmt.Sprintf("message %d of %s (%s)", i, peer, b.Requests[i].Canonicalization), how, changed})
	}
	return samples
}

func (w *world) openDKIMSigns(t *testing.T, m maker) (samples []sample) {
	for _, c := range canonicalizations {
		for _, algorithm := range []string{rsaSHA, ed25519S} {
			if algorithm == ed25519S && strings.HasPrefix(c, "simple/") {
				continue // what opendkim 2.11.0 signs so, it does not verify itself, and nor does anybody else
			}
			daemon := startOpenDKIM(t, fmt.Sprintf("Mode s\nDomain %s\nSelector %s\nKeyFile DIR/%[2]s\nCanonicalization %s\n"+
				"SignatureAlgorithm %s\nInternalHosts 192.0.2.1\nOversignHeaders From,Subject\n", domain, selectors[algorithm], c, algorithm), w.files)
			messages := make([][]byte, 30)
			for i := range messages {
				messages[i] = overSMTP(m.message(i))
			}
			for i, fields := range daemon.filter(t, messages) {
				if len(fields) != 1 || !fields[0].Is("DKIM-Signature") {
					t.Errorf("opendkim answers %q to %q", fields, messages[i])
					continue
				}
				changed, how := m.transit(append([]byte(fields[0].Raw), messages[i]...))
				samples = append(samples, sample{fmt.Sprintf("message %d of opendkim (%s, %s)", i, c, algorithm), how, changed})
			}
		}
	}
	return samples
}
