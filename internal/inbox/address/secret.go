package address

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/owner"
	"github.com/gatepost-mail/gatepost/internal/secretfile"
)

// A Secret is what tokens are made with. Whoever has it can write to every address.
type Secret [32]byte

// String keeps secrets out of logs.
func (Secret) String() string { return "(secret)" }

// GoString does too.
func (Secret) GoString() string { return "(secret)" }

// SecretFile is the file's name in the state directory.
const SecretFile = "report-addresses.secret"

const secretHeader = `# The secrets of the report addresses, one a line. The first makes the address of
# a domain; those below still open the addresses that they made. Copy this file
# to every node, and keep it with the backups: without it, every domain has to
# publish a new address.
`

// mostSecrets bounds the secrets that are kept: each costs a token for each domain.
const mostSecrets = 16

const maxSecretFile = 64 << 10

// OpenSecrets reads the secrets in a file, and makes it with a first one where it is not there. Of several processes that make it at
// once, all get the same.
func OpenSecrets(path string) ([]Secret, error) {
	secrets, err := ReadSecrets(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secrets, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the secret of the report addresses: %w", err)
	}
	if err := replace(path, []Secret{newSecret()}, false); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the secret of the report addresses: %w", err)
	}
	return ReadSecrets(path)
}

// Rotate puts a new secret in front of those in the file: from now on, addresses are made with it. The oldest goes where there are too
// many.
func Rotate(path string) ([]Secret, error) {
	secrets, err := OpenSecrets(path)
	if err != nil {
		return nil, err
	}
	secrets = append([]Secret{newSecret()}, secrets[:min(len(secrets), mostSecrets-1)]...)
	if err := replace(path, secrets, true); err != nil {
		return nil, fmt.Errorf("writing the secrets of the report addresses: %w", err)
	}
	return secrets, nil
}

// ReadSecrets reads the secrets in a file. On Unix, a file that others than its owner may use is refused.
func ReadSecrets(path string) ([]Secret, error) {
	const doing = "reading the secret of the report addresses"
	text, err := secretfile.Own(path, maxSecretFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	secrets, err := parseSecrets(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", doing, path, err)
	}
	return secrets, nil
}

// parseSecrets reads the text of a file. An error never holds any of it.
func parseSecrets(text []byte) ([]Secret, error) {
	if len(text) > maxSecretFile {
		return nil, errors.New("the file is too large to hold secrets")
	}
	var secrets []Secret
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxSecretFile+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		var s Secret
		if len(line) != hex.EncodedLen(len(s)) {
			return nil, fmt.Errorf("line %d: a secret has %d hexadecimal digits", n, hex.EncodedLen(len(s)))
		}
		if _, err := hex.Decode(s[:], []byte(line)); err != nil {
			return nil, fmt.Errorf("line %d: a secret has %d hexadecimal digits", n, hex.EncodedLen(len(s)))
		}
		if len(secrets) == mostSecrets {
			return nil, fmt.Errorf("line %d: more than %d secrets; remove the oldest, which are the last", n, mostSecrets)
		}
		secrets = append(secrets, s)
	}
	if len(secrets) == 0 {
		return nil, errors.New("there is no secret in it")
	}
	return secrets, nil
}

func formatSecrets(secrets []Secret) []byte {
	text := []byte(secretHeader)
	for _, s := range secrets {
		text = append(hex.AppendEncode(text, s[:]), '\n')
	}
	return text
}

func newSecret() Secret {
	var s Secret
	rand.Read(s[:])
	return s
}

// replace writes the file whole or not at all. Unless it may overwrite, a file that is there stays, with fs.ErrExist.
func replace(path string, secrets []Secret, overwrite bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".report-addresses-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(formatSecrets(secrets))
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = owner.As(filepath.Dir(path), f.Name())
	}
	switch {
	case err != nil:
		return err
	case overwrite:
		return os.Rename(f.Name(), path)
	}
	return os.Link(f.Name(), path)
}
