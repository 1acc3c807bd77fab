package people

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAHashComesBackAsItWasWritten(t *testing.T) {
	a := argon{memory: 64, time: 2, threads: 1, salt: []byte("somesalt1"), sum: make([]byte, sumBytes)}
	a.sum = a.of("correct horse")
	text := a.String()
	if !strings.HasPrefix(text, "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQx$") {
		t.Errorf("got %s", text)
	}
	b, err := parseArgon(text)
	if err != nil || b.String() != text || string(b.of("correct horse")) != string(a.sum) || string(b.of("correct house")) == string(a.sum) {
		t.Errorf("%+v, %v", b, err)
	}
	if !b.outdated() {
		t.Error("64 KiB are enough")
	}
}

// The test vector of the command line program of the reference implementation (README.md of phc-winner-argon2), for argon2id.
func TestAHashOfTheReferenceImplementationIsRead(t *testing.T) {
	const theirs = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	a, err := parseArgon(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if string(a.of("password")) != string(a.sum) {
		t.Errorf("%x", a.of("password"))
	}
}

func TestOnlyHashesThatCanBeComputedAreRead(t *testing.T) {
	const salt, sum = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, s := range []string{
		"", "$", "argon2id", "$argon2i$v=19$m=64,t=2,p=1$" + salt + "$" + sum, "$argon2id$v=16$m=64,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=64,t=2,p=0$" + salt + "$" + sum, "$argon2id$v=19$m=64,t=2,p=256$" + salt + "$" + sum,
		"$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=064,t=2,p=1$" + salt + "$" + sum, "$argon2id$v=19$t=2,m=64,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=64,t=2,p=1$" + salt + "=$" + sum, "$argon2id$v=19$m=64,t=2,p=1$$" + sum, "$argon2id$v=19$m=64,t=2,p=1$" + salt + "$AAAA",
		"$argon2id$v=19$m=64,t=2,p=1$" + salt + "$" + sum + "$", "$argon2id$v=19$m=64,t=2,p=1$" + salt + "\n$" + sum,
	} {
		if a, err := parseArgon(s); !errors.Is(err, errPHC) {
			t.Errorf("%q: %+v, %v", s, a, err)
		}
	}
}

func FuzzHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$2y$10$abc")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseArgon(s)
		if err != nil {
			return
		}
		if a.String() != s {
			t.Errorf("%q is printed as %q", s, a)
		}
		if a.memory < 8 || a.memory > maxMemory || a.time < 1 || a.time > maxTime || a.threads < 1 || a.threads > maxThreads {
			t.Errorf("%q is beyond the bounds", s)
		}
	})
}

func FuzzSecret(f *testing.F) {
	made, _ := newSecret(tokenPrefix)
	f.Add(made)
	f.Add("gp_")
	f.Add(strings.Repeat("A", secretChars))
	f.Add("gp_" + strings.Repeat("-", secretChars-1) + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, prefix := range []string{"", tokenPrefix} {
			if _, ok := readSecret(prefix, s); !ok {
				continue
			}
			rest := strings.TrimPrefix(s, prefix)
			b, err := secretText.DecodeString(rest)
			if err != nil || len(b) != secretBytes || secretText.EncodeToString(b) != rest {
				t.Errorf("%q is a secret of %d bytes, %v", s, len(b), err)
			}
		}
	})
}

func TestSecretsAreReadAsTheyAreMade(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		secret, h := newSecret(tokenPrefix)
		if got, ok := readSecret(tokenPrefix, secret); !ok || got != h || seen[secret] || len(secret) != 46 {
			t.Errorf("%q: %t", secret, ok)
		}
		seen[secret] = true
		for _, other := range []string{secret[3:], "gp-" + secret[3:], secret + "A", secret[:45], "GP_" + secret[3:], " " + secret} {
			if _, ok := readSecret(tokenPrefix, other); ok {
				t.Errorf("%q is taken for a token", other)
			}
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"Ann", "ann@example.com", "Jos\u00e9 Mu\u00f1oz", "", "---", "\u0430nn", strings.Repeat("x", 200), "..\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, err := CheckName(s); err == nil {
			if again, err := CheckName(name); err != nil || again != name {
				t.Errorf("%q became %q, and that %q, %v", s, name, again, err)
			}
		}
		for _, name := range []string{nameOf(s), nameOf(s) + "-999"} {
			if got, err := CheckName(name); err != nil || got != name {
				t.Errorf("%q became %q: %v", s, name, err)
			}
		}
	})
}

