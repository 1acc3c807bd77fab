package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/demo"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/storetest"
)

const webDir = "GATEPOST_BENCH_WEB" // a directory whose store is kept from one run to the next, and filled where there is none

// What the gate saw beside the reports.
const (
	gateDays         = 30
	gateObservations = 33_400 // a day
	gateDecisions    = 3300   // a day
)

// A webStore is a store as a large site has it.
type webStore struct {
	mix storetest.Mix
	s   store.Store
}

// webDemo is what the dashboard is opened on, in a directory: the store there, which is filled if there is none, and files beside it.
func webDemo(ctx context.Context, dir string) (*demo.Demo, error) {
	w := &webStore{mix: storetest.Years}
	if n, err := strconv.Atoi(os.Getenv(yearsDays)); err == nil {
		w.mix.Days = n
	}
	y := &yearsStore{name: store.SQLite, address: filepath.Join(dir, "gatepost.db")}
	if err := y.prepare(w.mix); err != nil {
		return nil, err
	}
	w.s = y.s
	defer w.s.Close()
	if err := w.gate(ctx); err != nil {
		return nil, err
	}
	d := &demo.Demo{Config: filepath.Join(dir, "gatepost.toml"), Store: y.address, Zone: filepath.Join(dir, "zone"), Now: w.mix.Last.Add(33 * time.Hour)}
	var zone strings.Builder
	for n := range w.mix.Domains {
		name := w.mix.Domain(n)
		fmt.Fprintf(&zone, "%[1]s. 3600 IN TXT \"v=spf1 ip4:0.0.0.0/1 ~all\"\n_dmarc.%[1]s. 3600 IN TXT \"v=DMARC1; p=none; rua=mailto:dmarc@%[1]s\"\n", name)
	}
	config := "policy = \"strict\"\nstate_dir = \".\"\n\n[resolver]\nzone = \"zone\"\n\n[reports]\ndomains = [\"" + w.mix.Domain(0) + "\"]\n"
	for path, text := range map[string]string{d.Zone: zone.String(), d.Config: config} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// gate brings in what the gate saw. A batch that is there already changes nothing.
func (w *webStore) gate(ctx context.Context) error {
	there, err := w.s.Decisions(ctx, store.DecisionFilter{Limit: 1})
	if err != nil || len(there) > 0 {
		return err
	}
	for n := range gateDays {
		batch := storetest.GateMail(w.mix.Last.AddDate(0, 0, n+1-gateDays), n, gateObservations, gateDecisions)
		if err := w.s.AddBatch(ctx, batch); err != nil {
			return err
		}
	}
	fmt.Printf("sqlite: %d observations and %d decisions of the gate\n", gateDays*gateObservations, gateDays*gateDecisions)
	return nil
}
