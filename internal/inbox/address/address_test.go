package address

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/option"
)

func open(t testing.TB, o Options) *Book {
	t.Helper()
	if o.Host == "" {
		o.Host = "reports.example.net"
	}
	if o.Secrets == nil {
		o.Secrets = []Secret{{1}}
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAddressIsKnownAgainHoweverItIsWritten(t *testing.T) {
	b := open(t, Options{Domains: []string{"example.com", "Bücher.example.", "example.org"}})
	for name, want := range map[string]string{
		"example.com": "example.com", "EXAMPLE.com.": "example.com", "bücher.example": "xn--bcher-kva.example",
	} {
		a, err := b.For(name)
		if err != nil {
			t.Fatal(err)
		}
		if local, _, _ := strings.Cut(a, "@"); len(local) != len("rua+")+24 || !strings.HasPrefix(a, "rua+") {
			t.Errorf("the address is %s", a)
		}
		for _, form := range []string{a, strings.ToUpper(a), strings.Replace(a, "reports", "RePorts", 1)} {
			if domain, err := b.Recipient(form); err != nil || domain != want {
				t.Errorf("%s is of %q, %v, want %s", form, domain, err, want)
			}
		}
	}
}

func TestAddressesDependOnSecretAndDomain(t *testing.T) {
	seen := map[string]string{}
	for s := range byte(3) {
		b := open(t, Options{Secrets: []Secret{{s}}})
		for i := range 100 {
			domain := fmt.Sprintf("d%d.example", i)
			a, err := b.For(domain)
			if err != nil {
				t.Fatal(err)
			}
			if other := seen[a]; other != "" {
				t.Fatalf("%s is of %s and of %s", a, domain, other)
			}
			seen[a] = domain
		}
	}
}

// Addresses are in the DNS of others: they must never change from one version to the next.
func TestAddressStaysWhatItIs(t *testing.T) {
	a, _ := open(t, Options{}).For("example.com")
	if want := "rua+5bzkkzeu4ftbetzwlzzkw2v6@reports.example.net"; a != want {
		t.Errorf("got %s, want %s", a, want)
	}
}

func TestWhatIsNotAnAddressOfOursIsUnknown(t *testing.T) {
	b := open(t, Options{Domains: []string{"example.com"}, Plain: []string{"DMARC"}})
	mine, _ := b.For("example.com")
	local, _, _ := strings.Cut(mine, "@")
	stranger, _ := b.For("example.org")
	for a, want := range map[string]error{
		mine: nil, "dmarc@reports.example.net": nil, "Dmarc@REPORTS.example.net.": nil,
		stranger: ErrUnknown, "rua+@reports.example.net": ErrUnknown, "rua@reports.example.net": ErrUnknown, "postmaster@reports.example.net": ErrUnknown,
		local: ErrUnknown, "": ErrUnknown, "@reports.example.net": ErrUnknown, local + "x@reports.example.net": ErrUnknown,
		strings.TrimPrefix(local, "rua+") + "@reports.example.net": ErrUnknown, local[:len(local)-1] + "@reports.example.net": ErrUnknown,
		strings.Replace(mine, "+", "-", 1): ErrUnknown, "rua+" + strings.Repeat("x", 1e5) + "@reports.example.net": ErrUnknown,
		local + "@example.net": ErrElsewhere, local + "@": ErrElsewhere, "\"" + local + "\"@reports.example.net": ErrUnknown,
		"a@b@reports.example.net": ErrUnknown, local + "@reports.example.net@evil.example": ErrElsewhere, "dmar\u212a@reports.example.net": ErrUnknown,
	} {
		domain, err := b.Recipient(a)
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%.80q: %v, want %v", a, err, want)
		}
		if (domain != "") != (a == mine) {
			t.Errorf("%.80q is of %q", a, domain)
		}
	}
}

func TestEarlierSecretsOpenTheAddressesThatTheyMade(t *testing.T) {
	old := open(t, Options{Secrets: []Secret{{1}}})
	b := open(t, Options{Secrets: []Secret{{2}, {1}}, Domains: []string{"example.com"}})
	before, _ := old.For("example.com")
	after, _ := b.For("example.com")
	if before == after {
		t.Error("the new secret makes the same address")
	}
	for _, a := range []string{before, after} {
		if domain, err := b.Recipient(a); err != nil || domain != "example.com" {
			t.Errorf("%s: %q, %v", a, domain, err)
		}
	}
}

func TestPrefixAndSeparatorAreAsConfigured(t *testing.T) {
	for _, separator := range []string{"+", "-", "_", ".", "="} {
		b := open(t, Options{Prefix: "Dmarc.In", Separator: separator, Domains: []string{"example.com"}})
		a, _ := b.For("example.com")
		if !strings.HasPrefix(a, "dmarc.in"+separator) {
			t.Errorf("got %s", a)
		}
		if domain, err := b.Recipient(a); err != nil || domain != "example.com" {
			t.Errorf("%s: %q, %v", a, domain, err)
		}
	}
}

func TestOptionErrorNamesTheField(t *testing.T) {
	secrets := []Secret{{1}}
	for field, o := range map[string]Options{
		"host":      {Host: "not a host", Secrets: secrets},
		"prefix":    {Host: "h.example", Secrets: secrets, Prefix: "a..b"},
		"separator": {Host: "h.example", Secrets: secrets, Separator: "!"},
		"secrets":   {Host: "h.example"},
		"domains":   {Host: "h.example", Secrets: secrets, Domains: []string{"a@b"}},
		"plain":     {Host: "h.example", Secrets: secrets, Plain: []string{"a b"}},
	} {
		_, err := New(o)
		var wrong *option.Error
		if !errors.As(err, &wrong) || wrong.Field != field || !strings.HasPrefix(err.Error(), field+": ") {
			t.Errorf("%s: got %v", field, err)
		}
	}
	if _, err := New(Options{Host: "h.example", Secrets: secrets, Prefix: strings.Repeat("p", 40)}); err == nil {
		t.Error("a local part of more than 64 characters")
	}
}

func TestSecretsAreMadeOnceAndRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", SecretFile)
	first := make([]Secret, 20)
	var all sync.WaitGroup
	for i := range first {
		all.Go(func() {
			secrets, err := OpenSecrets(path)
			if err != nil || len(secrets) != 1 {
				t.Errorf("%d secrets, %v", len(secrets), err)
				return
			}
			first[i] = secrets[0]
		})
	}
	all.Wait()
	for _, s := range first {
		if s != first[0] || s == (Secret{}) {
			t.Fatal("several processes got several secrets")
		}
	}
	for n := 2; n < 20; n++ {
		secrets, err := Rotate(path)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadSecrets(path)
		if err != nil || len(again) != min(n, mostSecrets) || again[0] != secrets[0] {
			t.Fatalf("%d secrets, %v", len(again), err)
		}
		if n <= mostSecrets && again[n-1] != first[0] {
			t.Errorf("the first secret is gone after %d", n)
		}
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("%d files are left", len(entries))
	}
	if text := fmt.Sprintf("%v %+v %#v %s", first[0], first[0], first[0], first[:1]); strings.Contains(text, fmt.Sprint([32]byte(first[0])[0])) {
		t.Errorf("a secret prints itself: %s", text)
	}
}

func TestSecretThatOthersMayReadIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such bits")
	}
	path := filepath.Join(t.TempDir(), SecretFile)
	if _, err := OpenSecrets(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSecrets(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
}

// What is found is what was made: no local part but that of a domain's own address, or a plain one, is known.
func FuzzRecipient(f *testing.F) {
	b := open(f, Options{Domains: []string{"example.com", "example.org"}, Plain: []string{"dmarc"}})
	for _, d := range []string{"example.com", "example.org", "example.net"} {
		a, _ := b.For(d)
		f.Add(a)
		f.Add(strings.ToUpper(a))
		f.Add(`"` + a + `"@x`)
	}
	f.Add("dmarc@reports.example.net")
	f.Fuzz(func(t *testing.T, address string) {
		domain, err := b.Recipient(address)
		if err != nil {
			return
		}
		want := "dmarc@reports.example.net"
		if domain != "" {
			if want, err = b.For(domain); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.ToLower(strings.TrimSuffix(address, ".")); got != want && !strings.ContainsFunc(address, func(r rune) bool { return r >= 0x80 }) {
			t.Errorf("%q is taken for %s", address, want)
		}
	})
}

// What is written reads back the same, and an error tells nothing of a secret.
func FuzzSecrets(f *testing.F) {
	f.Add(formatSecrets([]Secret{{1}, {2}}))
	f.Add([]byte("# only a comment\n"))
	f.Add([]byte("\r\n00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		secrets, err := parseSecrets(text)
		if err != nil {
			return
		}
		again, err := parseSecrets(formatSecrets(secrets))
		if err != nil || len(again) != len(secrets) || len(secrets) > mostSecrets {
			t.Fatalf("%d secrets, then %d, %v", len(secrets), len(again), err)
		}
		for i := range secrets {
			if secrets[i] != again[i] {
				t.Errorf("secret %d changed", i)
			}
		}
	})
}

func BenchmarkRecipient(b *testing.B) {
	var domains []string
	for i := range 5000 {
		domains = append(domains, fmt.Sprintf("d%d.example", i))
	}
	book := open(b, Options{Domains: domains})
	a, _ := book.For("d77.example")
	for b.Loop() {
		if _, err := book.Recipient(a); err != nil {
			b.Fatal(err)
		}
	}
}
