package browser

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// planted tells what of the hostile texts became more than text on a page.
const planted = `(() => {
	const found = [];
	if (window.ran) found.push("a script ran");
	for (const e of document.querySelectorAll(".planted, [href^='javascript:' i], [src^='javascript:' i], [action^='javascript:' i], iframe, object, embed, base"))
		found.push("an element: " + e.outerHTML.slice(0, 200));
	for (const e of document.querySelectorAll("*"))
		for (const a of e.attributes)
			if (a.name.startsWith("on") || a.name === "style") found.push("an attribute: " + e.outerHTML.slice(0, 200));
	const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (text.nextNode()) {
		if (text.currentNode.parentElement.closest("textarea, script")) continue;
		if (/[\u0000-\u0008\u000e-\u001f\u007f\u202a-\u202e\u2066-\u2069]/.test(text.currentNode.data)) found.push("a text that leads astray: " + text.currentNode.data.slice(0, 200));
		if (text.currentNode.data.includes("planted49")) found.push("a template in a text");
	}
	const width = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth > width) found.push("wider than the window, by " + [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > width).slice(-2).map(e => e.outerHTML.slice(0, 100)).join(" "));
	return found.concat(window.violations || []);
})()`

// watch has a document remember what its policy forbade it.
const watch = `window.violations = []; document.addEventListener("securitypolicyviolation", e => window.violations.push("forbidden: " + e.violatedDirective + " " + e.blockedURI + " " + e.sample))`

// A guard remembers what a tab did that it should not.
type guard struct {
	site string

	mu    sync.Mutex
	found []string
}

func (g *guard) note(format string, a ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.found = append(g.found, fmt.Sprintf(format, a...))
}

func (g *guard) take() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := g.found
	g.found = nil
	return found
}

// calendar is how the picture begins that Chromium itself puts into a field for a date.
const calendar = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSIxNiIgaGVpZ2h0PSIxNSIg"

// follow listens to a tab.
func (g *guard) follow(tab context.Context) error {
	if err := chromedp.Do(tab, chromedp.Navigate("about:blank")); err != nil {
		return err
	}
	err := chromedp.Listen(tab, func(ev any) {
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u := ev.Request.URL; !strings.HasPrefix(u, g.site+"/") && u != "about:blank" && !strings.HasPrefix(u, calendar) {
				g.note("a request of %.200s", u)
			}
		case *page.EventJavascriptDialogOpening:
			g.note("a dialog: %s", ev.Message)
			go chromedp.Call(tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
		case *log.EventEntryAdded:
			if ev.Entry.Source == "security" || strings.Contains(ev.Entry.Text, "Content Security Policy") {
				g.note("the console says: %.300s", ev.Entry.Text)
			}
		}
	})
	if err != nil {
		return err
	}
	if _, err := chromedp.Call(tab, network.Enable, network.EnableParams{}); err != nil {
		return err
	}
	if _, err := chromedp.Call(tab, log.Enable, struct{}{}); err != nil {
		return err
	}
	_, err = chromedp.Call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch})
	return err
}

// look opens a page, and gives what was wrong on it and where it leads.
func (g *guard) look(tab context.Context, p Page) (wrong, links []string, err error) {
	if err := Show(tab, g.site, p); err != nil {
		return nil, nil, err
	}
	wrong, err = chromedp.Run(tab, chromedp.Evaluate[[]string](planted))
	if err != nil {
		return nil, nil, err
	}
	links, err = chromedp.Run(tab, chromedp.Evaluate[[]string](`[...document.querySelectorAll("a[href]")].map(a => a.href)`))
	return append(wrong, g.take()...), links, err
}

func TestNothingThatAStrangerWroteRunsOnAnyPage(t *testing.T) {
	of := hostileWorld(t)
	who := people.NewAccess(hostile[1]+hostile[0], []people.Grant{{Over: people.Everything, Role: people.Owner}}, nil)
	who.Fresh = true
	site, err := Serve(t.Context(), of, func() *people.Access { return who })
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	tab, cancel := context.WithTimeout(newTab(t), 4*time.Minute)
	defer cancel()
	g := &guard{site: site.URL}
	if err := g.follow(tab); err != nil {
		t.Fatal(err)
	}
	if err := On(tab, Screen{Width: 1440}); err != nil {
		t.Fatal(err)
	}
	c := crawl{site: site.URL, seen: map[string]bool{}, like: map[string]int{}}
	for _, text := range hostile {
		c.todo = append(c.todo, Page{Path: "/analyze", Fill: map[string]string{"message": hostileMessage(text)}})
	}
	c.todo = append(append(c.todo, Pages(of)...), Page{Path: "/check/supplier.example"})
	for p, ok := c.next(); ok; p, ok = c.next() {
		wrong, links, err := g.look(tab, p)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, text := range wrong {
			t.Errorf("%s: %s", p, text)
		}
		c.follow(links)
	}
	if c.looked < 10 || c.tables < 3 {
		t.Errorf("only %d pages and %d tables were looked at", c.looked, c.tables)
	}
	for _, wrong := range c.wrong {
		t.Error(wrong)
	}
}

