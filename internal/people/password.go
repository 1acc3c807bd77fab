package people

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// How passwords are hashed from now on: the parameters that OWASP gives for argon2id. RFC 9106 would rather have 64 MiB and four threads.
// Those are for a host that has nothing else to do; here the mail goes first, on the same processors and in the same memory.
var current = argon{memory: 19 << 10, time: 2, threads: 1}

const (
	saltBytes = 16
	sumBytes  = 32

	hashesAtOnce = 2 // and so 38 MiB at the most

	// All together, whoever they are: a flood of passwords from everywhere waits in line, and what has no place there is turned away.
	passwordsPerSecond = 5
	passwordsAtOnce    = 10
)

// An argon is a hash by argon2id (RFC 9106).
type argon struct {
	memory, time uint32 // in KiB, and passes
	threads      uint8
	salt, sum    []byte
}

func (a argon) String() string {
	text := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.memory, a.time, a.threads, text.EncodeToString(a.salt), text.EncodeToString(a.sum))
}

var errPHC = errors.New("not a hash of argon2id")

// The bounds of what is computed, whatever stands in the store.
const (
	maxMemory  = 256 << 10
	maxTime    = 64
	maxThreads = 16
)

// parseArgon reads a hash in PHC form, as String writes it.
func parseArgon(s string) (argon, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return argon{}, errPHC
	}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return argon{}, errPHC
	}
	var values [3]uint32
	for i, c := range []struct {
		name        string
		least, most uint32
	}{{"m", 8, maxMemory}, {"t", 1, maxTime}, {"p", 1, maxThreads}} {
		digits, ok := strings.CutPrefix(costs[i], c.name+"=")
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || uint32(n) < c.least || uint32(n) > c.most {
			return argon{}, errPHC
		}
		values[i] = uint32(n)
	}
	text := base64.RawStdEncoding.Strict()
	salt, err1 := text.DecodeString(parts[4])
	sum, err2 := text.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(salt) > 64 || len(sum) < 16 || len(sum) > 64 {
		return argon{}, errPHC
	}
	a := argon{values[0], values[1], uint8(values[2]), salt, sum}
	if a.String() != s { // leading zeros, line ends
		return argon{}, errPHC
	}
	return a, nil
}

// outdated tells whether a hash is to be made anew.
func (a argon) outdated() bool {
	return a.memory != current.memory || a.time != current.time || a.threads != current.threads || len(a.sum) != sumBytes
}

// of is the sum of a password.
func (a argon) of(password string) []byte {
	return argon2.IDKey([]byte(norm.NFKC.String(password)), a.salt, a.time, a.memory, a.threads, uint32(max(len(a.sum), sumBytes)))
}

func (o *Office) prepare() {
	o.once.Do(func() {
		o.hashes = make(chan struct{}, hashesAtOnce)
		o.line, o.crowd.Interval = newLine(), time.Minute
	})
}

// hash makes one, when it is its turn. It wraps ErrBusy.
func (o *Office) hash(ctx context.Context, a argon, password string) ([]byte, error) {
	o.prepare()
	waiting, stop := context.WithTimeout(ctx, Patience)
	defer stop()
	select {
	case o.hashes <- struct{}{}:
		defer func() { <-o.hashes }()
		return a.of(password), nil
	case <-waiting.Done():
		return nil, tired(ctx)
	}
}

// newHash is a password as it is kept.
func (o *Office) newHash(ctx context.Context, password string) (string, error) {
	a := current
	a.salt = make([]byte, saltBytes)
	rand.Read(a.salt) // never fails
	var err error
	if a.sum, err = o.hash(ctx, a, password); err != nil {
		return "", err
	}
	return a.String(), nil
}

// nobody's hash is looked at where there is no other, so that it takes as long to be told that a name is not there.
var nobodys = argon{current.memory, current.time, current.threads, make([]byte, saltBytes), make([]byte, sumBytes)}

// Password is who has a name and a password; that there may be a second factor is for who calls. It wraps ErrRefused, which does not say
// what of it was wrong, or ErrBusy, before anything was looked at.
func (o *Office) Password(ctx context.Context, name, password string) (Person, error) {
	if len(password) > maxPassword {
		return Person{}, ErrRefused
	}
	o.prepare()
	leave, err := o.line.enter(ctx)
	if err != nil {
		if errors.Is(err, ErrBusy) {
			o.crowd.Do(func() {
				o.log().Warn("more passwords are tried than are looked at: some who sign in are told to try later")
			})
		}
		return Person{}, err
	}
	defer leave()
	p, err := o.Store.PersonByName(ctx, foldName(name))
	if err != nil && !errors.Is(err, ErrNoPerson) {
		return Person{}, err
	}
	kept, known := nobodys, false
	if err == nil && !p.Disabled && p.Password != "" {
		a, err := parseArgon(p.Password)
		if err != nil {
			o.log().Error("the password of a user cannot be read", "user", p.Name, "error", err.Error())
		} else {
			kept, known = a, true
		}
	}
	sum, err := o.hash(ctx, kept, password)
	if err != nil {
		return Person{}, err
	}
	if subtle.ConstantTimeCompare(sum, kept.sum) == 0 || !known {
		return Person{}, ErrRefused
	}
	if kept.outdated() {
		p = o.rehash(ctx, p, password)
	}
	return p, nil
}

// rehash keeps a password as passwords are kept now. That it cannot be done keeps nobody out.
func (o *Office) rehash(ctx context.Context, p Person, password string) Person {
	text, err := o.newHash(ctx, password)
	if err == nil {
		var changed Person
		changed, err = o.change(ctx, p.ID, func(now *Person) error {
			if now.Password != p.Password {
				return ErrChanged // by somebody, to another
			}
			now.Password = text
			return nil
		})
		if err == nil {
			return changed
		}
	}
	o.log().Warn("a password could not be kept anew", "user", p.Name, "error", err.Error())
	return p
}

// SetPassword gives somebody a password, or says with an Unfit why it is none. Links to choose one are withdrawn. Who calls ends the other
// sessions. It wraps ErrBusy.
func (o *Office) SetPassword(ctx context.Context, id int64, password string) error {
	p, err := o.Store.PersonByID(ctx, id)
	if err != nil {
		return err
	}
	if err := checkPassword(p.Name, password); err != nil {
		return err
	}
	text, err := o.newHash(ctx, password)
	if err != nil {
		return err
	}
	_, err = o.putPassword(ctx, id, text)
	return err
}

// putPassword keeps a password that was chosen. Links by which another is chosen are good no more: whoever has one may be why it was.
func (o *Office) putPassword(ctx context.Context, id int64, text string) (Person, error) {
	if err := o.withdraw(ctx, func(l *Link) bool { return l.Person == id && !l.Enters }); err != nil {
		return Person{}, err
	}
	return o.change(ctx, id, func(p *Person) error {
		p.Password = text
		return nil
	})
}
