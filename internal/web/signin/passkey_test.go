package signin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// A device is an authenticator that does what a test wants it to.
type device struct {
	t       *testing.T
	key     *ecdsa.PrivateKey
	id      []byte
	handle  []byte
	counter uint32
	flags   byte   // 1: somebody is there, 4: it was unlocked
	origin  string // that the browser says it is at
	rp      string
}

func newDevice(t *testing.T) *device {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &device{t: t, key: key, id: []byte(rand.Text()), flags: 1 | 4, origin: "http://localhost:8080", rp: "localhost"}
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (d *device) json(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

func (d *device) client(kind, challenge string) string {
	return d.json(map[string]any{"type": kind, "challenge": challenge, "origin": d.origin, "crossOrigin": false})
}

// data is the authenticator data (WebAuthn 6.1).
func (d *device) data(attested []byte) []byte {
	rp := sha256.Sum256([]byte(d.rp))
	flags := d.flags
	if attested != nil {
		flags |= 0x40
	}
	return append(binary.BigEndian.AppendUint32(append(rp[:], flags), d.counter), attested...)
}

type options struct {
	PublicKey struct {
		Challenge string `json:"challenge"`
		RPID      string `json:"rpId"`
		RP        struct{ ID string }
		User      struct{ ID, Name string }
		UV        string           `json:"userVerification"`
		Exclude   []map[string]any `json:"excludeCredentials"`
		Selection struct {
			UV  string `json:"userVerification"`
			Key string `json:"residentKey"`
		} `json:"authenticatorSelection"`
	} `json:"publicKey"`
}

func (b *browser) challenge(path string) (o options) {
	b.h.t.Helper()
	got := b.post(path, nil)
	if got.code != http.StatusOK {
		b.h.t.Fatalf("%s: %d %s", path, got.code, got.body)
	}
	if err := json.Unmarshal([]byte(got.body), &o); err != nil {
		b.h.t.Fatal(err)
	}
	return o
}

// made is the answer to a challenge to register.
func (d *device) made(o options) string {
	d.handle, _ = base64.RawURLEncoding.DecodeString(o.PublicKey.User.ID)
	public, err := d.key.PublicKey.Bytes()
	if err != nil {
		d.t.Fatal(err)
	}
	cose, err := webauthncbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: public[1:33], -3: public[33:]})
	if err != nil {
		d.t.Fatal(err)
	}
	attested := append(binary.BigEndian.AppendUint16(make([]byte, 16), uint16(len(d.id))), d.id...)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": d.data(append(attested, cose...))})
	if err != nil {
		d.t.Fatal(err)
	}
	return d.json(map[string]any{"id": encoded(d.id), "rawId": encoded(d.id), "type": "public-key", "response": map[string]any{
		"clientDataJSON": encoded([]byte(d.client("webauthn.create", o.PublicKey.Challenge))), "attestationObject": encoded(object),
	}})
}

// signed is the answer to a challenge to sign in.
func (d *device) signed(o options) string {
	client, data := d.client("webauthn.get", o.PublicKey.Challenge), d.data(nil)
	hash := sha256.Sum256([]byte(client))
	sum := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, d.key, sum[:])
	if err != nil {
		d.t.Fatal(err)
	}
	return d.json(map[string]any{"id": encoded(d.id), "rawId": encoded(d.id), "type": "public-key", "response": map[string]any{
		"clientDataJSON": encoded([]byte(client)), "authenticatorData": encoded(data), "signature": encoded(signature), "userHandle": encoded(d.handle),
	}})
}

// local is a browser at the name of this machine, where passkeys are to be had.
func (h *house) local() *browser {
	b := h.browser()
	b.host = "localhost:8080"
	return b
}

// registered is a device by which somebody signs in.
func registered(t *testing.T, b *browser) *device {
	t.Helper()
	d := newDevice(t)
	if got := b.post("/account/passkeys", url.Values{"name": {"Laptop <b>"}, "credential": {d.made(b.challenge("/account/passkeys/begin"))}}); got.location != "/account" {
		t.Fatalf("%d: %s", got.code, got.body)
	}
	return d
}

