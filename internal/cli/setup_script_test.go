package cli

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	bind "github.com/gatepost-mail/gatepost/test/named"
)

// bindServer ADDRESS KEY ZONE: BIND serves example.com as the file has it until the script ends. The variable is its address, and who has
// the key in the other file may change the zone.
func bindServer(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		server := bind.Start(t, bind.Editable(ts.ReadFile(args[2])))
		ts.Setenv(args[0], server.Address)
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(bind.Key("gatepost", "hmac-sha256", bind.Secret)), 0o600))
	}
}
