package dkim

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// GenerateRSA makes an RSA key. RFC 8301 3.2 asks for 2048 bits, and obliges verifiers to take no more than 4096.
func GenerateRSA(bits int) (*rsa.PrivateKey, error) {
	if bits < minRSABits || bits > maxRSABits {
		return nil, fmt.Errorf("an RSA key with %d bits: use 2048, or from %d to %d", bits, minRSABits, maxRSABits)
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

// GenerateEd25519 makes an Ed25519 key. Not every verifier knows them yet: sign with an RSA key too (RFC 8463 6).
func GenerateEd25519() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// WriteKey writes a private key to a new file, as PKCS#8 in PEM, which its owner alone may read. It never overwrites a file.
func WriteKey(path string, key crypto.Signer) (err error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("writing the key %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing the key: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(path) // ours, by O_EXCL; half a key is of no use
		}
	}()
	if err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}); err != nil {
		return fmt.Errorf("writing the key %s: %w", path, err)
	}
	if err = f.Sync(); err != nil {
		return fmt.Errorf("writing the key %s: %w", path, err)
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("writing the key %s: %w", path, err)
	}
	return nil
}

// maxKeyFile bounds what is read: an RSA key with 8192 bits takes 6.5 KB.
const maxKeyFile = 64 << 10

// ReadKey reads a private key from a PEM file: PKCS#8, or RSA in PKCS#1, as openssl used to write it. On Unix, a file that others
// than its owner may use is refused.
func ReadKey(path string) (crypto.Signer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	if err := checkMode(path, info.Mode()); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	key, err := parsePrivate(text)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	return key, nil
}

// checkMode holds a key file to be a file that nobody but its owner has any right to. Windows has no such bits.
func checkMode(path string, mode fs.FileMode) error {
	switch {
	case mode.IsDir():
		return fmt.Errorf("reading the key: %s is a directory", path)
	case runtime.GOOS != "windows" && mode.Perm()&0o077 != 0:
		return fmt.Errorf("reading the key: others than its owner may use %s (mode %04o): chmod 600 %s", path, mode.Perm(), path)
	}
	return nil
}

// ParsePrivateKey reads the text of a key file, as [ReadKey] does.
func ParsePrivateKey(text []byte) (crypto.Signer, error) { return parsePrivate(text) }

func parsePrivate(text []byte) (crypto.Signer, error) {
	if len(text) > maxKeyFile {
		return nil, errors.New("the file is too large to be a key")
	}
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			if bytes.Contains(text, []byte("-----BEGIN")) {
				return nil, errors.New("the PEM in it is damaged")
			}
			return nil, errors.New("there is no private key in it: a PEM file begins with -----BEGIN PRIVATE KEY-----")
		}
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			switch key := key.(type) {
			case *rsa.PrivateKey:
				return key, nil
			case ed25519.PrivateKey:
				return key, nil
			}
			return nil, fmt.Errorf("DKIM has no use for a %T: make an RSA or an Ed25519 key", key)
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, errors.New("the key is encrypted: write it without a passphrase")
			}
			return x509.ParsePKCS1PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the key is encrypted: write it without a passphrase")
		}
		text = rest
	}
}
