package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// axe is axe-core, which scripts/test-deps fetches.
func axe(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(home, ".cache")
	}
	all, err := filepath.Glob(filepath.Join(cache, "gatepost-test", "axe-*.min.js"))
	if err != nil || len(all) == 0 {
		t.Fatalf("axe-core is not there (%v); scripts/test-deps fetches it", err)
	}
	text, err := os.ReadFile(all[len(all)-1])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The rules of WCAG 2.2, levels A and AA, and those that a colour can break.
const (
	rules    = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]`
	contrast = `["color-contrast"]`
)

// run has axe look at a page by some rules, and gives what it found in a line each.
const run = `axe.run(document, {resultTypes: ["violations"], runOnly: %s}).then(
	r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + v.help + ": " + n.html.slice(0, 200))))`

// wide tells by how much a page is wider than its window, and which elements stand out.
const wide = `(() => {
	const width = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth <= width) return "";
	const out = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > width).slice(0, 3).map(e => e.outerHTML.slice(0, 150));
	return document.documentElement.scrollWidth + " pixels: " + out.join(" ");
})()`

func TestEveryPageIsAccessibleOnEveryScreenInBothThemes(t *testing.T) {
	site, tab, script := demoSite(t), newTab(t), axe(t)
	bounded, cancel := context.WithTimeout(tab, 5*time.Minute)
	defer cancel()
	if err := chromedp.Do(bounded, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	// Our policy lets nothing run that is not ours: axe neither.
	if _, err := chromedp.Call(bounded, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	for _, p := range Pages(site.Demo) {
		if err := Show(bounded, site.URL, p); err != nil {
			t.Error(err)
			continue
		}
		if err := chromedp.Do(bounded, chromedp.Evaluate[chromedp.Void](script)); err != nil {
			t.Fatal(err)
		}
		for _, s := range []Screen{{Width: 1440}, {Width: 1440, Dark: true}, {Width: 360}} {
			if err := On(bounded, s); err != nil {
				t.Fatal(err)
			}
			by := rules
			if s.Dark {
				by = contrast // of what is there, only the colours are others
			}
			found, err := chromedp.Run(bounded, chromedp.Evaluate[[]string](fmt.Sprintf(run, by), chromedp.EvalAwaitPromise))
			if err != nil {
				t.Fatalf("%s: %v", p, err)
			}
			for _, violation := range found {
				t.Errorf("%s at %d pixels, dark %t: %s", p, s.Width, s.Dark, violation)
			}
			if text, err := chromedp.Run(bounded, chromedp.Evaluate[string](wide)); err != nil || text != "" {
				t.Errorf("%s is wider than %d pixels: %s %v", p, s.Width, text, err)
			}
		}
	}
}

// The API has an operation for each page, so that its description tells which pages there are.
func TestEveryPageIsAmongThoseThatAreLookedAt(t *testing.T) {
	site := demoSite(t)
	answer, err := http.Get(site.URL + "/api/v1/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var described struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	text, err := io.ReadAll(answer.Body)
	if err := json.Unmarshal(text, &described); err != nil {
		t.Fatal(err)
	}
	if err != nil || len(described.Paths) < 3 {
		t.Fatalf("%d paths, %v", len(described.Paths), err)
	}
	for path, operations := range described.Paths {
		if operations["get"] == nil || path == "/gate/live" || strings.HasSuffix(path, "/raw") { // what is no page
			continue
		}
		parts := strings.Split(path, "/")
		for i, part := range parts {
			if parts[i] = regexp.QuoteMeta(part); strings.HasPrefix(part, "{") {
				parts[i] = "[^/]+"
			}
		}
		pattern, shown := regexp.MustCompile("^"+strings.Join(parts, "/")+"$"), false
		for _, p := range Pages(site.Demo) {
			bare, _, _ := strings.Cut(p.Path, "?")
			shown = shown || pattern.MatchString(bare)
		}
		if !shown {
			t.Errorf("Pages has none for %s", path)
		}
	}
}