func TestSigningInByPasskey(t *testing.T) {
	h := newHouse(t)
	ada := h.person("ada", good)
	b := h.local().signIn("ada", good)
	o := b.challenge("/account/passkeys/begin").PublicKey
	if o.RP.ID != "localhost" || o.User.Name != "ada" || o.Selection.UV != "required" || o.Selection.Key != "required" || len(o.Exclude) != 0 {
		t.Errorf("%+v", o)
	}
	d := registered(t, b)
	if page := b.get("/account").body; !strings.Contains(page, "Laptop &lt;b&gt;") || !strings.Contains(page, "You can sign in by it") {
		t.Error(page)
	}
	if o := b.challenge("/account/passkeys/begin").PublicKey; len(o.Exclude) != 1 {
		t.Errorf("the device is not told of what it has: %+v", o)
	}

	visitor := h.local()
	asked := visitor.challenge("/sign-in/passkey/begin")
	if asked.PublicKey.RPID != "localhost" || asked.PublicKey.UV != "required" {
		t.Errorf("%+v", asked)
	}
	d.counter = 7
	answer := d.signed(asked)
	kept := visitor.cookies()
	if got := visitor.post("/sign-in/passkey", url.Values{"credential": {answer}, "to": {"/domains"}}); got.location != "/domains" || visitor.who() == nil || visitor.who().Name != "ada" {
		t.Fatalf("%d: %s", got.code, got.body)
	}
	if k := h.again(ada.ID).Passkeys[0]; !k.Used.Equal(h.clock()) || k.Name != "Laptop <b>" {
		t.Errorf("%+v", k)
	}
	if s := h.sessions(ada.ID); s[0].Method != "passkey" && s[1].Method != "passkey" {
		t.Errorf("%+v", s)
	}

	refused := func(name string, b *browser, answer string) {
		t.Helper()
		h.advance(15 * time.Second) // or there are too many tries
		got := b.post("/sign-in/passkey", url.Values{"credential": {answer}})
		if got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, wrongPasskey) || b.who() != nil {
			t.Errorf("%s: %d %s", name, got.code, got.body)
		}
	}
	again := h.local()
	again.setCookies(kept)
	refused("the same answer again", again, answer)
	refused("no challenge", h.local(), answer)
	for name, change := range map[string]func(*device){
		"it was not unlocked":            func(d *device) { d.flags = 1 },
		"nobody is there":                func(d *device) { d.flags = 4 },
		"at another site":                func(d *device) { d.origin = "https://evil.example" },
		"for another site":               func(d *device) { d.rp = "evil.example" },
		"another key":                    func(d *device) { d.key = newDevice(t).key },
		"another credential":             func(d *device) { d.id = []byte("another") },
		"the counter of a copy":          func(d *device) { d.counter = 6 },
		"the handle of nobody":           func(d *device) { d.handle = []byte("gatepost 999 0") },
		"the handle of another":          func(d *device) { d.handle = keyholder{h.person("eve", good)}.WebAuthnID() },
		"a handle that is none":          func(d *device) { d.handle = []byte("x") },
		"no handle":                      func(d *device) { d.handle = nil },
		"a handle with a number too big": func(d *device) { d.handle = []byte("gatepost 99999999999999999999 0") },
	} {
		b := h.local()
		bad := *d
		bad.counter = 8
		change(&bad)
		refused(name, b, bad.signed(b.challenge("/sign-in/passkey/begin")))
	}
	for _, text := range []string{"", "{}", "null", "[]", "x", `{"id":"` + strings.Repeat("A", 1000) + `"}`} {
		b := h.local()
		b.challenge("/sign-in/passkey/begin")
		refused(text, b, text)
	}
	late := h.local()
	asked = late.challenge("/sign-in/passkey/begin")
	h.advance(stepFor)
	refused("too late", late, d.signed(asked))

	t.Run("who is locked out stays out", func(t *testing.T) {
		p := h.again(ada.ID)
		p.Disabled = true
		if err := h.store.PutPerson(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		b := h.local()
		d.counter = 20
		refused("locked out", b, d.signed(b.challenge("/sign-in/passkey/begin")))
	})
}

func TestTriesByPasskeyAreCounted(t *testing.T) {
	for _, path := range []string{"/sign-in/passkey/begin", "/sign-in/passkey"} {
		h := newHouse(t)
		var got *answer
		n := 0
		for range 200 {
			if got = h.local().post(path, nil); got.code == http.StatusTooManyRequests {
				break
			}
			n++
		}
		if got.code != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "too many tries. Wait ") {
			t.Fatalf("%s: %d after %d: %s", path, got.code, n, got.body)
		}
		if n < 20 {
			t.Errorf("%s: only %d from where many may sign in at the same time", path, n)
		}
		b := h.local()
		b.header.Set("Test-Address", "192.0.2.7")
		if got := b.post(path, nil); got.code == http.StatusTooManyRequests {
			t.Errorf("%s: others suffer from it", path)
		}
	}
}

