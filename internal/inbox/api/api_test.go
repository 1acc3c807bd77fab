package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox/api"
	"github.com/gatepost-mail/gatepost/internal/inbox/inboxtest"
)

func TestWhyThereIsNoTokenIsSaidWithoutASecret(t *testing.T) {
	address, _ := inboxtest.Tokens(t)
	for name, c := range map[string]struct{ secret, refresh, want string }{
		"secret":  {"wrong", "refresh", "HTTP status 401 invalid_client: AADSTS7000215"},
		"refresh": {"secret", "wrong", "HTTP status 400 invalid_grant: Token has been expired or revoked."},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := api.NewSource(api.OAuth{TokenURL: address, ClientID: "id", ClientSecretFile: inboxtest.Secret(t, c.secret), RefreshTokenFile: inboxtest.Secret(t, c.refresh)})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Token(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "wrong") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestATokenEndpointThatRedirectsOrFloodsGetsNothing(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		},
		"flood": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for chunk := []byte(strings.Repeat(" ", 64<<10)); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(h)
			defer server.CloseClientConnections()
			s, err := api.NewSource(api.OAuth{TokenURL: server.URL, ClientID: "id", ClientSecretFile: inboxtest.Secret(t, "secret")})
			if err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			if _, err := s.Token(t.Context()); err == nil || time.Since(started) > 30*time.Second {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestOnlyHTTPSOrThisMachine(t *testing.T) {
	for address, want := range map[string]bool{
		"https://example.com/x": true, "http://127.0.0.1:80": true, "http://[::1]/": true, "http://localhost/": true,
		"http://example.com": false, "http://localhost.example.com": false, "https://u:p@example.com": false, "ftp://localhost": false, "": false, "https://": false,
	} {
		if err := api.CheckURL(address); (err == nil) != want {
			t.Errorf("%s: error %v", address, err)
		}
	}
}
