package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/test/browser"
)

// What the dashboard is to keep to, with ten million rows stored.
const (
	webServer = 150 // ms, of 95 in a hundred answers
	webPaint  = 300 // ms, until the first is seen
	webBytes  = 150_000
)

const (
	webAsks      = "GATEPOST_BENCH_ASKS" // how often each page is asked for; 50
	webAsksEach  = 50
	webPaints    = 5        // of each kind of page
	webEmpty     = "/empty" // is what any page takes in Chromium on this machine
	webReadyTime = 5 * time.Minute
)

// benchWeb opens the dashboard on a large store, and measures every page that can be reached from the menu.
func benchWeb() error {
	ctx := context.Background()
	dir := os.Getenv(webDir)
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "gatepost-bench"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	d, err := webDemo(ctx, dir)
	if err != nil {
		return err
	}
	site, err := browser.Serve(ctx, d, crowd)
	if err != nil {
		return err
	}
	defer site.Close()
	timer := &timer{took: map[string][]float64{}}
	site.Around(timer.around)
	began := time.Now()
	kinds, err := crawl(site)
	if err != nil {
		return err
	}
	fmt.Printf("all of it was worked out in %v\n", time.Since(began).Round(time.Second))
	timer.reset()
	if err := askAll(site, kinds); err != nil {
		return err
	}
	chromium, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer chromium.Close()
	fmt.Printf("\nEach page %d times; bytes as they are sent, of all that Chromium loads; first paint with nothing cached, on this machine, beside no other work\n", asks())
	fmt.Printf("  %-58s %9s %9s %9s %9s %9s\n", "", "50 %, ms", "95 %, ms", "most, ms", "kB", "paint, ms")
	empty, err := look(chromium, site.URL, []string{webEmpty})
	if err != nil {
		return err
	}
	fmt.Printf("  %-58s %9s %9s %9s %9.1f %9.0f\n", "(a page with one word and no style sheet)", "", "", "", empty.bytes/1000, empty.paint)
	bad := 0
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		var took []float64
		for _, path := range kinds[name] {
			took = append(took, timer.of(path)...)
		}
		if err := quiet(site); err != nil {
			return err
		}
		seen, err := look(chromium, site.URL, kinds[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		mark := ""
		if percentile(took, 95) > webServer || seen.bytes > webBytes || seen.paint > webPaint {
			mark = " !"
			bad++
		}
		fmt.Printf("  %-58s %9.1f %9.1f %9.1f %9.1f %9.0f%s\n", name, median(took), percentile(took, 95), slices.Max(took), seen.bytes/1000, seen.paint, mark)
	}
	fmt.Printf("  %d of %d kinds of page are beyond %d ms for 95 %%, %d kB or %d ms until the first paint\n", bad, len(kinds), webServer, webBytes/1000, webPaint)
	fmt.Printf("  load of the machine in the last minute: %s\n", load1())
	return nil
}

var asked atomic.Int64

// crowd is always somebody else, whose questions are within the bounds of one person.
func crowd() *people.Access {
	a := browser.Owner()
	a.Person = asked.Add(1)
	return a
}

// quiet waits until nothing is worked out: a browser is seldom on the machine that it looks at.
func quiet(site *browser.Site) error {
	for began := time.Now(); !site.Desk.Answers.Idle(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > webReadyTime {
			return fmt.Errorf("something is worked out for longer than %v", webReadyTime)
		}
	}
	return nil
}

func asks() int {
	n, err := strconv.Atoi(os.Getenv(webAsks))
	if err != nil {
		return webAsksEach
	}
	return max(n, 1)
}

// askAll asks for each page by turns. Answers that are made anew meanwhile are a part of it.
func askAll(site *browser.Site, kinds map[string][]string) error {
	for range asks() {
		for _, paths := range kinds {
			for _, path := range paths {
				r, err := http.Get(site.URL + path)
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if err := cmp.Or(err, statusError(r, path)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func statusError(r *http.Response, path string) error {
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", path, r.StatusCode)
	}
	return nil
}

// A timer measures how long the server takes for an answer.
type timer struct {
	mu   sync.Mutex
	took map[string][]float64 // ms, by path
}

func (t *timer) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == webEmpty {
			io.WriteString(w, "<!doctype html><title>Empty</title><p>empty")
			return
		}
		began := time.Now()
		next.ServeHTTP(w, r)
		took := millis(time.Since(began))
		t.mu.Lock()
		defer t.mu.Unlock()
		path := r.URL.RequestURI()
		t.took[path] = append(t.took[path], took)
	})
}

func (t *timer) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.took)
}

func (t *timer) of(path string) []float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.took[path])
}
