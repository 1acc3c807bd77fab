package config

import (
	"path/filepath"
	"strings"
)

// resolvePaths makes paths count from the folder of the file that they stand in: a service is started anywhere.
func (c *Config) resolvePaths(dir string) {
	paths := []*string{&c.StateDir, &c.Resolver.Zone, &c.ARC.SealKey, &c.Signing.Keys}
	for i := range c.Signing.NSUpdate {
		paths = append(paths, &c.Signing.NSUpdate[i].SecretFile)
	}
	paths = append(paths, c.Reports.paths()...)
	paths = append(paths, &c.Mail.CAFile, &c.Mail.PasswordFile, &c.Alerts.SecretFile, &c.Alerts.CAFile, &c.Notice.Catalogue, &c.Web.TLS.CertFile, &c.Web.TLS.KeyFile, &c.Web.TLS.CAFile, &c.Web.OIDC.ClientSecretFile)
	policies := []*string{&c.Policy}
	for i := range c.Recipients {
		policies = append(policies, &c.Recipients[i].Policy)
	}
	for _, p := range policies {
		if strings.ContainsAny(*p, `/\.`) { // not a preset's name
			paths = append(paths, p)
		}
	}
	if path, isSQLite := strings.CutPrefix(c.Store.URL, "sqlite:"); c.Store.URL != "" && (isSQLite || !strings.Contains(path, ":")) && !filepath.IsAbs(path) {
		c.Store.URL = "sqlite:" + filepath.Join(dir, path)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}
