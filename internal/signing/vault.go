package signing

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gatepost-mail/gatepost/dkim"
)

// A Vault makes, keeps and destroys private keys. Each has a domain and a name there. The keys of a [Directory] are files; a Vault over
// PKCS#11 or a key management service would hand out a crypto.Signer that asks it.
//
// All three can be called again after a crash: a key that is there is not made anew, and one that is gone is destroyed.
type Vault interface {
	Create(domain, name string, a Algorithm, rsaBits int) (crypto.Signer, error)
	Open(domain, name string) (crypto.Signer, error)
	Destroy(domain, name string) error
}

// Create makes a key, or gives the one that is there: a process that died had come as far.
func (d *Directory) Create(domain, name string, a Algorithm, rsaBits int) (crypto.Signer, error) {
	if key, err := d.Open(domain, name); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	d.hook("generate " + name)
	var key crypto.Signer
	var err error
	if a == RSA {
		key, err = dkim.GenerateRSA(rsaBits)
	} else {
		key, err = dkim.GenerateEd25519()
	}
	if err != nil {
		return nil, err
	}
	return key, d.put(domain, name, key)
}

// put writes a key file that is complete from the moment that it is there.
func (d *Directory) put(domain, name string, key crypto.Signer) error {
	folder := filepath.Join(d.path, domain)
	temporary := filepath.Join(folder, "."+name+".new")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d.hook("write " + name)
	if err := dkim.WriteKey(temporary, key); err != nil {
		return err
	}
	return d.install(folder, temporary, name)
}

// Open reads a key.
func (d *Directory) Open(domain, name string) (crypto.Signer, error) {
	return dkim.ReadKey(d.file(domain, name))
}

// Destroy removes a key for good.
func (d *Directory) Destroy(domain, name string) error {
	d.hook("destroy " + name)
	if err := os.Remove(d.file(domain, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(filepath.Join(d.path, domain))
}

// algorithmOf tells the kind of a key.
func algorithmOf(key crypto.Signer) (Algorithm, error) {
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		return RSA, nil
	case ed25519.PublicKey:
		return Ed25519, nil
	default:
		return "", fmt.Errorf("DKIM has no use for a %T", public)
	}
}
