package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

const keysHelp = `Make keys to sign with, and let one follow another.

Keys lie in a key directory, one folder a domain. A key is made, published in
DNS, seen there, and signs; its successor takes over; later it is revoked and
removed. The gate takes every step when its time has come, and so does
"gatepost keys next". Where it may change DNS itself (signing.nsupdate) it
does; otherwise these commands print what to publish.

Exit status: that of the command beneath.`

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys COMMAND",
		Short: "Make keys to sign with, and rotate them",
		Long:  keysHelp,
		Example: `  gatepost keys rotate example.com
  gatepost keys status`,
		Args: noSuchCommand,
		RunE: needCommand,
	}
	cmd.AddCommand(generateCommand(), rotateCommand(), nextCommand(), keysStatusCommand(), keysListCommand(), addCommand(), revokeCommand(), removeCommand())
	return cmd
}

// keyRing are the flags that say where keys are and how they are kept.
type keyRing struct{ config, keys string }

func (o *keyRing) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.config, "config", "", "read [signing] and [resolver] of this configuration `FILE`")
	cmd.Flags().StringVar(&o.keys, "keys", "", "the key `DIRECTORY` (default that of the configuration, or keys in the state directory)")
}

// read reads the configuration, and the flags that override it.
func (o *keyRing) read(c common) (*config.Config, error) {
	file := config.Default()
	if o.config != "" {
		var err error
		if file, err = config.Load(o.config); err != nil {
			return nil, err
		}
	}
	if len(c.Resolvers) > 0 || c.Zone != "" {
		file.Resolver.Servers, file.Resolver.Zone = c.Resolvers, c.Zone
	}
	if o.keys != "" {
		file.Signing.Keys = o.keys
	}
	return file, nil
}

// A keyShop is a key directory that is open, with all that works on it.
type keyShop struct {
	*signing.Rotor
	dir      *signing.Directory
	settings *signing.Settings
	file     *config.Config
}

// open opens the key directory. Unless it is to be made, it must be there.
func (o *keyRing) open(cmd *cobra.Command, mayMake bool) (*keyShop, error) {
	c := commonFlags(cmd)
	file, err := o.read(c)
	if err != nil {
		return nil, err
	}
	settings, _, err := file.Signing.Settings()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(file.KeyDir()); err != nil && !mayMake {
		return nil, fmt.Errorf("there are no keys yet: %w", err)
	}
	dir, err := signing.OpenDirectory(file.KeyDir())
	if err != nil {
		return nil, err
	}
	updates, err := signing.NewUpdates(file.Signing.NSUpdate)
	if err != nil {
		return nil, err
	}
	views, err := views(file)
	if err != nil {
		return nil, err
	}
	rotor, err := signing.NewRotor(signing.Options{Directory: dir, Settings: settings, Views: views, Publisher: updates, Log: quiet})
	if err != nil {
		return nil, err
	}
	return &keyShop{rotor, dir, settings, file}, nil
}

// views looks at DNS from each name server, or from a zone file alone.
func views(f *config.Config) (signing.Views, error) {
	if f.Resolver.Zone == "" {
		return signing.NewViews(f.Resolver.Servers, f.Signing.CheckAuthoritative), nil
	}
	resolver, err := common{Resolvers: f.Resolver.Servers, Zone: f.Resolver.Zone}.resolver()
	if err != nil {
		return signing.Views{}, err
	}
	return signing.Views{Resolvers: []signing.View{{Name: f.Resolver.Zone, Resolver: resolver}}}, nil
}
