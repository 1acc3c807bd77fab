package dkim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	peer "github.com/emersion/go-msgauth/dkim"
)

// benchMessage is a signed message of about size bytes whose body is a base64 attachment, or prose.
func benchMessage(t testing.TB, size int, prose bool) []byte {
	var b strings.Builder
	b.WriteString("Received: from mail.example.com (mail.example.com [192.0.2.25])\r\n\tby mx.example.org (Postfix) with ESMTPS id 4XyZ1a2b3cz9sVr\r\n" +
		"\tfor <bob@example.org>; Mon, 23 Nov 2026 10:00:01 +0000 (UTC)\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
		"Content-Transfer-Encoding: 8bit\r\nX-Mailer: Example Mail 12.1\r\n" + testMessage)
	r := rand.New(rand.NewPCG(6376, uint64(size)))
	words := strings.Fields("the gate of a town is shut at night and whoever comes late must say his name and be known before it opens")
	for b.Len() < size {
		var line strings.Builder
		for prose && line.Len() < 66 {
			fmt.Fprintf(&line, "%s ", words[r.IntN(len(words))])
		}
		if !prose {
			raw := make([]byte, 57)
			for i := range raw {
				raw[i] = byte(r.Uint32())
			}
			line.WriteString(base64.StdEncoding.EncodeToString(raw))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\r\n")
	}
	return []byte(sign(t, b.String(), testSigner(rsaKey())))
}

var benchSizes = []struct {
	name string
	size int
}{{"4KiB", 4 << 10}, {"64KiB", 64 << 10}, {"1MiB", 1 << 20}, {"10MiB", 10 << 20}}

// BenchmarkVerify relates us to the floor, which is Go's own RSA verify and SHA-256 over the same bytes, and to a peer.
func BenchmarkVerify(b *testing.B) {
	zone := testZone(rsaKey())
	txt := Record(rsaKey().Public())
	for _, kind := range []string{"base64", "prose"} {
		for _, size := range benchSizes {
			m := benchMessage(b, size.size, kind == "prose")
			digest := sha256.Sum256(m)
			sig := mustKey(rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, digest[:]))
			name := kind + "/" + size.name + "/"
			b.Run(name+"floor", func(b *testing.B) {
				b.SetBytes(int64(len(m)))
				b.ReportAllocs()
				for b.Loop() {
					digest := sha256.Sum256(m)
					if err := rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, digest[:], sig); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(name+"gatepost", func(b *testing.B) {
				b.SetBytes(int64(len(m)))
				b.ReportAllocs()
				for b.Loop() {
					zone.asked = zone.asked[:0]
					rs, err := Verify(context.Background(), zone, bytes.NewReader(m), Options{Now: now})
					if err != nil || len(rs) != 1 || rs[0].Code != Pass {
						b.Fatal(rs, err)
					}
				}
			})
			b.Run(name+"go-msgauth", func(b *testing.B) {
				b.SetBytes(int64(len(m)))
				b.ReportAllocs()
				lookup := func(string) ([]string, error) { return []string{txt}, nil }
				for b.Loop() {
					vs, err := peer.VerifyWithOptions(bytes.NewReader(m), &peer.VerifyOptions{LookupTXT: lookup})
					if err != nil || len(vs) != 1 || vs[0].Err != nil {
						b.Fatal(vs, err)
					}
				}
			})
		}
	}
}

// BenchmarkBody shows what the canonical forms add to the hash.
func BenchmarkBody(b *testing.B) {
	for _, kind := range []string{"base64", "prose", "tabs"} {
		m := benchMessage(b, 1<<20, kind == "prose")
		if kind == "tabs" {
			m = bytes.Repeat([]byte("one\ttwo\t\tthree \r\n"), 1<<16)
		}
		b.Run(kind+"/sha256", func(b *testing.B) {
			b.SetBytes(int64(len(m)))
			for b.Loop() {
				sha256.Sum256(m)
			}
		})
		for _, c := range []Canon{Simple, Relaxed} {
			b.Run(kind+"/"+c.String(), func(b *testing.B) {
				b.SetBytes(int64(len(m)))
				for b.Loop() {
					body := NewBody()
					body.Want(c, -1)
					for i := 0; i < len(m); i += 32 << 10 {
						body.Write(m[i:min(i+32<<10, len(m))])
					}
					body.Close()
				}
			})
		}
	}
}

// A message of any size takes the same memory: at most 60 allocations and 12 KiB.
func TestMemoryOfAVerificationIsBoundedWhateverTheSize(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and empties pools")
	}
	const most, mostBytes = 60, 12 << 10
	zone := testZone(rsaKey())
	for _, size := range benchSizes[:3] {
		for _, prose := range []bool{false, true} {
			m := benchMessage(t, size.size, prose)
			work := func() {
				zone.asked = zone.asked[:0]
				rs, err := Verify(t.Context(), zone, bytes.NewReader(m), Options{Now: now})
				if err != nil || rs[0].Code != Pass {
					t.Fatal(rs, err)
				}
			}
			if n := testing.AllocsPerRun(100, work); n > most {
				t.Errorf("%s, prose %v: %v allocations, want %d at most", size.name, prose, n, most)
			}
			const runs = 200
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				work()
			}
			runtime.ReadMemStats(&after)
			if n := (after.TotalAlloc - before.TotalAlloc) / runs; n > mostBytes {
				t.Errorf("%s, prose %v: %d bytes, want %d at most", size.name, prose, n, mostBytes)
			}
		}
	}
}
