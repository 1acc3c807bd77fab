package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/gatepost-mail/gatepost/internal/tomlfile"
)

const example = "../../docs/gatepost.example.toml"

func TestEmptyFileIsTheDefault(t *testing.T) {
	got, err := Parse("empty", nil)
	if err != nil || !reflect.DeepEqual(got, Default()) {
		t.Errorf("got %+v, %v, want the defaults", got, err)
	}
}

func TestValues(t *testing.T) {
	c, err := Parse("f", []byte(`
listen = ["inet:8891@localhost", "inet6:8892@::1", "unix:/run/m", "local:/run/n", "/run/o", ":8893", "[::1]:8894"]
socket_mode = "0600"
own_networks = ["192.0.2.0/24", "2001:db8::/32"]
limits = { bytes = "10 MB", header_bytes = 65536, time = "1m30s" }
resolver.servers = ["192.0.2.53", "[2001:db8::53]:5353", "2001:db8::54", "dns.example:54"]
log.level = "debug"
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Address{
		{"tcp4", "localhost:8891"}, {"tcp6", "[::1]:8892"}, {"unix", "/run/m"}, {"unix", "/run/n"}, {"unix", "/run/o"},
		{"tcp", ":8893"}, {"tcp", "[::1]:8894"},
	}
	if !reflect.DeepEqual(c.Listen, want) {
		t.Errorf("listen: got %v, want %v", c.Listen, want)
	}
	if c.SocketMode != 0o600 || len(c.OwnNetworks) != 2 {
		t.Errorf("socket_mode %o, own_networks %v", c.SocketMode, c.OwnNetworks)
	}
	if c.Limits.Bytes != 10e6 || c.Limits.HeaderBytes != 65536 || time.Duration(c.Limits.Time) != 90*time.Second {
		t.Errorf("limits: got %+v", c.Limits)
	}
	if got := strings.Join(c.Resolver.Servers, " "); got != "192.0.2.53:53 [2001:db8::53]:5353 [2001:db8::54]:53 dns.example:54" {
		t.Errorf("resolver.servers: got %s", got)
	}
	if c.Log.Level.String() != "DEBUG" {
		t.Errorf("log.level: got %v", c.Log.Level)
	}
}

func TestErrorNamesFileLineColumnAndWhatWasMeant(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"mode = \"enforce\"\n\npolicy = \"stict\"\n", `gatepost.toml:3:1: policy "stict": no such preset; there are standard, strict, lockdown`},
		{"\n polcy = \"strict\"\n", `gatepost.toml:2:2: polcy: no such key; did you mean policy?`},
		{"queries = 3\n", `gatepost.toml:1:1: queries: no such key; did you mean limits.queries?`},
		{"[limits]\nquerys = 3\n", `gatepost.toml:2:1: limits.querys: no such key; did you mean limits.queries?`},
		{"[nonsense]\nx = 3\n", `gatepost.toml:1:2: nonsense: no such key`},
		{"dashboard = true\n", `gatepost.toml:1:1: dashboard: no such key`},
		{"mode = \"watch\"\n", `gatepost.toml:1:1: mode "watch": there are enforce, monitor`},
		{"policy = strict\n", `gatepost.toml:1:10: unexpected character U+0073 's' at start of value; a text stands in quotes: "…"`},
		{"policy = 3\n", `gatepost.toml:1:10: policy: the value is of the wrong kind: integer; write a text, in quotes`},
		{"listen = \"127.0.0.1:1\"\n", `gatepost.toml:1:10: listen: the value is of the wrong kind: string; write a list: ["…"]`},
		{"received_spf = \"yes\"\n", `gatepost.toml:1:16: received_spf: the value is of the wrong kind: string; write true or false`},
		{"max_sessions = \"many\"\n", `gatepost.toml:1:16: max_sessions: the value is of the wrong kind: string; write a number`},
		{"arc = 3\n", `gatepost.toml:1:7: arc: the value is of the wrong kind: integer; write a table: [arc]`},
		{"recipients = 3\n", `gatepost.toml:1:14: recipients: the value is of the wrong kind: integer; write tables: [[recipients]]`},
		{"policy = \"strict\n", `gatepost.toml:1:`},
		{"policy = \"strict\"\npolicy = \"strict\"\n", `gatepost.toml:2:1: policy: `},
		{"[limits]\ntime = 20\n", `gatepost.toml:2:1: limits.time 20ns: it must be from 1s to 10m, written with its unit`},
		{"[limits]\ntime = \"20\"\n", `gatepost.toml:2:8: limits.time: "20" is no duration; write it like "20s" or "2h"`},
		{"[limits]\nbytes = \"lots\"\n", `gatepost.toml:2:9: limits.bytes: "lots" is no size; write it like "256MiB" or "64KiB"`},
		{"limits = { queries = 0 }\n", `gatepost.toml:1:1: limits.queries 0: it must be from 1 to 1048576`},
		{"[limits]\nsignatures = -1\n", `gatepost.toml:2:1: limits.signatures -1: it must be from 1 to 1000`},
		{"listen = [\"127.0.0.1\"]\n", `gatepost.toml:1:11: listen: "127.0.0.1" is no address to listen on; write it like`},
		{"listen = [\"unix:\"]\n", `gatepost.toml:1:11: listen: "unix:" is no address`},
		{"listen = [\"127.0.0.1:99999\"]\n", `gatepost.toml:1:11: listen: "127.0.0.1:99999" is no address`},
		{"listen = []\n", `gatepost.toml:1:1: listen: there is nothing to listen on`},
		{"socket_mode = \"rw\"\n", `gatepost.toml:1:15: socket_mode: "rw" is no file mode`},
		{"authserv_id = \"a; b\"\n", `gatepost.toml:1:1: authserv_id "a; b": not a host name`},
		{"own_networks = [\"10.0.0.1\"]\n", `gatepost.toml:1:17: own_networks: "10.0.0.1" is no network; write it like "192.0.2.0/24"`},
		{"[resolver]\nservers = [\"a b\"]\n", `gatepost.toml:2:1: resolver.servers "a b": no name server's address`},
		{"[dmarc]\nmethod = \"list\"\n", `gatepost.toml:2:1: dmarc.method "list": there are treewalk, psl`},
		{"[log]\nlevel = \"loud\"\n", `gatepost.toml:2:9: log.level: "loud": there are debug, info, warn, error`},
		{"[log]\nformat = \"xml\"\n", `gatepost.toml:2:1: log.format "xml": there are text, json`},
		{"[[recipients]]\npolicy = \"strict\"\n", `gatepost.toml:1:1: recipients: a table without domains`},
		{"[[recipients]]\ndomains = [\"a.example\"]\n[[recipients]]\ndomains = [\"b.example\"]\nmode = \"watch\"\n", `gatepost.toml:5:1: recipients.mode "watch": there are enforce, monitor`},
		{"[[recipients]]\ndomains = [\"A.example\"]\n[[recipients]]\ndomains = [\"a.example\"]\n", `gatepost.toml:4:1: recipients.domains "a.example": it stands in a table above too`},
		{"[[recipients]]\ndomains = [\"a b\"]\n", `gatepost.toml:2:1: recipients.domains "a b": not a domain`},
		{"[[recipients]]\ndomains = [\"a.example\"]\npolicy = \"stict\"\n", `gatepost.toml:3:1: recipients: policy "stict": no such preset`},
		{"[arc]\ntrusted_sealers = [\"a b\"]\n", `gatepost.toml:2:1: arc.trusted_sealers "a b": not a domain`},
		{"[arc]\nseal_domain = \"a.example\"\nseal_key = \"k\"\n", `gatepost.toml:1:1: arc: to seal, set seal_domain, seal_selector and seal_key, all three`},
		{"help_url = \"mend it\"\n", `gatepost.toml:1:1: help_url "mend it": not an address of the web`},
		{"[limits]\nmessages = 0\n", `gatepost.toml:2:1: limits.messages 0: it must be from 1 to 1048576`},
		{"[store]\nobservations = 999\n", `gatepost.toml:2:1: store.observations 999: it must be from 1000 to 1073741824`},
		{"[store]\nobservations = 1073741825\n", `gatepost.toml:2:1: store.observations 1073741825: it must be from 1000 to 1073741824`},
		{"\x7fELF\x02", `gatepost.toml:1:1: invalid character at start of key: U+007F; this is no TOML`},
		{"\x00\xff", `gatepost.toml:1:`},
	} {
		_, err := Parse("gatepost.toml", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestPathsCountFromTheFolderOfTheFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("own.toml", "then = \"strict\"\n")
	write("bad.toml", "[[rule]]\nname = \"x\"\nwhen = 'spf.rezult == \"fail\"'\naction = \"accept\"\n")
	c, err := Load(write("good", "policy = \"own.toml\"\nstate_dir = \"state\"\nresolver.zone = \"/zone\"\n[[recipients]]\ndomains = [\"a.example\"]\npolicy = \"./own.toml\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "own.toml")
	if c.Policy != own || c.Recipients[0].Policy != own || c.StateDir != filepath.Join(dir, "state") || c.Resolver.Zone != "/zone" {
		t.Errorf("got %+v", c)
	}
	_, err = Load(write("wrong", "\npolicy = \"bad.toml\"\n"))
	if want := filepath.Join(dir, "wrong") + ":2:1: policy: " + filepath.Join(dir, "bad.toml") + ":3:"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want it to begin %s", err, want)
	}
	_, err = Load(write("none", "policy = \"none.toml\"\n"))
	if err == nil || !strings.Contains(err.Error(), "none:1:1: policy: ") || !strings.Contains(err.Error(), "none.toml") {
		t.Errorf("got %v", err)
	}
}

func TestFileThatCannotBeReadIsNamed(t *testing.T) {
	for name, path := range map[string]string{"absent": filepath.Join(t.TempDir(), "none.toml"), "folder": t.TempDir()} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error that names %s", name, err, path)
		}
	}
	large := filepath.Join(t.TempDir(), "large.toml")
	if err := os.WriteFile(large, make([]byte, tomlfile.MaxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(large); err == nil || !strings.Contains(err.Error(), large) {
		t.Errorf("got %v, want an error that names %s", err, large)
	}
}

// What is read is written again, and reads the same; an error is one line that names the file.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("limits = { queries = 1 }\nlisten = [\"unix:/x\"]")
	f.Add("limits.queries = 3\n[[log]]\n")
	f.Add("a.b.c = [1, {d = 2}]\nown_networks = [\"::/0\"]")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f.toml", []byte(text))
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), "f.toml:") {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := toml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		c2, err := Parse("f.toml", again)
		if err != nil {
			t.Fatalf("%v in what was written:\n%s", err, again)
		}
		if !reflect.DeepEqual(c, c2) {
			t.Fatalf("got %+v, want %+v", c2, c)
		}
	})
}
