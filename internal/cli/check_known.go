package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/known"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// addKnown adds the flags by which an audit goes by more than DNS. Without them no store and no configuration is opened.
func (o *checkFlags) addKnown(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.known.store, "store", "", "go by the mail that this store knows of too, a `FILE` or postgres://USER@HOST/DATABASE")
	f.StringVar(&o.known.config, "config", "", "go by the store, the signing keys and the name servers of this configuration `FILE`")
}

// checkKnown is what an audit is told besides what DNS says. A nil one tells nothing.
type checkKnown struct {
	source *known.Source
	store  store.Store // nil where the configuration has none

	mu  sync.Mutex
	err error // the first
}

// configured reads the configuration, if one is named, and has it say who answers DNS unless a flag does.
func (o *checkFlags) configured(c *common) (*config.Config, error) {
	if o.known.config == "" {
		return config.Default(), nil
	}
	file, err := config.Load(o.known.config)
	if err == nil && len(c.Resolvers) == 0 && c.Zone == "" {
		c.Resolvers, c.Zone = file.Resolver.Servers, file.Resolver.Zone
	}
	return file, err
}

// openKnown opens what the flags name; nil where they name nothing.
func (o *checkFlags) openKnown(cmd *cobra.Command, file *config.Config, f *facts.Options, c common) (*checkKnown, error) {
	if o.known == (storeFlags{}) {
		return nil, nil
	}
	k := &checkKnown{}
	var keys *signing.Directory
	var err error
	if o.known.config != "" {
		if keys, err = presentKeys(file.KeyDir()); err != nil {
			return nil, err
		}
	}
	if o.known.store == "" && !file.Store.Enabled {
		k.source = &known.Source{Keys: keys}
		return k, nil
	}
	if k.store, err = o.known.open(cmd.Context(), cmd); err != nil {
		return nil, err
	}
	if k.source, err = letters.Known(letters.Options{Config: file, Store: k.store, DNS: patient{f.Resolver, c.Timeout}}, keys); err != nil {
		return nil, errors.Join(err, k.store.Close())
	}
	return k, nil
}

// presentKeys opens a key directory, and makes none.
func presentKeys(path string) (*signing.Directory, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return signing.OpenDirectory(path)
}

// add adds what is known of a domain. What goes wrong is told at the end: an audit by DNS alone is not what was asked for.
func (k *checkKnown) add(ctx context.Context, domain string, o *facts.Options) {
	if k == nil {
		return
	}
	if err := k.source.Add(ctx, domain, o); err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.err == nil {
			k.err = fmt.Errorf("what is known of %s: %w", domain, err)
		}
	}
}

// close says what went wrong first.
func (k *checkKnown) close() error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.store == nil {
		return k.err
	}
	return errors.Join(k.err, k.store.Close())
}
