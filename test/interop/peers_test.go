//go:build linux

// Package interop holds SPF, DKIM and ARC to other implementations, both ways: opendkim, dkimpy, Mail::DKIM and pyspf.
//
// The messages are made up from a fixed seed. What we sign must verify there, what they sign must verify here, and of a message
// that was changed in transit all must think the same.
package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// A peer is a program or library to compare with.
type peer struct {
	packages string   // of Debian, that it comes in
	check    []string // a command that fails where it is not there
}

// need skips a test whose peers are not installed; where CI runs they are, and it fails.
func need(t *testing.T, peers ...peer) {
	t.Helper()
	for _, p := range peers {
		out, err := exec.Command(p.check[0], p.check[1:]...).CombinedOutput()
		if err == nil {
			continue
		}
		why := fmt.Sprintf("needs the Debian package %s (scripts/test-deps installs it): %v\n%.300s", p.packages, err, out)
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
}

// python is Debian's, for which the peers are installed; another may stand before it in the path.
const python = "/usr/bin/python3"

var (
	needDkimpy   = peer{"python3-dkim with python3-authres and python3-nacl", []string{python, "-c", "import dkim, nacl, authres"}}
	needPySPF    = peer{"python3-spf", []string{python, "-c", "import spf"}}
	needMailDKIM = peer{"libmail-dkim-perl", []string{"perl", "-MMail::DKIM::Verifier", "-MMail::DKIM::ARC::Signer", "-e", "1"}}
	needOpenDKIM = peer{"opendkim", []string{"opendkim", "-V"}}
)

// A request is one thing asked of a peer. Only the members that the operation uses are set; Message travels as base64.
type request struct {
	Op               string   `json:"op"` // "verify", "sign", "arc-verify", "arc-sign"
	Message          []byte   `json:"message"`
	Domain           string   `json:"domain,omitempty"`
	Selector         string   `json:"selector,omitempty"`
	Algorithm        string   `json:"algorithm,omitempty"`
	Canonicalization string   `json:"canonicalization,omitempty"`
	Headers          []string `json:"headers,omitempty"`
	Length           bool     `json:"length,omitempty"`
	AuthservID       string   `json:"authserv_id,omitempty"`
}

// A response is what a peer answers: a result for each signature, the topmost first, or the fields to put on top.
type response struct {
	Results []string `json:"results"`
	Fields  []byte   `json:"fields"`
	Error   string   `json:"error"`
}

// A batch is what one process of a peer is asked: it starts once for all.
type batch struct {
	DNS      map[string]string `json:"dns"`
	Keys     map[string]string `json:"keys"` // by algorithm: PKCS#1 in PEM for RSA, the seed in base64 for Ed25519
	Requests []request         `json:"requests"`
}

func ask(t *testing.T, command []string, b batch) []response {
	t.Helper()
	var responses []response
	run(t, command, b, &responses)
	if len(responses) != len(b.Requests) {
		t.Fatalf("%q: %d responses to %d requests", command, len(responses), len(b.Requests))
	}
	return responses
}

// run hands a JSON document to a program and reads one back.
func run(t *testing.T, command []string, in, out any) {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Stdin = bytes.NewReader(text)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%.2000s", command, err, complaints.String())
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatalf("%q: %v in %.500q", command, err, answer)
	}
}
