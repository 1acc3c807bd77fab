package cli

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatepost-mail/gatepost/internal/when"
)

// common are the flags that every command has.
type common struct {
	JSON      bool
	NoColor   bool
	Resolvers []string
	Zone      string
	At        time.Time // the present if zero
	Timeout   time.Duration
}

func addCommonFlags(f *pflag.FlagSet) {
	f.Bool("json", false, "print JSON: one document, or one a line for many")
	f.Var(&serversValue{}, "resolver", "ask this DNS server; may be repeated")
	f.String("zone", "", "answer DNS from this master `FILE`; names outside of it do not exist, or are asked of --resolver where that is given")
	f.Var(&timeValue{}, "at", "evaluate as at this time: RFC 3339, or Unix seconds")
	f.Var(&durationValue{20 * time.Second}, "timeout", "how long DNS may take for a message, and an audit for a domain")
	f.Bool("no-color", false, "no colours, even on a terminal")
}

// commonFlags reads the flags that every command has.
func commonFlags(cmd *cobra.Command) common {
	f := cmd.Flags()
	c := common{}
	c.JSON, _ = f.GetBool("json")
	c.NoColor, _ = f.GetBool("no-color")
	c.Zone, _ = f.GetString("zone")
	if v, ok := f.Lookup("resolver").Value.(*serversValue); ok {
		c.Resolvers = v.servers
	}
	if v, ok := f.Lookup("at").Value.(*timeValue); ok {
		c.At = v.Time
	}
	if v, ok := f.Lookup("timeout").Value.(*durationValue); ok {
		c.Timeout = v.Duration
	}
	return c
}

// addrValue is an IP address.
type addrValue struct{ netip.Addr }

func (v *addrValue) Set(s string) error {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return errors.New("not an IP address; write it as 192.0.2.1 or 2001:db8::1")
	}
	v.Addr = ip.Unmap().WithZone("")
	return nil
}

func (v *addrValue) Type() string { return "ADDRESS" }

func (v *addrValue) String() string {
	if !v.IsValid() {
		return ""
	}
	return v.Addr.String()
}

// timeValue is a moment: RFC 3339, or seconds since 1970.
type timeValue struct{ time.Time }

func (v *timeValue) Set(s string) error {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
		if seconds < 0 || seconds > maxUnix {
			return errors.New("out of range")
		}
		v.Time = time.Unix(seconds, 0).UTC()
		return nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errors.New("not a time; write it as 2026-11-01T12:00:00Z, or as Unix seconds")
	}
	v.Time = t.UTC()
	return nil
}

// maxUnix is the end of the year 9999, the last that RFC 3339 can write.
const maxUnix = 253402300799

func (v *timeValue) Type() string { return "TIME" }

func (v *timeValue) String() string {
	if v.IsZero() {
		return ""
	}
	return v.Format(time.RFC3339)
}

// durationValue is a stretch of time: Go's form, days, or plain seconds.
type durationValue struct{ time.Duration }

func (v *durationValue) Set(s string) error {
	d, err := when.Duration(s)
	if err != nil {
		return err
	}
	v.Duration = d
	return nil
}

func (v *durationValue) Type() string { return "DURATION" }

func (v *durationValue) String() string {
	if v.Duration == 0 {
		return ""
	}
	if day := 24 * time.Hour; v.Duration%day == 0 {
		return strconv.FormatInt(int64(v.Duration/day), 10) + "d"
	}
	return v.Duration.String()
}

// serversValue is a list of DNS servers. The port is 53 where none is given.
type serversValue struct{ servers []string }

func (v *serversValue) Set(s string) error {
	for server := range strings.SplitSeq(s, ",") {
		address, err := serverAddress(server)
		if err != nil {
			return err
		}
		v.servers = append(v.servers, address)
	}
	return nil
}

func serverAddress(s string) (string, error) {
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	if ip, err := netip.ParseAddr(bare); err == nil && !strings.ContainsAny(ip.Zone(), "%[]: /") {
		return net.JoinHostPort(ip.String(), "53"), nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil { // a name without a port
		host, port = s, "53"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, " /[]") {
		return "", fmt.Errorf("not a server; write it as 192.0.2.53:53")
	}
	return net.JoinHostPort(host, port), nil
}

func (v *serversValue) Type() string   { return "HOST:PORT" }
func (v *serversValue) String() string { return strings.Join(v.servers, ",") }
