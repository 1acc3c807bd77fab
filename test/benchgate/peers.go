//go:build linux

package main

import "fmt"

// Each peer is set up to its advantage: nothing that it does not need is on, it may use all processors, and it logs as little as it
// can, or to a file. All of them refuse what fails DMARC under p=reject, and write an Authentication-Results field.

// rspamdPiece has the proxy scan by itself, so that no message goes from one process to another. It loads no rules.
func rspamdPiece(processors int) piece {
	return piece{
		name: "rspamd", program: "rspamd", args: []string{"-f", "-i", "-c", "DIR/rspamd.conf"},
		files: map[string]string{"rspamd.conf": fmt.Sprintf(rspamdConfig, processors)},
	}
}

const rspamdConfig = `
options {
  pidfile = "DIR/rspamd.pid"; tempdir = "DIR"; hs_cache_dir = "DIR"; cache_file = "DIR/symbols.cache";
  dynamic_conf = "DIR/dynamic"; history_file = "DIR/history"; stats_file = "DIR/stats.ucl"; control_socket = "DIR/control.sock mode=0600";
  url_tld = "/usr/share/rspamd/effective_tld_names.dat";
  local_addrs = "127.0.0.0/8";
  filters = "dkim";
  dns { nameserver = ["DNSHOST:53:1"]; timeout = 1s; retransmits = 5; sockets = 16; }
}
logging { type = "file"; filename = "DIR/rspamd.log"; level = "notice"; }
worker "rspamd_proxy" {
  bind_socket = "SOCKET";
  milter = yes; timeout = 120s; count = %d;
  upstream "local" { default = yes; self_scan = yes; }
}
modules {
  path = "/usr/share/rspamd/plugins/spf.lua";
  path = "/usr/share/rspamd/plugins/dmarc.lua";
  path = "/usr/share/rspamd/plugins/arc.lua";
  path = "/usr/share/rspamd/plugins/milter_headers.lua";
}
spf { }
dkim { }
dmarc { actions { reject = "reject"; quarantine = "add header"; } }
arc { sign_inbound = false; sign_local = false; sign_authenticated = false; }
milter_headers { use = ["authentication-results"]; routines { authentication-results { header = "Authentication-Results"; } } }
actions { reject = 1000; add_header = 900; }
`

// The two that Postfix asks in this order.
func openPieces() []piece {
	return []piece{
		{name: "opendkim", program: "opendkim", args: []string{"-f", "-x", "DIR/opendkim.conf"}, files: map[string]string{"opendkim.conf": opendkimConfig}},
		{name: "opendmarc", program: "opendmarc", args: []string{"-f", "-c", "DIR/opendmarc.conf"}, files: map[string]string{"opendmarc.conf": opendmarcConfig, "ignore": ""}},
	}
}

const opendkimConfig = `
Socket LISTEN
Background no
PidFile DIR/pid
Mode v
Syslog no
AuthservID AUTHSERVID
Nameservers DNSHOST
`

// SPF is its own, since opendkim has none. The list of public suffixes comes with Debian's package publicsuffix.
const opendmarcConfig = `
Socket LISTEN
Background false
PidFile DIR/pid
Syslog false
AuthservID AUTHSERVID
TrustedAuthservIDs AUTHSERVID
SPFSelfValidate true
SPFIgnoreResults true
RejectFailures true
IgnoreHosts DIR/ignore
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
`
