package packaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const cf = "/usr/share/sendmail/cf/m4/cf.m4"

func TestSendmailMakesAMilterOfTheDocumentedLine(t *testing.T) {
	need(t, "sendmail-cf", "m4")
	if _, err := os.Stat(cf); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no sendmail.cf to make: apt-get install sendmail-cf")
		}
		t.Skip("there is no sendmail.cf to make: apt-get install sendmail-cf")
	}
	_, rest, found := strings.Cut(read(t, "docs/sendmail.md"), "```sendmail\n")
	lines, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/sendmail.md has no lines for sendmail.mc")
	}
	mc := filepath.Join(t.TempDir(), "sendmail.mc")
	text := "include(`" + cf + "')\nOSTYPE(`debian')\nDOMAIN(`debian-mta')\n" + lines + "MAILER(`smtp')\n"
	if err := os.WriteFile(mc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	made := command(t, "", "m4", mc)
	for _, line := range []string{"O InputMailFilters=gatepost", "Xgatepost, S=inet:8891@127.0.0.1, F=T, T=C:10s;S:30s;R:30s;E:5m"} {
		if !strings.Contains(made, "\n"+line+"\n") {
			t.Errorf("sendmail.cf does not say %s", line)
		}
	}
	// What the document says that Sendmail sends of itself.
	_, macros, _ := strings.Cut(made, "\nO Milter.macros.envfrom=")
	macros, _, _ = strings.Cut(macros, "\n")
	for _, macro := range []string{"i", "{auth_type}", "{auth_authen}"} {
		if !strings.Contains(", "+macros+",", ", "+macro+",") {
			t.Errorf("Sendmail does not send %s with MAIL FROM: %s", macro, macros)
		}
	}
}
