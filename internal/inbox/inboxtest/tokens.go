package inboxtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// Tokens is a token endpoint that gives token-1, token-2 and so on to client "id" with secret "secret", and counts them. It takes
// client credentials, and the refresh token "refresh".
func Tokens(t *testing.T) (address string, given *atomic.Int64) {
	given = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		grant := r.FormValue("grant_type")
		switch {
		case r.FormValue("client_id") != "id" || r.FormValue("client_secret") != "secret":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\nTrace ID: 1"}`)
		case grant == "refresh_token" && r.FormValue("refresh_token") == "refresh", grant == "client_credentials":
			fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":3599}`, given.Add(1))
		default:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/token", given
}

// Secret makes a file with a secret.
func Secret(t *testing.T, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
