package main

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/gatepost-mail/gatepost/dkim"
)

const (
	signDomain   = "example.com"
	signSelector = "bench"
)

// unsigned makes a message of about size bytes whose body is a base64 attachment, or prose.
func unsigned(size int, prose bool) []byte {
	var b bytes.Buffer
	b.WriteString(strings.ReplaceAll(`Received: from mail.example.com (mail.example.com [192.0.2.25])
	by mx.example.org (Postfix) with ESMTPS id 4XyZ1a2b3cz9sVr
	for <bob@example.org>; Mon, 23 Nov 2026 10:00:01 +0000 (UTC)
From: Alice Example <alice@example.com>
To: Bob Example <bob@example.org>, Carol Example <carol@example.org>
Subject: The minutes of Monday's meeting, with the drawings
Date: Mon, 23 Nov 2026 10:00:00 +0000
Message-ID: <20261123100000.4XyZ1a2b3c@mail.example.com>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
X-Mailer: Example Mail 12.1

`, "\n", "\r\n"))
	r := rand.New(rand.NewPCG(6376, uint64(size)))
	for b.Len() < size {
		if prose {
			b.WriteString(proseLine(r))
		} else {
			b.WriteString(base64Line(r))
		}
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

func base64Line(r *rand.Rand) string {
	raw := make([]byte, 57)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func proseLine(r *rand.Rand) string {
	words := strings.Fields("the gate of a town is shut at night and whoever comes late must say his name and be known before it opens")
	var line strings.Builder
	for line.Len() < 66 {
		fmt.Fprintf(&line, "%s ", words[r.IntN(len(words))])
	}
	return strings.TrimRight(line.String(), " ")
}

// sign puts our relaxed/relaxed signature on a message.
func sign(key *rsa.PrivateKey, message []byte) ([]byte, error) {
	var out bytes.Buffer
	err := dkim.Sign(&out, bytes.NewReader(message), dkim.Signer{Domain: signDomain, Selector: signSelector, Key: key})
	return out.Bytes(), err
}
