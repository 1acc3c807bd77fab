package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// storeFlags say which store a command works on.
type storeFlags struct{ config, store string }

func (s *storeFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.config, "config", defaultConfig, "the configuration `FILE` of the gate")
	f.StringVar(&s.store, "store", "", "the store, a `FILE` or postgres://USER@HOST/DATABASE (default as configured)")
}

// open opens the store that is there. To make one is the gate's: it would belong to another user.
func (s *storeFlags) open(ctx context.Context, cmd *cobra.Command) (store.Store, error) {
	return s.openTo(ctx, cmd, false)
}

// openTo opens the store, or makes it where there is none, in the state directory unless it is named.
func (s *storeFlags) openTo(ctx context.Context, cmd *cobra.Command, create bool) (store.Store, error) {
	address, err := s.address(cmd)
	if err != nil {
		return nil, err
	}
	if create && s.store == "" {
		dir, err := config.StateDirOf(s.config)
		if errors.Is(err, fs.ErrNotExist) {
			dir = config.Default().StateDir
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	return store.Open(ctx, address, store.Options{Create: create})
}

// address is what the flag says, or the configuration, or without one the default. A configuration that is in error could mean another
// store than it says, and so is none.
func (s *storeFlags) address(cmd *cobra.Command) (string, error) {
	if s.store != "" {
		return s.store, nil
	}
	c, err := config.Load(s.config)
	switch {
	case err == nil:
		return c.StoreURL(), nil
	case errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("config"):
		return config.Default().StoreURL(), nil
	}
	return "", fmt.Errorf("%w; or name the store with --store", err)
}