func TestAStepIsUsedUpOnlyByAnAnswerThatIsRight(t *testing.T) {
	h := newHouse(t)
	h.person("ada", good)
	d := registered(t, h.local().signIn("ada", good))
	for range 5 {
		b := h.local()
		bad := *d
		bad.key = newDevice(t).key
		b.post("/sign-in/passkey", url.Values{"credential": {bad.signed(b.challenge("/sign-in/passkey/begin"))}})
	}
	before := h.door.steps.used.Len() // of registering
	b := h.local()
	b.post("/sign-in/passkey", url.Values{"credential": {d.signed(b.challenge("/sign-in/passkey/begin"))}})
	if n := h.door.steps.used.Len(); b.who() == nil || before != 1 || n != 2 {
		t.Errorf("%d steps are used up by strangers, %d by who signed in", before-1, n-before)
	}
}

func TestThePasskeyOfACopyIsInTheLogBesideItsName(t *testing.T) {
	h := newHouse(t)
	h.person("ada", good)
	d := registered(t, h.local().signIn("ada", good))
	for _, d.counter = range []uint32{7, 6} {
		b := h.local()
		b.post("/sign-in/passkey", url.Values{"credential": {d.signed(b.challenge("/sign-in/passkey/begin"))}})
	}
	if e := h.lastEvent(); e.What != "sign-in failed" || e.About != "ada" || !strings.Contains(e.Detail, "as that of a copy does") {
		t.Errorf("%+v", e)
	}
}

func TestThePortOfAPasskeyIsThatOfTheConnection(t *testing.T) {
	h := newHouse(t)
	tcp := &net.TCPAddr{IP: net.IPv6loopback, Port: 8080}
	for _, c := range []struct {
		name, host, remote string
		local              net.Addr
		want               bool
	}{
		{"the own port", "localhost:8080", "127.0.0.1:5", tcp, true},
		{"another's port", "localhost:3000", "127.0.0.1:5", tcp, false},
		{"no port", "localhost", "127.0.0.1:5", tcp, false},
		{"no port, at that of HTTP", "localhost", "127.0.0.1:5", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, true},
		{"nobody knows", "localhost:8080", "127.0.0.1:5", nil, false},
		{"a proxy that is trusted", "localhost:3000", "10.0.0.1:5", tcp, true},
		{"a socket of the file system", "localhost:3000", "@", &net.UnixAddr{Name: "/run/gatepost/web", Net: "unix"}, true},
	} {
		h.config.Web.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		r := httptest.NewRequest("GET", "/sign-in", nil)
		r.Host, r.RemoteAddr = c.host, c.remote
		if c.local != nil {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, c.local))
		}
		if _, whyNot := h.door.origin(r); (whyNot == "") != c.want {
			t.Errorf("%s: %q", c.name, whyNot)
		}
	}
}

func TestRegisteringAPasskeyThatIsNotGood(t *testing.T) {
	h := newHouse(t)
	ada := h.person("ada", good)
	h.person("eve", good)
	b := h.local().signIn("ada", good)
	for name, change := range map[string]func(*device){
		"it was not unlocked": func(d *device) { d.flags = 1 },
		"at another site":     func(d *device) { d.origin = "https://evil.example" },
		"for another site":    func(d *device) { d.rp = "evil.example" },
	} {
		d := newDevice(t)
		change(d)
		if got := b.post("/account/passkeys", url.Values{"credential": {d.made(b.challenge("/account/passkeys/begin"))}}); got.code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, got.code)
		}
	}
	if got := b.post("/account/passkeys", url.Values{"credential": {newDevice(t).made(options{})}}); got.code != http.StatusUnprocessableEntity {
		t.Errorf("no challenge: %d", got.code)
	}
	eve := h.local().signIn("eve", good)
	answer := newDevice(t).made(eve.challenge("/account/passkeys/begin"))
	b.kept["gatepost-new-passkey"] = eve.kept["gatepost-new-passkey"]
	if got := b.post("/account/passkeys", url.Values{"credential": {answer}}); got.code != http.StatusUnprocessableEntity {
		t.Errorf("another's challenge: %d", got.code)
	}
	if p := h.again(ada.ID); len(p.Passkeys) != 0 {
		t.Errorf("%+v", p.Passkeys)
	}
}

