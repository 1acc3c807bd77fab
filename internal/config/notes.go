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
	"policy": {text: "What becomes of a message: standard, strict or lockdown."},
	"mode": {text: `"enforce" acts. "monitor" lets everything pass and writes what would have been done into X-Gatepost-Verdict and
the log.`},
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

	"dmarc":        {text: "How DMARC is evaluated."},
	"dmarc.method": {text: `How the Organizational Domain is found: "treewalk" (RFC 9989), or "psl", the public suffix list (RFC 7489).`},

	"log":        {text: "What is written to standard error, one line a message."},
	"log.level":  {text: "debug, info, warn or error."},
	"log.format": {text: `"text" or "json".`},
}
