package web

import (
	"time"

	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// pagesOf are pages that tell the time of the demo.
func pagesOf(s *testSite) *page.Set {
	p := page.New()
	p.Now = func() time.Time { return s.demo.Now }
	return p
}