// hostileMessage is one with a text in every place that is shown.
func hostileMessage(text string) string {
	text = strings.NewReplacer("\r\n", " ", "\x00", "").Replace(text)
	return "Return-Path: <" + text + ">\r\n" +
		"Authentication-Results: \"" + strings.ReplaceAll(text, `"`, "") + "\"; spf=pass reason=\"" + strings.ReplaceAll(text, `"`, "") + "\" smtp.mailfrom=a@example.com; x" + text + "=y\r\n" +
		"ARC-Authentication-Results: i=1; " + text + "; dkim=pass\r\n" +
		"Received: from " + text + " (" + text + " [192.0.2.1]) by " + text + " with " + text + "; Tue, 24 Nov 2026 08:00:00 +0000\r\n" +
		"DKIM-Signature: v=1; a=" + text + "; d=" + text + "; s=" + text + "; h=from; bh=x; b=y\r\n" +
		"From: " + text + " <a@example.com>\r\nSubject: " + text + "\r\n\r\n" + text + "\r\n"
}

// A crawl goes through the pages of a site by the links on them.
type crawl struct {
	site   string
	todo   []Page
	seen   map[string]bool
	like   map[string]int // pages whose addresses are alike
	looked int
	tables int
	wrong  []string
}

// mostAlike is how many pages of a kind are looked at.
const mostAlike = 3

func (c *crawl) next() (Page, bool) {
	if len(c.todo) == 0 {
		return Page{}, false
	}
	p := c.todo[0]
	c.todo = c.todo[1:]
	c.seen[p.Path] = true
	c.looked++
	return p, true
}

var anyName = regexp.MustCompile(`[^a-z/?&=-]+`)

// follow notes where links lead that no page like it was looked at often enough.
func (c *crawl) follow(links []string) {
	for _, link := range links {
		path, ours := strings.CutPrefix(link, c.site)
		if path, _, _ = strings.Cut(path, "#"); !ours || c.seen[path] || strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/sign-out") || strings.HasSuffix(path, "/raw") { // what is saved, and not shown
			continue
		}
		c.seen[path] = true
		u, err := url.Parse(path)
		if err != nil {
			c.wrong = append(c.wrong, fmt.Sprintf("a link to %q: %v", path, err))
			continue
		}
		var names []string
		for name := range u.Query() {
			names = append(names, name)
		}
		slices.Sort(names)
		parts := strings.Split(u.EscapedPath(), "/")
		for i, part := range parts {
			if anyName.MatchString(part) {
				parts[i] = "*"
			}
		}
		key := strings.Join(parts, "/") + "?" + strings.Join(names, "&")
		if c.like[key]++; c.like[key] > mostAlike {
			continue
		}
		if u.Query().Has("format") {
			c.table(path)
			continue
		}
		c.todo = append(c.todo, Page{Path: path})
	}
}

// table reads a table as a spreadsheet would, and looks for what that would take for a formula.
func (c *crawl) table(path string) {
	answer, err := http.Get(c.site + path)
	if err != nil {
		c.wrong = append(c.wrong, err.Error())
		return
	}
	defer answer.Body.Close()
	kind := answer.Header.Get("Content-Type")
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment") || strings.Contains(kind, "html") {
		c.wrong = append(c.wrong, fmt.Sprintf("%s: status %d, %s, %q", path, answer.StatusCode, kind, answer.Header.Get("Content-Disposition")))
	}
	if !strings.HasPrefix(kind, "text/csv") {
		return
	}
	c.tables++
	rows, err := csv.NewReader(answer.Body).ReadAll()
	if err != nil {
		c.wrong = append(c.wrong, fmt.Sprintf("%s: %v", path, err))
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				c.wrong = append(c.wrong, fmt.Sprintf("%s: the cell %.60q is a formula", path, cell))
			}
		}
	}
}
