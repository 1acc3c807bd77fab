package browser

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/demo/demotest"
	"github.com/gatepost-mail/gatepost/internal/raced"
)

// What the tests share: to make a company's mail takes half a minute, and to start a browser a second.
var (
	made []func()

	chromiumOnce = sync.OnceValues(func() (*Chromium, error) {
		c, err := Start(context.Background())
		if err == nil {
			made = append(made, c.Close)
		}
		return c, err
	})
	demoOnce = sync.OnceValues(func() (*Site, error) {
		dir, err := os.MkdirTemp("", "gatepost-browser-")
		if err != nil {
			return nil, err
		}
		made = append(made, func() { os.RemoveAll(dir) })
		site, err := Open(context.Background(), dir, Owner)
		if err == nil {
			made = append(made, site.Close)
		}
		return site, err
	})
)

// What the dashboard does is held to the race detector by its own tests; these look at it from outside, without.
func TestMain(m *testing.M) {
	if raced.On {
		fmt.Println("they run without the race detector")
		return
	}
	code := m.Run()
	for i := len(made) - 1; i >= 0; i-- {
		made[i]()
	}
	demotest.Remove()
	os.Exit(code)
}

// demoSite is a dashboard on the demo. What a test changes there stays so for others.
func demoSite(t *testing.T) *Site {
	t.Helper()
	site, err := demoOnce()
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// newTab opens a tab of the browser that all tests share, until the test ends.
func newTab(t *testing.T) context.Context {
	t.Helper()
	c, err := chromiumOnce()
	if err != nil {
		t.Fatal(fmt.Errorf("scripts/test-deps installs what is missing: %w", err))
	}
	tab, done := c.Tab()
	t.Cleanup(done)
	return tab
}
