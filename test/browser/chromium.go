package browser

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// A Chromium is a running browser.
type Chromium struct {
	ctx  context.Context
	stop []context.CancelFunc
}

// Start starts one, without a window. It reaches nothing but this machine.
func Start(ctx context.Context) (*Chromium, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"))
	allocator, stopAllocator := chromedp.NewExecAllocator(ctx, options...)
	browser, stopBrowser := chromedp.NewContext(allocator)
	c := &Chromium{browser, []context.CancelFunc{stopBrowser, stopAllocator}}
	if err := chromedp.Do(browser, chromedp.Navigate("about:blank")); err != nil {
		c.Close()
		return nil, fmt.Errorf("chromium: %w", err)
	}
	return c, nil
}

// Close ends it.
func (c *Chromium) Close() {
	for _, stop := range c.stop {
		stop()
	}
}

// Tab opens one with cookies of its own. Its context runs chromedp's actions until it is closed.
func (c *Chromium) Tab() (context.Context, context.CancelFunc) {
	return chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext())
}

// A Screen is what a page is looked at on.
type Screen struct {
	Width int64
	Dark  bool
}

// On sets a tab to a screen, on which nothing moves.
func On(tab context.Context, s Screen) error {
	scheme := "light"
	if s.Dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: s.Width, Height: 900, DeviceScaleFactor: 1, Mobile: s.Width < 600,
	})
	if err != nil {
		return err
	}
	_, err = chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	return err
}

// Picture is what a whole page looks like, as PNG.
func Picture(tab context.Context, site string, p Page, s Screen) ([]byte, error) {
	if err := lookAt(tab, site, p, s); err != nil {
		return nil, err
	}
	return chromedp.Run(tab, chromedp.FullScreenshot(100))
}

// Glance is what is seen of a page without scrolling, as WebP.
func Glance(tab context.Context, site string, p Page, s Screen) ([]byte, error) {
	if err := lookAt(tab, site, p, s); err != nil {
		return nil, err
	}
	quality := int64(80)
	r, err := chromedp.Call(tab, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
	if err != nil {
		return nil, err
	}
	return r.Data, nil
}

func lookAt(tab context.Context, site string, p Page, s Screen) error {
	// The first page of a tab makes its target, which is what a screen is set on.
	if err := chromedp.Do(tab, chromedp.Navigate("about:blank")); err != nil {
		return err
	}
	if err := On(tab, s); err != nil {
		return err
	}
	return Show(tab, site, p)
}
