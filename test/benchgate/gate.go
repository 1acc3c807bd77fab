//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
	"github.com/gatepost-mail/gatepost/test/bench/mta"
)

// A variant is a way to run the gate. The first is the one that the goals are for.
type variant struct{ name, config string }

// variants is all there is to know here of the gate's configuration. One with a key that the build does not know is left out.
func variants() []variant {
	const base = `
listen = ["LISTEN"]
authserv_id = "AUTHSERVID"
state_dir = "DIR"
resolver.servers = ["DNSHOST:53"]
web.listen = []
`
	return []variant{
		{"gatepost", base},
		{"gatepost without store", base + "store.enabled = false\n"},
	}
}

func (v variant) piece(program, dir string) piece {
	return piece{
		name: dir, program: program, args: []string{"serve", "--config", "DIR/gatepost.toml"},
		files: map[string]string{"gatepost.toml": v.config},
	}
}

// known tells whether the program has every key of a variant; if not, it gives what it says.
func (v variant) known(program, dir string) (bool, string) {
	return lab.Known(program, dir, fillIn(dir, mta.Filter{Network: "unix", Address: filepath.Join(dir, "socket")})(v.config))
}

// stored tells how much a running gate has written down in its state directory.
func stored(c *contender) string {
	info, err := os.Stat(filepath.Join(c.dir, "gatepost.db"))
	if err != nil {
		return "no store"
	}
	return fmt.Sprintf("a store of %.1f MiB", float64(info.Size())/(1<<20))
}
