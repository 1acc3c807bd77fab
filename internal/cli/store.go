package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// storeFlags say which store a command works on.
type storeFlags struct{ config, store string }

func (s *storeFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.config, "config", defaultConfig, "the configuration `FILE` of the gate")
	f.StringVar(&s.store, "store", "", "the store, a `FILE` or sqlite:FILE (default STATE_DIR/gatepost.db)")
}

// open opens the store that is there. To make one is the gate's: it would belong to another user.
func (s *storeFlags) open(ctx context.Context, cmd *cobra.Command) (store.Store, error) {
	address := s.store
	if address == "" {
		dir, err := stateDir(cmd, s.config)
		if err != nil {
			return nil, err
		}
		address = StoreIn(dir)
	}
	return store.Open(ctx, address, store.Options{})
}

// StoreIn is the address of the store in a state directory, where no other is configured.
func StoreIn(stateDir string) string { return "sqlite:" + filepath.Join(stateDir, "gatepost.db") }
