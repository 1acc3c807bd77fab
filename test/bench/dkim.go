package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	peer "github.com/emersion/go-msgauth/dkim"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
)

func benchDKIM() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	zone, err := keyZone(key)
	if err != nil {
		return err
	}
	fmt.Printf("\nDKIM verify, relaxed/relaxed, rsa-sha256 with 2048 bits, one processor\n")
	fmt.Printf("  the floor is Go's own RSA verify and SHA-256 over the same bytes\n")
	fmt.Printf("  %-16s %12s %10s %11s %10s %10s\n", "message", "floor", "gatepost", "go-msgauth", "allocs", "KiB")
	for _, c := range []struct {
		name  string
		size  int
		prose bool
	}{
		{"4 KiB base64", 4 << 10, false},
		{"64 KiB base64", 64 << 10, false},
		{"1 MiB base64", 1 << 20, false},
		{"10 MiB base64", 10 << 20, false},
		{"4 KiB prose", 4 << 10, true},
		{"64 KiB prose", 64 << 10, true},
		{"1 MiB prose", 1 << 20, true},
		{"10 MiB prose", 10 << 20, true},
	} {
		signed, err := sign(key, unsigned(c.size, c.prose))
		if err != nil {
			return err
		}
		r, err := benchOne(key, zone, signed)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Printf("  %-16s %9.1f µs %8.2f x %9.2f x %10.0f %10.1f\n", c.name, float64(r[0].time)/1e3, r[1].ratio, r[2].ratio, r[1].allocs, r[1].bytes/1024)
	}
	return nil
}

func benchOne(key *rsa.PrivateKey, zone *dns.Zone, signed []byte) ([]reading, error) {
	ctx := context.Background()
	digest := sha256.Sum256(signed)
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		return nil, err
	}
	txt := dkim.Record(key.Public())
	lookup := func(string) ([]string, error) { return []string{txt}, nil }

	ours := func() error {
		results, err := dkim.Verify(ctx, zone, bytes.NewReader(signed), dkim.Options{})
		if err != nil || len(results) != 1 || results[0].Code != dkim.Pass {
			return fmt.Errorf("gatepost says %+v %v", results, err)
		}
		return nil
	}
	theirs := func() error {
		v, err := peer.VerifyWithOptions(bytes.NewReader(signed), &peer.VerifyOptions{LookupTXT: lookup})
		if err != nil || len(v) != 1 || v[0].Err != nil {
			return fmt.Errorf("go-msgauth says %+v %v", v, err)
		}
		return nil
	}
	if err := errors.Join(ours(), theirs()); err != nil {
		return nil, err
	}
	return compare([]contender{
		{"floor", func() {
			digest := sha256.Sum256(signed)
			if rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) != nil {
				panic("the floor's own signature fails")
			}
		}},
		{"gatepost", func() { ours() }},
		{"go-msgauth", func() { theirs() }},
	}), nil
}

func keyZone(key *rsa.PrivateKey) (*dns.Zone, error) {
	record := dkim.ZoneRecord(signSelector, signDomain, dkim.Record(key.Public()))
	return dns.ParseZone(strings.NewReader(record), "bench")
}
