package signin

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const clientID, clientPassword = "gatepost", "s3cret of ours"

var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// An idp is an OpenID provider that signs what a test wants it to.
type idp struct {
	t      *testing.T
	server *httptest.Server
	now    func() time.Time

	mu       sync.Mutex
	asked    map[string]url.Values       // what was asked for, by code
	claims   map[string]any              // of whom signs in
	userinfo map[string]any              // likewise, where asked for with the token
	change   func(claims map[string]any) // just before signing
	key      *rsa.PrivateKey             // to sign with
	describe func(map[string]any)
	answer   http.HandlerFunc // instead of everything else
	tokens   int              // codes that were turned into tokens
}

func newIDP(t *testing.T, now func() time.Time) *idp {
	p := &idp{t: t, now: now, asked: map[string]url.Values{}, claims: map[string]any{"sub": "1234"}, key: signingKey()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		d := map[string]any{
			"issuer": p.server.URL, "authorization_endpoint": p.server.URL + "/authorize", "token_endpoint": p.server.URL + "/token",
			"jwks_uri": p.server.URL + "/keys", "userinfo_endpoint": p.server.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"RS256"},
			"scopes_supported": []string{"openid", "groups"},
		}
		if p.describe != nil {
			p.describe(d)
		}
		p.json(w, d)
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		public := signingKey().PublicKey
		p.json(w, map[string]any{"keys": []map[string]any{{"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig",
			"n": base64.RawURLEncoding.EncodeToString(public.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes())}}})
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer access" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		p.json(w, p.userinfo)
	})
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.answer != nil {
			p.answer(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	return p
}

func (p *idp) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func (p *idp) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for name, want := range map[string]string{"client_id": clientID, "response_type": "code", "code_challenge_method": "S256", "scope": "openid profile email groups"} {
		if q.Get(name) != want {
			p.t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	code := rand.Text()
	p.asked[code] = q
	back := q.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
	http.Redirect(w, r, back, http.StatusFound)
}

func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	r.ParseForm()
	asked, ok := p.asked[r.PostForm.Get("code")]
	delete(p.asked, r.PostForm.Get("code"))
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	secret, _ = url.QueryUnescape(secret)
	switch {
	case id != clientID || secret != clientPassword:
		w.WriteHeader(http.StatusUnauthorized)
		p.json(w, map[string]any{"error": "invalid_client"})
		return
	case !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") || r.PostForm.Get("redirect_uri") != asked.Get("redirect_uri"):
		w.WriteHeader(http.StatusBadRequest)
		p.json(w, map[string]any{"error": "invalid_grant"})
		return
	}
	p.tokens++
	claims := map[string]any{
		"iss": p.server.URL, "aud": clientID, "nonce": asked.Get("nonce"), "iat": p.now().Unix(), "exp": p.now().Add(time.Minute).Unix(),
	}
	maps.Copy(claims, p.claims)
	if p.change != nil {
		p.change(claims)
	}
	p.json(w, map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": p.sign(map[string]any{"alg": "RS256", "kid": "1"}, claims)})
}

func (p *idp) sign(header, claims map[string]any) string {
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			p.t.Error(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(header) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		p.t.Error(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// ahead follows a browser that was sent here, and gives the address that it is sent back to.
func (p *idp) ahead(to string) string {
	p.t.Helper()
	if !strings.HasPrefix(to, p.server.URL+"/authorize?") {
		p.t.Fatalf("sent to %s", to)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Get(to)
	if err != nil {
		p.t.Fatal(err)
	}
	res.Body.Close()
	return res.Header.Get("Location")
}

func TestTheProviderIsAskedWithinBounds(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		describe func(map[string]any)
		want     string
	}{
		"it is down":    {answer: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }, want: "502"},
		"it never ends": {answer: func(w http.ResponseWriter, _ *http.Request) { io.CopyN(w, rand.Reader, providerMost+1) }, want: "too large"},
		"it leads elsewhere": {answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.2:1/", http.StatusFound)
		}, want: "elsewhere"},
		"it is not JSON":           {answer: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, want: "decode"},
		"it is another issuer":     {describe: func(d map[string]any) { d["issuer"] = "https://evil.example" }, want: "did not match"},
		"it sends to no address":   {describe: func(d map[string]any) { d["authorization_endpoint"] = "javascript:alert(1)" }, want: "authorization_endpoint"},
		"it sends to nothing here": {describe: func(d map[string]any) { d["authorization_endpoint"] = "/here" }, want: "authorization_endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newIDP(t, clock)
			p.answer, p.describe = c.answer, c.describe
			var known provider
			if _, err := known.get(t.Context(), p.server.URL, now); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			p.mu.Lock()
			p.answer, p.describe = nil, nil
			p.mu.Unlock()
			if _, err := known.get(t.Context(), p.server.URL, now.Add(providerRest-1)); err == nil {
				t.Error("it is asked again at once")
			}
			if _, err := known.get(t.Context(), p.server.URL, now.Add(providerRest)); err != nil {
				t.Error(err)
			}
			p.mu.Lock()
			p.answer = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }
			p.mu.Unlock()
			if _, err := known.get(t.Context(), p.server.URL, now.Add(2*providerKept)); err != nil {
				t.Errorf("what is known of it is lost while it is down: %v", err)
			}
		})
	}
}

func TestAProviderByHTTPSIsNeverAskedByHTTP(t *testing.T) {
	p := newIDP(t, time.Now)
	res, err := providerClient("https://id.example.org").Get(p.server.URL + "/keys")
	if err == nil {
		res.Body.Close()
		t.Fatal("it was asked")
	}
	if !strings.Contains(fmt.Sprint(err), "has no https://") {
		t.Error(err)
	}
}
