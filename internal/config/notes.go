package config

// A note is what the example says of a key. A test holds that every key has one.
type note struct {
	text   string // what the key does, a line or several
	sample string // lines to show, commented out, in the place of a default that is empty or depends on the host
}

// notes are the documentation of the file, in the order of nothing: the struct gives the order.
var notes = map[string]note{
	"listen": {text: `Where mail servers find the milter: HOST:PORT, or as sendmail writes it inet:PORT@HOST, inet6:PORT@HOST,
unix:PATH. Sockets that systemd passes on take its place.`},
	"socket_mode": {text: "The mode of Unix sockets."},
	"authserv_id": {text: `Who we are in Authentication-Results. Fields of this name that come with a message are removed. The default
is the host's name.`, sample: `authserv_id = "mx.example.org"`},
	"policy": {text: `What becomes of a message: standard, strict, lockdown, or the path of a file with a policy of your own
(docs/policy.md).`},
	"mode": {text: `"enforce" acts. "monitor" lets everything pass and writes what would have been done into X-Gatepost-Verdict and
the log.`},
	"help_url": {text: `A page that tells senders how to mend what is refused; replies name it. {ref} in it becomes the message's
reference in our log.`},
	"state_dir": {text: `What must outlast the program is kept here. The default is /var/lib/gatepost for root, and in the home of
other users ~/.local/state/gatepost.`, sample: `state_dir = "/var/lib/gatepost"`},
	"own_networks":        {text: "Mail from these networks is our own, and not verified."},
	"trust_authenticated": {text: "Mail of users who logged in is our own, and not verified."},
	"received_spf":        {text: "Add a Received-SPF field too."},
	"max_sessions":        {text: "Connections of mail servers at once; further ones wait."},
	"idle_timeout":        {text: "How long a mail server may be silent: while a sender takes its time over DATA, it is."},

	"resolver":         {text: "Who answers DNS."},
	"resolver.servers": {text: "Name servers, HOST:PORT. Without any, those of the system. Best is a validating resolver on this host."},
	"resolver.zone": {text: `A master file (RFC 1035), answered from first. Without servers above, names that it does not hold do not
exist.`},

	"limits":              {text: "What one message can make us do at most."},
	"limits.queries":      {text: "DNS queries."},
	"limits.time":         {text: "Time for DNS."},
	"limits.bytes":        {text: "Bytes of header and body that are hashed for DKIM."},
	"limits.header_bytes": {text: "Bytes of the header."},
	"limits.fields":       {text: "Fields of the header."},
	"limits.signatures":   {text: "DKIM signatures looked at, the topmost first."},

	"limits.messages": {text: "Messages of one SMTP session; the rest is put off."},

	"arc": {text: "Chains of mailing lists and forwarders (RFC 8617)."},
	"arc.trusted_sealers": {text: `Domains whose seals vouch for an author whom they saw authenticated: mailing lists and forwarders that
you trust.`},
	"arc.seal_domain":     {text: "Seal what is forwarded as this domain; with seal_selector and seal_key."},
	"arc.seal_selector":   {text: "The selector that the key is published under."},
	"arc.seal_key":        {text: "The private key, a PEM file that its owner alone may read."},
	"arc.seal_recipients": {text: "Recipient domains whose mail is forwarded, and so is sealed; all if none is named."},

	"signing":      {text: "Mail of our own users and networks is signed with DKIM (docs/signing.md)."},
	"signing.keys": {text: "The key directory. The default is keys in the state directory."},
	"signing.domains": {text: `The domains in From that are ours. "*.example.com" stands for those below. Without any, nothing is signed.`,
		sample: `domains = ["example.com", "news.example.com"]`},
	"signing.sign_as": {text: `The domain to sign as (d=) for one of them, where it is another. Both must have one Organizational Domain.`,
		sample: `[signing.sign_as]
"news.example.com" = "example.com"`},
	"signing.algorithms":          {text: "The kinds of keys that sign, each message with all of them."},
	"signing.rsa_bits":            {text: "The size of new RSA keys."},
	"signing.selector":            {text: "The pattern of new selectors: {year}, {month}, {day}, and {a} for r or e."},
	"signing.canonicalization":    {text: "Of header and body."},
	"signing.expire":              {text: "When a signature ends, from the moment it is made. 0s: never."},
	"signing.unsigned":            {text: `What becomes of mail of our own that cannot be signed: "accept", "reject" or "defer".`},
	"signing.force":               {text: "Sign with keys whose record DNS does not show."},
	"signing.rotate_every":        {text: "How often a new key takes over. 0s: when somebody says so."},
	"signing.settle":              {text: "How long a new key's record is seen before the key signs, at least."},
	"signing.keep_retired":        {text: "How long an old key stays published: mail that it signed is still under way."},
	"signing.keep_revoked":        {text: "How long it is published as revoked after that."},
	"signing.check_authoritative": {text: "Look at the domain's own name servers too, not at the resolver alone."},
	"signing.nsupdate": {text: "Zones whose key records Gatepost publishes by itself (RFC 2136).", sample: `[[signing.nsupdate]]
zone = "example.com"
server = "192.0.2.53"
secret_file = "tsig.key" # as tsig-keygen writes it, or the bare secret
key_name = ""            # where the file does not name it
algorithm = ""           # hmac-sha256 or hmac-sha512, where the file does not say
ttl = "1h"
timeout = "10s"`},

	"store":         {text: "What was decided: the last messages for gatepost log, and counts by day."},
	"store.enabled": {text: "Without it nothing is kept of what was decided, and there are no exceptions."},
	"store.url": {text: `The default is the SQLite file gatepost.db in the state directory. A database of PostgreSQL 15 or later is
postgres://USER@HOST/DATABASE, its password best in ~/.pgpass or the file that ?passfile= names (docs/scaling.md).`,
		sample: `url = "sqlite:/var/lib/gatepost/gatepost.db"`},
	"store.messages":        {text: "The last messages that are kept, with envelope and results, never with content."},
	"store.message_age":     {text: "And none that is older. 0s: any age."},
	"store.observation_age": {text: "How long the counts by day are kept. 0s: for ever."},
	"store.observations": {text: `How many counts a day may have. Near it, what is new is counted under fewer names, so that senders who make up
names cannot fill the disk; no message goes uncounted (docs/log.md).`},
	"store.journal_bytes": {text: "How large the journal may grow in which decisions wait for a store that is away."},

	"store.sync": {text: `When the journal must be on the disk itself, and so outlast a loss of power: "second" (once a second), "each"
(before mail goes on), "never" (as the operating system likes). The end of the program it outlasts in any case.`},

	"reports":         {text: "The reports that the world sends about our domains (docs/reports.md)."},
	"reports.domains": {text: "The domains that are ours: the Policy Domains of the reports.", sample: `domains = ["example.com"]`},
	"reports.verified_only": {text: `Leave reports out of figures and letters that came by mail that nobody vouched for. They are kept and
shown in any case.`},
	"reports.senders": {text: "Services of your own, or known better, in a file (docs/senders.md).", sample: `senders = "senders.toml"`},
	"reports.networks": {text: `MMDB files, such as GeoLite2-ASN, that tell the network and the country of an address.`,
		sample: `networks = ["/usr/share/GeoIP/GeoLite2-ASN.mmdb"]`},
	"reports.row_age":           {text: "How long the records of a report are kept. Their sums by day stay. 0s: for ever."},
	"reports.raw_age":           {text: "How long what arrived is kept, byte for byte, to be read again by a newer version. 0s: for ever."},
	"reports.failure_age":       {text: "How long failure reports are kept: personal data is in them. 0s: for ever."},
	"reports.address":           {text: "The addresses that reports are sent to: rua+TOKEN@HOST; gatepost reports address prints them."},
	"reports.address.host":      {text: "What stands behind the @. The default is authserv_id.", sample: `host = "reports.example.org"`},
	"reports.address.prefix":    {text: "What they begin with."},
	"reports.address.separator": {text: "What stands before the token: one of + - _ . ="},
	"reports.address.secret": {text: `The file with the secret that the tokens are made with. The default is report-addresses.secret in the state
directory; several nodes need the same.`, sample: `secret = "report-addresses.secret"`},
	"reports.address.plain": {text: "Local parts that are taken without a token, since they are published already.", sample: `plain = ["dmarc-reports"]`},
	"reports.smtp":          {text: "Our own receiver (docs/reports-by-mail.md)."},
	"reports.smtp.listen":   {text: "Where it speaks SMTP. None: nowhere.", sample: `listen = ["0.0.0.0:25"]`},
	"reports.smtp.lmtp":     {text: "Where it speaks LMTP, for a mail server on this host.", sample: `lmtp = ["unix:/run/gatepost/reports"]`},
	"reports.smtp.cert_file": {text: "The certificate for STARTTLS, in PEM, with those that lead to its authority. It is read again when it changes.",
		sample: `cert_file = "/etc/ssl/reports.pem"`},
	"reports.smtp.key_file": {text: "And its key.", sample: `key_file = "/etc/ssl/private/reports.key"`},
	"reports.smtp.trusted_relays": {text: "Mail servers of your own that pass reports on: their address is not the sender's.",
		sample: `trusted_relays = ["192.0.2.25/32"]`},
	"reports.smtp.relay_authserv_id": {text: `The name in the Authentication-Results fields of these, whose word on DMARC is believed then. They must remove
fields of this name from what comes to them.`},
	"reports.smtp.max_bytes":       {text: "Of one message."},
	"reports.smtp.max_connections": {text: "At once; from one address a tenth of it."},
	"reports.http":                 {text: "The upload at /reports, where web listens."},
	"reports.http.tokens": {text: "A file that says who may: a line NAME TOKEN [DOMAIN] each. Without it nobody.",
		sample: `tokens = "upload-tokens"`},
	"reports.http.max_bytes":       {text: "Of one upload."},
	"reports.http.trusted_proxies": {text: "Whose X-Forwarded-For tells the address of the client."},
	"reports.folder": {text: "Directories, Maildirs and mbox files that reports come into.", sample: `[[reports.folder]]
path = "/var/mail/dmarc/Maildir" # what it is, is found out
folders = []                     # of a Maildir: those below the inbox, as ".Reports"
recursive = false                # the directories in a directory too
after = "move"                   # keep, move, seen or delete
done = ".Done"                   # a directory, or a folder of the Maildir
bad = ".Bad"                     # for what cannot be read
max_bytes = "50MiB"
rescan = "1m"                    # how often to look without being called`},
	"reports.imap": {text: "Mailboxes on an IMAP server.", sample: `[[reports.imap]]
server = "imap.example.org"     # port 993, or 143 with tls = "starttls"
user = "dmarc@example.org"
password_file = "imap-password" # or a table [reports.imap.oauth]
mailboxes = ["INBOX"]
after = "move"                  # to done; or flag, seen, delete
done = "Gatepost-Done"          # on some servers "INBOX.Gatepost-Done"
bad = "Gatepost-Bad"            # for what cannot be read
max_bytes = "50MiB"
poll = "1m"                     # how often to ask a server that does not tell`},
	"reports.graph": {text: "Mailboxes at Microsoft, by Graph.", sample: `[[reports.graph]]
user = "dmarc@example.org"
[reports.graph.oauth]
provider = "microsoft"
tenant = "example.org"
client_id = "…"
client_secret_file = "graph-secret"`},
	"reports.gmail": {text: "Mailboxes at Google, by the Gmail API.", sample: `[[reports.gmail]]
user = "dmarc@example.org"
[reports.gmail.oauth]
provider = "google"
client_id = "…"
client_secret_file = "google-secret"
refresh_token_file = "google-token"`},

	"mail":        {text: "The mail server that takes in letters and alerts (docs/digest.md). It queues, signs and sends them."},
	"mail.server": {text: "HOST:PORT."},
	"mail.from":   {text: "Who letters come from. Without it, none is sent.", sample: `from = "Gatepost <gatepost@example.org>"`},
	"mail.tls": {text: `"required" is STARTTLS, "implicit" is TLS from the first byte, "off" is none. The default is required, and off on
this host.`},
	"mail.ca_file":       {text: "Certificates to trust in the place of the system's, a PEM file."},
	"mail.user":          {text: "Who logs in; nobody if empty."},
	"mail.password_file": {text: "A file with the password."},
	"mail.helo":          {text: "How we name ourselves to it. The default is this host's name."},

	"digest": {text: `Letters that sum up what reports say, one table each (docs/digest.md).`, sample: `[[digest]]
name = "weekly"              # by which it is known, and never sent twice
domains = ["example.com"]    # whom it is about; reports.domains if left out
to = ["postmaster@example.com"]
every = "weekly"             # or "daily", "monthly"
day = "tuesday"              # of a month "2"; of every day it is left out
at = "07:00"
time_zone = "Europe/Berlin"  # UTC if left out
quiet = "line"               # where nothing happened; "nothing" sends nothing
link = "https://gatepost.example.org"`},

	"alerts":    {text: "What should not wait for the next letter, by mail and to a webhook (docs/digest.md)."},
	"alerts.to": {text: "Addresses; no mail if there is none.", sample: `to = ["postmaster@example.com"]`},
	"alerts.webhook": {text: "Where each alert is posted as JSON. It must be https, but on this host.",
		sample: `webhook = "https://example.org/hooks/gatepost"`},
	"alerts.secret_file":      {text: "A file with the secret by which what is posted is signed, in Gatepost-Signature."},
	"alerts.ca_file":          {text: "Certificates to trust for the webhook in the place of the system's, a PEM file."},
	"alerts.domains":          {text: "Whom they are about; reports.domains if empty."},
	"alerts.quiet":            {text: "How long nothing more is told of what was told."},
	"alerts.new_source":       {text: "Messages in three days from which on a source that was never seen before is told of. 0: never."},
	"alerts.pass_rate_drops":  {text: "By how many points less of the mail passes, against the four weeks before. 0: never."},
	"alerts.unread_reports":   {text: "How many reports of a day that cannot be read. 0: never."},
	"alerts.silent_reporters": {text: "Tell of reporters that fell silent."},
	"alerts.policy_differs":   {text: "Tell of a policy that reporters see otherwise than it is published."},
	"alerts.link":             {text: "The address of the dashboard, for mail and webhook."},

	"watch":         {text: "Domains whose records are looked at again and again; what becomes worse is told as alerts are (docs/watch.md)."},
	"watch.domains": {text: "Which; reports.domains if empty.", sample: `domains = ["example.com", "example.net"]`},
	"watch.every":   {text: "How often. 0s: never."},
	"watch.connect": {text: "Speak with the mail servers of these domains too, at port 25, to look at their TLS."},
	"notice":        {text: "Letters to the owners of domains whose records have their mail refused (docs/notice.md)."},
	"notice.from": {text: "Who they come from: an address whose domain has SPF, DKIM and DMARC in order. Without it, none is sent.",
		sample: `from = "Example GmbH <postmaster@example.org>"`},
	"notice.return_address": {text: `Where what comes back goes, and is read: an address of the same domain. The mail server must bring mail to it,
and to notices+TOKEN@, to one of the report inputs, or to: gatepost notice bounce -`, sample: `return_address = "notices@example.org"`},
	"notice.organization": {text: "Who we are, as the letter says it.", sample: `organization = "Example GmbH"`},
	"notice.contact":      {text: "An address that a person reads. The default is that of from."},
	"notice.about":        {text: "A page about us.", sample: `about = "https://example.org/mail"`},
	"notice.language":     {text: "The language of all letters. The default is what the domain suggests: en, de, fr, es, nl or pt."},
	"notice.catalogue":    {text: "A file with one more language.", sample: `catalogue = "it.toml"`},
	"notice.per_hour":     {text: "Letters an hour, of all nodes together. There is one to a domain in 90 days, whatever stands here."},
	"notice.per_day":      {text: "Letters a day."},
	"notice.recheck":      {text: "How often is looked whether a domain was mended."},
	"notice.follow":       {text: "For how long."},
	"notice.except":       {text: "Domains that are never written to, with those below.", sample: `except = ["example.net"]`},
	"notice.rule": {text: `What opens cases by itself, one table each. They wait for gatepost notice approve, unless send is true.`, sample: `[[notice.rule]]
name = "softfail"
rules = ["spf-softfail"]     # of the policy, that stopped the messages
messages = 5                 # of a domain within a week, at least
domains = ["example.com"]    # only these; all if left out
send = false                 # true: nobody is asked`},

	"web":        {text: "The dashboard and its API, the metrics, and the state of the gate, by HTTP (docs/dashboard.md)."},
	"web.listen": {text: "Where. Beyond this host only with tls, or behind a proxy that has it. None: nowhere."},
	"web.url": {text: `How browsers reach it. The default is the first address of listen. Passkeys need a name here, and not an
address.`, sample: `url = "https://gatepost.example.org"`},
	"web.trusted_proxies": {text: "Whose X-Forwarded-For and X-Forwarded-Proto tell of the client."},
	"web.watchers":        {text: "Networks that read /metrics and /readyz without signing in."},
	"web.tls":             {text: "HTTPS by a certificate of yours, or by one that is had by itself."},
	"web.tls.cert_file":   {text: "The certificate, in PEM, with those that lead to its authority. It is read again when it changes."},
	"web.tls.key_file":    {text: "And its key."},
	"web.tls.acme":        {text: "Have a certificate for the host of url from an authority (ACME), and renew it."},
	"web.tls.email":       {text: "The address that the authority writes to.", sample: `email = "hostmaster@example.org"`},
	"web.tls.ca":          {text: "The directory of the authority. The default is that of Let's Encrypt.", sample: `ca = "https://acme.example.org/directory"`},
	"web.tls.ca_file":     {text: "Certificates to trust for that directory in the place of the system's, a PEM file."},
	"web.tls.redirect": {text: "Where HTTP is spoken besides, to answer the authority and to send browsers to HTTPS.",
		sample: `redirect = ["0.0.0.0:80"]`},
	"web.oidc":                    {text: "An OpenID provider that people sign in by (docs/sign-in.md)."},
	"web.oidc.issuer":             {text: "Its address. Without it, there is none.", sample: `issuer = "https://id.example.org"`},
	"web.oidc.name":               {text: "What stands on the button. The default is the host of issuer."},
	"web.oidc.client_id":          {text: "What it calls us.", sample: `client_id = "gatepost"`},
	"web.oidc.client_secret_file": {text: "A file with our secret there.", sample: `client_secret_file = "oidc-secret"`},
	"web.oidc.groups_claim":       {text: "The claim that names a person's groups."},
	"web.oidc.role": {text: "What these groups may do, one table each. Who is in none of them is not let in.", sample: `[[web.oidc.role]]
group = "mail-admins"
role = "owner"               # or "analyst", "viewer"
over = "*"                   # or the name of a web.group`},
	"web.group": {text: "Domains that a role can be held over, one table each.", sample: `[[web.group]]
name = "shop"
domains = ["example.org", "*.example.org"]`},

	"recipients": {text: "Recipient domains with a policy or a mode of their own; what is left out is as for the rest.", sample: `[[recipients]]
domains = ["example.org", "*.example.org"]
policy = "lockdown"
mode = "monitor"`},

	"dmarc":        {text: "How DMARC is evaluated."},
	"dmarc.method": {text: `How the Organizational Domain is found: "treewalk" (RFC 9989), or "psl", the public suffix list (RFC 7489).`},

	"log":        {text: "What is written to standard error, one line a message."},
	"log.level":  {text: "debug, info, warn or error."},
	"log.format": {text: `"text" or "json".`},
}
