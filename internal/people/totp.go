package people

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
	"golang.org/x/time/rate"
)

const (
	totpStep  = 30 // seconds (RFC 6238 4.1)
	totpSteps = 1  // that a clock may be before or behind ours

	recoveryCodes = 10
	recoveryChars = 16 // of base32: 80 bits
	minTOTP       = 16 // bytes of a secret that is taken (RFC 4226 4)

	// Wrong codes of a person, from wherever they come: who tries them has the password already.
	codeEvery   = time.Minute
	codesAtOnce = 10
)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewTOTP makes a secret for a second factor (RFC 6238), and the address by which an application takes it over.
func (o *Office) NewTOTP(name string) (secret, uri string, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Gatepost", AccountName: name, SecretSize: 20})
	if err != nil {
		return "", "", err
	}
	return key.Secret(), key.URL(), nil
}

// stepOf is the time step that a code is of.
func stepOf(secret, code string, now time.Time) (step int64, ok bool) {
	at := now.Unix() / totpStep
	for s := at - totpSteps; s <= at+totpSteps; s++ {
		want, err := hotp.GenerateCode(secret, uint64(s))
		if err != nil {
			return 0, false
		}
		if subtle.ConstantTimeCompare([]byte(code), []byte(want)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok
}

// CheckTOTP tells whether a code of the second factor is right, or a recovery code is. Each is good once. It wraps ErrRefused.
func (o *Office) CheckTOTP(ctx context.Context, p Person, code string) error {
	if p.TOTP == "" {
		return ErrRefused
	}
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	if h, ok := recoveryHash(code); ok {
		_, err := o.change(ctx, p.ID, func(p *Person) error {
			i := slices.Index(p.Recovery, h)
			if i < 0 || p.Disabled || p.TOTP == "" {
				return ErrRefused
			}
			p.Recovery = slices.Delete(p.Recovery, i, i+1)
			return nil
		})
		return err
	}
	wrong := o.codes.bucket(strconv.FormatInt(p.ID, 10), rate.Every(codeEvery), codesAtOnce)
	now := o.now()
	if wrong.TokensAt(now) < 1 {
		return ErrRefused
	}
	step, ok := stepOf(p.TOTP, code, now)
	if !ok {
		wrong.AllowN(now, 1)
		return ErrRefused
	}
	_, err := o.change(ctx, p.ID, func(is *Person) error {
		if is.TOTP != p.TOTP || is.Disabled || is.LastTOTP >= step {
			return ErrRefused
		}
		is.LastTOTP = step
		return nil
	})
	return err
}

// EnableTOTP turns the second factor on, for who has a code of it, and gives codes that stand in for it, once each. It wraps ErrRefused.
func (o *Office) EnableTOTP(ctx context.Context, id int64, secret, code string) (recovery []string, err error) {
	raw, err := base32Text.DecodeString(secret)
	if err != nil || len(raw) < minTOTP {
		return nil, ErrRefused
	}
	step, ok := stepOf(secret, strings.ReplaceAll(strings.TrimSpace(code), " ", ""), o.now())
	if !ok {
		return nil, ErrRefused
	}
	var hashes []Hash
	for range recoveryCodes {
		text := newRecovery()
		h, _ := recoveryHash(text)
		recovery, hashes = append(recovery, text), append(hashes, h)
	}
	_, err = o.change(ctx, id, func(p *Person) error {
		p.TOTP, p.LastTOTP, p.Recovery = secret, step, hashes
		return nil
	})
	if err != nil {
		return nil, err
	}
	return recovery, nil
}

// DisableTOTP turns the second factor off.
func (o *Office) DisableTOTP(ctx context.Context, id int64) error {
	_, err := o.change(ctx, id, func(p *Person) error {
		p.TOTP, p.LastTOTP, p.Recovery = "", 0, nil
		return nil
	})
	return err
}

// newRecovery is a code as it is written down: "abcd-efgh-ijkl-mnop".
func newRecovery() string {
	b := make([]byte, recoveryChars*5/8)
	rand.Read(b) // never fails
	text := strings.ToLower(base32Text.EncodeToString(b))
	return text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
}

// recoveryHash is what is kept of a recovery code, however it is typed; and tells whether it is one, and not one of the application.
func recoveryHash(code string) (Hash, bool) {
	plain := strings.ToUpper(strings.ReplaceAll(code, "-", ""))
	if len(plain) != recoveryChars {
		return Hash{}, false
	}
	return sha256.Sum256([]byte(plain)), true
}
