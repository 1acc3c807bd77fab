package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatepost-mail/gatepost/test/browser"
)

// Where the menu leads, and where no link does.
var webBegin = []string{
	"/domains", "/gate", "/check", "/reports", "/settings", "/account",
	"/domains/domain0.example/what-if/dmarc?policy=reject", "/domains/domain0.example/what-if/spf?record=v%3Dspf1+ip4%3A0.0.0.0%2F2+-all", "/gate/what-if?policy=lockdown",
	"/domains/domain0.example/readiness", "/domains/domain10.example/readiness",
}

const (
	webEach  = 3 // pages of each kind
	webPages = 300
)

// crawl follows links from page to page, and gives some pages of each kind, once they have answers.
func crawl(site *browser.Site) (kinds map[string][]string, err error) {
	kinds = map[string][]string{}
	queue, seen := slices.Clone(webBegin), map[string]bool{}
	for n := 0; len(queue) > 0 && n < webPages; {
		path := queue[0]
		queue = queue[1:]
		kind := kindOf(path)
		if seen[path] || len(kinds[kind]) >= webEach {
			continue
		}
		seen[path] = true
		n++
		body, err := ready(site, path)
		if err != nil {
			return nil, err
		}
		if body == "" { // not there, or no page
			continue
		}
		kinds[kind] = append(kinds[kind], path)
		queue = append(queue, links(path, body)...)
	}
	return kinds, nil
}

// stays goes nowhere else: what leads on is no page.
var stays = http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// ready waits until a page has its answer.
func ready(site *browser.Site, path string) (string, error) {
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		r, err := stays.Get(site.URL + path)
		if err != nil {
			return "", err
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		switch {
		case err != nil:
			return "", err
		case r.StatusCode/100 == 3 || r.StatusCode == http.StatusNotFound || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html"):
			return "", nil
		case r.StatusCode != http.StatusOK:
			fmt.Fprintf(os.Stderr, "bench: %s: status %d\n", path, r.StatusCode)
			return "", nil
		case !strings.Contains(string(body), "eing worked out"):
			return string(body), nil
		case time.Since(began) > webReadyTime:
			return "", fmt.Errorf("%s is worked out for longer than %v", path, webReadyTime)
		}
	}
}

var href = regexp.MustCompile(`<a [^>]*href="([^"]+)"`)

// links are where a page leads to, on the same site.
func links(from, body string) (all []string) {
	base, err := url.Parse(from)
	if err != nil {
		return nil
	}
	for _, m := range href.FindAllStringSubmatch(body, -1) {
		to, err := base.Parse(html.UnescapeString(m[1]))
		if err != nil || to.Host != "" || strings.HasPrefix(to.Path, "/api/") || strings.HasPrefix(to.Path, "/assets/") || to.Query().Has("table") || to.Query().Has("format") {
			continue
		}
		to.Fragment = ""
		all = append(all, to.RequestURI())
	}
	return all
}

var (
	ofDomain  = regexp.MustCompile(`^(/(?:domains|check|tls|records)/)[^/]*\.[^/]*`)
	ofSource  = regexp.MustCompile(`/sources/[^/]+`)
	ofNumber  = regexp.MustCompile(`/(?:[0-9]+|[0-9a-f]{8,}|[^/]*[0-9][^/]*@[^/]*)(/|$)`)
	ofDecided = regexp.MustCompile(`^(/gate/(?:decisions|messages)/)[^/]+`)
)

// kindOf is what pages of one kind have in common.
func kindOf(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	kind := ofDomain.ReplaceAllString(u.EscapedPath(), "${1}DOMAIN")
	kind = ofSource.ReplaceAllString(kind, "/sources/SOURCE")
	kind = ofDecided.ReplaceAllString(kind, "${1}N")
	kind = ofNumber.ReplaceAllString(kind, "/N$1")
	var names []string
	for name := range u.Query() {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) > 0 {
		kind += "?" + strings.Join(names, "&")
	}
	return kind
}

// A sight is what a browser makes of pages: the most bytes that it loaded for one, and the median time until something was to be seen.
type sight struct{ bytes, paint float64 }

// look opens pages in Chromium, each with nothing cached.
func look(chromium *browser.Chromium, site string, paths []string) (sight, error) {
	var s sight
	var paints []float64
	for n := range max(webPaints, len(paths)) {
		one, err := lookAt(chromium, site+paths[n%len(paths)])
		if err != nil {
			return s, err
		}
		s.bytes = max(s.bytes, one.Bytes)
		paints = append(paints, one.Paint)
	}
	s.paint = median(paints)
	return s, nil
}

// seenScript waits for the first paint, and tells it with what was loaded.
const seenScript = `new Promise(resolve => {
	const told = () => {
		const paint = performance.getEntriesByType('paint').find(e => e.name === 'first-paint');
		if (!paint) { setTimeout(told, 10); return }
		const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
		resolve({paint: paint.startTime, bytes: loaded.reduce((sum, e) => sum + e.transferSize, 0)});
	};
	told();
})`

func lookAt(chromium *browser.Chromium, url string) (one struct{ Paint, Bytes float64 }, err error) {
	tab, done := chromium.Tab()
	defer done()
	ctx, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		return one, err
	}
	return chromedp.Run(ctx, chromedp.Evaluate[struct{ Paint, Bytes float64 }](seenScript, chromedp.EvalAwaitPromise))
}
