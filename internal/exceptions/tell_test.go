package exceptions

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func TestWhatAnExceptionOpensIsSaid(t *testing.T) {
	for _, c := range []struct {
		x    store.Exception
		says string
	}{
		{networkException("example.com", "192.0.2.7/32"), "From at example.com that comes from 192.0.2.7 gets in"},
		{networkException("example.com", "192.0.2.0/24"), "whoever has a server there can write as example.com"},
		{networkException("*.example.com", "192.0.2.0/24"), "From at any domain beneath example.com that comes from any address of 192.0.2.0/24"},
		{dkimException("example.com", "lists.example.net"), "whoever lists.example.net signs for can write as example.com"},
		{dkimException("example.com", "example.com"), "that example.com itself signed gets in"},
	} {
		if got := Opens(&c.x); !strings.Contains(got, c.says) {
			t.Errorf("%+v: %q, want %q in it", c.x, got, c.says)
		}
	}
}

// The command is typed into a shell, and a reason is whatever somebody wrote.
func TestTheCommandIsWhatAShellTakesForTheSame(t *testing.T) {
	for _, reason := range []string{"we know them", "it's $HOME `id` \"x\"; rm -rf /", "--author x", "-", "'", `\`, "ä ✓"} {
		x := networkException("*.example.com", "192.0.2.0/24")
		x.Reason, x.Until = reason, time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
		line := strings.Replace(Command(&x), "gatepost", `printf '%s\n'`, 1)
		out, err := exec.Command("sh", "-c", line).Output()
		if err != nil {
			t.Skip(err)
		}
		want := "allow\nadd\n*.example.com\n--network\n192.0.2.0/24\n--until\n2026-12-31\n--reason\n" + reason + "\n"
		if string(out) != want {
			t.Errorf("%s\ngives %q, want %q", line, out, want)
		}
	}
	x := dkimException("example.com", "example.net")
	x.Until = time.Date(2026, 12, 31, 12, 0, 0, 0, time.UTC)
	if got := Command(&x); !strings.Contains(got, "--dkim example.net --until 2026-12-31T12:00:00Z") {
		t.Error(got)
	}
}

func TestStateAndDomainOfAnException(t *testing.T) {
	x := networkException("*.example.com", "192.0.2.0/24")
	x.Until = noon
	for at, want := range map[time.Duration]string{-8 * 24 * time.Hour: Holds, -7 * 24 * time.Hour: Ends, 0: Ends, 1: Ended} {
		if got := State(&x, noon.Add(at)); got != want {
			t.Errorf("%v: %s, want %s", at, got, want)
		}
	}
	for domain, want := range map[string]bool{"a.example.com": true, "b.a.example.com": true, "example.com": false, "badexample.com": false} {
		if IsFor(&x, domain) != want {
			t.Errorf("*.example.com and %s: %v", domain, !want)
		}
	}
	x.Domain = "example.com"
	if !IsFor(&x, "example.com") || IsFor(&x, "a.example.com") {
		t.Error("example.com is not for itself alone")
	}
}

func TestWhatIsWrongIsNamedByItsField(t *testing.T) {
	for field, change := range map[string]func(*store.Exception){
		"domain": func(x *store.Exception) { x.Domain = "com" }, "network": func(x *store.Exception) { x.SDID = "example.net" },
		"dkim":  func(x *store.Exception) { *x = dkimException("example.com", "a b") },
		"until": func(x *store.Exception) { x.Until = noon }, "reason": func(x *store.Exception) { x.Reason = "" }, "author": func(x *store.Exception) { x.Author = "" },
	} {
		x := networkException("example.com", "192.0.2.0/24")
		change(&x)
		var wrong *Wrong
		if err := Check(&x, noon); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := ParseNetwork("192.0.2.1%eth0"); err == nil {
		t.Error("an address with a zone is taken")
	}
	if p, err := ParseNetwork("::ffff:192.0.2.1"); err != nil || p.String() != "192.0.2.1/32" {
		t.Errorf("%v, %v", p, err)
	}
}
