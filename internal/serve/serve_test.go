package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/control"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/testlog"
)

// A running is a server under test.
type running struct {
	dir, config, milter string
	log                 *testlog.Buffer
	signals, stop       chan os.Signal
	ended               chan error
}

const zone = `
example.com. 60 IN TXT "v=spf1 ip4:192.0.2.1 ~all"
`

func prepare(t *testing.T, more string) *running {
	t.Helper()
	r := &running{dir: t.TempDir(), log: &testlog.Buffer{}, signals: make(chan os.Signal, 1), stop: make(chan os.Signal, 1), ended: make(chan error, 1)}
	r.config, r.milter = filepath.Join(r.dir, "gatepost.toml"), freePort(t)
	if err := os.WriteFile(filepath.Join(r.dir, "zone"), []byte(zone), 0o600); err != nil {
		t.Fatal(err)
	}
	r.write(t, more)
	return r
}

// write writes the configuration; what is more stands below.
func (r *running) write(t *testing.T, more string) {
	t.Helper()
	text := fmt.Sprintf("listen = [%q]\nauthserv_id = \"mx.example.org\"\nstate_dir = \"state\"\nresolver.zone = \"zone\"\n", r.milter)
	if !strings.Contains(more, "[web]") {
		more += "\n[web]\nlisten = []\n"
	}
	if err := os.WriteFile(r.config, []byte(text+more), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *running) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		r.ended <- Run(ctx, Options{Path: r.config, Log: r.log}, Signals{Reload: r.signals, Stop: r.stop})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-r.ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		r.ended <- nil
	})
	eventually(t, r, "listening", func() bool { return strings.Contains(r.log.String(), "msg=listening milter") })
}

func (r *running) control() *control.Client {
	return control.NewClient(filepath.Join(r.dir, "state", control.SocketName))
}

func eventually(t *testing.T, r *running, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s did not happen\n%s", what, r.log)
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// deliver hands over a message that softfails, and gives the reply; empty where it is let in.
func (r *running) deliver(t *testing.T) string {
	t.Helper()
	reply, _ := r.send(t, "192.0.2.9", "a@example.com")
	return reply
}

// send hands over a message, and gives the reply and the names of the fields that are added.
func (r *running) send(t *testing.T, ip, author string) (reply string, added []string) {
	t.Helper()
	s, err := milter.NewClient("tcp", r.milter, milter.WithActions(milter.AllClientSupportedActionMasks)).Session(milter.NewMacroBag())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Conn("client.example", milter.FamilyInet, 25, ip)
	s.Helo("mx.example.com")
	s.Mail("a@example.com", "")
	s.Rcpt("b@example.org", "")
	s.DataStart()
	s.HeaderField("From", " "+author, nil)
	s.HeaderEnd()
	s.BodyChunk([]byte("hello\r\n"))
	modifications, action, err := s.End()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modifications {
		added = append(added, m.HeaderName)
	}
	if action.Type == milter.ActionAccept {
		return "", added
	}
	return action.SMTPReply, added
}

func TestReloadIsAllOrNothing(t *testing.T) {
	r := prepare(t, "")
	r.start(t)
	strict := func(when string) {
		t.Helper()
		if reply := r.deliver(t); !strings.HasPrefix(reply, "550 5.7.23 ") {
			t.Errorf("%s: reply %q, want the refusal of strict", when, reply)
		}
	}
	strict("at first")
	for name, more := range map[string]string{
		"no such preset":        "policy = \"stict\"\n",
		"no such file":          "policy = \"none.toml\"\n",
		"a secret that is none": "policy = \"standard\"\n[signing]\ndomains = [\"example.org\"]\n[[signing.nsupdate]]\nzone = \"example.org\"\nserver = \"127.0.0.1:1\"\nsecret_file = \"none.key\"\n",
		"a key that is none":    "policy = \"standard\"\n[arc]\nseal_domain = \"a.example\"\nseal_selector = \"s1\"\nseal_key = \"none.pem\"\n",
	} {
		r.write(t, more)
		err := r.control().Reload(context.Background())
		if err == nil {
			t.Errorf("%s: was taken", name)
		}
		strict("after " + name)
		if s, err := r.control().Status(context.Background()); err != nil || s.ConfigError == "" || s.Policy != "strict" {
			t.Errorf("%s: status %+v, %v", name, s, err)
		}
	}
	r.write(t, "policy = \"standard\"\n")
	if err := r.control().Reload(context.Background()); err != nil {
		t.Error(err)
	}
	if reply := r.deliver(t); reply != "" {
		t.Errorf("after a good reload: reply %q, want none", reply)
	}
	r.write(t, "")
	r.signals <- syscall.SIGHUP
	eventually(t, r, "the reload by a signal", func() bool { return strings.Count(r.log.String(), "configuration read again") == 2 })
	strict("at last")
}

func TestStateDirectoryBelongsToOneGate(t *testing.T) {
	r := prepare(t, "")
	r.start(t)
	other := &running{dir: r.dir, config: filepath.Join(r.dir, "other.toml"), milter: freePort(t), log: &testlog.Buffer{}}
	other.write(t, "")
	err := Run(context.Background(), Options{Path: other.config, Log: other.log}, Signals{})
	if err == nil || !strings.HasPrefix(err.Error(), "state_dir: ") || !strings.Contains(err.Error(), "another gatepost") {
		t.Errorf("got %v, want an error that names state_dir and says who has it", err)
	}
	if reply := r.deliver(t); reply == "" {
		t.Error("the first gate suffered from the second")
	}
}

func TestMailDoesNotDependOnThePortOfTheMetrics(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := prepare(t, fmt.Sprintf("[web]\nlisten = [%q]\n", taken.Addr()))
	r.start(t)
	eventually(t, r, "the complaint", func() bool {
		return strings.Contains(r.log.String(), "the dashboard and the metrics are not shown here")
	})
	if reply := r.deliver(t); reply == "" {
		t.Error("the gate does not judge")
	}
}

func TestMailDoesNotDependOnTheStore(t *testing.T) {
	r := prepare(t, "")
	db := filepath.Join(r.dir, "state", "gatepost.db")
	if err := os.MkdirAll(db, 0o700); err != nil { // a directory in the place of the file
		t.Fatal(err)
	}
	r.start(t)
	if reply := r.deliver(t); reply == "" {
		t.Error("the gate does not judge")
	}
	problems := func() string {
		s, err := r.control().Status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(s.Problems, "\n")
	}
	eventually(t, r, "the problem in the status", func() bool { return strings.Contains(problems(), "store: ") })
	if err := os.Remove(db); err != nil {
		t.Fatal(err)
	}
	eventually(t, r, "the store's return", func() bool { return problems() == "" })
}

func TestCheckWritesNothing(t *testing.T) {
	r := prepare(t, "[signing]\ndomains = [\"example.org\"]\n")
	if err := Check(Options{Path: r.config, Log: r.log}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "state")); err == nil {
		t.Error("the state directory was made by looking")
	}
}

