package lab

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"strings"

	"github.com/gatepost-mail/gatepost/dkim"
)

// A Sender is a domain that does everything right: it publishes SPF and DMARC, and signs with a 2048-bit key.
type Sender struct {
	Domain string
	key    *rsa.PrivateKey
}

// The address that senders send from, and one that they do not.
const (
	GoodIP  = "192.0.2.25"
	OtherIP = "198.51.100.66"
)

const selector = "s1"

// NewSender makes a key for a domain.
func NewSender(domain string) (*Sender, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return &Sender{domain, key}, err
}

// Mail is the sender's address.
func (s *Sender) Mail() string { return "alice@" + s.Domain }

// Host is the sender's mail server.
func (s *Sender) Host() string { return "mail." + s.Domain }

// Zone is what the sender publishes.
func (s *Sender) Zone() string {
	return Record(s.Domain, "v=spf1 mx ip4:192.0.2.0/24 -all") +
		Record("_dmarc."+s.Domain, "v=DMARC1; p=reject") +
		Record(s.Host(), "v=spf1 a -all") +
		dkim.ZoneRecord(selector, s.Domain, dkim.Record(s.key.Public())) + "\n" +
		fmt.Sprintf("%s. MX 10 %s.\n%s. A %s\n", s.Domain, s.Host(), s.Host(), GoodIP)
}

// Sign puts the sender's relaxed/relaxed signature on a message.
func (s *Sender) Sign(message []byte) ([]byte, error) {
	var out bytes.Buffer
	err := dkim.Sign(&out, bytes.NewReader(message), dkim.Signer{Domain: s.Domain, Selector: selector, Key: s.key})
	return out.Bytes(), err
}

// A Kind is what the body of a message is.
type Kind string

// The kinds.
const (
	Text       Kind = "text"       // English in lines of 66 octets
	Attachment Kind = "attachment" // base64, which a filter need not look into
)

// Message is one of about size octets, unsigned, with a body that no other number has, and the given fields on top of those that
// every message has.
func (s *Sender) Message(kind Kind, number, size int, fields ...string) []byte {
	var b bytes.Buffer
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	what := "text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit"
	if kind == Attachment {
		what = "application/octet-stream\nContent-Transfer-Encoding: base64"
	}
	b.WriteString(strings.NewReplacer("\n", "\r\n").Replace(
		strings.NewReplacer("DOMAIN", s.Domain, "NUMBER", fmt.Sprint(number), "WHAT", what).Replace(header)))
	r := mathrand.New(mathrand.NewPCG(6376, uint64(number)))
	for b.Len() < size {
		if kind == Attachment {
			base64Line(&b, r)
		} else {
			textLine(&b, r)
		}
	}
	return b.Bytes()
}

const header = `Received: from mail.DOMAIN (mail.DOMAIN [192.0.2.25])
	by mx.example.org (Postfix) with ESMTPS id 4XyZ1a2b3cz9sVr
	for <bob@example.org>; Mon, 23 Nov 2026 10:00:01 +0000 (UTC)
From: Alice Example <alice@DOMAIN>
To: Bob Example <bob@example.org>, Carol Example <carol@example.org>
Subject: The minutes of Monday's meeting, with the drawings
Date: Mon, 23 Nov 2026 10:00:00 +0000
Message-ID: <20261123100000.NUMBER@mail.DOMAIN>
MIME-Version: 1.0
Content-Type: WHAT
X-Mailer: Example Mail 12.1

`

func base64Line(b *bytes.Buffer, r *mathrand.Rand) {
	var line [57]byte
	for i := range line {
		line[i] = byte(r.Uint32())
	}
	b.WriteString(base64.StdEncoding.EncodeToString(line[:]) + "\r\n")
}

var words = strings.Fields(`the gate of a town is shut at night and whoever comes late must say his name and be known before it
	opens for there are many who say that they were sent by a friend and carry a letter with a seal that looks right from far off`)

func textLine(b *bytes.Buffer, r *mathrand.Rand) {
	for n := 0; n < 66; {
		w := words[r.IntN(len(words))]
		if n > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
		n += len(w) + 1
	}
	b.WriteString("\r\n")
}
