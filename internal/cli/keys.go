package cli

import (
	"fmt"
	"os"

	"github.com/pelletier/go-toml/v2"
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
	cmd.AddCommand(generateCommand(), rotateCommand(), nextCommand(), statusCommand(), listCommand(), addCommand(), revokeCommand(), removeCommand())
	return cmd
}

// keyRing are the flags that say where keys are and how they are kept.
type keyRing struct{ config, keys string }

func (o *keyRing) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.config, "config", "", "read [signing] and [resolver] of this configuration `FILE`")
	cmd.Flags().StringVar(&o.keys, "keys", "", "the key `DIRECTORY` (default that of the configuration, or keys in the state directory)")
}

// signingFile is what the keys' commands read of the configuration.
type signingFile struct {
	Signing  signing.Config  `toml:"signing"`
	Resolver config.Resolver `toml:"resolver"`
}

// read reads the configuration, and the flags that override it.
func (o *keyRing) read(c common) (*signingFile, error) {
	file := &signingFile{Signing: signing.DefaultConfig()}
	if o.config != "" {
		f, err := openFile(o.config)
		if err != nil {
			return nil, fmt.Errorf("--config: %w", err)
		}
		defer f.Close()
		if err := toml.NewDecoder(f).Decode(file); err != nil {
			return nil, fmt.Errorf("--config %s: %w", o.config, err)
		}
	}
	if len(c.Resolvers) > 0 || c.Zone != "" {
		file.Resolver.Servers, file.Resolver.Zone = c.Resolvers, c.Zone
	}
	if o.keys != "" {
		file.Signing.Keys = o.keys
	}
	if file.Signing.Keys == "" {
		var err error
		if file.Signing.Keys, err = signing.DefaultDirectory(); err != nil {
			return nil, err
		}
	}
	return file, nil
}

// A keyShop is a key directory that is open, with all that works on it.
type keyShop struct {
	*signing.Rotor
	dir      *signing.Directory
	settings *signing.Settings
	file     *signingFile
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
		return nil, fmt.Errorf("--config %s: %w", o.config, err)
	}
	if _, err := os.Stat(file.Signing.Keys); err != nil && !mayMake {
		return nil, fmt.Errorf("there are no keys yet: %w", err)
	}
	dir, err := signing.OpenDirectory(file.Signing.Keys)
	if err != nil {
		return nil, err
	}
	updates, err := signing.NewUpdates(file.Signing.NSUpdate)
	if err != nil {
		return nil, err
	}
	views, err := file.views()
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
func (f *signingFile) views() (signing.Views, error) {
	if f.Resolver.Zone == "" {
		return signing.NewViews(f.Resolver.Servers, f.Signing.CheckAuthoritative), nil
	}
	resolver, err := common{Resolvers: f.Resolver.Servers, Zone: f.Resolver.Zone}.resolver()
	if err != nil {
		return signing.Views{}, err
	}
	return signing.Views{Resolvers: []signing.View{{Name: f.Resolver.Zone, Resolver: resolver}}}, nil
}