func TestRemovingAPasskey(t *testing.T) {
	h := newHouse(t)
	ada := h.person("ada", good)
	b := h.local().signIn("ada", good)
	d := registered(t, b)
	path := "/account/passkeys/" + encoded(d.id)
	if page := b.get("/account").body; !strings.Contains(page, `action="`+path+`"`) {
		t.Fatal(page)
	}
	p := h.again(ada.ID)
	p.Password = ""
	if err := h.store.PutPerson(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if got := b.post(path, nil); got.code != http.StatusUnprocessableEntity || len(h.again(ada.ID).Passkeys) != 1 {
		t.Errorf("the only way in is gone: %d", got.code)
	}
	if err := h.office.SetPassword(t.Context(), ada.ID, good); err != nil {
		t.Fatal(err)
	}
	if got := b.post(path, nil); got.location != "/account" || len(h.again(ada.ID).Passkeys) != 0 {
		t.Errorf("%d: %s", got.code, got.body)
	}
	for _, path := range []string{path, "/account/passkeys/AA", "/account/passkeys/!"} {
		if got := b.post(path, nil); got.location != "/account" {
			t.Errorf("%s: %d", path, got.code)
		}
	}
	again := h.local()
	if got := again.post("/sign-in/passkey", url.Values{"credential": {d.signed(again.challenge("/sign-in/passkey/begin"))}}); got.code != http.StatusUnprocessableEntity || again.who() != nil {
		t.Errorf("it is good still: %d", got.code)
	}
}

func TestWherePasskeysAreToBeHad(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct{ url, scheme, host, why string }{
		{"", "http", "localhost:8080", ""},
		{"", "http", "localhost:3000", "Passkeys work here once web.url in the configuration is http://localhost:3000:"},
		{"", "http", "localhost", "Passkeys work here once web.url in the configuration is http://localhost:"},
		{"https://gatepost.example.org", "http", "localhost:3000", "this is not the port that Gatepost listens at."},
		{"http://localhost:3000", "http", "localhost:3000", ""},
		{"http://localhost:3000", "http", "localhost:8080", ""},
		{"http://localhost", "http", "localhost", ""},
		{"https://gatepost.example.org", "https", "gatepost.example.org", ""},
		{"https://gatepost.example.org", "https", "Gatepost.example.org", ""},
		{"https://gatepost.example.org:8443", "https", "gatepost.example.org:8443", ""},
		{"https://gatepost.example.org", "http", "localhost:8080", ""},
		{"", "http", "127.0.0.1:8080", "They work at http://localhost:8080."},
		{"", "http", "127.0.0.1", "They work at http://localhost."},
		{"", "http", "[::1]:8080", "They work at http://localhost:8080."},
		{"", "https", "192.0.2.1", "They work once web.url in the configuration has a name with https://."},
		{"https://gatepost.example.org", "https", "192.0.2.1", "They work at https://gatepost.example.org."},
		{"https://192.0.2.1", "https", "192.0.2.1", "They work once web.url in the configuration has a name with https://."},
		{"https://gatepost.example.org", "https", "evil.example", "Passkeys work at https://gatepost.example.org only."},
		{"https://gatepost.example.org", "http", "gatepost.example.org", "Passkeys work at https://gatepost.example.org only."},
		{"https://gatepost.example.org", "https", "gatepost.example.org:444", "Passkeys work at https://gatepost.example.org only."},
		{"", "https", "gatepost.example.org", "Passkeys need web.url in the configuration."},
		{"http://gatepost.example.org", "http", "gatepost.example.org", "Passkeys need HTTPS."},
		{"https://gatepost", "https", "gatepost", "Passkeys need a full host name in web.url."},
	} {
		h.config.Web.URL = c.url
		b := h.browser()
		b.host = c.host
		if c.scheme == "https" {
			b.header.Set("Test-Scheme", "https")
		}
		page := b.get("/sign-in").body
		if offered := strings.Contains(page, "Sign in by passkey"); offered != (c.why == "") || !strings.Contains(page, c.why) {
			t.Errorf("%+v: offered %v:\n%s", c, offered, page)
		}
		if got := b.post("/sign-in/passkey/begin", nil); (got.code == http.StatusOK) != (c.why == "") || !strings.Contains(got.body, c.why) {
			t.Errorf("%+v: %d %s", c, got.code, got.body)
		}
	}
}
