//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gatepost-mail/gatepost/test/bench/mta"
)

// A variant is a way to run the gate. The first that the build knows is the one that the goals are for.
type variant struct{ name, config string }

// variants is all there is to know here of the gate's configuration. One with a key that the build does not know is left out.
func variants() []variant {
	const base = `
listen = ["LISTEN"]
authserv_id = "AUTHSERVID"
resolver.servers = ["DNSHOST:53"]
`
	return []variant{
		{"gatepost, with store", base + `state_dir = "DIR"` + "\n"},
		{"gatepost", base},
	}
}

func (v variant) piece(program string) piece {
	return piece{
		name: "gate-" + strings.NewReplacer(" ", "-", ",", "").Replace(v.name), program: program, args: []string{"serve", "--config", "DIR/gatepost.toml"},
		files: map[string]string{"gatepost.toml": v.config},
	}
}

// known asks the program whether it has every key of a variant; if not, it gives what it says.
func (v variant) known(program, dir string) (bool, string) {
	file := filepath.Join(dir, "check.toml")
	text := fillIn(dir, mta.Filter{Network: "unix", Address: filepath.Join(dir, "socket")})(v.config)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return false, err.Error()
	}
	out, err := exec.Command(program, "serve", "--check", "--config", file).CombinedOutput()
	return err == nil, strings.TrimSpace(string(out))
}
