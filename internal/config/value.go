package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
)

// A Duration is written as Go writes it: "20s", "1m30s".
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration; write it like \"20s\" or \"2h\"", text)
	}
	*d = Duration(v)
	return nil
}

func (d Duration) String() string {
	text, _ := d.MarshalText()
	return string(text)
}

// MarshalText writes a duration, without the zeros that Go puts at the end of hours: "2h".
func (d Duration) MarshalText() ([]byte, error) {
	s := time.Duration(d).String()
	if short, ok := strings.CutSuffix(s, "m0s"); ok {
		s = strings.TrimSuffix(short+"m", "h0m")
		if len(s) < len(short) {
			s += "h"
		}
	}
	return []byte(s), nil
}

// A Size is a number of bytes, written as a number or with a unit: "256MiB".
type Size int64

// The units, the largest first.
var units = [...]struct {
	name   string
	factor int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	number, factor := string(text), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = strings.TrimRight(rest, " "), u.factor
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return fmt.Errorf("%q is no size; write it like \"256MiB\" or \"64KiB\"", text)
	}
	*s = Size(n * factor)
	return nil
}

// MarshalText writes a size in the largest unit that divides it.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range units[:3] {
		if s != 0 && int64(s)%u.factor == 0 {
			return fmt.Appendf(nil, "%d%s", int64(s)/u.factor, u.name), nil
		}
	}
	return fmt.Appendf(nil, "%dB", int64(s)), nil
}

// A FileMode is written in octal: "0660".
type FileMode fs.FileMode

// UnmarshalText reads a mode.
func (m *FileMode) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || v > 0o777 {
		return fmt.Errorf("%q is no file mode; write it in octal, like \"0660\"", text)
	}
	*m = FileMode(v)
	return nil
}

// MarshalText writes a mode.
func (m FileMode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

// An Address is where to listen, in the words of net.Listen.
type Address struct {
	Network string // "tcp", "tcp4", "tcp6" or "unix"
	Address string
}

var errAddress = errors.New(`write it like "127.0.0.1:8891", "inet:8891@127.0.0.1" or "unix:/run/gatepost/milter"`)

// UnmarshalText reads an address: HOST:PORT, a path, or in the words of sendmail inet:PORT@HOST, inet6:PORT@HOST, unix:PATH,
// local:PATH.
func (a *Address) UnmarshalText(text []byte) error {
	s := string(text)
	kind, rest, _ := strings.Cut(s, ":")
	var err error
	switch kind {
	case "unix", "local":
		*a, err = socket(rest)
	case "inet", "inet6":
		port, host, _ := strings.Cut(rest, "@")
		network := map[string]string{"inet": "tcp4", "inet6": "tcp6"}[kind]
		*a, err = endpoint(network, strings.Trim(host, "[]"), port)
	default:
		if strings.HasPrefix(s, "/") {
			*a, err = socket(s)
			break
		}
		host, port, splitErr := net.SplitHostPort(s)
		if splitErr != nil {
			err = errAddress
			break
		}
		*a, err = endpoint("tcp", host, port)
	}
	if err != nil {
		return fmt.Errorf("%q is no address to listen on; %w", text, err)
	}
	return nil
}

func socket(path string) (Address, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return Address{}, errAddress
	}
	return Address{"unix", path}, nil
}

func endpoint(network, host, port string) (Address, error) {
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || strings.ContainsAny(host, "[]@ \x00") {
		return Address{}, errAddress
	}
	return Address{network, net.JoinHostPort(host, port)}, nil
}

// String is what UnmarshalText reads.
func (a Address) String() string {
	host, port, _ := net.SplitHostPort(a.Address)
	switch a.Network {
	case "unix":
		return "unix:" + a.Address
	case "tcp4":
		return "inet:" + port + "@" + host
	case "tcp6":
		return "inet6:" + port + "@" + host
	}
	return a.Address
}

// MarshalText writes an address.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
