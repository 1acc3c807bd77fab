package dkim_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
)

// A message with two signatures, whose keys are read from a master file instead of DNS.
func ExampleVerify() {
	resolver, err := dns.ReadZone("testdata/rfc8463.zone")
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Open("testdata/rfc8463.eml")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	results, err := dkim.Verify(context.Background(), resolver, file, dkim.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range results {
		fmt.Println(r.Code, r.SDID, r.Selector, r.Algorithm, r.KeyBits)
	}
	// Output:
	// pass football.example.com brisbane ed25519-sha256 256
	// pass football.example.com test rsa-sha256 1024
}

// A server begins when the header has come, and hands on the body piece by piece. Here somebody has changed it.
func ExampleNewVerifier() {
	resolver, err := dns.ReadZone("testdata/rfc6376.zone")
	if err != nil {
		log.Fatal(err)
	}
	text, err := os.ReadFile("testdata/rfc6376.eml")
	if err != nil {
		log.Fatal(err)
	}
	m, err := message.Read(bytes.NewReader(text), message.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	v := dkim.NewVerifier(context.Background(), resolver, m.Header, dkim.Options{})
	defer v.Close()
	if _, err := io.Copy(v, m.Body); err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(v, "_______\r\nSent to you by the list.\r\n")
	for _, r := range v.Results() {
		fmt.Printf("%s: %v\n", r.Code, r.Err)
	}
	// Output:
	// fail: the body hash does not match
}

// exampleKey is the secret key of RFC 8032 7.1, test 1.
func exampleKey() ed25519.PrivateKey {
	seed, err := base64.StdEncoding.DecodeString("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
	if err != nil {
		log.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func ExampleSign() {
	const m = "From: Joe <joe@example.com>\nSubject: Is dinner ready?\n\nHi.\n"
	signer := dkim.Signer{
		Domain:   "example.com",
		Selector: "brisbane",
		Key:      exampleKey(), // see ReadKey
		Now:      time.Unix(1528637909, 0),
	}
	if err := dkim.Sign(os.Stdout, strings.NewReader(m), signer); err != nil {
		log.Fatal(err)
	}
	// Output:
	// DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com;
	//  s=brisbane; t=1528637909; h=from:from:reply-to:subject:subject:to:cc:
	//  in-reply-to:references:mime-version:content-type:content-transfer-encoding;
	//  bh=UrA8rmgY3eNBotmDWtzAmHyn5RyZv8Gea45sNGsP0zw=; b=3gr0dsBlgD62YLpwI9EEbWmsDe
	//  JQ97Ny/2x9vQ+6w2Ic0T6LZaAoGQEmZkZl08CaXEUzfPieiAwUS9yTwzLbAg==
	// From: Joe <joe@example.com>
	// Subject: Is dinner ready?
	//
	// Hi.
}

// Two keys at once: not every verifier knows Ed25519 yet. The body is hashed once for both.
func ExampleNewSigning() {
	header := message.Header{
		message.NewField("From", " Joe <joe@example.com>"),
		message.NewField("Subject", " Is dinner ready?"),
	}
	rsaKey, err := dkim.GenerateRSA(2048)
	if err != nil {
		log.Fatal(err)
	}
	s, err := dkim.NewSigning(header,
		dkim.Signer{Domain: "example.com", Selector: "r1", Key: rsaKey},
		dkim.Signer{Domain: "example.com", Selector: "e1", Key: exampleKey()})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(s, "Hi.\r\n")
	fields, err := s.Fields()
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range fields {
		signature, err := dkim.ParseSignature(f.Value())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(f.Name, signature.Algorithm, signature.Selector)
	}
	// Output:
	// DKIM-Signature rsa-sha256 r1
	// DKIM-Signature ed25519-sha256 e1
}

func ExampleRecord() {
	record := dkim.Record(exampleKey().Public())
	fmt.Println(record)
	fmt.Print(dkim.ZoneRecord("brisbane", "example.com", record))
	// Output:
	// v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
	// brisbane._domainkey.example.com. IN TXT (
	// 	"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	// )
}
