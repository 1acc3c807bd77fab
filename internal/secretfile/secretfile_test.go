package secretfile_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/secretfile"
)

func TestASecretIsTheFilesOnlyLine(t *testing.T) {
	for text, want := range map[string]string{"secret\n": "secret", "secret\r\n": "secret", " with spaces ": " with spaces ", "": "", "\n": "", "two\nlines\n": ""} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := secretfile.Line(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, error %v", text, got, err)
		}
	}
}

func TestALineThatIsNoneIsNotShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for _, text := range []string{"hidden\nhidden\n", strings.Repeat("hidden", 20_000)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := secretfile.Line(path); err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), path) {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestAFileOfOnesOwnIsReadByNobodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for most, want := range map[int64]string{20: "0123456789", 10: "0123456789", 5: "012345"} {
		if got, err := secretfile.Own(path, most); string(got) != want || err != nil {
			t.Errorf("%d bytes at most: %q, %v", most, got, err)
		}
	}
	if _, err := secretfile.Own(t.TempDir(), 10); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := secretfile.Own(path, 10); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
		t.Errorf("others may read it: %v", err)
	}
}