func TestSigningIsSwitchedOnByAReload(t *testing.T) {
	r := prepare(t, "")
	r.start(t)
	_, added := r.send(t, "127.0.0.1", "a@example.org")
	if slices.Contains(added, "DKIM-Signature") {
		t.Errorf("signed without signing.domains: %v", added)
	}
	key, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := signing.OpenDirectory(filepath.Join(r.dir, "state", "keys"))
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Add(context.Background(), "example.org", "s1", key, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	record := dkim.ZoneRecord("s1", "example.org", dkim.Record(key.Public()))
	if err := os.WriteFile(filepath.Join(r.dir, "zone"), []byte(zone+record), 0o600); err != nil {
		t.Fatal(err)
	}
	r.write(t, "[signing]\ndomains = [\"example.org\"]\nunsigned = \"reject\"\n")
	if err := r.control().Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	eventually(t, r, "the first signature", func() bool {
		_, added := r.send(t, "127.0.0.1", "a@example.org")
		return slices.Contains(added, "DKIM-Signature")
	})
	if reply, _ := r.send(t, "127.0.0.1", "a@example.net"); !strings.HasPrefix(reply, "550 5.7.1 This message cannot be signed: example.net is not a domain") {
		t.Errorf("a domain that is not ours: reply %q", reply)
	}
}

func TestCheckFindsWhatServeWouldFind(t *testing.T) {
	for name, c := range map[string]struct{ more, want string }{
		"no secret":        {"[signing]\ndomains = [\"example.org\"]\n[[signing.nsupdate]]\nzone = \"example.org\"\nserver = \"127.0.0.1:1\"\nsecret_file = \"none.key\"\n", "none.key"},
		"keys in a file":   {"[signing]\nkeys = \"zone\"\n", "signing.keys: "},
		"a network of all": {"own_networks = [\"0.0.0.0/0\"]\n", "own_networks \"0.0.0.0/0\": mail from there would not be verified"},
		"a sealer of all":  {"[arc]\ntrusted_sealers = [\"*.example.com\"]\n", "arc.trusted_sealers \"*.example.com\": not a domain"},
	} {
		r := prepare(t, c.more)
		err := Check(Options{Path: r.config, Log: r.log})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), r.config+":") {
			t.Errorf("%s: got %v, want an error that names the file and holds %q", name, err, c.want)
		}
	}
}

func TestDomainWithoutAKeyIsAProblem(t *testing.T) {
	r := prepare(t, "[signing]\ndomains = [\"example.org\"]\n")
	r.start(t)
	s, err := r.control().Status(context.Background())
	if err != nil || !strings.Contains(strings.Join(s.Problems, "\n"), "no key signs for example.org") {
		t.Errorf("got %v, %v, want a problem that names example.org", s.Problems, err)
	}
}

func TestStoreThatCanOnlyBeReadIsAway(t *testing.T) {
	w := &watchedStore{}
	w.wrote(errors.New("database is locked"))
	w.read(nil)
	if err := w.down(); err == nil {
		t.Error("a store that cannot be written is called well because it can be read")
	}
	w.wrote(nil)
	if err := w.down(); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestRelativeStoreCountsFromTheConfiguration(t *testing.T) {
	r := prepare(t, "store.url = \"sqlite:own.db\"\n")
	r.start(t)
	r.deliver(t)
	eventually(t, r, "the store beside the configuration", func() bool {
		_, err := os.Stat(filepath.Join(r.dir, "own.db"))
		return err == nil
	})
}
