// Command screenshots writes pictures of the dashboard's pages, on wide and narrow screens, light and dark.
//
//	go run ./test/browser/screenshots -out DIR [-only TEXT] [PATH…]
//	go run ./test/browser/screenshots -tour docs/pictures
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/test/browser"
)

func main() {
	out := flag.String("out", "dist/screenshots", "the `DIR` to write into")
	only := flag.String("only", "", "only files with `TEXT` in their name, such as dark or 390")
	tour := flag.String("tour", "", "write the pictures of docs/dashboard-tour.md into `DIR` instead")
	flag.Parse()
	if err := run(context.Background(), *out, *only, *tour, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, only, tour string, paths []string) error {
	dir, err := os.MkdirTemp("", "gatepost-screenshots-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	site, err := browser.Open(ctx, dir, browser.Owner)
	if err != nil {
		return err
	}
	defer site.Close()
	chromium, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer chromium.Close()
	tab, done := chromium.Tab()
	defer done()
	if tour != "" {
		return takeTour(tab, site, tour)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	pages := browser.Pages(site.Demo)
	if len(paths) > 0 {
		pages = slices.DeleteFunc(pages, func(p browser.Page) bool { return !slices.Contains(paths, p.Path) })
		for _, path := range paths {
			if !slices.ContainsFunc(pages, func(p browser.Page) bool { return p.Path == path }) {
				pages = append(pages, browser.Page{Path: path})
			}
		}
	}
	names := map[string]int{}
	for _, page := range pages {
		of := fileName(page.Path)
		if names[of]++; names[of] > 1 {
			of += fmt.Sprintf("-%d", names[of])
		}
		for _, width := range []int64{1440, 390} {
			for _, theme := range []string{"light", "dark"} {
				name := fmt.Sprintf("%s-%d-%s.png", of, width, theme)
				if !strings.Contains(name, only) {
					continue
				}
				png, err := browser.Picture(tab, site.URL, page, browser.Screen{Width: width, Dark: theme == "dark"})
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(out, name), png, 0o644); err != nil {
					return err
				}
			}
		}
		fmt.Println(page)
	}
	return nil
}

func fileName(path string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if strings.ContainsRune("/?=&*%", r) {
			return '-'
		}
		return r
	}, path), "-")
}
