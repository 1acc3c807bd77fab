package moving

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/signing"
)

// A signer is what rspamd's dkim_signing says, with its defaults (conf/modules.d/dkim_signing.conf there).
type signer struct {
	*Move
	file      string
	root      *uclValue
	path      string // of keys, with $domain and $selector
	selector  string
	esld      bool              // signs for the Organizational Domain
	fallback  bool              // domains that are not named are signed for, if there is a key
	paths     map[string]string // path_map
	selectors map[string]string // selector_map
	seen      map[string]bool   // domains that are done
}

// Rspamd reads a dkim_signing.conf, its maps and its keys. The error names file and line of what cannot be read.
func Rspamd(path string) (*Move, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := bounded(f, path)
	if err != nil {
		return nil, err
	}
	root, err := parseUCL(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if inner := root.get("dkim_signing"); inner != nil && inner.kind == uclObject { // as in modules.d
		root = inner
	}
	s := &signer{
		Move: &Move{}, file: path, root: root, path: "/var/lib/rspamd/dkim/$domain.$selector.key", selector: "dkim", esld: true, fallback: true,
		paths: map[string]string{}, selectors: map[string]string{}, seen: map[string]bool{},
	}
	s.scan()
	if enabled := root.get("enabled"); enabled != nil && !isYes(enabled.text) {
		s.note(s.place(enabled), "enabled: rspamd does not sign, and so there is nothing to sign with")
		return s.Move, nil
	}
	if err := s.maps(); err != nil {
		return nil, err
	}
	s.domains()
	return s.Move, nil
}

func (s *signer) place(v *uclValue) string { return fmt.Sprintf("%s:%d", s.file, v.line) }

func isYes(text string) bool {
	return contains([]string{"true", "yes", "on", "1"}, strings.ToLower(text))
}

// rspamdSettings says what becomes of each setting. Those that are read have an empty text.
var rspamdSettings = map[string]string{
	"enabled": "", "path": "", "selector": "", "use_esld": "", "try_fallback": "", "domain": "", "path_map": "", "selector_map": "",
	"sign_networks": "", "use_domain": "", "sign_authenticated": "", "sign_local": "", "use_redis": "", "use_vault": "",
	"signing_table": "", "key_table": "", "sign_condition": "",

	"allow_envfrom_empty":                  "Gatepost looks at From alone, not at the envelope",
	"allow_hdrfrom_mismatch":               "Gatepost looks at From alone, not at the envelope",
	"allow_hdrfrom_mismatch_local":         "Gatepost looks at From alone, not at the envelope",
	"allow_hdrfrom_mismatch_sign_networks": "Gatepost looks at From alone, not at the envelope",
	"allow_hdrfrom_multiple":               "Gatepost never signs a message with several From fields (RFC 5322 3.6)",
	"allow_pubkey_mismatch":                "Gatepost never signs with a key that DNS does not show, unless signing.force is set",
	"check_pubkey":                         "Gatepost always checks that DNS shows the key",
	"allow_username_mismatch":              "Gatepost does not compare user names with domains: let the mail server do it (reject_sender_login_mismatch in Postfix)",
	"auth_only":                            "trust_authenticated and own_networks say whose mail is ours",
	"sign_inbound":                         none,
	"sign_headers":                         "Gatepost signs a list of its own, and signs what readers see once more than it is there",
	"symbol":                               unneeded,
	"key_prefix":                           unneeded,
	"use_domain_sign_networks":             none,
	"use_domain_sign_local":                none,
	"use_domain_sign_inbound":              none,
	"use_domain_custom":                    script,
	"skip_spam_sign":                       none,
	"use_milter_headers":                   unneeded,
	"servers":                              unneeded,
	"read_servers":                         unneeded,
	"write_servers":                        unneeded,
	"vault_url":                            unneeded,
	"vault_token":                          unneeded,
	"vault_path":                           unneeded,
	"vault_domains":                        unneeded,
}

// scan reads the settings.
func (s *signer) scan() {
	for _, member := range s.root.object {
		name, v := member.name, member.value
		why, known := rspamdSettings[name]
		switch {
		case v.kind == uclMacro:
			s.note(s.place(v), "%.80s: not followed; import that file too", v.text)
		case !known:
			s.note(s.place(v), "%.80s: Gatepost does not know this setting", name)
		case why != "":
			s.note(s.place(v), "%s: %s", name, why)
		case s.root.get(name) != v && name != "domain":
			s.note(s.place(v), "%s: it is there again below, and the last counts", name)
		default:
			s.setting(name, v)
		}
	}
}

func (s *signer) setting(name string, v *uclValue) {
	switch name {
	case "path":
		s.path = v.text
	case "selector":
		s.selector = v.text
	case "use_esld":
		s.esld = isYes(v.text)
	case "try_fallback":
		s.fallback = isYes(v.text)
	case "use_domain":
		if v.text != "header" {
			s.lost(s.place(v), "use_domain %s: Gatepost signs for the domain in From, which is the one that DMARC looks at", v.text)
		}
	case "use_redis", "use_vault":
		if isYes(v.text) {
			s.lost(s.place(v), "%s: the keys are kept elsewhere; write each to a file and take it in with gatepost keys add", name)
		}
	case "signing_table", "key_table":
		s.lost(s.place(v), "%s: tables in OpenDKIM's form; name them as KeyTable and SigningTable in an opendkim.conf, and import that: gatepost import opendkim", name)
	case "sign_condition":
		s.lost(s.place(v), "sign_condition: %s", script)
	case "sign_authenticated":
		if !isYes(v.text) {
			s.line("", "trust_authenticated = false")
		}
	case "sign_local":
		if !isYes(v.text) {
			s.line("", "own_networks = []")
		} else {
			s.note(s.place(v), "sign_local: rspamd takes private networks for local too; name yours in own_networks")
		}
	case "sign_networks":
		s.networks(v)
	}
}

// networks reads whose mail is signed: networks in place, or a file of them.
func (s *signer) networks(v *uclValue) {
	texts := []string{}
	switch {
	case v.kind == uclList:
		for _, e := range v.list {
			texts = append(texts, e.text)
		}
	case v.kind == uclText && strings.HasPrefix(strings.TrimPrefix(v.text, "file://"), "/"):
		entries, err := readMap(v.text)
		if err != nil {
			s.lost(s.place(v), "sign_networks: %v", err)
			return
		}
		for _, e := range entries {
			texts = append(texts, e.key)
		}
	case v.kind == uclText:
		texts = strings.FieldsFunc(v.text, func(r rune) bool { return r == ',' || r == ' ' })
	}
	networks := []string{"127.0.0.0/8", "::1/128"}
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			ip, err := netip.ParseAddr(text)
			if err != nil {
				s.note(s.place(v), "sign_networks %.60s: own_networks holds addresses and networks only", text)
				continue
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		if p := prefix.Masked().String(); !slices.Contains(networks, p) {
			networks = append(networks, p)
		}
	}
	s.line("", "own_networks = %s", quoteList(networks))
}

var errMap = errors.New("a map that is no local file: write it into one")

// readMap reads a map in a file: a key a line, and behind white space its value.
func readMap(name string) ([]entry, error) {
	path := strings.TrimPrefix(name, "file://")
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "/ip:") {
		return nil, fmt.Errorf("%.80s: %w", name, errMap)
	}
	return (&conf{}).flat(path)
}