func TestNamesAreOfPlainLetters(t *testing.T) {
	for text, want := range map[string]string{"Ann": "ann", " bob ": "bob", "a.b-c_d+e@example.com": "a.b-c_d+e@example.com", "7": "7"} {
		if got, err := CheckName(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "command line", "first user", "\u0430nn", "-ann", "@", "an\u200bn", "an\nn", "a/b", "<b>", strings.Repeat("a", 65)} {
		if got, err := CheckName(text); err == nil {
			t.Errorf("%q is a name, %q", text, got)
		}
	}
	for text, want := range map[string]string{"Ann Smith": "ann-smith", "ann@example.com": "ann@example.com", "\u0430nn": "nn", "": "user", "@@": "user", "Jos\u00e9": "jos"} {
		if got := nameOf(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestPasswordsThatAreTriedFirstAreRefused(t *testing.T) {
	for _, password := range []string{
		"correct horse battery staple", "tk7#Vq9mLz2$", "\u00fcber den Wolken muss", "Xkq7 Xkq7 pltw", "p4ssing the salt today", strings.Repeat("long and good ", 70),
	} {
		if err := checkPassword("ann", password); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
	for _, password := range []string{
		"", "short", "elevenchars", "password1234", "Password2026!", "P@ssw0rd2026!", "123456789012", "aaaaaaaaaaaaaaaa", "abababababababab", "qwertyuiop12", "passwordpassword",
		"Welcome2gatepost!", "hi ann, it is me", "administrator1", "\u1d56\u1d43\u02e2\u02e2word1234", strings.Repeat("x1Y", 400), "broken \xff password",
	} {
		var unfit *Unfit
		if err := checkPassword("ann", password); !errors.As(err, &unfit) || unfit.Field != "password" {
			t.Errorf("%q: %v", password, err)
		}
	}
}

func TestAttemptsAreLimitedByNetworkAndByNameInIt(t *testing.T) {
	var l Limits
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	try := func(name, address string, at time.Time) bool {
		wait, ok := l.Attempt(name, address, at)
		if ok != (wait == 0) || wait > time.Minute {
			t.Errorf("%t, but wait %s", ok, wait)
		}
		return ok
	}
	for i := range nameBurst {
		if !try("ann", "192.0.2.1", now) {
			t.Fatalf("the %dth is refused", i+1)
		}
	}
	for _, other := range []string{"ann", "ANN", " ann "} {
		if try(other, "192.0.2.1", now) || try(other, "::ffff:192.0.2.1", now) {
			t.Errorf("%q is another", other)
		}
	}
	if !try("ann", "192.0.2.2", now) || !try("bob", "192.0.2.1", now) {
		t.Error("others suffer from it")
	}
	if try("ann", "192.0.2.1", now.Add(nameEvery-time.Second)) || !try("ann", "192.0.2.1", now.Add(nameEvery)) {
		t.Error("it is taken again at another time than when it said")
	}
	// Whoever has a network of IPv6 has many addresses, and many names come from one.
	n := 0
	for i := range 200 {
		if try("p"+string(rune('a'+i%26)), "2001:db8:0:1::"+string(rune('a'+i%6)), now) {
			n++
		}
	}
	if n != attemptBurst {
		t.Errorf("%d from one network, want %d", n, attemptBurst)
	}
	if !try("pa", "2001:db8:0:2::a", now) {
		t.Error("the network beside it suffers from it")
	}
}

func TestAWideNetworkHasNotTheTriesOfAllThatAreInIt(t *testing.T) {
	start := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for i, w := range wider {
		var l Limits
		const networks, hours = 65_536, 2
		n := 0
		for i := range networks {
			// One try from each /64 of a /48 or a /56, in two hours.
			at := start.Add(time.Duration(i) * hours * time.Hour / networks)
			if _, ok := l.Attempt("ann", fmt.Sprintf("2001:db8:0:%x::1", i&(1<<(networkBits-w.bits)-1)), at); ok {
				n++
			}
		}
		most := w.burst + int(hours*time.Hour/w.every)
		if n < most/2 || n > most {
			t.Errorf("/%d: %d tries, want %d at the most", w.bits, n, most)
		}
		if i == 0 && l.networks.all.Len() > most {
			t.Errorf("/%d: %d networks are remembered", w.bits, l.networks.all.Len())
		}
	}
}

func TestAWideNetworkDoesNotHaveOthersForgotten(t *testing.T) {
	var l Limits
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for range nameBurst {
		l.Attempt("ann", "192.0.2.1", now)
	}
	for i := range 65_536 {
		l.Attempt(fmt.Sprint("name", i), fmt.Sprintf("2001:db8:0:%x::1", i), now)
	}
	if _, ok := l.Attempt("ann", "192.0.2.1", now); ok {
		t.Error("what was tried is forgotten")
	}
}

func TestATryThatIsNotTakenUsesUpNothing(t *testing.T) {
	var l Limits
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for range 1000 {
		l.Attempt("ann", "2001:db8:0:1::1", now)
	}
	for i := range attemptBurst - nameBurst {
		if wait, ok := l.Attempt(fmt.Sprint("name", i), "2001:db8:0:1::1", now); !ok {
			t.Fatalf("the %dth of the same network waits %s", i+1, wait)
		}
	}
	for range 1000 {
		l.Attempt("bob", "2001:db8:0:1::1", now)
	}
	if wait, ok := l.Attempt("bob", "2001:db8:0:2::1", now); !ok {
		t.Errorf("the network beside it waits %s", wait)
	}
	for i := range attemptBurst {
		if wait, ok := l.Attempt("", "192.0.2.1", now); !ok {
			t.Errorf("the %dth without a name waits %s", i+1, wait)
		}
	}
	if _, ok := l.Attempt("", "192.0.2.1", now); ok {
		t.Error("without a name, there is no end")
	}
}

func TestLimitsTakeNoMoreRoomThanTheyMay(t *testing.T) {
	var l Limits
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for i := range remembered + 5000 {
		l.Attempt(strings.Repeat("x", 10_000), fmt.Sprintf("2001:db8:%x::1", i), now)
	}
	if n := l.names.all.Len(); n != remembered {
		t.Errorf("%d names", n)
	}
	for _, key := range l.names.all.Keys()[:10] {
		if len(key) > 200 {
			t.Errorf("a key of %d bytes", len(key))
		}
	}
}
