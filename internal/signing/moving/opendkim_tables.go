package moving

import (
	"strings"

	"github.com/gatepost-mail/gatepost/internal/signing"
)

// A tableKey is an entry of the KeyTable.
type tableKey struct {
	domain, selector, key string
	place                 string
	used                  bool
}

// tables reads KeyTable and SigningTable.
func (m *Move) tables(c *conf, keys, table *setting) error {
	entries, _, err := c.dataset(keys)
	if err != nil {
		return err
	}
	named := map[string]*tableKey{}
	var order []string
	for _, e := range entries {
		domain, rest, ok1 := strings.Cut(e.value, ":")
		selector, key, ok2 := strings.Cut(rest, ":")
		if !ok1 || !ok2 || domain == "" || selector == "" || key == "" {
			m.lost(e.place, "KeyTable %s: %q is not DOMAIN:SELECTOR:KEY", e.key, e.value)
			continue
		}
		if named[e.key] != nil {
			m.note(e.place, "KeyTable %s: it is there twice; the first counts", e.key)
			continue
		}
		named[e.key] = &tableKey{domain: domain, selector: selector, key: key, place: e.place}
		order = append(order, e.key)
	}
	rows, patterns, err := c.dataset(table)
	if err != nil {
		return err
	}
	for _, row := range rows {
		m.row(c, row, patterns, named)
	}
	for _, name := range order {
		if k := named[name]; !k.used {
			m.note(k.place, "KeyTable %s: nothing in the SigningTable that Gatepost can do names it; the key is not taken", name)
		}
	}
	return nil
}

// row reads an entry of the SigningTable.
func (m *Move) row(c *conf, row entry, patterns bool, keys map[string]*tableKey) {
	name, identity, _ := strings.Cut(row.value, ":")
	author, why := authorPattern(row.key, patterns)
	if why != "" {
		m.lost(row.place, "SigningTable %s: %s", row.key, why)
		return
	}
	base := strings.TrimPrefix(author, "*.")
	if name == "%" {
		if base != author {
			m.lost(row.place, "SigningTable %s: a key of its own for each domain; name them one by one", row.key)
			return
		}
		name = base
	}
	k := keys[name]
	if k == nil {
		m.lost(row.place, "SigningTable %s: there is no key %q in the KeyTable", row.key, name)
		return
	}
	domain, key := k.domain, k.key
	if strings.Contains(domain+key, "%") {
		if base != author {
			m.lost(row.place, "SigningTable %s: the key %s is another for each domain; name them one by one", row.key, name)
			return
		}
		if domain == "%" {
			domain = base
		}
		key = strings.ReplaceAll(key, "%", base)
	}
	sdid, err := signing.DomainName(domain)
	if err != nil {
		k.used = true
		m.lost(k.place, "KeyTable %s: %s is not a domain to sign for", name, domain)
		return
	}
	if identity != "" {
		m.note(row.place, "SigningTable %s: the signer %s (i=) is left out", row.key, identity)
	}
	if hidden := m.shadow(author, patterns); hidden != "" {
		m.note(row.place, "SigningTable %s: %s stands above it and decides already in opendkim", row.key, hidden)
		if !c.yes("MultipleSignatures") {
			return
		}
	}
	k.used = true
	m.take(c, k.place, sdid, k.selector, key)
	m.rule(row.place, author, sdid)
}

// take reads the key that an entry of the KeyTable names or holds.
func (m *Move) take(c *conf, place, domain, selector, key string) {
	if strings.HasPrefix(key, "/") || strings.HasPrefix(key, "./") || strings.HasPrefix(key, "../") {
		m.load(place, domain, selector, c.path(key))
		return
	}
	m.parse(place, domain, selector, "(in the table)", []byte(key))
}

// shadow gives a wildcard that opendkim would try before. We take the most specific, opendkim's refile the first.
func (m *Move) shadow(author string, patterns bool) string {
	if !patterns {
		return ""
	}
	base := strings.TrimPrefix(author, "*.")
	for _, r := range m.Rules {
		above, below := strings.CutPrefix(r.Author, "*.")
		if below && strings.HasSuffix(base, "."+above) && r.Author != author {
			return "*@" + r.Author
		}
	}
	return ""
}

// authorPattern gives our form of a key of the SigningTable, or says why there is none.
func authorPattern(key string, patterns bool) (author, why string) {
	local, host, found := strings.Cut(key, "@")
	switch {
	case key == "*" || key == "*@*" || key == "%":
		return "", "it is for every domain; Gatepost signs for those that it is told only"
	case patterns && !found && strings.HasPrefix(key, "*."): // "*" stands for any text, "@" too
		host = key
	case patterns && !found && strings.HasPrefix(key, "*"):
		return "", "it matches every address that ends so, in other domains too: name the domains, like *@example.com and *@*.example.com"
	case patterns && !found:
		return "", "it matches no address: a pattern of a refile: must match the whole of it, like *@" + key
	case !patterns && !found && strings.HasPrefix(key, "."):
		host = "*" + key
	case !patterns && !found:
		host = key
	case !patterns && strings.Contains(key, "*"):
		return "", "without refile: it stands for itself, and matches nothing"
	case local != "*":
		return "", "it is for one address; Gatepost has keys by domain"
	}
	base, _ := strings.CutPrefix(host, "*.")
	domain, err := signing.DomainName(base)
	if err != nil {
		return "", "not a pattern that Gatepost has; it knows example.com, and *.example.com for all below it"
	}
	if base != host {
		domain = "*." + domain
	}
	return domain, ""
}
