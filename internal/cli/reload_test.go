package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/control"
)

// aGate answers on a control socket as it is told.
type aGate struct {
	err    error
	status control.Status
}

func (g *aGate) Reload(context.Context) error          { return g.err }
func (g *aGate) Status(context.Context) control.Status { return g.status }

// runGate gives the configuration of a gate that answers.
func runGate(t *testing.T, g *aGate) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "gp-") // short, since the paths of sockets are bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ln, err := control.Listen(filepath.Join(dir, control.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	go control.Serve(t.Context(), ln, g)
	path = filepath.Join(dir, "gatepost.toml")
	text, err := json.Marshal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("state_dir = "+string(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReloadSaysWhatTheGateSays(t *testing.T) {
	g := &aGate{}
	path := runGate(t, g)
	out, errs, status := run(t, "", "reload", "--config", path)
	if status != StatusFine || out != "configuration read again\n" || errs != "" {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
	g.err = errors.New(`gatepost.toml:3:1: policy "stict": no such preset`)
	out, errs, status = run(t, "", "reload", "--config", path)
	if want := "gatepost: reload: " + g.err.Error() + "\n"; status != StatusFails || out != "" || errs != want {
		t.Errorf("status %d, %q, %q, want 1 and %q", status, out, errs, want)
	}
}

func TestStatusFailsWhereSomethingIsWrong(t *testing.T) {
	g := &aGate{status: control.Status{
		Version: "v1.2.3", PID: 7, Started: time.Now().Add(-3 * time.Hour), Config: "/etc/gatepost/gatepost.toml", ConfigRead: time.Unix(1700000000, 0),
		Listening: []string{"tcp:127.0.0.1:8891"}, Policy: "strict", Mode: "enforce", Sessions: 2, MaxSessions: 500, Messages: 30, Refused: 4,
	}}
	path := runGate(t, g)
	out, errs, status := run(t, "", "status", "--config", path)
	if status != StatusFine || errs != "" || !strings.Contains(out, "v1.2.3, process 7, for 3 hours") || !strings.Contains(out, "30, of these 4 refused") {
		t.Errorf("status %d, %q\n%s", status, errs, out)
	}
	g.status.Problems = []string{"the store does not answer"}
	g.status.ConfigError = "gatepost.toml:1:1: no such key"
	out, errs, status = run(t, "", "status", "--config", path)
	if status != StatusFails || errs != "" || !strings.Contains(out, "problem       the store does not answer\n") || !strings.Contains(out, g.status.ConfigError) {
		t.Errorf("status %d, %q\n%s", status, errs, out)
	}
	out, _, _ = run(t, "", "status", "--config", path, "--json")
	var got control.Status
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.PID != 7 || len(got.Problems) != 1 {
		t.Errorf("got %+v, %v from %s", got, err, out)
	}
}
