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
		{"policy = 3\n", `gatepost.toml:1:10: policy: the value is of the wrong kind: integer`},
		{"policy = \"strict\n", `gatepost.toml:1:`},
		{"policy = \"strict\"\npolicy = \"strict\"\n", `gatepost.toml:2:1: policy: `},
		{"[limits]\ntime = 20\n", `gatepost.toml:2:1: limits.time 20ns: it must be from 1s to 10m0s, written with its unit`},
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
		{"own_networks = [\"10.0.0.1\"]\n", `gatepost.toml:1:17: own_networks: `},
		{"[resolver]\nservers = [\"a b\"]\n", `gatepost.toml:2:1: resolver.servers "a b": no name server's address`},
		{"[dmarc]\nmethod = \"list\"\n", `gatepost.toml:2:1: dmarc.method "list": there are treewalk, psl`},
		{"[log]\nlevel = \"loud\"\n", `gatepost.toml:2:9: log.level: `},
		{"[log]\nformat = \"xml\"\n", `gatepost.toml:2:1: log.format "xml": there are text, json`},
		{"\x00\xff", `gatepost.toml:1:`},
	} {
		_, err := Parse("gatepost.toml", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestFileThatCannotBeReadIsNamed(t *testing.T) {
	for name, path := range map[string]string{"absent": filepath.Join(t.TempDir(), "none.toml"), "folder": t.TempDir()} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error that names %s", name, err, path)
		}
	}
	large := filepath.Join(t.TempDir(), "large.toml")
	if err := os.WriteFile(large, make([]byte, maxFile+1), 0o600); err != nil {
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
