package cli

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/demo/demotest"
)

func TestTheLinkOfTheDemoOpensTheDashboard(t *testing.T) {
	t.Cleanup(demotest.Remove)
	shown, err := openDemo(t.Context(), demotest.Copy(t), "127.0.0.1:0", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer shown.close()
	go shown.serve(t.Context())
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	read := func(url string, resp *http.Response, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", url, resp.StatusCode, err)
		}
		return string(body)
	}
	see := func(url string) string {
		resp, err := browser.Get(url)
		return read(url, resp, err)
	}
	base, _, _ := strings.Cut(shown.link, "/welcome/")
	if text := see(base + "/domains"); !strings.Contains(text, "Sign in") || strings.Contains(text, "example.com") {
		t.Errorf("somebody without the link sees\n%s", text)
	}
	for range 2 { // the link is good more than once
		if text := see(shown.link); !strings.Contains(text, "signs you in as <strong>"+visitor) {
			t.Errorf("the link shows\n%s", text)
		}
		resp, err := browser.PostForm(shown.link, nil)
		page := read(shown.link, resp, err)
		for end := time.Now().Add(30 * time.Second); !strings.Contains(page, `href="/domains/example.com"`); page = see(base + "/domains") {
			if time.Now().After(end) {
				t.Fatalf("no domain is shown:\n%s", page)
			}
			time.Sleep(50 * time.Millisecond)
		}
		if !strings.Contains(page, ">"+visitor+"<") {
			t.Errorf("nobody is signed in:\n%s", page)
		}
	}
}
