//go:build linux

package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/message"
)

// chain tells what we think of a message's chain.
func (w *world) chain(t *testing.T, text []byte) arc.Result {
	t.Helper()
	m, err := message.Read(bytes.NewReader(text), message.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	v := arc.NewVerifier(context.Background(), w.zone, m.Header, arc.Options{})
	defer v.Close()
	if _, err := io.Copy(v, m.Body); err != nil {
		t.Fatal(err)
	}
	return v.Result()
}

// A traveller is a message on its way from one sealer to the next.
type traveller struct {
	text []byte
	how  string // it came to be what it is
}

// arcPeers are the programs that know ARC.
var arcPeers = []struct {
	name    string
	command []string
}{
	{"dkimpy", []string{python, "testdata/dkimpy.py"}},
	{"Mail::DKIM", []string{"perl", "testdata/maildkim.pl"}},
}

func TestChainsOfOursAndOfDkimpyAndMailDKIMValidateHereAndThere(t *testing.T) {
	need(t, needDkimpy, needMailDKIM)
	w := newWorld(t)
	m := newMaker(3)
	travellers := make([]traveller, 100)
	for i := range travellers {
		travellers[i] = traveller{overSMTP(m.message(i)), fmt.Sprint("message ", i)}
	}
	passed := 0
	for hop := 1; hop <= 4; hop++ {
		w.sealAll(t, m, travellers, hop)
		for i := range travellers {
			changed, how := m.transit(travellers[i].text)
			travellers[i].text, travellers[i].how = changed, travellers[i].how+"; then "+how
		}
		passed += w.compareChains(t, travellers)
	}
	if passed < 50 {
		t.Errorf("only %d chains are valid: too few to show anything", passed)
	}
}

// sealAll has each message sealed by us or by a peer, as chance has it.
func (w *world) sealAll(t *testing.T, m maker, travellers []traveller, hop int) {
	t.Helper()
	authserv := fmt.Sprintf("mx%d.example.org", hop)
	asked := map[string][]*traveller{}
	for i := range travellers {
		tr := &travellers[i]
		chain := w.chain(t, tr.text)
		if chain.Ended {
			continue
		}
		results := "spf=pass smtp.mailfrom=alice@example.com"
		if chain.Code != arc.None {
			results = "arc=" + string(chain.Code) + "; " + results
		}
		tr.text = append([]byte("Authentication-Results: "+authserv+"; "+results+"\r\n"), tr.text...)
		sealer := pick(m, "us", arcPeers[0].name, arcPeers[1].name)
		tr.how += "; sealed by " + sealer
		if sealer == "us" {
			w.seal(t, tr, authserv)
			continue
		}
		asked[sealer] = append(asked[sealer], tr)
	}
	for _, peer := range arcPeers {
		b := batch{DNS: w.dns, Keys: w.text}
		for _, tr := range asked[peer.name] {
			b.Requests = append(b.Requests, request{
				Op: "arc-sign", Message: tr.text, Domain: domain, Selector: selectors[rsaSHA], AuthservID: authserv, Headers: m.headers(),
			})
		}
		for i, r := range ask(t, peer.command, b) {
			tr := asked[peer.name][i]
			if r.Error != "" || len(r.Fields) == 0 {
				t.Fatalf("%s: it does not: %s\n%q", tr.how, r.Error, tr.text)
			}
			tr.text = append(r.Fields, tr.text...)
		}
	}
}

func (w *world) seal(t *testing.T, tr *traveller, authserv string) {
	t.Helper()
	fields, err := arc.Seal(context.Background(), w.zone, bytes.NewReader(tr.text), arc.Sealer{
		Domain: domain, Selector: selectors[rsaSHA], Key: w.keys[rsaSHA], AuthservID: authserv,
	}, "")
	if err != nil || len(fields) != 3 {
		t.Fatalf("%s: %d fields, %v\n%q", tr.how, len(fields), err, tr.text)
	}
	var set []byte
	for _, f := range fields {
		set = append(set, f.Raw...)
	}
	tr.text = append(set, tr.text...)
}

// compareChains holds our results to the peers', and counts the chains that are valid.
func (w *world) compareChains(t *testing.T, travellers []traveller) (passed int) {
	t.Helper()
	b := batch{DNS: w.dns}
	ours := make([]arc.Result, len(travellers))
	for i, tr := range travellers {
		b.Requests = append(b.Requests, request{Op: "arc-verify", Message: tr.text})
		if ours[i] = w.chain(t, tr.text); ours[i].Code == arc.Pass {
			passed++
		}
	}
	for _, peer := range arcPeers {
		for i, r := range ask(t, peer.command, b) {
			if len(r.Results) != 1 || (r.Results[0] == "pass") != (ours[i].Code == arc.Pass) {
				t.Errorf("%s: %s says %q (%s), we say %s (%v)\n%q", travellers[i].how, peer.name, r.Results, r.Error, ours[i].Code, ours[i].Err,
					travellers[i].text)
			}
		}
	}
	t.Logf("%d chains compared: %d are valid", len(travellers), passed)
	return passed
}
