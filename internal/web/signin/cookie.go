package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// cookieName is a cookie's name as it is sent. With the prefix, a browser takes it from this host by HTTPS only, so that
// neither a neighbour under the same domain nor a listener on the way can put in one of theirs.
func (d *Door) cookieName(r *http.Request, name string) string {
	if d.Secure(r) {
		return "__Host-gatepost-" + name
	}
	return "gatepost-" + name
}

func (d *Door) sessionCookie(r *http.Request) (string, bool) {
	c, err := r.Cookie(d.cookieName(r, "session"))
	if err != nil || c.Value == "" {
		return "", false
	}
	return c.Value, true
}

// setSession sets the cookie of a session, or takes it away if it is empty.
func (d *Door) setSession(w http.ResponseWriter, r *http.Request, value string) {
	d.setCookie(w, r, "session", value, people.SessionLife)
}

func (d *Door) setCookie(w http.ResponseWriter, r *http.Request, name, value string, keep time.Duration) {
	age := int(keep / time.Second)
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: d.cookieName(r, name), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: d.Secure(r), SameSite: http.SameSiteLaxMode,
	})
}

// steps seal what lies between the steps of a sign-in, so that the browser which took the first step can keep it: whoever begins a
// thousand takes no room here. What was sealed is good for a while, for one kind of step, and if it is to be used once, once.
//
// The key is made when the program starts: who is between two steps then begins again.
type steps struct {
	aead cipher.AEAD
	used *lru.Cache[string, struct{}]
	now  func() time.Time
}

const (
	stepFor = 10 * time.Minute
	maxUsed = 1 << 16
)

func newSteps(now func() time.Time) *steps {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the size of block that it needs
	}
	used, err := lru.New[string, struct{}](maxUsed)
	if err != nil {
		panic(err) // the size is above 0
	}
	return &steps{aead, used, now}
}

type sealed struct {
	ID    string          `json:"id"`
	Until time.Time       `json:"until"`
	Data  json.RawMessage `json:"data"`
}

func (s *steps) seal(kind string, v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(sealed{rand.Text(), s.now().Add(stepFor), data})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, text, []byte(kind))), nil
}

// open reads what was sealed, and gives its ID to use it up by.
func (s *steps) open(kind, text string, v any) (id string, ok bool) {
	box, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", false
	}
	plain, err := s.aead.Open(nil, nil, box, []byte(kind))
	if err != nil {
		return "", false
	}
	var of sealed
	if json.Unmarshal(plain, &of) != nil || !s.now().Before(of.Until) || s.used.Contains(of.ID) || json.Unmarshal(of.Data, v) != nil {
		return "", false
	}
	return of.ID, true
}

// use tells whether it is the first to use a step. It is asked only once all else about the step was right: there is room for so many that
// were used, and a stranger who could use up as many would have others forgotten.
func (s *steps) use(id string) bool {
	was, _ := s.used.ContainsOrAdd(id, struct{}{})
	return !was
}

// The kinds of steps, each with a cookie of its own.
const (
	stepCode       = "code"        // the password was right, and the second factor is asked for
	stepPasskey    = "passkey"     // a challenge to sign in
	stepNewPasskey = "new-passkey" // a challenge to register
	stepTOTP       = "totp"        // a secret to be turned on
	stepOIDC       = "oidc"        // at the provider
)

func (d *Door) setStep(w http.ResponseWriter, r *http.Request, kind string, v any) error {
	text, err := d.steps.seal(kind, v)
	if err != nil {
		return err
	}
	d.setCookie(w, r, kind, text, stepFor)
	return nil
}

func (d *Door) step(r *http.Request, kind string, v any) (id string, ok bool) {
	c, err := r.Cookie(d.cookieName(r, kind))
	if err != nil {
		return "", false
	}
	return d.steps.open(kind, c.Value, v)
}

func (d *Door) endStep(w http.ResponseWriter, r *http.Request, kind string) {
	d.setCookie(w, r, kind, "", 0)
}
