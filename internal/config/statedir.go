package config

import (
	"cmp"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"github.com/gatepost-mail/gatepost/internal/tomlfile"
)

// StateDirOf is the state directory that a file names, or else the default. That something else is wrong with the file does not matter.
func StateDirOf(path string) (string, error) {
	text, err := tomlfile.Read(path)
	if err != nil {
		return "", err
	}
	c := Default()
	var only struct {
		StateDir string `toml:"state_dir"`
	}
	if toml.Unmarshal(text, &only) == nil && only.StateDir != "" {
		c.StateDir = only.StateDir
	}
	c.resolvePaths(filepath.Dir(path))
	return c.StateDir, nil
}

// KeyDir is where the keys are that mail is signed with.
func (c *Config) KeyDir() string {
	return cmp.Or(c.Signing.Keys, filepath.Join(c.StateDir, "keys"))
}

// StoreURL is the address of the store.
func (c *Config) StoreURL() string {
	return cmp.Or(c.Store.URL, "sqlite:"+filepath.Join(c.StateDir, "gatepost.db"))
}

// DefaultStateDir is where what must outlast the program is kept unless a file says otherwise: where systemd says, in the place for
// that of the system, or in that of the user.
func DefaultStateDir() string {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" { // systemd.exec(5)
		return filepath.SplitList(dir)[0]
	}
	if os.Geteuid() == 0 {
		return "/var/lib/gatepost"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "gatepost")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "gatepost-state"
	}
	return filepath.Join(home, ".local", "state", "gatepost")
}
