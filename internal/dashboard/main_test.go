package dashboard

import (
	"os"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/demo/demotest"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
)

func TestMain(m *testing.M) {
	code := m.Run()
	demotest.Remove()
	os.Exit(code)
}

var owner = people.NewAccess("ada", []people.Grant{{Over: people.Everything, Role: people.Owner}}, nil)

// demoDesk answers about the demo, the morning after its last day, which is 29 November 2026.
func demoDesk(t *testing.T) *Desk {
	t.Helper()
	of := demotest.Copy(t)
	o, err := of.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Store.Close() })
	return &Desk{
		Store: o.Store, Config: func() *config.Config { return o.Config }, DNS: o.Zone, Answers: keep.New(keep.Options{}), Now: func() time.Time { return of.Now },
	}
}
