package nsupdate

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const goodSecret = "bG9uZyBlbm91Z2ggdG8gYmUgYSBzZWNyZXQgb2YgdGhpcnR5dHdvIG9jdGV0cw=="

func keyFile(name, algorithm, secret string) string {
	return fmt.Sprintf("key %q {\n\talgorithm %s;\n\tsecret %q;\n};\n", name, algorithm, secret)
}

func TestASecretIsReadAsTsigKeygenWritesItOrBare(t *testing.T) {
	for _, c := range []struct {
		text, keyName   string
		name, algorithm string
	}{
		{keyFile("Gatepost", "hmac-sha512", goodSecret), "", "gatepost.", "hmac-sha512."},
		{keyFile("gatepost", "hmac-sha256", goodSecret), "Other.", "other.", "hmac-sha256."},
		{goodSecret + "\n", "gatepost", "gatepost.", "hmac-sha256."},
	} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := ReadSecret(SecretFile{Path: path, KeyName: c.keyName})
		if err != nil || s.Name != c.name || s.Algorithm != c.algorithm || s.secret != goodSecret {
			t.Errorf("%q: got %+v, %v", c.text, s, err)
		}
	}
}

func TestASecretThatIsNoneOrNotSecretIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "no secret",
		"short":                              "no secret",
		"key x { secret y; };":               "no secret",
		goodSecret:                           "key_name",
		keyFile("x", "hmac-md5", goodSecret): "hmac-sha256",
	} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSecret(SecretFile{Path: path}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
		if runtime.GOOS == "windows" {
			continue
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSecret(SecretFile{Path: path}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode 0640: got %v", err)
		}
	}
	if _, err := ReadSecret(SecretFile{Path: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: got %v", err)
	}
}

func FuzzSecret(f *testing.F) {
	f.Add(keyFile("gatepost", "hmac-sha256", goodSecret))
	f.Add(goodSecret)
	f.Add("key \"a\" { secret")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSecret(text)
		if err != nil {
			if len(text) >= 20 && strings.Contains(err.Error(), text) {
				t.Errorf("the error holds the file: %v", err)
			}
			return
		}
		if raw, err := base64.StdEncoding.DecodeString(s.secret); err != nil || len(raw) < 16 {
			t.Errorf("%q is taken for a secret", s.secret)
		}
	})
}
