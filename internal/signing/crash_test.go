//go:build !windows

package signing

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
)

// The test runs itself as a gate that rotates keys on a schedule with a DNS that is a zone file, and kills it with SIGKILL at each
// point where something is about to be changed.
const (
	crashDir   = "GATEPOST_TEST_CRASH_DIR"
	crashAt    = "GATEPOST_TEST_CRASH_AT"
	crashKinds = "GATEPOST_TEST_CRASH_ALGORITHMS"
)

const (
	crashStep = 20 * time.Hour
	crashDays = 28
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		at, _ := strconv.Atoi(os.Getenv(crashAt))
		if err := crashProgram(dir, strings.Split(os.Getenv(crashKinds), ","), at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A fileZone is a DNS that outlives the process.
type fileZone struct {
	path string
	hook func(string)
}

func (f fileZone) records() (map[string]string, error) {
	text, err := os.ReadFile(f.path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	records := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, record, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		records[name] = record
	}
	return records, nil
}

func (f fileZone) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	records, err := f.records()
	if err != nil {
		return dns.Answer{}, err
	}
	if record := records[name]; record != "" && typ == dns.TypeTXT {
		return dns.Answer{TXT: []string{record}, TTL: time.Hour}, nil
	}
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNXDomain}
}

func (f fileZone) Change(_ context.Context, name, before, after string) error {
	records, err := f.records()
	if err != nil {
		return err
	}
	switch records[name] {
	case after:
		return nil
	case before:
	default:
		return fmt.Errorf("%s has %q", name, records[name])
	}
	records[name] = after
	var text strings.Builder
	for name, record := range records {
		if record != "" {
			fmt.Fprintln(&text, name, record)
		}
	}
	if err := os.WriteFile(f.path+".new", []byte(text.String()), 0o600); err != nil {
		return err
	}
	f.hook("zone")
	return os.Rename(f.path+".new", f.path)
}

// crashProgram is the gate. It takes up the clock where the process before it died.
func crashProgram(dir string, algorithms []string, at int) error {
	d, err := OpenDirectory(filepath.Join(dir, "keys"))
	if err != nil {
		return err
	}
	d.hook = func(step string) {
		if at--; at == 0 {
			fmt.Println(step)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	zone := fileZone{filepath.Join(dir, "zone"), d.hook}
	c := DefaultConfig()
	c.Domains, c.RotateEvery = []string{"example.com"}, Duration(10*day)
	c.KeepRetired, c.KeepRevoked = Duration(2*day), Duration(6*day)
	c.Algorithms = nil
	for _, a := range algorithms {
		c.Algorithms = append(c.Algorithms, Algorithm(a))
	}
	s, _, err := c.Settings()
	if err != nil {
		return err
	}
	s.rsaBits = 1024 // quick
	r, err := NewRotor(Options{
		Directory: d, Settings: s, Views: Views{Resolvers: []View{{"zone", zone}}}, Publisher: zone, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	clock := filepath.Join(dir, "clock")
	now := start
	if text, err := os.ReadFile(clock); err == nil {
		if now, err = time.Parse(time.RFC3339, string(text)); err != nil {
			return err
		}
	}
	for ; now.Before(start.Add(crashDays * day)); now = now.Add(crashStep) {
		if err := os.WriteFile(clock+".new", []byte(now.Format(time.RFC3339)), 0o600); err != nil {
			return err
		}
		if err := os.Rename(clock+".new", clock); err != nil {
			return err
		}
		if err := onlyShownKeysSign(r, zone); err != nil {
			return err
		}
		if _, err := r.Tick(context.Background(), now); err != nil {
			return err
		}
		if err := onlyShownKeysSign(r, zone); err != nil {
			return err
		}
	}
	return nil
}

func onlyShownKeysSign(r *Rotor, zone fileZone) error {
	records, err := zone.records()
	if err != nil {
		return err
	}
	for _, s := range r.Keyring().Signers("example.com") {
		if name := s.Selector + "._domainkey.example.com"; records[name] != dkim.Record(s.Key.Public()) {
			return fmt.Errorf("%s signs, and DNS shows %q", s.Selector, records[name])
		}
	}
	return nil
}

// kill runs the gate in a process that dies before its nth change, and tells before which. It is false if there are not so many.
func kill(t *testing.T, dir string, algorithms []string, n int) (step string, killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashAt+"="+strconv.Itoa(n), crashKinds+"="+strings.Join(algorithms, ","))
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return strings.TrimSpace(string(out)), true
	}
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return "", false
}

// goOn runs the gate to its end.
func goOn(t *testing.T, dir string, algorithms []string) {
	t.Helper()
	if err := crashProgram(dir, algorithms, 0); err != nil {
		t.Fatal(err)
	}
}

// random is what differs from one run to the next: the keys themselves.
var random = regexp.MustCompile(`p=[A-Za-z0-9+/=]+`)

// end is all that is left, but for what is random.
func end(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range []string{"keys/example.com/state.json", "zone"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(random.ReplaceAllString(string(text), "p=KEY"), "\n")
		if name == "zone" {
			slices.Sort(lines)
		}
		all.WriteString(strings.Join(lines, "\n"))
	}
	entries, err := os.ReadDir(filepath.Join(dir, "keys/example.com"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fmt.Fprintln(&all, e.Name())
	}
	return all.String()
}

// noKeyIsLost holds every record that publishes a key to have its private half on disk.
func noKeyIsLost(t *testing.T, dir, step string) {
	t.Helper()
	d := &Directory{path: filepath.Join(dir, "keys")}
	records, err := fileZone{path: filepath.Join(dir, "zone")}.records()
	if err != nil {
		t.Fatal(err)
	}
	for name, record := range records {
		if _, err := dkim.ParseKey(record); err != nil {
			continue // revoked
		}
		selector, _, _ := strings.Cut(name, ".")
		key, err := d.Open("example.com", selector+".pem")
		if err != nil || dkim.Record(key.Public()) != record {
			t.Errorf("killed before %q: DNS shows %s, and its private key is lost: %v", step, selector, err)
		}
	}
}

func TestAKillAtAnyStepChangesNothingOfTheEnd(t *testing.T) {
	for _, c := range []struct {
		algorithms []string
		every      int // how many points are passed over for one that is tried
	}{{[]string{"ed25519"}, 1}, {[]string{"rsa", "ed25519"}, 17}} {
		whole := workplace(t)
		goOn(t, whole, c.algorithms)
		want := end(t, whole)
		for _, state := range []State{Signing, Revoked, Removed} {
			if !strings.Contains(want, `"`+string(state)+`"`) {
				t.Fatalf("the scenario does not come as far as %q:\n%s", state, want)
			}
		}
		points := map[string]int{}
		for n := 1; ; n += c.every {
			dir := workplace(t)
			step, killed := kill(t, dir, c.algorithms, n)
			if !killed {
				t.Logf("%v: %d points: %v", c.algorithms, n-1, points)
				if n < 80 {
					t.Errorf("only %d points", n-1)
				}
				break
			}
			kind, _, _ := strings.Cut(step, " ")
			points[kind]++
			noKeyIsLost(t, dir, step)
			goOn(t, dir, c.algorithms)
			if got := end(t, dir); got != want {
				t.Fatalf("killed before change %d, %q:\n%s\nwant:\n%s", n, step, got, want)
			}
		}
	}
}
