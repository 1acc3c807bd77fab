package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatepost-mail/gatepost/test/browser"
)

// takeTour writes the pictures of the tour, of what is seen of a page without scrolling.
func takeTour(tab context.Context, site *browser.Site, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range []struct{ name, path string }{
		{"domains", "/domains"},
		{"domain", "/domains/example.com"},
		{"source", "/domains/example.com/sources/service:salesforce"},
		{"what-if", "/domains/example.com/what-if/dmarc?policy=reject"},
		{"readiness", "/domains/example.com/readiness"},
		{"gate", "/gate"},
		{"decision", "/gate/decisions/" + site.Demo.Reference},
		{"letter", "/gate/letters/2"},
		{"check", "/check/supplier.example"},
		{"report", "/reports/1094"},
		{"tls", "/tls"},
		{"settings", "/settings/users"},
	} {
		picture, err := browser.Glance(tab, site.URL, browser.Page{Path: p.path}, browser.Screen{Width: 1200})
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, p.name+".webp"), picture, 0o644); err != nil {
			return err
		}
		fmt.Println(p.name)
	}
	return nil
}