func (s *signer) maps() error {
	for name, into := range map[string]map[string]string{"path_map": s.paths, "selector_map": s.selectors} {
		v := s.root.get(name)
		if v == nil {
			continue
		}
		if v.kind != uclText {
			s.lost(s.place(v), "%s: only a map in a file is read", name)
			continue
		}
		entries, err := readMap(v.text)
		if errors.Is(err, errMap) {
			s.lost(s.place(v), "%s: %v", name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", s.place(v), name, err)
		}
		for _, e := range entries {
			domain, err := signing.DomainName(e.key)
			if err != nil || e.value == "" {
				s.lost(e.place, "%s: %.80s: a domain and a value are wanted", name, e.key)
				continue
			}
			into[domain] = e.value
		}
	}
	return nil
}

// domains takes the domains that are named, those of the maps, and those that have a key where rspamd would look.
func (s *signer) domains() {
	for _, member := range s.root.object {
		if member.name != "domain" {
			continue
		}
		if member.value.kind != uclObject {
			s.note(s.place(member.value), "domain: domains with their settings are wanted")
			continue
		}
		for _, d := range member.value.object {
			s.domain(d.name, d.value)
		}
	}
	var mapped []string
	for _, m := range []map[string]string{s.paths, s.selectors} {
		for domain := range m {
			mapped = append(mapped, domain)
		}
	}
	slices.Sort(mapped)
	for _, domain := range slices.Compact(mapped) {
		if !s.seen[domain] {
			s.take(s.file, domain, "", "")
		}
	}
	if s.fallback {
		s.found()
	}
}

// domain takes one that is named.
func (s *signer) domain(name string, v *uclValue) {
	domain, err := signing.DomainName(name)
	if err != nil || v.kind != uclObject {
		s.lost(s.place(v), "domain %.80s: not a domain that Gatepost can sign for", name)
		return
	}
	taken := false
	for _, member := range v.object {
		switch member.name {
		case "path", "selector":
		case "selectors":
			for _, e := range member.value.list {
				s.take(s.place(e), domain, textIn(e, "selector"), textIn(e, "path"))
				taken = true
			}
		default:
			s.note(s.place(member.value), "domain %s: %.80s: Gatepost does not know this setting", domain, member.name)
		}
	}
	if !taken || v.get("path") != nil || v.get("selector") != nil {
		s.take(s.place(v), domain, textIn(v, "selector"), textIn(v, "path"))
	}
}

func textIn(v *uclValue, name string) string {
	if found := v.get(name); found != nil {
		return found.text
	}
	return ""
}

// take takes a key of a domain; what is not said of it is in the maps, or is the default.
func (s *signer) take(place, domain, selector, path string) {
	s.seen[domain] = true
	selector = first(selector, s.selectors[domain], s.selector)
	path = first(path, s.paths[domain], s.path)
	path = strings.NewReplacer("$domain", domain, "$selector", selector).Replace(path)
	s.load(place, domain, selector, path)
	s.rule(place, domain, domain)
	if s.esld && organizational(domain) == domain {
		s.rule(place, "*."+domain, domain)
	} else if s.esld {
		s.note(place, "%s: rspamd looks for keys of %s with use_esld, and never finds this one; Gatepost will use it", domain, organizational(domain))
	}
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// found takes the domains whose key lies where rspamd would look for it.
func (s *signer) found() {
	if !strings.Contains(s.path, "$domain") {
		if s.root.get("path") != nil {
			s.lost(s.place(s.root.get("path")), "path %s: one key for every domain; Gatepost signs for those that it is told only", s.path)
		}
		return
	}
	pattern := filepath.Clean(strings.ReplaceAll(s.path, "$selector", s.selector)) // as Glob gives its paths
	before, after, _ := strings.Cut(pattern, "$domain")
	if strings.Contains(after, "$domain") {
		after = "" // a domain in two places: the first will do to find it
	}
	files, err := filepath.Glob(escapeGlob(before) + "*" + escapeGlob(after))
	if err != nil {
		s.lost(s.file, "path %s: %v", s.path, err)
		return
	}
	for _, file := range files {
		domain := strings.TrimSuffix(strings.TrimPrefix(file, before), after)
		if after == "" {
			domain, _, _ = strings.Cut(domain, "/")
		}
		if name, err := signing.DomainName(domain); err == nil && !s.seen[name] {
			s.take(s.file, name, s.selectors[name], "")
		}
	}
	if len(s.seen) == 0 {
		s.note(s.file, "there is no key at %s", pattern)
	}
}

// escapeGlob protects what means something to filepath.Glob.
func escapeGlob(s string) string {
	return strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`).Replace(s)
}
