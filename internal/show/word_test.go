package show

import (
	"os/exec"
	"testing"
)

func TestAShellTakesAWordForTheSame(t *testing.T) {
	for _, s := range []string{
		"plain", "/var/lib/x.toml", "", "-", "--flag", "it's $HOME `id` \"x\"; rm -rf /", "'", "''", `\`, "ä ✓", "v=spf1 exists:%{i}.example.com ~all", "*", "~", "a\nb", "#x", `C:\a b`,
	} {
		out, err := exec.Command("sh", "-c", "printf '%s|' "+Word(s)).Output()
		if err != nil {
			t.Fatal(err)
		}
		if string(out) != s+"|" {
			t.Errorf("%s gives %q, want %q", Word(s), out, s)
		}
	}
}
